// An accepted target names something that is safe to open, and naming it again
// leads to the same place.
#include "server/http/target.hpp"

#include <string>

#include "common/percent.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using namespace larder::http;
using larder::fuzz::demand;

namespace {

std::string written(const Target& target) {
  std::string path = "/" + target.name_space;
  if (!target.path.empty()) path += "/" + target.path;
  path = percent_encode(path);
  return target.trailing_slash ? path + "/" : path;
}

void check(const Target& target) {
  if (target.kind == Target::Kind::root || target.kind == Target::Kind::admin) return;
  demand(target.path.empty() || path_defect(target.path).empty(), "a path has no defect");
  if (target.kind == Target::Kind::artifact) demand(target.key().ok(), "an artifact has a key");
  if (target.kind == Target::Kind::snapshot)
    demand(is_snapshot_name(target.snapshot), "a snapshot has a name");
  if (target.name_space.empty()) return;

  const auto again = parse_target(written(target));
  if (!again) {  // only because escapes take more room than the letters did
    demand(written(target).size() > k_max_target, "a name that was accepted is accepted again");
    return;
  }
  demand(again->kind == target.kind, "kinds are stable");
  demand(again->snapshot == target.snapshot && again->name_space == target.name_space &&
             again->path == target.path,
         "names are stable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw = fuzz::text_of(data, size);
  std::string room;
  if (const auto key = plain_artifact(raw, room)) {
    const auto target = parse_target(raw);
    demand(target && target->kind == Target::Kind::artifact && target->query.empty(),
           "what the short way takes is an artifact");
    demand(target->key()->str() == key->str(), "both ways find the same name");
  }
  if (const auto target = parse_target(raw)) {
    check(*target);
    query_value(target->query, "since");
  }
  query_value(raw, "a");
  demand(percent_decode(percent_encode(raw)) == raw, "what is encoded decodes to itself");
  return 0;
}
