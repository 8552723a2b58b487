// What a seed did, for people and for programs.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/exit_code.hpp"
#include "client/seed_scan.hpp"

namespace larder::client {

// One name that is not on the server as it is here.
struct Trouble {
  std::string path;
  std::string what;      // for people
  std::string existing;  // SHA-256 on the server; conflicts only
  std::string offered;   // SHA-256 here; conflicts only
};

struct SeedSummary {
  std::string server;
  std::string name_space;
  bool dry_run = false;
  bool interrupted = false;
  std::string stopped;  // why it ended early: the server is full, gone, refuses; empty: it did not

  // Names, not files: a download can have two.
  std::uint64_t sent = 0;  // dry run: would be sent
  std::uint64_t sent_bytes = 0;
  std::uint64_t present = 0;
  std::uint64_t unsent = 0;  // left over when it stopped early

  std::vector<LeftOut> left_out;
  std::vector<Trouble> conflicts;  // the server holds other bytes under the name
  std::vector<Trouble> corrupt;    // archives that do not read to the end
  std::vector<Trouble> held_back;  // companions of an archive that was not sent
  std::vector<Trouble> changed;    // changed or vanished while it was read
  std::vector<Trouble> failed;     // everything else
  std::vector<Trouble> clashes;    // bare names another file of the tree has already
  std::chrono::milliseconds duration{0};

  ExitCode exit_code() const;
};

// The left-out entries by reason, by name.
std::map<std::string, std::uint64_t> count_by_reason(const std::vector<LeftOut>& left_out);

enum class Detail { counts, names };  // names: also list what was left out (--verbose)

std::string summary_text(const SeedSummary& summary, Detail detail);
std::string summary_json(const SeedSummary& summary, Detail detail);  // one line

}  // namespace larder::client
