// A stream of requests means the same however it is cut: headers, bodies and
// the refusal that ends it.
#include "server/http/request_parser.hpp"

#include <string>

#include "server/http/plain_request.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using namespace larder::http;
using larder::fuzz::demand;

namespace {

constexpr HeaderLimits k_limits{2048, 512};

std::string number(std::uint64_t value) {
  return std::to_string(value) + "\n";
}

std::string transcript_of(const Request& request) {
  return "header " + request.method_text + " " + request.target + "\n" +
         number(static_cast<unsigned>(request.version)) + number(request.content_length.value_or(0)) +
         number(request.chunked) + number(request.keep_alive) + number(request.expects_continue) +
         request.host + "\n" + request.range + "\n" + request.if_none_match + "\n";
}

// One step of the parser; what it took is cut off `piece`.
void advance(RequestParser& parser, std::string_view& piece, std::string& transcript) {
  const ParseStep step = parser.feed(piece);
  demand(step.consumed <= piece.size(), "the parser consumes no more than there is");
  demand(step.body.size() <= step.consumed, "a body is a part of what was consumed");
  demand(step.event != ParseEvent::body || !step.body.empty(), "a piece of a body is not empty");
  demand(step.event != ParseEvent::need_more || step.consumed == piece.size(),
         "who needs more has consumed all");
  demand(step.consumed > 0 || parser.complete() || parser.refusal(), "every step gets further");
  demand((step.event == ParseEvent::failed) == bool(parser.refusal()), "a failure has a reason");
  piece.remove_prefix(step.consumed);

  if (step.event == ParseEvent::header) transcript += transcript_of(parser.request());
  transcript += step.body;
  if (step.event == ParseEvent::failed) {
    transcript += "\nrefused " + number(static_cast<unsigned>(parser.refusal().status));
    transcript += parser.refusal().reason;
  }
  if (!parser.complete()) return;
  transcript += "\ncomplete " + number(parser.body_bytes());
  parser.reset();
}

std::string transcript_of(std::string_view stream, std::size_t cut) {
  RequestParser parser(k_limits);
  std::string transcript;
  while (!stream.empty() && !parser.refusal()) {
    std::string_view piece = stream.substr(0, cut);
    stream.remove_prefix(piece.size());
    while (!piece.empty() && !parser.refusal()) advance(parser, piece, transcript);
  }
  return transcript;
}

// What is read in one go is what the parser reads.
void check_plain(std::string_view stream) {
  const auto plain = read_plain_request(stream, k_limits);
  if (!plain) return;
  RequestParser parser(k_limits);
  const ParseStep step = parser.feed(stream);
  demand(step.event == ParseEvent::header && step.consumed == plain->size, "it is a whole header");
  const Request& request = parser.request();
  demand(request.method == plain->method && request.target == plain->target, "it asks for the same");
  demand(request.accept == plain->accept && request.authorization == plain->authorization, "of the same");
  demand(request.version == 11 && request.keep_alive && parser.complete(),
         "and nothing comes of it but that");
  demand(!request.is_conditional() && !request.expects_continue, "without conditions");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view stream = fuzz::text_of(data, size);
  check_plain(stream);
  const std::size_t cut = fuzz::take_number(stream, 1) + 1;
  demand(transcript_of(stream, cut) == transcript_of(stream, stream.size() + 1), "cuts do not matter");
  return 0;
}
