// Values of single fields: dates, entity tags, digests and media types.
#include "common/hasher.hpp"
#include "server/http/conditional.hpp"
#include "server/http/date.hpp"
#include "server/http/digest_fields.hpp"
#include "server/http/listing.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using namespace larder::http;
using larder::fuzz::demand;

namespace {

void check_date(std::string_view text) {
  const auto time = parse_http_date(text);
  if (time) demand(parse_http_date(format_http_date(*time)) == time, "a date that is written reads back");
}

void check_conditions(std::string_view text) {
  const Validators current{"abc", 784111777};
  for (const auto field : {&Request::if_match, &Request::if_none_match, &Request::if_modified_since,
                           &Request::if_unmodified_since, &Request::if_range}) {
    Request request;
    request.method = Method::get;
    request.range = "bytes=0-";
    request.*field = text;
    demand(range_applies(request, current) || field == &Request::if_range,
           "only If-Range switches a range off");
    const auto outcome = evaluate(request, current);
    const bool writes_fail = field == &Request::if_match || field == &Request::if_unmodified_since;
    demand(outcome != Precondition::failed || writes_fail,
           "a reader fails by If-Match and If-Unmodified-Since only");
  }
}

void check_digests(std::string_view text) {
  for (const auto field :
       {&Request::repr_digest, &Request::content_digest, &Request::digest, &Request::x_checksum_sha256}) {
    Request request;
    request.*field = text;
    const auto declared = declared_digest(request);
    if (!declared || !*declared) continue;
    const bool spelled = text.find((*declared)->base64().substr(0, 43)) != std::string_view::npos;
    demand(spelled || field == &Request::x_checksum_sha256, "a digest stands in the field that declares it");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check_date(text);
  check_conditions(text);
  check_digests(text);
  choose_listing_format(text);
  return 0;
}
