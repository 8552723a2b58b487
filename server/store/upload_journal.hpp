// Small uploads made durable together: one write and one sync of one file, where
// each by itself would take three. What an upload is, its name and its bytes, goes
// into the journal before the name appears, and stays there until all that was placed
// in tree and objects has been synced, in bulk and much later. After a power cut
// what the journal tells of is placed again, as far as it did not last.
//
// Two segments take turns: while everything is synced for the one, the other is
// written. Each is a file, overwritten from its beginning when its turn comes:
// syncing what was overwritten is the cheapest sync there is. Blocking and thread-safe.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/digest.hpp"
#include "common/result.hpp"
#include "server/store/file_system.hpp"
#include "server/store/journal_segment.hpp"
#include "server/store/records.hpp"

namespace larder {

class UploadJournal {
 public:
  struct Limits {
    std::uint64_t body = 256 << 10;    // bytes; what is larger is synced by itself
    std::uint64_t segment = 32 << 20;  // bytes, about
    std::size_t records = 4096;        // in a segment: after a power cut so many files are read
  };

  // What was acknowledged and may not have lasted, oldest first. For who opens the store.
  struct Leftover {
    JournalRecord record;
    unsigned segment = 0;
  };
  static Result<std::vector<Leftover>> read(FileSystem& disk);
  static Result<std::string> body_of(FileSystem& disk, const Leftover& leftover);
  static Result<void> clear(FileSystem& disk);  // it has been placed again, and synced

  // Of a journal without leftovers. Makes its files when they are missing.
  static Result<std::unique_ptr<UploadJournal>> open(FileSystem& disk, Limits limits);

  bool takes(std::uint64_t size) const { return size > 0 && size <= limits_.body; }

  // Uploads that are in the journal and not placed yet: their segment is kept until this is dropped.
  // Its thread asks nothing else of the journal meanwhile.
  class Pending {
   public:
    Pending(Pending&& other) noexcept
        : journal_(std::exchange(other.journal_, nullptr)), segment_(other.segment_) {}
    Pending& operator=(Pending&&) = delete;
    ~Pending() {
      if (journal_ != nullptr) journal_->finish(segment_);
    }

   private:
    friend class UploadJournal;
    Pending(UploadJournal& journal, unsigned segment) : journal_(&journal), segment_(segment) {}
    UploadJournal* journal_;
    unsigned segment_;
  };
  struct Entry {
    std::string_view key;  // "namespace/path"
    const NameRecord* name = nullptr;
    std::span<const std::byte> body;
  };
  // Returns once these uploads survive a power cut, placed or not. Fails for good when a write was lost that
  // it answers for: what the journal has is kept for the next start.
  Result<Pending> append(std::span<const Entry> uploads);

  // Before `key` changes, or `digest` is given a name, in any other way than by append(): what the journal
  // has of them is made to last without it, and is not placed again behind that change.
  Result<void> settle(std::string_view key, const Digest& digest);
  Result<void> settle_all();

 private:
  enum class State { empty, writing, full, syncing };
  struct Segment {
    std::unique_ptr<File> file;
    State state = State::empty;
    Digest chain;
    std::uint64_t epoch = 0;
    std::uint64_t tail = 0;                 // where the next record goes
    std::uint64_t promised = 0;             // bytes of records on their way there
    std::size_t records = 0;                // since it was empty
    std::size_t pending = 0;                // calls of append() whose uploads are not placed yet
    std::unordered_set<std::size_t> marks;  // hashes of their keys and digests
  };
  struct Record {
    std::string head;
    std::span<const std::byte> body;
    std::uint64_t size() const { return head.size() + body.size(); }  // bytes
  };
  // Records that are written and synced together, by the thread of one of them.
  struct Group {
    unsigned segment = 0;
    std::vector<Record*> records;
    std::condition_variable changed;
    bool finished = false;
    Result<void> outcome;
  };
  using Lock = std::unique_lock<std::mutex>;

  UploadJournal(FileSystem& disk, Limits limits) : disk_(disk), limits_(limits) {}

  Result<void> begin(Segment& segment, std::uint64_t epoch);
  Result<void> make_room(std::uint64_t bytes, Lock& lock);
  Result<void> turn_over(Lock& lock);
  Result<void> await_empty(Segment& segment, Lock& lock);
  Result<void> checkpoint(Segment& segment, Lock& lock);
  Result<void> settle_segment(Segment& segment, Lock& lock);
  std::shared_ptr<Group> join(std::vector<Record>& records);
  void lead(Group& group, Lock& lock);
  void finish(unsigned segment);

  FileSystem& disk_;
  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;  // of a segment's state
  std::array<Segment, 2> segments_;
  unsigned active_ = 0;
  std::uint64_t last_epoch_ = 0;
  std::deque<std::shared_ptr<Group>> groups_;  // not written yet; the last one still takes records
  bool writing_ = false;                       // somebody leads a group
  std::optional<Error>
      lost_;  // a sync failed, and asked again it would not tell: nothing is emptied any more
};

}  // namespace larder
