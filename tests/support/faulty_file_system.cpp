#include "tests/support/faulty_file_system.hpp"

#include <cerrno>

namespace larder {

class FaultyFileSystem::FaultyFile final : public File {
 public:
  FaultyFile(FaultyFileSystem& disk, std::unique_ptr<File> file, std::string path)
      : disk_(disk), file_(std::move(file)), path_(std::move(path)) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    LARDER_TRY(disk_.step("write", path_));
    return file_->append(bytes);
  }
  Result<void> write_pieces_at(std::uint64_t offset, std::span<const Piece> pieces) override {
    const auto written = disk_.step("write", path_);
    if (written) return file_->write_pieces_at(offset, pieces);
    // What is in front of it was written.
    (void)file_->write_pieces_at(offset, pieces.first(pieces.size() / 2));
    return written;
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) override {
    LARDER_TRY(disk_.step("read", path_));
    return file_->read_at(offset, buffer);
  }
  Result<void> sync() override {
    LARDER_TRY(disk_.step("sync", path_));
    return file_->sync();
  }
  Result<void> sync_around() override {
    LARDER_TRY(disk_.step("sync", "everything"));
    return file_->sync_around();
  }
  Result<void> sync_data() override {
    LARDER_TRY(disk_.step("sync", path_));
    return file_->sync_data();
  }
  Result<void> seal() override {
    LARDER_TRY(disk_.step("make read-only", path_));
    return file_->seal();
  }
  Result<FileStatus> status() override {
    LARDER_TRY(disk_.step("examine", path_));
    return file_->status();
  }
  int descriptor() const override { return file_->descriptor(); }
  File& inner() { return *file_; }

 private:
  FaultyFileSystem& disk_;
  std::unique_ptr<File> file_;
  std::string path_;
};

void FaultyFileSystem::fail(std::uint64_t nth, Mode mode, int error_number) {
  struck_ = false;
  mode_ = mode;
  error_number_ = error_number;
  failing_ = count_ + nth;
}

void FaultyFileSystem::heal() {
  failing_ = 0;
}

Result<void> FaultyFileSystem::step(const char* operation, const std::string& subject) {
  if (watcher_) watcher_(operation, subject);
  const std::uint64_t number = ++count_;
  const std::uint64_t failing = failing_;
  const bool fails = failing != 0 && (number == failing || (number > failing && mode_ == Mode::from_then_on));
  if (!fails) return {};
  struck_ = true;
  return posix_error(operation, subject, error_number_);
}

Result<void> FaultyFileSystem::new_entry(const char* operation, const std::string& subject) {
  if (refuses_entries_) return posix_error(operation, subject, ENOSPC);
  return step(operation, subject);
}

Result<std::unique_ptr<File>> FaultyFileSystem::create(const std::string& path) {
  LARDER_TRY(new_entry("create", path));
  LARDER_TRY_ASSIGN(auto file, disk_.create(path));
  return std::unique_ptr<File>(new FaultyFile(*this, std::move(file), path));
}

Result<void> FaultyFileSystem::create_whole(const std::string& path, std::span<const std::byte> bytes) {
  LARDER_TRY(new_entry("create", path));
  const auto written = step("write", path);
  if (written) return disk_.create_whole(path, bytes);
  // What was written before it failed is removed, if that does not fail, too.
  const std::size_t some = bytes.size() / 2;
  LARDER_TRY(disk_.create_whole(path, bytes.first(some)));
  (void)remove(path);
  return written;
}

Result<void> FaultyFileSystem::create_reserve(const std::string& path, std::uint64_t bytes) {
  LARDER_TRY(new_entry("create", path));
  return disk_.create_reserve(path, bytes);
}

Result<std::unique_ptr<File>> FaultyFileSystem::open(const std::string& path) {
  LARDER_TRY(step("open", path));
  LARDER_TRY_ASSIGN(auto file, disk_.open(path));
  return std::unique_ptr<File>(new FaultyFile(*this, std::move(file), path));
}

Result<std::unique_ptr<File>> FaultyFileSystem::open_to_overwrite(const std::string& path) {
  LARDER_TRY(step("open", path));
  LARDER_TRY_ASSIGN(auto file, disk_.open_to_overwrite(path));
  return std::unique_ptr<File>(new FaultyFile(*this, std::move(file), path));
}

Result<FileStatus> FaultyFileSystem::status(const std::string& path) {
  LARDER_TRY(step("examine", path));
  return disk_.status(path);
}

Result<void> FaultyFileSystem::link(const std::string& from, const std::string& to) {
  LARDER_TRY(new_entry("link", to));
  return disk_.link(from, to);
}

Result<void> FaultyFileSystem::link_file(File& file, const std::string& to) {
  LARDER_TRY(new_entry("link", to));
  return disk_.link_file(static_cast<FaultyFile&>(file).inner(), to);
}

Result<void> FaultyFileSystem::publish(const std::string& from, const std::string& to) {
  LARDER_TRY(new_entry("publish", to));
  return disk_.publish(from, to);
}

Result<void> FaultyFileSystem::replace(const std::string& from, const std::string& to) {
  LARDER_TRY(new_entry("rename", to));
  return disk_.replace(from, to);
}

Result<void> FaultyFileSystem::remove(const std::string& path) {
  LARDER_TRY(step("remove", path));
  return disk_.remove(path);
}

Result<void> FaultyFileSystem::make_directory(const std::string& path) {
  LARDER_TRY(new_entry("make directory", path));
  return disk_.make_directory(path);
}

Result<void> FaultyFileSystem::remove_directory(const std::string& path) {
  LARDER_TRY(step("remove directory", path));
  return disk_.remove_directory(path);
}

Result<void> FaultyFileSystem::sync_directory(const std::string& path) {
  LARDER_TRY(step("sync directory", path));
  return disk_.sync_directory(path);
}

Result<void> FaultyFileSystem::sync_all() {
  LARDER_TRY(step("sync", "everything"));
  return disk_.sync_all();
}

Result<void> FaultyFileSystem::list(const std::string& path,
                                    const std::function<bool(const DirectoryEntry&)>& visit) {
  LARDER_TRY(step("list", path));
  return disk_.list(path, visit);
}

Result<DiskSpace> FaultyFileSystem::space() {
  LARDER_TRY(step("examine", "the disk"));
  return disk_.space();
}

}  // namespace larder
