#include "server/access/token_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace larder {
namespace {

constexpr std::string_view k_first_line = "larder-tokens 1";
constexpr std::size_t k_largest = 16 << 20;  // bytes
constexpr std::size_t k_fields = 8;

// The next line without its end; an unfinished one counts as damage, and is told by `whole`.
std::string_view next_line(std::string_view& text, bool& whole) {
  const auto end = text.find('\n');
  whole = end != std::string_view::npos;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(whole ? end + 1 : text.size());
  return line;
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size() && number >= 0;
}

bool split(std::string_view line, std::array<std::string_view, k_fields>& fields) {
  for (std::size_t i = 0; i < k_fields; ++i) {
    const auto blank = line.find(' ');
    fields[i] = line.substr(0, blank);
    const bool last = blank == std::string_view::npos;
    if (fields[i].empty() || last != (i + 1 == k_fields)) return false;
    if (!last) line.remove_prefix(blank + 1);
  }
  return true;
}

bool is_id(std::string_view text) {
  return token_id(std::string(k_token_prefix).append(text).append("_").append(64, '0')) == text;
}

// An actor that fits between two blanks.
std::string one_word(std::string_view text) {
  std::string word(text);
  for (char& each : word) {
    if (static_cast<unsigned char>(each) <= ' ' || each == 0x7F) each = '_';
  }
  return word.empty() ? "-" : word;
}

// Empty: it is in order.
std::string read_record(std::string_view line, TokenRecord& record) {
  std::array<std::string_view, k_fields> fields;
  if (!split(line, fields)) return "is not 'ID HASH CREATED EXPIRES RIGHTS NAMESPACES NAME BY'";
  const auto& [id, hash, created, expires, rights, where, name, by] = fields;
  const auto digest = Digest::from_hex(hash);
  const auto can = parse_rights(rights);
  const auto in = parse_namespaces(where);
  if (!is_id(id)) return "has no id of 12 hexadecimal digits";
  if (!digest || *digest == Digest()) return "has no SHA-256";
  if (!parse_number(created, record.created) || !parse_number(expires, record.expires))
    return "has a time that is no number";
  if (!can) return can.error().message();
  if (!in) return in.error().message();
  if (can->has(Right::admin) && !in->is_all()) return "gives admin for some namespaces only";
  if (!is_actor_name(name)) return "has no name";
  if (one_word(by) != by) return "was made by a name with control characters";
  record.id = id;
  record.hash = *digest;
  record.rights = *can;
  record.where = *in;
  record.name = name;
  record.created_by = by;
  return {};
}

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

Result<void> write_all(int descriptor, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return posix_error("write", name, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(descriptor) != 0) return posix_error("sync", name, errno);
  return {};
}

// What root makes has to be readable by the user that the daemon runs as: the one who owns the
// directory above.
Result<void> give_to_owner_of(const std::filesystem::path& above, int descriptor, const std::string& name) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(above.c_str(), &owner) != 0) return {};
  if (::fchown(descriptor, owner.st_uid, owner.st_gid) != 0) return posix_error("give away", name, errno);
  return {};
}

Result<void> make_directory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) {
    const Descriptor made(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!made) return posix_error("open", directory.native(), errno);
    return give_to_owner_of(directory.parent_path(), made.number(), directory.native());
  }
  if (errno != EEXIST) return posix_error("make directory", directory.native(), errno);
  return {};
}

}  // namespace

std::string encode_tokens(const TokenRecords& records) {
  std::string text(k_first_line);
  text += "\n";
  for (const TokenRecord& each : records) {
    text.append(each.id).append(" ").append(each.hash.hex());
    text.append(" ").append(std::to_string(each.created)).append(" ").append(std::to_string(each.expires));
    text.append(" ").append(to_string(each.rights)).append(" ").append(to_string(each.where));
    text.append(" ").append(each.name).append(" ").append(one_word(each.created_by)).append("\n");
  }
  return text.append("end ").append(std::to_string(records.size())).append("\n");
}

