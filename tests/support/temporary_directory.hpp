// A directory that is gone with the object.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace larder {

class TemporaryDirectory {
 public:
  enum class Where { on_disk, in_memory };  // in_memory: where there is a file system for that

  explicit TemporaryDirectory(Where where = Where::on_disk) {
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory = where == Where::in_memory && ::access(memory.c_str(), W_OK | X_OK) == 0;
    const auto parent = in_memory ? memory : std::filesystem::temp_directory_path();
    std::string name = (parent / "larder-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace larder
