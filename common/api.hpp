// What the daemon and the client say to each other, as values and as JSON.
// Both ends link this file, so that neither can drift from the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace larder::api {

inline constexpr std::string_view k_health = "/-/health";
inline constexpr std::string_view k_metrics = "/-/metrics";
inline constexpr std::string_view k_stat = "/-/v1/stat";
// POST ?namespace=NS; body: one name a line, optionally "NAME\tSHA256HEX" (then
// a stored artifact with other bytes counts as missing, too); gzip accepted.
// Answer: text/plain, the missing names, one a line, in the order asked.
inline constexpr std::string_view k_find_missing = "/-/v1/find-missing";
// POST ?namespace=NS&directory=/ABSOLUTE[&verify=0]: take a directory of the
// daemon's machine in by hard links. Answer: AdoptEvent lines (ndjson).
inline constexpr std::string_view k_adopt = "/-/v1/adopt";

// POST ?level=quick|sample|full[&sample=PERCENT][&repair=1][&time_budget=30m][&rate=50MiB]:
// check what is stored. Answer: VerifyEvent lines (ndjson); 409 while another check runs.
inline constexpr std::string_view k_verify = "/-/v1/verify";

// The daemon's own check, in the background.
struct ScrubStat {
  bool running = false;
  std::int64_t started = 0;        // of the pass under way, or of the last one; UnixSeconds
  std::int64_t finished = 0;       // when a pass was last complete; 0: never
  std::uint64_t bytes = 0;         // read by the pass so far
  std::uint64_t defects = 0;       // found by it so far
  std::uint64_t last_defects = 0;  // found by the last complete pass
};

struct NamespaceStat {
  std::string name;
  std::string kind;                  // sstate, downloads, generic
  std::string overlay;               // of a lane: where what it has not is read; empty: it is none
  std::uint64_t artifacts = 0;       // visible names
  std::uint64_t logical_bytes = 0;   // the sum of their sizes
  std::uint64_t objects = 0;         // distinct contents counted for it
  std::uint64_t physical_bytes = 0;  // of those
  std::uint64_t max_bytes = 0;       // 0: no limit
  // What its names would take beyond that, had each a content of its own; "saved_bytes" in JSON.
  std::uint64_t saved_bytes() const { return logical_bytes - std::min(logical_bytes, physical_bytes); }
  // Since the daemon started:
  std::uint64_t hits = 0;  // GET and HEAD (RETR, SIZE) answered from the store
  std::uint64_t misses = 0;
  std::uint64_t uploads = 0;     // accepted, new
  std::uint64_t duplicates = 0;  // accepted, the same bytes were there
  std::uint64_t rejects = 0;     // refused: conflict, full, too large, wrong digest …
  std::uint64_t removals = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

// Of the hash equivalence server.
struct HashservStat {
  std::uint64_t port = 0;       // of its first listener; 0: there is none, and nothing else has a meaning
  std::string name_space;       // whose rights hold
  std::uint64_t unihashes = 0;  // each stands for a task of one taskhash
  std::uint64_t requests = 0;   // since the daemon started, lines of a stream included,
  std::uint64_t unkept = 0;     // and of them reports of which nothing was kept
};

struct Stat {
  std::string version;
  std::string data_directory;
  std::string durability;    // each, batch, none
  std::int64_t started = 0;  // UnixSeconds
  std::int64_t now = 0;
  bool ready = false;
  bool reconciling = false;          // index and tree are being compared after an unclean stop
  std::uint64_t objects = 0;         // distinct contents
  std::uint64_t logical_bytes = 0;   // what the names add up to
  std::uint64_t physical_bytes = 0;  // what the objects take
  std::uint64_t disk_total_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_total_inodes = 0;  // 0: the file system does not count them
  std::uint64_t disk_free_inodes = 0;
  std::uint64_t resident_bytes = 0;          // the process
  std::uint64_t connections = 0;             // of HTTP and hash equivalence, and sessions of FTP
  std::uint64_t failed_logins = 0;           // since the daemon started
  std::uint64_t tls_handshakes = 0;          // since the daemon started: clients that got in,
  std::uint64_t tls_failures = 0;            // and those that did not
  std::int64_t tls_certificate_expires = 0;  // the first to do so, UnixSeconds; 0: there is none
  std::uint64_t generation = 0;              // last ledger sequence
  ScrubStat scrub;
  HashservStat hashserv;
  std::vector<NamespaceStat> namespaces;
};

std::string to_json(const Stat& stat);
Result<Stat> stat_from_json(std::string_view json);

// RFC 9457 problem details: what every refusal of the server carries.
struct Problem {
  int status = 0;
  std::string code;      // name_of(Errc): stable, for programs
  std::string detail;    // for people: what, on which, what to do about it
  std::string existing;  // SHA-256 of what is there (conflicts), or empty
  std::string offered;   // SHA-256 of what was sent, or empty
};

std::string to_json(const Problem& problem);
Result<Problem> problem_from_json(std::string_view json);

// One entry of a directory listing (Accept: application/json).
struct ListingEntry {
  std::string name;  // one component
  bool directory = false;
  std::uint64_t size = 0;   // bytes; 0 for directories
  std::int64_t stored = 0;  // UnixSeconds; 0 for directories
  std::string digest;       // SHA-256 hex; empty for directories
};

// {"path": "/sstate-cache/ab/", "entries": […]}
struct Listing {
  std::string path;
  std::vector<ListingEntry> entries;
};

std::string to_json(const Listing& listing);
Result<Listing> listing_from_json(std::string_view json);

// A line of the adopt stream: one per file left out or failed, one with counts
// now and then, and a last one with `done`.
struct AdoptEvent {
  std::string path;     // relative to the directory; empty in count lines
  std::string outcome;  // skipped, conflict, corrupt, failed; empty in count lines
  std::string reason;
  std::uint64_t adopted = 0;
  std::uint64_t present = 0;
  std::uint64_t skipped = 0;
  std::uint64_t failed = 0;  // conflicts and corrupt files included
  std::uint64_t bytes = 0;   // adopted
  bool done = false;
};

std::string to_json(const AdoptEvent& event);
Result<AdoptEvent> adopt_event_from_json(std::string_view json);

// A line of the verify stream: one for each defect, one with counts now and then,
// and a last one with `done`.
struct VerifyEvent {
  std::string path;         // of the data directory's file or NAMESPACE/PATH; empty in count lines
  std::string defect;       // name_of(Defect), see server/store/scrub.hpp; empty in count lines
  std::string detail;       // for people
  std::string action;       // what was done about it: "quarantined", "repaired"; empty: nothing
  std::uint64_t names = 0;  // of the pass, earlier runs that it goes on from included
  std::uint64_t objects = 0;
  std::uint64_t hashed = 0;  // contents
  std::uint64_t bytes = 0;   // of them
  std::uint64_t defects = 0;
  std::uint64_t repaired = 0;     // of those, quarantined ones included
  std::uint64_t total_bytes = 0;  // what the store holds; 0: not known
  bool resumed = false;           // the pass was begun by an earlier run
  bool complete = false;          // everything was looked at
  bool done = false;
};

std::string to_json(const VerifyEvent& event);
Result<VerifyEvent> verify_event_from_json(std::string_view json);

}  // namespace larder::api
