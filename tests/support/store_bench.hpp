// A store on a disk in memory, with the helpers that store tests share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/store/store.hpp"
#include "tests/support/faulty_file_system.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/temporary_directory.hpp"

namespace larder {

struct StoreBench {
  explicit StoreBench(Durability durability = Durability::batch, UploadJournal::Limits journal = {});

  Result<void> open();  // also after close() or power_cut()
  Result<void> close();
  void kill();  // the process ends; the disk keeps everything
  void power_cut(MemoryFileSystem::Loss loss);
  void forget_index();  // as if its files were gone

  ArtifactKey key(const std::string& text) const;  // "sstate-cache/a/b"
  Result<Receipt> put(const std::string& name, const std::string& content,
                      std::optional<Digest> declared = std::nullopt);
  // All at once; an outcome each.
  struct Named {
    std::string name;
    std::string content;
    std::optional<Digest> declared = std::nullopt;
  };
  std::vector<Result<Receipt>> put_together(const std::vector<Named>& uploads);
  Result<std::string> get(const std::string& name);
  bool has(const std::string& name);
  Result<Entry> remove(const std::string& name);
  // The names below `name_space` that match, whoever asked for them lately.
  enum class Into { trash, nothing };
  Result<api::PruneEvent> prune(const std::string& name_space, const std::string& match, Into into);
  std::vector<std::string> files_below(const std::string& prefix) const;  // on the disk: "objects/"

  MemoryFileSystem memory;
  FaultyFileSystem disk{memory};
  ManualClock clock;
  StoreOptions options;
  TemporaryDirectory index_directory{TemporaryDirectory::Where::in_memory};
  std::unique_ptr<Store> store;
};

}  // namespace larder
