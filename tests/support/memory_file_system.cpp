#include "tests/support/memory_file_system.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <set>

namespace larder {

struct MemoryFileSystem::Node {
  FileType type = FileType::file;
  std::uint64_t inode = 0;
  std::uint64_t links = 0;
  std::uint32_t mode = 0600;
  std::string bytes;
  std::string synced_bytes;
  std::uint64_t reserved = 0;  // bytes that are taken and not there
  Entries entries;
  Entries synced_entries;
};

namespace {

// Never the same twice, on any disk: a file may be linked from one to another.
std::uint64_t new_inode() {
  static std::atomic<std::uint64_t> last{1};
  return ++last;
}

std::string name_in(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

class MemoryFileSystem::OpenFile final : public File {
 public:
  OpenFile(MemoryFileSystem& disk, NodePtr node, std::string path)
      : disk_(disk), node_(std::move(node)), path_(std::move(path)) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (disk_.used_locked().bytes + bytes.size() > disk_.capacity_)
      return posix_error("write", path_, ENOSPC);
    node_->bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> write_pieces_at(std::uint64_t offset, std::span<const Piece> pieces) override {
    const std::lock_guard lock(disk_.mutex_);
    std::size_t count = 0;
    for (const Piece& each : pieces) count += each.size();
    const std::size_t end = std::max<std::size_t>(node_->bytes.size(), offset + count);
    if (disk_.used_locked().bytes + end - node_->bytes.size() > disk_.capacity_)
      return posix_error("write", path_, ENOSPC);
    node_->bytes.resize(end);
    for (const Piece& each : pieces) {
      std::copy_n(reinterpret_cast<const char*>(each.data()), each.size(), node_->bytes.data() + offset);
      offset += each.size();
    }
    return {};
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) override {
    const std::lock_guard lock(disk_.mutex_);
    if (offset >= node_->bytes.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(buffer.size(), node_->bytes.size() - offset);
    std::copy_n(reinterpret_cast<const std::byte*>(node_->bytes.data()) + offset, count, buffer.begin());
    return count;
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    node_->synced_bytes = node_->bytes;
    return {};
  }
  Result<void> sync_data() override { return sync(); }
  Result<void> sync_around() override { return disk_.sync_all(); }
  Result<void> seal() override {
    const std::lock_guard lock(disk_.mutex_);
    node_->mode = 0444;
    return {};
  }
  Result<FileStatus> status() override {
    const std::lock_guard lock(disk_.mutex_);
    return status_of(*node_);
  }
  int descriptor() const override { return -1; }

  static FileStatus status_of(const Node& node) {
    FileStatus status;
    status.type = node.type;
    status.size = node.bytes.size() + node.reserved;
    status.inode = node.inode;
    status.links = node.links;
    status.mode = node.mode;
    return status;
  }
  const NodePtr& node() const { return node_; }

 private:
  MemoryFileSystem& disk_;
  NodePtr node_;
  std::string path_;
};

MemoryFileSystem::MemoryFileSystem() : root_(std::make_shared<Node>()) {
  root_->type = FileType::directory;
}

MemoryFileSystem::NodePtr MemoryFileSystem::find(const std::string& path) const {
  NodePtr node = root_;
  std::string rest = path;
  while (!rest.empty()) {
    const auto slash = rest.find('/');
    const std::string name = rest.substr(0, slash);
    rest = slash == std::string::npos ? std::string() : rest.substr(slash + 1);
    const auto entry = node->entries.find(name);
    if (entry == node->entries.end()) return nullptr;
    node = entry->second;
  }
  return node;
}

Result<MemoryFileSystem::NodePtr> MemoryFileSystem::directory_for(const std::string& path,
                                                                  const char* doing) const {
  NodePtr directory = find(parent_of(path));
  if (!directory) return posix_error(doing, path, ENOENT);
  if (directory->type != FileType::directory) return posix_error(doing, path, ENOTDIR);
  return directory;
}

Result<std::unique_ptr<File>> MemoryFileSystem::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  LARDER_TRY_ASSIGN(const NodePtr directory, directory_for(path, "create"));
  if (directory->entries.contains(name_in(path))) return posix_error("create", path, EEXIST);
  if (!has_inode()) return posix_error("create", path, ENOSPC);
  auto node = std::make_shared<Node>();
  node->inode = new_inode();
  node->links = 1;
  directory->entries[name_in(path)] = node;
  return std::unique_ptr<File>(new OpenFile(*this, node, path));
}

Result<void> MemoryFileSystem::create_whole(const std::string& path, std::span<const std::byte> bytes) {
  LARDER_TRY_ASSIGN(const auto file, create(path));
  Result<void> written = file->append(bytes);
  if (written) written = file->seal();
  if (!written) (void)remove(path);
  return written;
}

Result<void> MemoryFileSystem::create_reserve(const std::string& path, std::uint64_t bytes) {
  if (used() + bytes > capacity_) return posix_error("reserve", path, ENOSPC);
  LARDER_TRY_ASSIGN(const auto file, create(path));
  const std::lock_guard lock(mutex_);
  find(path)->reserved = bytes;
  return {};
}

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  if (!node) return posix_error("open", path, ENOENT);
  if (node->type != FileType::file)
    return Error(Errc::conflict, "cannot open " + path + ": it is not a regular file");
  return std::unique_ptr<File>(new OpenFile(*this, node, path));
}

Result<std::unique_ptr<File>> MemoryFileSystem::open_to_overwrite(const std::string& path) {
  const auto made = create(path);
  if (!made && made.error().code() != Errc::exists) return made.error();
  return open(path);
}

Result<FileStatus> MemoryFileSystem::status(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  if (!node) return posix_error("examine", path, ENOENT);
  return OpenFile::status_of(*node);
}

Result<void> MemoryFileSystem::link_node(const NodePtr& node, const std::string& to) {
  LARDER_TRY_ASSIGN(const NodePtr directory, directory_for(to, "link"));
  if (directory->entries.contains(name_in(to))) return posix_error("link", to, EEXIST);
  if (node->links >= max_links_) return posix_error("link", to, EMLINK);
  node->links += 1;
  directory->entries[name_in(to)] = node;
  return {};
}

Result<void> MemoryFileSystem::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(from);
  if (!node) return posix_error("link", from, ENOENT);
  return link_node(node, to);
}

Result<void> MemoryFileSystem::link_file(File& file, const std::string& to) {
  const std::lock_guard lock(mutex_);
  return link_node(static_cast<OpenFile&>(file).node(), to);
}

Result<void> MemoryFileSystem::publish(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(from);
  if (!node) return posix_error("publish", from, ENOENT);
  LARDER_TRY_ASSIGN(const NodePtr target, directory_for(to, "publish"));
  if (target->entries.contains(name_in(to))) return posix_error("publish", to, EEXIST);
  target->entries[name_in(to)] = node;
  find(parent_of(from))->entries.erase(name_in(from));
  return {};
}

Result<void> MemoryFileSystem::replace(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(from);
  if (!node) return posix_error("rename", from, ENOENT);
  LARDER_TRY_ASSIGN(const NodePtr target, directory_for(to, "rename"));
  NodePtr& place = target->entries[name_in(to)];
  if (place) place->links -= 1;
  place = node;
  find(parent_of(from))->entries.erase(name_in(from));
  return {};
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  if (!node) return posix_error("remove", path, ENOENT);
  if (node->type != FileType::file) return posix_error("remove", path, EISDIR);
  node->links -= 1;
  find(parent_of(path))->entries.erase(name_in(path));
  return {};
}

Result<void> MemoryFileSystem::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  LARDER_TRY_ASSIGN(const NodePtr directory, directory_for(path, "make directory"));
  if (directory->entries.contains(name_in(path))) return posix_error("make directory", path, EEXIST);
  if (!has_inode()) return posix_error("make directory", path, ENOSPC);
  auto node = std::make_shared<Node>();
  node->type = FileType::directory;
  node->inode = new_inode();
  node->links = 2;
  directory->entries[name_in(path)] = node;
  return {};
}

