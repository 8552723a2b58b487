// A token file is refused, or means what is written again.
#include "server/access/token_file.hpp"

#include "server/access/htpasswd.hpp"
#include "tests/fuzz/fuzz.hpp"

using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = larder::fuzz::text_of(data, size);
  (void)larder::parse_htpasswd(text);
  (void)larder::token_id(text);
  const auto records = larder::decode_tokens(text);
  if (!records) {
    demand(!records.error().message().empty(), "a refusal has its reason");
    return 0;
  }
  for (const larder::TokenRecord& each : *records) {
    demand(larder::is_actor_name(each.name), "tokens have names");
    demand(!each.rights.empty() && !each.where.empty(), "tokens are of use");
    demand(!each.rights.has(larder::Right::admin) || each.where.is_all(), "admin is for all namespaces");
  }
  const auto again = larder::decode_tokens(larder::encode_tokens(*records));
  demand(again && *again == *records, "what was read can be written and read again");
  return 0;
}
