// Asking the server, in bulk, what of a plan it does not have.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "client/seed_plan.hpp"
#include "client/server_connection.hpp"
#include "common/result.hpp"

namespace larder::client {

struct QuestionContext {
  std::filesystem::path directory;
  std::string name_space;
  NamespaceKind kind = NamespaceKind::generic;
  bool compare = false;  // also the bytes of what may not be replaced
  std::chrono::milliseconds patience{0};
  std::function<void(const std::string&)> on_trouble;
};

// Marks every name of the plan that has to be sent. What the server has under a
// write-once name is not read here, unless `compare` asks for it: sending then
// brings the conflict to light. Growing tarballs are always hashed, so that a newer
// one counts as missing.
Result<void> mark_missing(ServerConnection& connection, const QuestionContext& context, SeedPlan& plan);

// gzip of a text, for requests of megabytes of names.
std::string gzipped(const std::string& text);

}  // namespace larder::client
