// Puts the files of a sample tree on disk and keeps the manifest.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/sample_tree.hpp"

namespace larder::test {

class SampleWriter {
 public:
  explicit SampleWriter(std::filesystem::path root);  // makes it

  void take(const std::string& path, std::string_view bytes) { write(path, bytes, Verdict::take, {}); }
  void skip(const std::string& path, std::string_view bytes, std::string reason) {
    write(path, bytes, Verdict::skip, std::move(reason));
  }
  void corrupt(const std::string& path, std::string_view bytes, std::string reason) {
    write(path, bytes, Verdict::corrupt, std::move(reason));
  }
  // A symbolic link, always to be skipped. `target` as it is written into the link.
  void link(const std::string& path, const std::filesystem::path& target, std::string reason);

  const std::filesystem::path& root() const { return root_; }
  std::size_t taken() const { return taken_; }
  Manifest finish() { return std::move(manifest_); }

 private:
  void write(const std::string& path, std::string_view bytes, Verdict verdict, std::string reason);
  void make_directory_for(const std::filesystem::path& file);

  std::filesystem::path root_;
  std::filesystem::path last_directory_;
  Manifest manifest_;
  std::size_t taken_ = 0;
};

}  // namespace larder::test