Result<void> MemoryFileSystem::remove_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  if (!node) return posix_error("remove directory", path, ENOENT);
  if (node->type != FileType::directory) return posix_error("remove directory", path, ENOTDIR);
  if (!node->entries.empty()) return posix_error("remove directory", path, ENOTEMPTY);
  find(parent_of(path))->entries.erase(name_in(path));
  return {};
}

Result<void> MemoryFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  if (!node) return posix_error("sync directory", path, ENOENT);
  node->synced_entries = node->entries;
  return {};
}

void MemoryFileSystem::sync_tree(Node& node) {
  node.synced_bytes = node.bytes;
  node.synced_entries = node.entries;
  for (auto& [name, child] : node.entries) sync_tree(*child);
}

Result<void> MemoryFileSystem::sync_all() {
  const std::lock_guard lock(mutex_);
  sync_tree(*root_);
  return {};
}

Result<void> MemoryFileSystem::list(const std::string& path,
                                    const std::function<bool(const DirectoryEntry&)>& visit) {
  std::vector<DirectoryEntry> entries;
  {
    const std::lock_guard lock(mutex_);
    const NodePtr node = find(path);
    if (!node) return posix_error("list", path, ENOENT);
    for (const auto& [name, child] : node->entries) entries.push_back({name, child->type});
  }
  for (const DirectoryEntry& entry : entries) {
    if (!visit(entry)) return {};
  }
  return {};
}

