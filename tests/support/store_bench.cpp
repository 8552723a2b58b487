#include "tests/support/store_bench.hpp"

#include <stdexcept>

namespace larder {

StoreBench::StoreBench(Durability durability, UploadJournal::Limits journal) {
  options.durability = durability;
  options.journal = journal;
  options.index_medium = Index::Medium::memory;
  options.content = {4 << 20, 64};
  options.namespaces.resize(3);
  options.namespaces[0].name = "sstate-cache";
  options.namespaces[0].kind = NamespaceKind::sstate;
  options.namespaces[1].name = "downloads";
  options.namespaces[1].kind = NamespaceKind::downloads;
  options.namespaces[2].name = "generic";
  options.namespaces[2].kind = NamespaceKind::generic;
  const auto opened = open();
  if (!opened) throw std::runtime_error(opened.error().message());
}

Result<void> StoreBench::open() {
  LARDER_TRY_ASSIGN(store, Store::open(disk, index_directory.path(), clock, options, 8_MiB));
  return {};
}

Result<void> StoreBench::close() {
  const auto closed = store->close();
  store.reset();
  return closed;
}

void StoreBench::kill() {
  store.reset();
}

void StoreBench::power_cut(MemoryFileSystem::Loss loss) {
  kill();
  memory.crash(loss);
}

void StoreBench::forget_index() {
  std::filesystem::remove_all(index_directory.path() / "index");
}

ArtifactKey StoreBench::key(const std::string& text) const {
  auto parsed = ArtifactKey::parse(text);
  if (!parsed) throw std::runtime_error(parsed.error().message());
  return std::move(*parsed);
}

Result<Receipt> StoreBench::put(const std::string& name, const std::string& content,
                                std::optional<Digest> declared) {
  UploadRequest request;
  request.size = content.size();
  request.declared = declared;
  request.uploader = "test";
  LARDER_TRY_ASSIGN(UploadStart start, store->begin_upload(key(name), request));
  if (start.settled) return *start.settled;
  const std::string_view all = content;
  constexpr std::size_t k_piece = 4096;
  for (std::size_t done = 0; done < all.size(); done += k_piece)
    LARDER_TRY(start.upload->append(std::as_bytes(std::span(all.substr(done, k_piece)))));
  return start.upload->commit();
}

std::vector<Result<Receipt>> StoreBench::put_together(const std::vector<Named>& uploads) {
  std::vector<ArtifactKey> keys;
  keys.reserve(uploads.size());
  for (const Named& each : uploads) keys.push_back(key(each.name));
  std::vector<SmallUpload> small(uploads.size());
  std::vector<SmallUpload*> pointers;
  for (std::size_t i = 0; i < uploads.size(); ++i) {
    small[i].key = &keys[i];
    small[i].request.uploader = "test";
    small[i].request.declared = uploads[i].declared;
    small[i].bytes = std::as_bytes(std::span(uploads[i].content));
    pointers.push_back(&small[i]);
  }
  store->store_small(pointers);
  std::vector<Result<Receipt>> outcomes;
  for (SmallUpload& each : small) outcomes.push_back(std::move(*each.outcome));
  return outcomes;
}

Result<std::string> StoreBench::get(const std::string& name) {
  LARDER_TRY_ASSIGN(const OpenArtifact artifact, store->open_artifact(key(name)));
  std::string content(artifact.entry.size, '\0');
  LARDER_TRY_ASSIGN(const std::size_t count,
                    artifact.file->read_at(0, std::as_writable_bytes(std::span(content))));
  content.resize(count);
  return content;
}

bool StoreBench::has(const std::string& name) {
  return store->stat(key(name)).ok();
}

Result<Entry> StoreBench::remove(const std::string& name) {
  return store->remove(key(name), "test", "test");
}

Result<api::PruneEvent> StoreBench::prune(const std::string& name_space, const std::string& match,
                                          Into into) {
  api::PruneRules rules;
  rules.name_space = name_space;
  rules.match = {match};
  rules.ignore_lease = true;
  rules.apply = true;
  rules.no_trash = into == Into::nothing;
  return store->prune(rules, {}, "test", {}, {});
}

std::vector<std::string> StoreBench::files_below(const std::string& prefix) const {
  std::vector<std::string> found;
  for (const std::string& file : memory.files()) {
    if (file.starts_with(prefix)) found.push_back(file);
  }
  return found;
}

}  // namespace larder
