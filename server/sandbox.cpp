#include "server/sandbox.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "common/descriptor.hpp"

namespace larder {
namespace {

// Newer than the headers of Debian 12: Linux 6.2.
constexpr std::uint64_t k_truncate = 1ULL << 14;

constexpr std::uint64_t k_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t k_of_files =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | k_truncate;
// Links and sockets are never made, but may be found in the tree and moved to quarantine/.
constexpr std::uint64_t k_change = k_read | LANDLOCK_ACCESS_FS_WRITE_FILE | k_truncate |
                                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                   LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                   LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                   LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER;
constexpr std::uint64_t k_handled =
    k_change | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

constexpr long k_first_abi_with_refer = 2;  // before it, no file can be linked into another directory
constexpr long k_first_abi_with_truncate = 3;

bool is_directory(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

Result<void> allow(int ruleset, const std::filesystem::path& path, std::uint64_t access, Sandbox& sandbox) {
  const Descriptor descriptor(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!descriptor) {
    sandbox.missing.push_back(path);
    return {};
  }
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = is_directory(descriptor.get()) ? access : access & k_of_files;
  beneath.parent_fd = descriptor.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
    return posix_error("let the sandbox reach", path.string(), errno);
  return {};
}

}  // namespace

SandboxRules sandbox_rules(const Config& config, const std::filesystem::path& config_file,
                           const std::vector<std::filesystem::path>& other) {
  SandboxRules rules;
  const auto directory_of = [](const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  };
  rules.changed.push_back(config.data);
  // A link may not lead to where more is allowed than where it comes from: all three are alike.
  for (const std::string& each : config.adopt_from) rules.changed.emplace_back(each);
  for (const std::string& each : config.checkout_to) rules.changed.emplace_back(each);
  for (const std::string& each : {config.log.file, config.log.access}) {
    if (!each.empty() && each != "off" && each != "stderr") rules.changed.push_back(directory_of(each));
  }
  for (const auto& each : other) {
    if (!each.empty()) rules.changed.push_back(directory_of(each));
  }
  if (!config_file.empty()) rules.read.push_back(directory_of(config_file));
  for (const char* each :
       {"/etc", "/usr", "/lib", "/proc", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom"})
    rules.read.emplace_back(each);
  return rules;
}

Result<Sandbox> enter_sandbox(const SandboxRules& rules) {
  Sandbox sandbox;
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < k_first_abi_with_refer) return sandbox;
  const std::uint64_t known = abi >= k_first_abi_with_truncate ? ~0ULL : ~k_truncate;

  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = k_handled & known;
  const Descriptor ruleset(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0)));
  if (!ruleset) return posix_error("make a sandbox for", "this process", errno);
  for (const auto& path : rules.changed) LARDER_TRY(allow(ruleset.get(), path, k_change & known, sandbox));
  for (const auto& path : rules.read) LARDER_TRY(allow(ruleset.get(), path, k_read & known, sandbox));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return posix_error("enter the sandbox of", "this process", errno);
  sandbox.abi = static_cast<int>(abi);
  return sandbox;
}

}  // namespace larder
