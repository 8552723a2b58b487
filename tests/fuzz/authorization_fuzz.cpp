// Credentials come out as they went in, or not at all.
#include "server/access/credentials.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view field = larder::fuzz::text_of(data, size);
  const auto credentials = larder::parse_authorization(field);
  if (!credentials) return 0;
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  for (const std::string* part : {&credentials->user, &credentials->secret})
    demand(std::none_of(part->begin(), part->end(), is_control), "credentials have no control characters");
  demand(credentials->user.find(':') == std::string::npos, "a user has no colon");
  demand(credentials->user.size() + credentials->secret.size() < field.size(), "nothing grows");
  (void)larder::is_anonymous_user(credentials->user);
  return 0;
}
