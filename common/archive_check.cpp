#include "common/archive_check.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace larder {
namespace {

constexpr std::size_t k_buffer = 128 * 1024;
constexpr std::int64_t k_end_of_tar = 1024;  // two blocks of zeros (POSIX ustar)

using Bytes = std::span<const std::byte>;

enum class Compression { none, gzip, zstd, xz, bzip2 };
enum class Content { tar, bytes, zip };

struct Format {
  std::string_view ending;
  Compression compression;
  Content content;
};

// Longer endings first: ".tar.gz" before ".gz".
constexpr std::array k_formats = {
    Format{".tar.zst", Compression::zstd, Content::tar}, Format{".tzst", Compression::zstd, Content::tar},
    Format{".tar.gz", Compression::gzip, Content::tar},  Format{".tgz", Compression::gzip, Content::tar},
    Format{".crate", Compression::gzip, Content::tar},   Format{".tar.xz", Compression::xz, Content::tar},
    Format{".txz", Compression::xz, Content::tar},       Format{".tar.bz2", Compression::bzip2, Content::tar},
    Format{".tbz2", Compression::bzip2, Content::tar},   Format{".tbz", Compression::bzip2, Content::tar},
    Format{".tar", Compression::none, Content::tar},     Format{".zst", Compression::zstd, Content::bytes},
    Format{".gz", Compression::gzip, Content::bytes},    Format{".xz", Compression::xz, Content::bytes},
    Format{".bz2", Compression::bzip2, Content::bytes},  Format{".zip", Compression::none, Content::zip},
};

const Format* format_of(std::string_view name) {
  const auto found = std::find_if(k_formats.begin(), k_formats.end(),
                                  [&](const Format& format) { return name.ends_with(format.ending); });
  return found == k_formats.end() ? nullptr : &*found;
}

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

Archive new_reader() {
  Archive handle(archive_read_new());
  if (!handle) throw std::bad_alloc();
  return handle;
}

// Whether libarchive is content; what it calls a warning (a name that the locale
// cannot show, say) is no damage.
bool is_fine(int status) {
  return status == ARCHIVE_OK || status == ARCHIVE_WARN;
}

Error corrupt(std::string what) {
  return Error(Errc::corrupt, std::move(what));
}

Error archive_error(archive* handle) {
  const char* text = archive_error_string(handle);
  return corrupt(text != nullptr ? text : "it cannot be read");
}

// A stream of bytes in pieces; an empty piece is its end. A piece is valid until
// the next call.
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<Bytes> next() = 0;
};

class FileSource final : public Source {
 public:
  explicit FileSource(int descriptor) : descriptor_(descriptor), buffer_(k_buffer) {}

  Result<Bytes> next() override {
    while (true) {
      const ssize_t got = ::read(descriptor_, buffer_.data(), buffer_.size());
      if (got >= 0) return Bytes(buffer_.data(), static_cast<std::size_t>(got));
      if (errno != EINTR) return posix_error("read", "it", errno);
    }
  }

 private:
  int descriptor_;
  std::vector<std::byte> buffer_;
};

// gzip by zlib itself: libarchive (3.6) does not compare the checksum and the
// length behind a member, and takes whatever follows for the end.
class GzipSource final : public Source {
 public:
  explicit GzipSource(int descriptor) : file_(descriptor), buffer_(k_buffer) {
    constexpr int k_gzip_only = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, k_gzip_only) != Z_OK) throw std::bad_alloc();
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  Result<Bytes> next() override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    while (stream_.avail_out == buffer_.size() && state_ != State::end) LARDER_TRY(step());
    return Bytes(buffer_.data(), buffer_.size() - stream_.avail_out);
  }

 private:
  enum class State { member, between, padding, end };

  Result<void> step() {
    if (stream_.avail_in == 0) {
      LARDER_TRY_ASSIGN(const Bytes more, file_.next());
      if (more.empty()) return at_end_of_file();
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(more.data()));
      stream_.avail_in = static_cast<uInt>(more.size());
    }
    // gzip itself accepts zeros behind the last member: tapes are read in blocks.
    if (state_ == State::between) state_ = *stream_.next_in == 0 ? State::padding : State::member;
    if (state_ == State::padding) return skip_padding();
    return inflate_some();
  }

  Result<void> at_end_of_file() {
    if (state_ == State::member) return corrupt("it is truncated: its last gzip member does not end");
    state_ = State::end;
    return {};
  }

  Result<void> skip_padding() {
    while (stream_.avail_in > 0) {
      if (*stream_.next_in != 0) return corrupt("garbage follows the gzip data");
      ++stream_.next_in;
      --stream_.avail_in;
    }
    return {};
  }

  Result<void> inflate_some() {
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      inflateReset(&stream_);
      state_ = State::between;
      return {};
    }
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_OK || status == Z_BUF_ERROR) return {};
    return corrupt(std::string("its gzip data is damaged: ") +
                   (stream_.msg != nullptr ? stream_.msg : "no reason"));
  }

  FileSource file_;
  std::vector<std::byte> buffer_;
  z_stream stream_{};
  State state_ = State::member;
};

