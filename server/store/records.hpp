// The values of the index, and their bytes. A record opens with a version
// byte; integers are little-endian, texts carry a length of four bytes.
// ARCHITECTURE.md holds the tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/digest.hpp"

namespace larder {

// What is known of a name. `stored` is the Last-Modified that clients see.
struct NameRecord {
  Digest digest;
  std::uint64_t size = 0;
  UnixSeconds stored = 0;
  bool declared = false;  // the uploader named the digest before sending
  std::string uploader;
  bool operator==(const NameRecord&) const = default;
};

// What is known of a content.
struct ObjectRecord {
  std::uint64_t size = 0;
  UnixSeconds verified = 0;  // when its bytes were last hashed
  std::string charged_to;    // a namespace, the one that stored it first (charges.cpp); empty: nobody
  bool operator==(const ObjectRecord&) const = default;
};

struct RecencyRecord {
  UnixSeconds used = 0;  // read: GET, RETR
  UnixSeconds seen = 0;  // asked for: HEAD, find-missing
  bool operator==(const RecencyRecord&) const = default;
};

enum class LedgerAction : std::uint8_t {
  put = 1,
  replace = 2,
  remove = 3,
  adopt = 4,
  conflict = 5,  // other bytes were offered for a write-once name; nothing changed
  found = 6,     // reconcile: the tree had it, the index did not
  vanished = 7,  // the index had it, the tree did not
  corrupt = 8,   // does not read back as stored; taken out of the tree
  restore = 9,   // back from the trash
  pin = 10,      // key: a pattern; nothing changed but what a prune may take
  unpin = 11,
  snapshot = 12,  // key: "@name"
  unsnapshot = 13,
  promote = 14,  // from a lane into the namespace that it overlays; key: the name there
  grant = 15,    // a token was made; key: "@token/NAME"
  revoke = 16,
  empty = 17,  // the trash, which cannot be undone; key: "@trash/GENERATION"
};

std::string_view name_of(LedgerAction action);
bool changes_names(LedgerAction action);  // conflicts, pins, snapshots and the like do not
bool removes_name(LedgerAction action);

struct LedgerRecord {
  UnixSeconds time = 0;
  LedgerAction action = LedgerAction::put;
  std::string key;  // ArtifactKey::str()
  Digest digest;    // of the bytes put, removed or refused
  std::uint64_t size = 0;
  std::string actor;  // who: an address, a user, "larderd"
  std::string why;
  bool operator==(const LedgerRecord&) const = default;
};

// A name in the trash: what it was, and how it came there.
struct TrashRecord {
  NameRecord name;
  UnixSeconds removed = 0;
  std::string actor;
  std::string why;
  bool operator==(const TrashRecord&) const = default;
};

// Running totals of a namespace, kept in the index beside the rows they count.
struct NamespaceTotals {
  std::uint64_t artifacts = 0;
  std::uint64_t logical_bytes = 0;
  std::uint64_t objects = 0;         // charged to it
  std::uint64_t physical_bytes = 0;  // of those
  bool operator==(const NamespaceTotals&) const = default;
};

// How far a check of the store has come, so that a later run goes on from there.
struct ScrubCursor {
  UnixSeconds started = 0;   // of the pass; contents hashed later than this are not hashed again
  UnixSeconds finished = 0;  // when the last complete pass of this kind was; 0: never
  std::uint8_t phase = 0;
  std::string position;  // within the phase
  std::uint64_t names = 0;
  std::uint64_t objects = 0;
  std::uint64_t hashed = 0;
  std::uint64_t bytes = 0;
  std::uint64_t defects = 0;
  std::uint64_t repaired = 0;
  std::uint64_t last_defects = 0;  // of the last complete pass
  bool operator==(const ScrubCursor&) const = default;
};

std::string encode(const ScrubCursor& cursor);
std::string encode(const NameRecord& record);
std::string encode(const ObjectRecord& record);
std::string encode(const RecencyRecord& record);
std::string encode(const LedgerRecord& record);
std::string encode(const NamespaceTotals& totals);
std::string encode(const TrashRecord& record);

// Nothing for anything that encode() cannot have written: a foreign version,
// bytes missing, bytes left over.
std::optional<NameRecord> decode_name(std::string_view bytes);
std::optional<ObjectRecord> decode_object(std::string_view bytes);
std::optional<RecencyRecord> decode_recency(std::string_view bytes);
std::optional<LedgerRecord> decode_ledger(std::string_view bytes);
std::optional<ScrubCursor> decode_cursor(std::string_view bytes);
std::optional<NamespaceTotals> decode_totals(std::string_view bytes);
std::optional<TrashRecord> decode_trash(std::string_view bytes);

// Ledger keys: eight bytes, big-endian, so that they sort by age.
std::string encode_sequence(std::uint64_t sequence);
std::optional<std::uint64_t> decode_sequence(std::string_view bytes);

}  // namespace larder
