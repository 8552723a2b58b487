// What was read lately, at hand without the disk: the bytes of small objects, and
// open descriptors of larger ones. By content, not by name: what a digest stands
// for never changes. Whoever takes an object away, or finds it damaged, calls
// evict(), and nothing that was opened before that is taken in after it.
//
// Thread-safe. Never waits for the disk but in load(), and for one fstat in find().
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <mutex>

#include "common/result.hpp"
#include "server/store/entry.hpp"

namespace larder {

class ContentCache {
 public:
  struct Limits {
    std::uint64_t bytes = 0;  // of bodies
    std::uint64_t files = 0;  // descriptors
  };
  static constexpr std::uint64_t k_small = 64 << 10;  // bytes; larger ones are kept open instead

  explicit ContentCache(Limits limits);

  // Fills `artifact.body` or `artifact.file` by artifact.entry; false: it is not at hand.
  bool find(OpenArtifact& artifact, UnixSeconds now);

  // Before an object is opened; put() wants it back.
  using Moment = std::uint64_t;
  Moment moment(const Digest& digest) const;
  // Takes in what was opened and checked since `moment`. Reads a small one's bytes into artifact.body.
  Result<void> put(OpenArtifact& artifact, Moment moment, UnixSeconds now);

  void evict(const Digest& digest);

 private:
  struct Item {
    std::shared_ptr<const std::string> body;
    std::shared_ptr<File> file;
    std::int64_t changed = 0;  // of the file, when it was opened
    UnixSeconds opened = 0;
    std::uint64_t serial = 0;  // of its place in the queue
    bool used = false;         // since it was last at the head of the queue
  };
  struct Place {
    Digest digest;
    std::uint64_t serial = 0;
  };
  struct Part {
    mutable std::mutex mutex;
    boost::unordered_flat_map<Digest, Item, std::hash<Digest>> items;
    std::deque<Place> queue;  // oldest first; what is used once more gets another turn
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
    Moment evictions = 0;
    std::uint64_t last_serial = 0;
  };
  using Items = boost::unordered_flat_map<Digest, Item, std::hash<Digest>>;

  Part& part_of(const Digest& digest) { return parts_[digest.bytes()[31] % k_parts]; }
  const Part& part_of(const Digest& digest) const { return parts_[digest.bytes()[31] % k_parts]; }
  static void erase(Part& part, Items::iterator item);
  void make_room(Part& part) const;

  static constexpr std::size_t k_parts = 16;
  static constexpr UnixSeconds k_fresh = 600;  // then it is opened anew: somebody may have changed the tree

  const Limits limits_;  // of each part
  std::array<Part, k_parts> parts_;
};

}  // namespace larder