Result<TokenRecords> decode_tokens(std::string_view text) {
  TokenRecords records;
  int number = 0;
  const auto damaged = [&](const std::string& what) {
    return Error(Errc::corrupt, "line " + std::to_string(number) + " " + what);
  };
  bool whole = true;
  for (bool ended = false; !ended;) {
    const std::string_view line = next_line(text, whole);
    ++number;
    if (!whole) return damaged("is where the file ends too early");
    if (number == 1) {
      if (line != k_first_line) return damaged("is not '" + std::string(k_first_line) + "'");
      continue;
    }
    if (line.starts_with('#')) continue;
    if (line.starts_with("end ")) {
      std::size_t count = 0;
      const auto digits = line.substr(4);
      const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
      const bool is_number = failure == std::errc() && end == digits.data() + digits.size();
      if (!is_number || count != records.size())
        return damaged("does not count the " + std::to_string(records.size()) + " tokens above it");
      if (!text.empty()) return damaged("is not the last one");
      ended = true;
      continue;
    }
    TokenRecord record;
    const std::string defect = read_record(line, record);
    if (!defect.empty()) return damaged(defect);
    const bool twice = std::any_of(records.begin(), records.end(), [&](const TokenRecord& each) {
      return each.id == record.id || each.name == record.name;
    });
    if (twice) return damaged("names an id or a token for the second time");
    records.push_back(std::move(record));
  }
  return records;
}

Result<TokenRecords> TokenFile::read() const {
  const Descriptor file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return TokenRecords();
  if (!file) return posix_error("open", file_.native(), errno);
  std::string text;
  std::array<char, 16 << 10> piece{};
  while (true) {
    const ssize_t count = ::read(file.number(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return posix_error("read", file_.native(), errno);
    if (count == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > k_largest)
      return Error(Errc::corrupt, "the token file " + file_.native() + " is too large");
  }
  auto records = decode_tokens(text);
  if (!records)
    return Error(Errc::corrupt,
                 "the token file " + file_.native() + " is damaged: " + records.error().message());
  return records;
}

Result<void> TokenFile::write(const TokenRecords& records) const {
  const std::string staged = file_.native() + ".new";
  (void)::unlink(staged.c_str());
  {
    const Descriptor out(::open(staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!out) return posix_error("create", staged, errno);
    if (::fchmod(out.number(), 0600) != 0) return posix_error("change the mode of", staged, errno);
    LARDER_TRY(give_to_owner_of(file_.parent_path(), out.number(), staged));
    LARDER_TRY(write_all(out.number(), encode_tokens(records), staged));
  }
  if (::rename(staged.c_str(), file_.c_str()) != 0) return posix_error("replace", file_.native(), errno);
  const Descriptor directory(::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.number()) != 0)
    return posix_error("sync", file_.parent_path().native(), errno);
  return {};
}

Result<void> TokenFile::change(const std::function<Result<void>(TokenRecords&)>& change) const {
  LARDER_TRY(make_directory(file_.parent_path()));
  const std::string lock_name = file_.native() + ".lock";
  const Descriptor lock(::open(lock_name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return posix_error("open", lock_name, errno);
  LARDER_TRY(give_to_owner_of(file_.parent_path(), lock.number(), lock_name));
  while (::flock(lock.number(), LOCK_EX) != 0) {
    if (errno != EINTR) return posix_error("lock", lock_name, errno);
  }
  LARDER_TRY_ASSIGN(TokenRecords records, read());
  LARDER_TRY(change(records));
  return write(records);
}

std::string TokenFile::stamp() const {
  struct stat status {};
  if (::stat(file_.c_str(), &status) != 0) return errno == ENOENT ? "" : "unreadable";
  return std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) + ":" +
         std::to_string(status.st_mtim.tv_sec) + ":" + std::to_string(status.st_mtim.tv_nsec) + ":" +
         std::to_string(status.st_ctim.tv_sec) + ":" + std::to_string(status.st_ctim.tv_nsec);
}

}  // namespace larder
