#include "server/http/exchange.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cassert>
#include <cstdio>

#include "server/http/date.hpp"
#include "server/http/memory_answer.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_flush_threshold = 64 << 10;   // bytes of gathered answers
constexpr std::size_t k_paced_piece = 64 << 10;       // bytes written between two looks at the pace
constexpr std::uint64_t k_small_remainder = 1 << 20;  // bytes of an unwanted body worth reading

}  // namespace

void InputBuffer::consume(std::size_t count) {
  begin_ += count;
  assert(begin_ <= end_);
  if (begin_ == end_) begin_ = end_ = 0;
}

std::span<char> InputBuffer::room() {
  assert(begin_ == 0 && end_ == 0);
  if (bytes_.empty()) bytes_.resize(k_usual);
  return bytes_;
}

void InputBuffer::put(std::string_view bytes) {
  assert(begin_ == 0 && end_ == 0);
  if (bytes_.size() < bytes.size()) bytes_.resize(std::max(k_usual, bytes.size()));
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  end_ = bytes.size();
}

void InputBuffer::grow_for_body() {
  if (bytes_.size() < k_body) bytes_.resize(k_body);
}

void InputBuffer::shrink() {
  if (bytes_.size() <= k_usual || end_ > k_usual) return;
  std::vector<char> usual(k_usual);
  std::copy_n(bytes_.begin(), end_, usual.begin());
  bytes_.swap(usual);
}

HeaderLimits header_limits(const Context& context) {
  HeaderLimits limits;
  limits.block_bytes = context.config->http.max_header_size.bytes;
  return limits;
}

Visitor stranger(const Context& context, const Connection& connection) {
  const std::uint64_t version = context.access.version();
  const Origin origin = connection.peer().is_loopback() ? Origin::loopback : Origin::elsewhere;
  Visitor visitor;
  visitor.is(context.access.without_credentials(connection.tls_user(), origin), "", version);
  return visitor;
}

Exchange::Exchange(Context& context, Connection& connection, Visitor visitor)
    : context_(context),
      connection_(connection),
      parser_(header_limits(context)),
      visitor_(std::move(visitor)) {}

void Exchange::begin(SteadyTime now) {
  started_ = now;
  keep_alive_ = request().keep_alive && context_.ready();
  linger_ = false;
  continued_ = false;
  artifact_ = false;
  identified_ = false;
  name_space_.clear();
  status_ = 0;
  bytes_out_ = 0;
  outcome_ = {};
}

SteadyTime Exchange::finish() {
  const SteadyTime now = std::chrono::steady_clock::now();
  const auto duration = now - started_;
  context_.latency.observe(latency_kind(request().method, artifact_), duration);
  if (!context_.access_log.on()) return now;
  AccessRecord record;
  record.client = connection_.peer_text();
  if (identified_) record.user = visitor_.identity().name;
  record.protocol = connection_.is_secure() ? "https" : "http";
  record.method = request().method_text;
  record.name_space = name_space_;
  const std::string name = without_userinfo(request().target);
  record.name = name;
  record.status = status_;
  record.outcome = outcome_;
  record.bytes_in = parser_.body_bytes();
  record.bytes_out = bytes_out_;
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  context_.access_log.write(record);
  return now;
}

void Exchange::set_artifact(KeyView key) {
  artifact_ = true;
  if (context_.access_log.on()) name_space_ = key.name_space();
}

bool Exchange::flush_now() {
  if (!has_output()) return true;
  const std::string_view head = std::string_view(output_).substr(std::min(written_, output_.size()));
  const std::string_view body = body_to_send().substr(written_ - std::min(written_, output_.size()));
  written_ += connection_.try_write(head, body);
  if (written_ < output_.size() + body_to_send().size()) return false;
  forget_output();
  return true;
}

void Exchange::forget_output() {
  written_ = 0;
  body_.reset();
  output_.clear();
  if (output_.capacity() > 4 * k_flush_threshold)
    std::string().swap(output_);  // a listing, not kept while idle
}

