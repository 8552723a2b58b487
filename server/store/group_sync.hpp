// Makes directory entries durable for many threads at once: who comes while a
// sync is under way waits for the next one, which then serves all of them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "server/store/file_system.hpp"

namespace larder {

class GroupSync {
 public:
  explicit GroupSync(FileSystem& disk) : disk_(disk) {}

  // Returns once the entries that `directories` had at the call survive a power cut.
  Result<void> sync(const std::vector<std::string>& directories);

 private:
  struct Group {
    std::set<std::string> directories;
    bool finished = false;
    Result<void> outcome;
  };

  Result<void> sync_now(const std::set<std::string>& directories);

  FileSystem& disk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Group> gathering_ = std::make_shared<Group>();
  bool syncing_ = false;
};

}  // namespace larder
