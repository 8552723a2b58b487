#include "server/privileges.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace larder {

Result<void> check_user(const Config& config, uid_t effective_user) {
  if (effective_user != 0 || config.allow_root) return {};
  return Error(Errc::forbidden,
               "larderd does not run as root: start it by systemd, which gives it a user of its own, or with "
               "'runuser -u larder -- larderd …' (the data directory has to belong to that user); "
               "'allow_root: true' or --allow-root says that root is meant");
}

Result<void> check_owner(const Config& config, uid_t effective_user) {
  struct stat status {};
  if (effective_user != 0 || config.allow_root) return {};
  if (::stat(config.data.c_str(), &status) != 0 || status.st_uid == 0) return {};
  return Error(Errc::forbidden,
               "the data directory " + config.data.string() + " belongs to user " +
                   std::to_string(status.st_uid) + ", and what root leaves there larderd could not change: " +
                   "run this as that user ('runuser -u larder -- larderd …'), or say --allow-root");
}

Result<void> drop_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return posix_error("give up new privileges for", "this process", errno);
  // Not there before Linux 4.3; then there is nothing to clear either.
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0)
    return posix_error("ask for the capabilities of", "this process", errno);
  constexpr std::uint32_t k_files =
      (1U << CAP_CHOWN) | (1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH) | (1U << CAP_FOWNER);
  const std::uint32_t kept = ::geteuid() == 0 ? k_files & sets[0].permitted : 0;
  if (sets[0].permitted == kept && sets[1].permitted == 0) return {};  // a sandbox may forbid even to ask
  sets = {};
  sets[0].permitted = sets[0].effective = kept;
  if (::syscall(SYS_capset, &header, sets.data()) != 0)
    return posix_error("give up the capabilities of", "this process", errno);
  return {};
}

}  // namespace larder
