// larderd fsck: what `larder verify` does, for a data directory that no daemon has.
#pragma once

#include <ostream>

#include "common/result.hpp"
#include "server/config.hpp"

namespace larder {

struct FsckOptions {
  bool quick = false;
  bool repair = false;
  bool rebuild_index = false;  // from the tree alone; the old one is moved aside
};

// Of config.data. Whether all was sound; what was not, and a summary, are written to `out`.
// Errc::busy while a daemon has the directory, Errc::not_found when it is no data directory.
Result<bool> run_fsck(const Config& config, const FsckOptions& options, std::ostream& out);

}  // namespace larder
