// `larder log`: what was done to which name, by whom and why.
#pragma once

#include <cstdint>
#include <string>

#include "client/commands.hpp"
#include "common/log_line.hpp"

namespace larder::client {

struct LogOptions {
  std::string name_space;
  std::string match;
  std::string actor;
  std::string action;
  std::string since;  // as parse_moment() takes them
  std::string until;
  std::uint64_t limit = 50;  // 0: all
};
ExitCode run_log(const Globals& globals, const LogOptions& options);

// "2026-11-01 14:05  put         34.0 KiB  downloads/a.tar.gz  10.0.0.7  why", times as people here have
// them.
std::string log_text(const api::LogLine& line);

}  // namespace larder::client
