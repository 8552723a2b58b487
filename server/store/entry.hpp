// What the store says of an artifact.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/digest.hpp"

namespace larder {

class File;

// What can be said of a name without waiting; unknown: not without asking the disk.
enum class Found : std::uint8_t { hit, miss, unknown };

struct Entry {
  Digest digest;
  std::uint64_t size = 0;  // bytes
  UnixSeconds stored = 0;  // when the name got this content
  bool operator==(const Entry&) const = default;
};

// An artifact ready to be read. It stays readable whatever becomes of its name.
struct OpenArtifact {
  Entry entry;
  std::shared_ptr<File> file;               // null when the bytes are at hand without it
  std::shared_ptr<const std::string> body;  // all of them; null for all but small ones
};

// How an upload ended.
struct Receipt {
  enum class Outcome {
    created,   // the name is new
    present,   // the same bytes were there already
    replaced,  // a growing tarball: the old bytes are gone from the name
    conflict,  // other bytes are there and stay; `offered` were refused
  };
  Outcome outcome = Outcome::created;
  Entry entry;  // what the name holds now
  Digest offered;
  bool replaceable = false;  // conflict: somebody with the right to could replace what is there
};

struct UploadRequest {
  // Travels through co_await: built by name, never inside one (ARCHITECTURE.md).
  UploadRequest() = default;

  std::optional<std::uint64_t> size;  // bytes, when known beforehand
  std::optional<Digest> declared;     // what the sender says the bytes are
  std::string uploader;               // for the ledger: an address, a user
  bool verify_archive = false;        // read it to its end first: its length is not known for sure
  std::string why;                    // for the ledger
  bool may_replace = true;            // other bytes for a growing tarball are no conflict
  bool create_only = false;           // Errc::precondition when the name is taken
  std::optional<Digest> expected;     // Errc::precondition when the name holds anything else
};

}  // namespace larder
