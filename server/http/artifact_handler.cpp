#include "server/http/artifact_handler.hpp"

#include "common/percent.hpp"
#include "server/http/access_handler.hpp"
#include "server/http/conditional.hpp"
#include "server/http/digest_fields.hpp"
#include "server/http/listing.hpp"
#include "server/http/range.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_body_piece = 256 << 10;  // bytes handed to the disk pool at once
constexpr std::size_t k_small_body = 64 << 10;   // bytes that are taken in whole before anything is stored

Reply describe(const Entry& entry, const std::string& etag) {
  Reply reply(200);
  reply.content_type = "application/octet-stream";
  reply.content_length = entry.size;
  reply.etag = etag;
  reply.last_modified = entry.stored;
  reply.accept_ranges = true;
  return reply;
}

Validators validators_of(const Entry& entry, const std::string& etag) {
  Validators validators;
  validators.etag = etag;
  validators.last_modified = entry.stored;
  return validators;
}

// 304 and 412 carry the validators and no body.
Reply bodiless(int status, const Reply& full) {
  Reply reply(status);
  reply.etag = full.etag;
  reply.last_modified = full.last_modified;
  if (status == 412) reply.content_length = 0;
  return reply;
}

void answer_not_found(Exchange& exchange, KeyView key) {
  exchange.context().repository.count_miss(key);
  exchange.answer_missing();
}

void answer_head(Exchange& exchange, const ArtifactKey& key, const Entry& entry) {
  exchange.context().repository.count_hit(key, Access::seen);
  exchange.set_outcome("hit");
  const std::string etag = entry.digest.hex();
  const Reply full = describe(entry, etag);
  const Precondition precondition = evaluate(exchange.request(), validators_of(entry, etag));
  if (precondition == Precondition::not_modified) return exchange.answer_now(bodiless(304, full), k_no_body);
  if (precondition == Precondition::failed) return exchange.answer_now(bodiless(412, full), k_no_body);
  exchange.answer_now(full, k_no_body);
}

Task<void> send_artifact(Exchange& exchange, const ArtifactKey& key, const OpenArtifact& artifact) {
  Repository& repository = exchange.context().repository;
  const Entry& entry = artifact.entry;
  const std::string etag = entry.digest.hex();
  const Validators validators = validators_of(entry, etag);
  Reply reply = describe(entry, etag);
  repository.count_hit(key, Access::used);
  exchange.set_outcome("hit");

  const Precondition precondition = evaluate(exchange.request(), validators);
  if (precondition == Precondition::not_modified)
    co_return exchange.answer_now(bodiless(304, reply), k_no_body);
  if (precondition == Precondition::failed) co_return exchange.answer_now(bodiless(412, reply), k_no_body);

  std::uint64_t offset = 0;
  if (range_applies(exchange.request(), validators)) {
    const RangeDecision range = parse_range(exchange.request().range, entry.size);
    if (range.kind == RangeDecision::Kind::unsatisfiable) {
      Reply refusal(416);
      refusal.content_range = content_range(range, entry.size);
      refusal.etag = etag;
      co_return exchange.answer_now(std::move(refusal), k_no_body);
    }
    if (range.kind == RangeDecision::Kind::slice) {
      reply.status = 206;
      reply.content_range = content_range(range, entry.size);
      reply.content_length = range.length;
      offset = range.first;
    }
  }
  const std::uint64_t length = *reply.content_length;
  co_await exchange.answer_file(std::move(reply), artifact, offset);
  repository.count_sent(key, length);
}

Task<void> get(Exchange& exchange, const ArtifactKey& key) {
  Repository& repository = exchange.context().repository;
  if (exchange.request().method == Method::head) {
    Entry known;
    const Found found = repository.peek(key, known);
    if (found == Found::hit) co_return answer_head(exchange, key, known);
    if (found == Found::miss) co_return co_await answer_missing(exchange, key);
    const auto entry = co_await repository.stat(key);
    if (entry) co_return answer_head(exchange, key, *entry);
    if (entry.error().code() == Errc::not_found) co_return co_await answer_missing(exchange, key);
    co_return co_await exchange.answer_error(entry.error());
  }
  const auto artifact = co_await repository.open(key);
  if (artifact) co_return co_await send_artifact(exchange, key, *artifact);
  if (artifact.error().code() == Errc::not_found) co_return co_await answer_missing(exchange, key);
  co_await exchange.answer_error(artifact.error());
}