Task<bool> Exchange::flush() {
  if (broken_) co_return false;
  if (flush_now()) co_return true;
  // Under TLS the next write begins with what was refused, which may be of both.
  if (connection_.is_secure() && body_ && written_ < output_.size()) {
    output_ += *body_;
    body_.reset();
  }
  const HttpConfig& limits = context_.config->http;
  const SteadyTime now = std::chrono::steady_clock::now();
  const Pace pace(limits.body_timeout, limits.min_rate.bytes, now);
  const std::string_view head = std::string_view(output_).substr(std::min(written_, output_.size()));
  const std::string_view body = body_to_send().substr(written_ - std::min(written_, output_.size()));
  std::uint64_t sent = 0;
  co_await write_paced(head, pace, sent);
  co_await write_paced(body, pace, sent);
  connection_.set_deadline(SteadyTime::max());
  forget_output();
  co_return !broken_;
}

// A listing or a list of names may be megabytes: who takes it slowly has as long as for a file.
Task<void> Exchange::write_paced(std::string_view bytes, const Pace& pace, std::uint64_t& sent) {
  while (!bytes.empty() && !broken_) {
    const std::string_view piece = bytes.substr(0, k_paced_piece);
    connection_.set_deadline(pace.deadline(sent, std::chrono::steady_clock::now()));
    const ErrorCode error = co_await connection_.write(piece);
    if (error) broken_ = true;
    sent += piece.size();
    bytes.remove_prefix(piece.size());
  }
}

Task<bool> Exchange::fill() {
  const std::span<char> room = input_.room();
  const Connection::ReadOutcome outcome = co_await connection_.read_some(room);
  if (outcome.error) {
    broken_ = true;
    ended_ = outcome.error == asio::error::eof;
    co_return false;
  }
  input_.filled(outcome.count);
  co_return true;
}

Task<Result<std::size_t>> Exchange::read_body(BodyBytes& into, std::size_t at_most) {
  const std::size_t before = into.size();
  if (!parser_.complete() && request().expects_continue && !continued_) {
    continued_ = true;
    output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    const bool sent = co_await flush();
    if (!sent) co_return Error(Errc::cancelled, "the client went away");
  }
  const HttpConfig& limits = context_.config->http;
  const Pace pace(limits.body_timeout, limits.min_rate.bytes, started_);
  while (!parser_.complete() && into.size() - before < at_most) {
    if (input_.unread().empty()) {
      const bool direct = !request().chunked;
      if (!direct) input_.grow_for_body();
      connection_.set_deadline(pace.deadline(parser_.body_bytes(), std::chrono::steady_clock::now()));
      bool more = false;
      if (direct) more = co_await read_into(into, at_most - (into.size() - before));
      if (!direct) more = co_await fill();
      connection_.set_deadline(SteadyTime::max());
      if (!more) co_return Error(Errc::cancelled, "the client went away in the middle of the body");
      if (direct) continue;
    }
    const ParseStep step = parser_.feed(input_.unread());
    if (step.event == ParseEvent::body) {
      const auto* const first = reinterpret_cast<const std::byte*>(step.body.data());
      into.insert(into.end(), first, first + step.body.size());
    }
    input_.consume(step.consumed);
    if (step.event == ParseEvent::failed) {
      keep_alive_ = false;
      co_return Error(Errc::invalid_argument, std::string(parser_.refusal().reason));
    }
  }
  co_return into.size() - before;
}

// What comes of a body whose length is known needs no other place on its way.
Task<bool> Exchange::read_into(BodyBytes& into, std::size_t at_most) {
  const std::size_t before = into.size();
  const std::uint64_t left = *request().content_length - parser_.body_bytes();
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(left, at_most));
  into.resize(before + room, boost::container::default_init);
  const std::span<char> target(reinterpret_cast<char*>(into.data()) + before, room);
  const Connection::ReadOutcome outcome = co_await connection_.read_some(target);
  into.resize(before + outcome.count, boost::container::default_init);
  parser_.took_body(outcome.count);
  if (outcome.error) broken_ = true;
  co_return !broken_;
}

