// Bodies of requests: lists of names, artifacts that come together, rules of a prune, requests for snapshots,
// gzip around them.
#include "common/name_list.hpp"
#include "common/prune_api.hpp"
#include "common/snapshot_api.hpp"
#include "common/upload_batch.hpp"
#include "server/http/gzip.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using larder::fuzz::demand;

namespace {

void check_names(std::string_view text) {
  const auto wanted = parse_wanted(text);
  if (!wanted) return;
  demand(wanted->size() <= k_most_wanted, "a list has an end");
  for (const WantedName& each : *wanted)
    demand(each.path.find_first_of("\n\t") == std::string::npos, "a name is within its line");
}

void check_uploads(std::string_view body) {
  const auto uploads = parse_upload_batch(body);
  if (!uploads) return;
  demand(uploads->size() <= k_most_uploads, "a batch has an end");
  std::string again;
  for (const BatchedUpload& each : *uploads) {
    demand(each.bytes.size() == each.file.size, "an artifact has the bytes it announces");
    append_digest_line(again, each.file.path, each.file.digest, each.file.size);
    again.append(each.bytes);
  }
  const auto reread = parse_upload_batch(again);
  demand(reread.ok() && reread->size() == uploads->size(), "a batch that was read can be written and read");
}

void check_rules(std::string_view text) {
  if (const auto rules = api::prune_rules_from_json(text)) {
    const std::string written = api::to_json(*rules);
    const auto again = api::prune_rules_from_json(written);
    demand(again.ok() && api::to_json(*again) == written, "rules that were read can be written and read");
  }
  if (const auto request = api::snapshot_request_from_json(text)) {
    const std::string written = api::to_json(*request);
    const auto again = api::snapshot_request_from_json(written);
    demand(again.ok() && api::to_json(*again) == written, "a request that was read can be written and read");
  }
}

void check_gzip(std::string_view bytes) {
  constexpr std::size_t k_limit = 1 << 20;
  const auto text = http::gunzip(bytes, k_limit);
  if (text) demand(text->size() <= k_limit, "what is unpacked stays within the limit");
  http::GzipWriter writer;
  const std::string packed = writer.compress(bytes) + writer.finish();
  const auto unpacked = http::gunzip(packed, bytes.size());
  demand(unpacked.ok() && *unpacked == bytes, "what is packed is what is unpacked");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check_names(text);
  check_uploads(text);
  check_rules(text);
  check_gzip(text);
  return 0;
}