// True: a precondition does not hold, and that has been answered. Otherwise `seen` is what
// the name held when it was evaluated.
Task<bool> fails_preconditions(Exchange& exchange, const ArtifactKey& key, std::optional<Digest>& seen) {
  if (!has_preconditions(exchange.request())) co_return false;
  const auto entry = co_await exchange.context().repository.stat(key);
  std::string etag;
  std::optional<Validators> current;
  if (entry) {
    etag = entry->digest.hex();
    current = validators_of(*entry, etag);
    seen = entry->digest;
  }
  if (evaluate(exchange.request(), current) == Precondition::proceed) co_return false;
  api::Problem problem;
  problem.status = 412;
  problem.code = name_of(Errc::precondition);
  problem.detail = "the precondition does not hold for " + key.str();
  problem.existing = etag;
  co_await exchange.answer_problem(std::move(problem));
  co_return true;
}

// Other bytes for a growing tarball, from somebody who may only add.
Need need_to_replace(const ArtifactKey& key) {
  Need need;
  need.where = Need::Where::space;
  need.right = Right::replace;
  need.name_space = key.name_space();
  return need;
}

Task<void> answer_receipt(Exchange& exchange, const ArtifactKey& key, const Receipt& receipt) {
  if (receipt.outcome == Receipt::Outcome::conflict) {
    exchange.set_outcome("conflict");
    if (receipt.replaceable) {
      const Need need = need_to_replace(key);
      co_return co_await refuse(exchange, need);
    }
    api::Problem problem = conflict_of(exchange, key, receipt);
    co_return co_await exchange.answer_problem(std::move(problem));
  }
  const bool created = receipt.outcome == Receipt::Outcome::created;
  exchange.set_outcome(created                                         ? "created"
                       : receipt.outcome == Receipt::Outcome::replaced ? "replaced"
                                                                       : "present");
  Reply reply(created ? 201 : 200);
  reply.etag = receipt.entry.digest.hex();
  reply.last_modified = receipt.entry.stored;
  if (created) reply.extra = "Location: /" + percent_encode(key.str()) + "\r\n";
  co_await exchange.answer(std::move(reply), k_no_body);
}

// Takes the body in; an error has been answered when it returns false.
Task<Result<Receipt>> receive(Exchange& exchange, Upload& upload) {
  Repository& repository = exchange.context().repository;
  BodyBytes piece;
  while (true) {
    piece.clear();
    const auto count = co_await exchange.read_body(piece, k_body_piece);
    if (!count) co_return count.error();
    if (*count == 0) break;
    const std::span<const std::byte> bytes(piece.data(), piece.size());
    const auto appended = co_await repository.append(upload, bytes);
    if (!appended) co_return appended.error();
  }
  const auto receipt = co_await repository.commit(upload);
  co_return receipt;
}

Task<void> put_small(Exchange& exchange, const ArtifactKey& key, UploadRequest upload) {
  BodyBytes body;
  const auto count = co_await exchange.read_body(body, k_small_body);
  if (!count) co_return co_await exchange.answer_error(count.error());
  const std::span<const std::byte> bytes(body.data(), body.size());
  const auto receipt = co_await exchange.context().repository.store(key, std::move(upload), bytes);
  if (!receipt) co_return co_await exchange.answer_error(receipt.error());
  co_await answer_receipt(exchange, key, *receipt);
}

Task<void> put(Exchange& exchange, const ArtifactKey& key) {
  Repository& repository = exchange.context().repository;
  const Request& request = exchange.request();
  if (!request.content_encoding.empty() && request.content_encoding != "identity") {
    api::Problem problem;
    problem.status = 415;
    problem.code = name_of(Errc::invalid_argument);
    problem.detail = "an artifact is stored as it is: send it without Content-Encoding";
    co_return co_await exchange.answer_problem(std::move(problem));
  }
  if (!request.content_range.empty()) {
    const Error partial(Errc::invalid_argument, "an artifact is stored whole: send it without Content-Range");
    co_return co_await exchange.answer_error(partial);
  }
  const bool endless = co_await refuse_without_length(exchange);
  if (endless) co_return;
  std::optional<Digest> seen;
  const bool failed = co_await fails_preconditions(exchange, key, seen);
  if (failed) co_return;

  const auto declared = declared_digest(request);
  if (!declared) co_return co_await exchange.answer_error(declared.error());
  UploadRequest upload = upload_terms(exchange, key.name_space());
  upload.size = request.content_length;
  upload.declared = *declared;
  if (!request.if_match.empty()) upload.expected = seen;  // evaluated again when the name is taken
  // Who waits for 100 is not made to send what may not be wanted.
  if (request.content_length && *request.content_length <= k_small_body && !request.expects_continue)
    co_return co_await put_small(exchange, key, std::move(upload));
  auto start = co_await repository.begin_upload(key, std::move(upload));
  if (!start) co_return co_await exchange.answer_error(start.error());
  if (start->settled) co_return co_await answer_receipt(exchange, key, *start->settled);

  const auto receipt = co_await receive(exchange, *start->upload);
  repository.release(std::move(start->upload));
  if (!receipt) co_return co_await exchange.answer_error(receipt.error());
  co_await answer_receipt(exchange, key, *receipt);
}

