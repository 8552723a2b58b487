// What is about to become the content of a name: the bytes, and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/artifact_key.hpp"
#include "common/digest.hpp"
#include "common/result.hpp"
#include "server/store/entry.hpp"
#include "server/store/object_store.hpp"
#include "server/store/records.hpp"

namespace larder {

struct Publication {
  struct Content {
    Digest digest;
    std::uint64_t size = 0;    // bytes
    ObjectStore::Place place;  // puts the bytes where they are asked for
    ObjectStore::Guess guess = ObjectStore::Guess::nothing;
    std::span<const std::byte> body;  // for the journal, where they go there; otherwise `place` syncs them
  };
  struct Origin {
    std::string actor;
    LedgerAction action = LedgerAction::put;
    std::string why;
    bool declared = false;
    bool create_only = false;
    std::optional<Digest> expected;    // what the name has to hold
    std::optional<NameRecord> record;  // restored as it was: times, uploader
    bool keep_existing = false;        // other bytes are a conflict, also where they might be replaced
  };

  // All of it outlives the publication.
  const ArtifactKey* key = nullptr;
  const Content* content = nullptr;
  const Origin* origin = nullptr;
  std::optional<Result<Receipt>> outcome;  // out
};

}  // namespace larder
