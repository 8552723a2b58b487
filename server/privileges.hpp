// What larderd may do beyond its own files: as little as possible.
#pragma once

#include <sys/types.h>

#include "server/config.hpp"

namespace larder {

// Whoever breaks into a daemon that runs as root owns the machine. Errc::forbidden
// unless allow_root says that this is meant (a container, a trial).
Result<void> check_user(const Config& config, uid_t effective_user);

// The same for a command that works on a data directory and ends: as root it would leave files there that
// the daemon, another user, cannot touch. A directory that is root's own, or not there yet, is fine.
Result<void> check_owner(const Config& config, uid_t effective_user);

// Gives up every capability of this process, and the means to get new ones by
// executing something: call while there is one thread, after low ports are bound.
// Root, where it is allowed, keeps those that open and link other people's files.
Result<void> drop_privileges();

}  // namespace larder