Task<void> remove(Exchange& exchange, const ArtifactKey& key) {
  if (exchange.context().repository.find_namespace(key.name_space()) == nullptr) {
    const Error missing(Errc::not_found, "there is no namespace " + std::string(key.name_space()));
    co_return co_await exchange.answer_error(missing);
  }
  std::optional<Digest> seen;
  const bool failed = co_await fails_preconditions(exchange, key, seen);
  if (failed) co_return;
  std::string actor = exchange.actor();
  std::string why = "DELETE";
  const auto entry = co_await exchange.context().repository.remove(key, std::move(actor), std::move(why));
  // isar-sstate deletes some names twice and ends at the first refusal.
  const bool gone_already = !entry && entry.error().code() == Errc::not_found;
  if (!entry && !gone_already) co_return co_await exchange.answer_error(entry.error());
  exchange.set_outcome(gone_already ? "absent" : "removed");
  Reply reply(204);
  co_await exchange.answer(std::move(reply), k_no_body);
}

}  // namespace

Task<bool> refuse_without_length(Exchange& exchange) {
  if (exchange.request().content_length || exchange.request().chunked) co_return false;
  api::Problem problem;
  problem.status = 411;
  problem.code = name_of(Errc::invalid_argument);
  problem.detail = "an upload needs a Content-Length or Transfer-Encoding: chunked";
  co_await exchange.answer_problem(std::move(problem));
  co_return true;
}

UploadRequest upload_terms(const Exchange& exchange, std::string_view name_space) {
  constexpr std::size_t k_longest_build = 200;  // bytes; an id, and no story
  const Request& request = exchange.request();
  UploadRequest terms;
  terms.create_only = request.if_none_match == "*";
  terms.uploader = exchange.actor();
  terms.may_replace = exchange.visitor().may().may(Right::replace, name_space);
  if (!request.larder_build.empty()) terms.why = "build " + request.larder_build.substr(0, k_longest_build);
  return terms;
}

api::Problem conflict_of(const Exchange& exchange, const ArtifactKey& key, const Receipt& receipt) {
  if (receipt.replaceable) return refusal(exchange, need_to_replace(key));
  api::Problem problem;
  problem.status = 409;
  problem.code = name_of(Errc::conflict);
  problem.detail = key.str() +
                   " holds other bytes, and a name never changes its content; "
                   "remove it first if the new ones are right";
  problem.existing = receipt.entry.digest.hex();
  problem.offered = receipt.offered.hex();
  return problem;
}

Task<void> answer_whole(Exchange& exchange, KeyView key, const OpenArtifact& artifact) {
  exchange.set_outcome("hit");
  const std::string etag = artifact.entry.digest.hex();
  Reply reply = describe(artifact.entry, etag);
  co_await exchange.answer_file(std::move(reply), artifact, 0);
  exchange.context().repository.count_sent(key, artifact.entry.size);
}

Task<void> answer_missing(Exchange& exchange, const ArtifactKey& key) {
  if (choose_listing_format(exchange.request().accept) == ListingFormat::none)
    co_return answer_not_found(exchange, key);
  std::string name_space(key.name_space());
  std::string path(key.path());
  const auto directory =
      co_await exchange.context().repository.is_directory(std::move(name_space), std::move(path));
  if (!directory || !*directory) co_return answer_not_found(exchange, key);
  Reply reply(301);
  reply.extra = "Location: /" + percent_encode(key.str()) + "/\r\n";
  co_await exchange.answer(std::move(reply), k_no_body);
}

Task<void> serve_artifact(Exchange& exchange, const ArtifactKey& key) {
  exchange.set_artifact(key);
  const Method method = exchange.request().method;
  if (method == Method::get || method == Method::head) co_return co_await get(exchange, key);
  if (method == Method::put) co_return co_await put(exchange, key);
  co_await remove(exchange, key);
}

}  // namespace larder::http