MemoryFileSystem::Used MemoryFileSystem::used_locked() const {
  std::set<const Node*> seen;
  Used used;
  const std::function<void(const Node&)> add = [&](const Node& node) {
    if (!seen.insert(&node).second) return;
    used.bytes += node.bytes.size() + node.reserved;
    for (const auto& [name, child] : node.entries) add(*child);
  };
  add(*root_);
  used.inodes = seen.size();
  return used;
}

std::uint64_t MemoryFileSystem::used() const {
  const std::lock_guard lock(mutex_);
  return used_locked().bytes;
}

std::uint64_t MemoryFileSystem::used_inodes() const {
  const std::lock_guard lock(mutex_);
  return used_locked().inodes;
}

Result<DiskSpace> MemoryFileSystem::space() {
  const std::lock_guard lock(mutex_);
  DiskSpace space;
  space.total_bytes = capacity_;
  const Used used = used_locked();
  space.free_bytes = capacity_ - std::min(capacity_, used.bytes);
  space.total_inodes = inodes_;
  space.free_inodes = inodes_ - std::min(inodes_, used.inodes);
  return space;
}

void MemoryFileSystem::crash(Loss loss) {
  const std::lock_guard lock(mutex_);
  std::map<Node*, std::uint64_t> links;
  const std::function<void(Node&)> forget = [&](Node& node) {
    if (loss == Loss::everything) node.entries = node.synced_entries;
    node.synced_entries = node.entries;
    for (auto& [name, child] : node.entries) {
      links[child.get()] += 1;
      if (child->type == FileType::directory)
        forget(*child);
      else
        child->bytes = child->synced_bytes;
    }
  };
  forget(*root_);
  for (auto& [node, count] : links) {
    if (node->type == FileType::file) node->links = count;
  }
}

void MemoryFileSystem::damage(const std::string& path, const std::string& content) {
  const std::lock_guard lock(mutex_);
  find(path)->bytes = content;
}

std::vector<std::string> MemoryFileSystem::files() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  const std::function<void(const Node&, const std::string&)> walk = [&](const Node& node,
                                                                        const std::string& path) {
    for (const auto& [name, child] : node.entries) {
      const std::string below = path.empty() ? name : path + "/" + name;
      if (child->type == FileType::file) all.push_back(below);
      walk(*child, below);
    }
  };
  walk(*root_, "");
  std::sort(all.begin(), all.end());
  return all;
}

std::string MemoryFileSystem::content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  return node ? node->bytes : std::string();
}

std::uint64_t MemoryFileSystem::links(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const NodePtr node = find(path);
  return node ? node->links : 0;
}

}  // namespace larder
