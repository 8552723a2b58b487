#include "tests/support/sample_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/hasher.hpp"

namespace larder::test {
namespace {

// One file a minute, so that times differ and are the same in every run.
constexpr std::int64_t k_first_mtime = 1'700'000'000;
constexpr std::int64_t k_step = 60;

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), "cannot write " + path.string());
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) fail(path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::take: return "take";
    case Verdict::skip: return "skip";
    case Verdict::corrupt: return "corrupt";
  }
  return "skip";
}

std::string to_tsv(const Manifest& manifest) {
  std::string result;
  for (const SampleFile& file : manifest) {
    const std::string digest = file.digest == Digest{} ? "-" : file.digest.hex();
    result += file.path + "\t" + std::string(name_of(file.verdict)) + "\t" + digest + "\t" +
              std::to_string(file.size) + "\t" + file.reason + "\n";
  }
  return result;
}

SampleWriter::SampleWriter(std::filesystem::path root) : root_(std::move(root)) {
  std::filesystem::create_directories(root_);
  root_ = std::filesystem::canonical(root_);  // links point into it by absolute paths
}

void SampleWriter::make_directory_for(const std::filesystem::path& file) {
  if (file.parent_path() == last_directory_) return;
  last_directory_ = file.parent_path();
  std::filesystem::create_directories(last_directory_);
}

void SampleWriter::write(const std::string& path, std::string_view bytes, Verdict verdict,
                         std::string reason) {
  const std::filesystem::path file = root_ / path;
  make_directory_for(file);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0664);
  if (descriptor < 0) fail(file);
  write_all(descriptor, bytes, file);
  const auto mtime = k_first_mtime + k_step * static_cast<std::int64_t>(manifest_.size());
  const timespec times[2] = {{mtime, 0}, {mtime, 0}};
  if (::futimens(descriptor, times) != 0 || ::close(descriptor) != 0) fail(file);
  if (verdict == Verdict::take) ++taken_;
  manifest_.push_back({path, verdict, std::move(reason), bytes.size(), Hasher::of(bytes)});
}

void SampleWriter::link(const std::string& path, const std::filesystem::path& target, std::string reason) {
  make_directory_for(root_ / path);
  std::filesystem::create_symlink(target, root_ / path);
  manifest_.push_back({path, Verdict::skip, std::move(reason), 0, Digest{}});
}

}  // namespace larder::test
