// What memory alone can answer: a GET or HEAD of an artifact that asks for nothing special, which is
// nearly all that a build asks for. Nothing here waits.
#pragma once

#include <optional>
#include <string>

#include "server/http/exchange.hpp"
#include "server/http/plain_request.hpp"

namespace larder::http {

inline constexpr std::size_t k_gathered =
    64 << 10;  // bytes of answers to pipelined requests that go out together

enum class AtOnce {
  answered,   // a HEAD, something missing, something small
  have_file,  // the artifact is open, and has to be sent from its file
  no,         // nothing was done or counted: serve_artifact() has to say what it is
};

struct AnswerForm {
  enum class Files : std::uint8_t { no, yes };  // no: instead of have_file, AtOnce::no

  int version = 11;
  KeepAlive keep_alive = KeepAlive::yes;
  Files files = Files::yes;
};

struct MemoryAnswer {
  int status = 0;
  std::string_view outcome;     // for the log
  std::optional<KeyView> key;   // of what was asked for, in `name`
  OpenArtifact artifact;        // of a hit
  std::uint64_t bytes_out = 0;  // of the body

  // What goes out behind the head; null: nothing.
  std::shared_ptr<const std::string> body;
};

// Appends the answer to `output`, but for a body in memory that it shares. `name` is room for the name.
AtOnce answer_from_memory(const Context& context, const Permissions& may, const PlainRequest& request,
                          AnswerForm form, std::string& name, std::string& output, MemoryAnswer& answer);

}  // namespace larder::http