// zstd, xz and bzip2 by libarchive, as a "raw" archive of one entry. The filter
// is forced: bidding looks at the first bytes, and pzstd's first bytes are a
// skippable frame's.
class FilterSource final : public Source {
 public:
  FilterSource(int descriptor, int filter)
      : descriptor_(descriptor), handle_(new_reader()), buffer_(k_buffer) {
    archive* raw = handle_.get();
    archive_read_append_filter(raw, filter);
    archive_read_set_format(raw, ARCHIVE_FORMAT_RAW);  // set, not bid for: bidding hides the first error
    opened_ = archive_read_open_fd(raw, descriptor, k_buffer);
  }

  Result<Bytes> next() override {
    if (!is_fine(opened_)) return archive_error(handle_.get());
    if (!started_) {
      archive_entry* entry = nullptr;
      if (!is_fine(archive_read_next_header(handle_.get(), &entry))) return archive_error(handle_.get());
      started_ = true;
    }
    const la_ssize_t got = archive_read_data(handle_.get(), buffer_.data(), buffer_.size());
    if (got < 0) return archive_error(handle_.get());
    if (got == 0) LARDER_TRY(all_was_read());
    return Bytes(buffer_.data(), static_cast<std::size_t>(got));
  }

 private:
  // The bzip2 filter stops without a word where no whole stream header follows.
  Result<void> all_was_read() {
    const std::int64_t read = archive_filter_bytes(handle_.get(), -1);
    if (read == ::lseek(descriptor_, 0, SEEK_END)) return {};
    return corrupt("it is truncated, or garbage follows it: its last stream ends at byte " +
                   std::to_string(read));
  }

  int descriptor_;
  Archive handle_;
  std::vector<std::byte> buffer_;
  int opened_ = ARCHIVE_FATAL;
  bool started_ = false;
};

std::unique_ptr<Source> open_source(int descriptor, Compression compression) {
  switch (compression) {
    case Compression::none: return std::make_unique<FileSource>(descriptor);
    case Compression::gzip: return std::make_unique<GzipSource>(descriptor);
    case Compression::zstd: return std::make_unique<FilterSource>(descriptor, ARCHIVE_FILTER_ZSTD);
    case Compression::xz: return std::make_unique<FilterSource>(descriptor, ARCHIVE_FILTER_XZ);
    case Compression::bzip2: return std::make_unique<FilterSource>(descriptor, ARCHIVE_FILTER_BZIP2);
  }
  return nullptr;
}

// What flows from a source, counted; remembers why it stopped, since an error
// cannot travel through libarchive's callbacks.
class Flow {
 public:
  Flow(Source& source, const StopCheck& stop) : source_(source), stop_(stop) {}

  Result<Bytes> next() {
    if (stop_ && stop_()) return Error(Errc::cancelled, "the check was stopped");
    LARDER_TRY_ASSIGN(const Bytes piece, source_.next());
    total_ += static_cast<std::int64_t>(piece.size());
    return piece;
  }

  Result<void> drain() {
    while (true) {
      LARDER_TRY_ASSIGN(const Bytes piece, next());
      if (piece.empty()) return {};
    }
  }

  static la_ssize_t read_callback(archive*, void* self, const void** buffer) {
    Flow& flow = *static_cast<Flow*>(self);
    auto piece = flow.next();
    if (!piece) {
      flow.failure_ = piece.error();
      return ARCHIVE_FATAL;
    }
    *buffer = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }

