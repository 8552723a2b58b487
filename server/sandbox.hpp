// Confines the process to its own files with Landlock (landlock(7), Linux 5.19 and
// newer): whatever a peer talks larderd into, it can open nothing else. Files and
// directories that are open already stay usable.
#pragma once

#include <filesystem>
#include <vector>

#include "common/result.hpp"
#include "server/config.hpp"

namespace larder {

struct SandboxRules {
  std::vector<std::filesystem::path> changed;  // directories: everything but to execute and to make devices
  std::vector<std::filesystem::path> read;     // files and directories
};

// What larderd needs with this configuration. `other` are further files that it
// will write once (a port file): their directories are added to `changed`.
SandboxRules sandbox_rules(const Config& config, const std::filesystem::path& config_file,
                           const std::vector<std::filesystem::path>& other);

struct Sandbox {
  int abi = 0;                                 // of Landlock; 0: this kernel has none that helps
  std::vector<std::filesystem::path> missing;  // paths that are not there, and so out of reach for good
};

// For this thread and those it starts, for good: call while there is one thread, after drop_privileges().
Result<Sandbox> enter_sandbox(const SandboxRules& rules);

}  // namespace larder
