// A name that is taken apart can be put together again, and a group is found
// from each of its members.
#include "common/sstate_name.hpp"

#include <string>

#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using larder::fuzz::demand;

namespace {

std::string with_slash(std::string_view directory) {
  return directory.empty() ? std::string() : std::string(directory) + "/";
}

std::string put_together(const SstateName& name) {
  std::string path = with_slash(name.extra) + with_slash(name.hash_directories) + "sstate";
  for (const auto field : {name.pn, name.target, name.pv, name.pr, name.pkgarch, name.version})
    path.append(":").append(field);
  path.append(":").append(name.hash).append("_").append(name.task).append(".").append(name.extension);
  if (name.companion == Companion::siginfo) path += ".siginfo";
  if (name.companion == Companion::sig) path += ".sig";
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view path = fuzz::text_of(data, size);
  const std::string_view group = group_of(path);
  demand(path.starts_with(group), "a group is the start of its member");
  demand(group_of(group) == group, "an archive leads its own group");

  const auto name = parse_sstate_name(path);
  if (!name) return 0;
  demand(put_together(*name) == path, "the parts make up the path");
  const auto leader = parse_sstate_name(group);
  demand(leader && leader->companion == Companion::none, "the leader of a group is an archive");
  demand(leader->hash == name->hash && leader->task == name->task, "a group shares hash and task");
  return 0;
}