  std::int64_t total() const { return total_; }
  const std::optional<Error>& failure() const { return failure_; }

 private:
  Source& source_;
  const StopCheck& stop_;
  std::int64_t total_ = 0;
  std::optional<Error> failure_;
};

Result<void> walk_tar(archive* tar, Flow& flow) {
  int status = archive_read_open(tar, &flow, nullptr, Flow::read_callback, nullptr);
  archive_entry* entry = nullptr;
  while (is_fine(status)) {
    status = archive_read_next_header(tar, &entry);
    if (is_fine(status)) status = archive_read_data_skip(tar);
  }
  if (flow.failure()) return *flow.failure();
  if (status != ARCHIVE_EOF) return archive_error(tar);
  return {};
}

Result<void> check_tar(Flow& flow) {
  const Archive tar = new_reader();
  archive_read_set_format(tar.get(), ARCHIVE_FORMAT_TAR);
  LARDER_TRY(walk_tar(tar.get(), flow));
  const std::int64_t end_of_entries = archive_read_header_position(tar.get());
  // Checksums and lost frames show only at the very end.
  LARDER_TRY(flow.drain());
  if (flow.total() - end_of_entries < k_end_of_tar) {
    return corrupt("it is truncated: its tar lacks the two blocks of zeros at the end");
  }
  return {};
}

Result<void> check_stream(int descriptor, const Format& format, const StopCheck& stop) {
  const std::unique_ptr<Source> source = open_source(descriptor, format.compression);
  Flow flow(*source, stop);
  const Result<void> checked = format.content == Content::tar ? check_tar(flow) : flow.drain();
  if (checked || checked.error().code() != Errc::corrupt) return checked;
  return corrupt(checked.error().message() + " (after " + std::to_string(flow.total()) +
                 " bytes of its contents)");
}

Result<void> check_zip_entry(archive* zip, archive_entry* entry, const StopCheck& stop) {
  if (archive_entry_is_encrypted(entry)) return {};  // nobody here has the password
  while (true) {
    if (stop && stop()) return Error(Errc::cancelled, "the check was stopped");
    const void* buffer = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(zip, &buffer, &size, &offset);
    if (status == ARCHIVE_EOF) return {};
    if (status == ARCHIVE_OK) continue;
    const Error error = archive_error(zip);
    if (error.message().starts_with("Unsupported ZIP compression method")) return {};
    return corrupt(error.message() + " (in its member " + archive_entry_pathname(entry) + ")");
  }
}

Result<void> check_zip(int descriptor, const StopCheck& stop) {
  const Archive zip = new_reader();
  archive_read_support_format_zip_seekable(zip.get());  // by the directory at the end, so a cut shows
  archive_entry* entry = nullptr;
  if (!is_fine(archive_read_open_fd(zip.get(), descriptor, k_buffer))) return archive_error(zip.get());
  while (true) {
    const int status = archive_read_next_header(zip.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (!is_fine(status)) return archive_error(zip.get());
    LARDER_TRY(check_zip_entry(zip.get(), entry, stop));
  }
}

Result<void> check(int descriptor, const Format& format, const StopCheck& stop) {
  if (::lseek(descriptor, 0, SEEK_END) == 0) return corrupt("it is empty");
  if (::lseek(descriptor, 0, SEEK_SET) != 0) return posix_error("seek in", "it", errno);
  return format.content == Content::zip ? check_zip(descriptor, stop)
                                        : check_stream(descriptor, format, stop);
}

}  // namespace

bool is_checkable_archive(std::string_view name) {
  return format_of(name) != nullptr;
}

Result<void> check_archive(int descriptor, std::string_view name, const StopCheck& stop) {
  const Format* format = format_of(name);
  if (format == nullptr) return {};
  const Result<void> checked = check(descriptor, *format, stop);
  if (checked) return checked;
  return Error(checked.error().code(), std::string(name) + ": " + checked.error().message());
}

Result<void> check_archive(const std::filesystem::path& file, const StopCheck& stop) {
  if (!is_checkable_archive(file.native())) return {};
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return posix_error("open", file.native(), errno);
  const Result<void> checked = check_archive(descriptor, file.native(), stop);
  ::close(descriptor);
  return checked;
}

}  // namespace larder
