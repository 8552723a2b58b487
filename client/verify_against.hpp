// `larder verify --against` and `--checksums`: whether a server has what others have.
// Nothing is downloaded: the server says its digests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/checksum_list.hpp"
#include "client/commands.hpp"
#include "common/digest_list.hpp"

namespace larder::client {

struct VerifyAgainstOptions {
  std::string against;     // a directory, or a server with a namespace, as parse_tree_source() takes them
  std::string name_space;  // of the server; empty: as `against` says, else sstate-cache
  std::optional<NamespaceKind> kind;
  unsigned jobs = 4;
};
// What `against` has and the server lacks or has otherwise; what the server has beyond it is counted.
ExitCode run_verify_against(const Globals& globals, const VerifyAgainstOptions& options);

struct VerifyChecksumsOptions {
  std::string file;                      // of sha256sum lines; "-": standard input
  std::string name_space = "downloads";  // of the server
};
ExitCode run_verify_checksums(const Globals& globals, const VerifyChecksumsOptions& options);

// A checksum is of the name it says or, where there is none, of its last component.
struct ChecksumReport {
  std::vector<std::string> missing;
  std::vector<std::string> differing;
  std::uint64_t matching = 0;
  bool is_well() const { return missing.empty() && differing.empty(); }
};
ChecksumReport check_checksums(const std::vector<Checksum>& wanted, const std::vector<ListedFile>& files);

}  // namespace larder::client