Task<void> Exchange::settle_body() {
  if (parser_.complete() || broken_) co_return;
  const Request& asked = request();
  const bool held_back = asked.expects_continue && !continued_;
  const bool small =
      asked.content_length && *asked.content_length - parser_.body_bytes() <= k_small_remainder;
  if (held_back || !small || !keep_alive_) {
    keep_alive_ = false;
    linger_ = true;
    co_return;
  }
  BodyBytes unwanted;
  while (!parser_.complete()) {
    unwanted.clear();
    const auto count = co_await read_body(unwanted, k_flush_threshold);
    if (!count) co_return;
  }
}

void Exchange::answered(MemoryAnswer answer) {
  status_ = answer.status;
  outcome_ = answer.outcome;
  bytes_out_ += answer.bytes_out;
  body_ = std::move(answer.body);
}

void Exchange::answer_missing() {
  status_ = 404;
  outcome_ = "miss";
  append_missing(output_, request().method, request().version, keep_alive_ ? KeepAlive::yes : KeepAlive::no,
                 current_http_date());
  if (request().method != Method::head) bytes_out_ += k_missing.size();
}

void Exchange::put_head(const Reply& reply) {
  status_ = reply.status;
  const KeepAlive keep_alive = keep_alive_ ? KeepAlive::yes : KeepAlive::no;
  append_head(output_, reply, request().version, keep_alive, current_http_date());
}

void Exchange::answer_now(Reply reply, std::string_view body) {
  const bool bodiless = reply.status == 204 || reply.status == 304;
  if (!bodiless && !reply.content_length) reply.content_length = body.size();
  put_head(reply);
  if (request().method == Method::head || bodiless) return;
  output_.append(body);
  bytes_out_ += body.size();
}

Task<void> Exchange::answer(Reply reply, std::string_view body) {
  co_await settle_body();
  answer_now(std::move(reply), body);
  if (output_.size() > k_flush_threshold) co_await flush();
}

Task<void> Exchange::answer_problem(api::Problem problem, std::string_view extra) {
  Reply reply(problem.status);
  reply.content_type = "application/problem+json";
  reply.extra = extra;
  const std::string body = api::to_json(problem) + "\n";
  co_await answer(std::move(reply), body);
}

Task<void> Exchange::answer_error(const Error& error) {
  api::Problem problem = problem_of(error);
  co_await answer_problem(std::move(problem));
}

Task<void> Exchange::answer_file(Reply reply, const OpenArtifact& artifact, std::uint64_t offset) {
  const std::uint64_t length = reply.content_length.value_or(0);
  if (artifact.body) {
    put_head(reply);
    output_.append(*artifact.body, offset, length);
    bytes_out_ += length;
    co_await flush();
    co_return;
  }
  if (length > 0) connection_.cork(true);
  put_head(reply);
  const bool head_sent = co_await flush();
  if (head_sent && length > 0) {
    const HttpConfig& limits = context_.config->http;
    const Pace pace(limits.body_timeout, limits.min_rate.bytes, started_);
    std::uint64_t sent = 0;
    DiskPool& pool = context_.repository.pool();
    FilePart part{artifact.file->descriptor(), offset, length, nullptr};
    if (length == artifact.entry.size) part.warm_until = &artifact.file->warm_until;
    const ErrorCode error = co_await connection_.send_file(pool, part, pace, sent);
    bytes_out_ += sent;
    if (error) broken_ = true;
  }
  if (!broken_ && length > 0) connection_.cork(false);
}

Task<void> Exchange::begin_stream(Reply reply) {
  co_await settle_body();
  streaming_chunks_ = request().version == 11;
  reply.chunked = streaming_chunks_;
  if (!streaming_chunks_) keep_alive_ = false;
  put_head(reply);
}

Task<bool> Exchange::stream(std::string_view bytes) {
  if (bytes.empty() || request().method == Method::head) co_return !broken_;
  if (streaming_chunks_) {
    char size[20];
    const int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    output_.append(size, static_cast<std::size_t>(length));
  }
  output_.append(bytes);
  if (streaming_chunks_) output_ += "\r\n";
  bytes_out_ += bytes.size();
  const bool sent = co_await flush();
  co_return sent;
}

Task<void> Exchange::end_stream() {
  if (streaming_chunks_ && request().method != Method::head) output_ += "0\r\n\r\n";
  co_await flush();
}

}  // namespace larder::http
