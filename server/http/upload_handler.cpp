#include "server/http/upload_handler.hpp"

#include "common/upload_batch.hpp"
#include "server/http/artifact_handler.hpp"
#include "server/http/conditional.hpp"
#include "server/http/digest_fields.hpp"
#include "server/http/service_handler.hpp"

namespace larder::http {
namespace {

// What a request asks for, and what becomes of it. Its uploads point into the body.
class Batch {
 public:
  // Takes milliseconds for a thousand artifacts: not for a loop.
  static Result<Batch> read(const Exchange& exchange, std::string_view name_space, std::string_view body) {
    LARDER_TRY_ASSIGN(const auto wanted, parse_upload_batch(body));
    return Batch(exchange, name_space, wanted);
  }

  std::span<SmallUpload> uploads() { return uploads_; }

  // A line for each, once all uploads have their outcome.
  std::string answer(const Exchange& exchange) {
    for (std::size_t i = 0; i < uploads_.size(); ++i) {
      api::Problem& problem = results_[positions_[i]].problem;
      const Result<Receipt>& outcome = *uploads_[i].outcome;
      problem = outcome ? told_of(exchange, keys_[i], *outcome) : problem_of(outcome.error());
    }
    std::string lines;
    for (const api::UploadResult& each : results_) lines.append(api::to_json(each)).append("\n");
    return lines;
  }

 private:
  Batch(const Exchange& exchange, std::string_view name_space, const std::vector<BatchedUpload>& wanted) {
    results_.resize(wanted.size());
    keys_.reserve(wanted.size());  // the uploads point at them
    uploads_.reserve(wanted.size());
    const UploadRequest terms = upload_terms(exchange, name_space);
    for (std::size_t i = 0; i < wanted.size(); ++i) add(terms, name_space, wanted[i], results_[i]);
  }

  void add(const UploadRequest& terms, std::string_view name_space, const BatchedUpload& wanted,
           api::UploadResult& result) {
    if (path_defect(wanted.file.path).empty()) result.path = wanted.file.path;
    auto key = ArtifactKey::make(name_space, wanted.file.path);
    if (!key) {
      result.problem = problem_of(key.error());
      return;
    }
    keys_.push_back(std::move(*key));
    positions_.push_back(static_cast<std::size_t>(&result - results_.data()));
    SmallUpload upload;
    upload.key = &keys_.back();
    upload.request = terms;
    upload.request.size = wanted.file.size;
    upload.request.declared = wanted.file.digest;
    upload.bytes = std::as_bytes(std::span(wanted.bytes));
    uploads_.push_back(std::move(upload));
  }

  static api::Problem told_of(const Exchange& exchange, const ArtifactKey& key, const Receipt& receipt) {
    if (receipt.outcome == Receipt::Outcome::conflict) return conflict_of(exchange, key, receipt);
    api::Problem stored;
    stored.status = receipt.outcome == Receipt::Outcome::created ? 201 : 200;
    return stored;
  }

  std::vector<api::UploadResult> results_;
  std::vector<ArtifactKey> keys_;
  std::vector<SmallUpload> uploads_;
  std::vector<std::size_t> positions_;  // of the uploads, among the results
};

// What would be meant for all of the artifacts, and a PUT has for one. Empty: nothing of that is there.
std::string_view meant_for_one(const Request& request) {
  if (has_preconditions(request)) return "no preconditions but If-None-Match: *";
  if (!request.content_range.empty()) return "no Content-Range";
  const auto declared = declared_digest(request);
  if (!declared || *declared) return "no digest of the whole";
  return {};
}

}  // namespace

Task<void> serve_uploads(Exchange& exchange, const Target& target) {
  if (exchange.request().method != Method::post)
    co_return co_await answer_method_not_allowed(exchange, "POST");
  const auto name_space = query_value(target.query, "namespace");
  if (!name_space || name_space->empty()) {
    const Error unclear(Errc::invalid_argument, "uploads need ?namespace=NAME");
    co_return co_await exchange.answer_error(unclear);
  }
  Repository& repository = exchange.context().repository;
  if (repository.find_namespace(*name_space) == nullptr) {
    const Error missing(Errc::not_found, "there is no namespace " + *name_space);
    co_return co_await exchange.answer_error(missing);
  }
  const bool endless = co_await refuse_without_length(exchange);
  if (endless) co_return;
  const bool refused = co_await refuse_encoding(exchange);
  if (refused) co_return;
  const std::string_view unwanted = meant_for_one(exchange.request());
  if (!unwanted.empty()) {
    const Error unclear(Errc::invalid_argument,
                        "a request with several artifacts takes " + std::string(unwanted));
    co_return co_await exchange.answer_error(unclear);
  }
  const auto text = co_await read_text(exchange, k_most_upload_bytes);
  if (!text) co_return co_await exchange.answer_error(text.error());
  const std::string_view body = *text;
  const std::string_view space = *name_space;
  const auto asked = std::cref(exchange);
  auto batch = co_await repository.pool().run(&Batch::read, asked, space, body);
  if (!batch) co_return co_await exchange.answer_error(batch.error());
  const std::span<SmallUpload> uploads = batch->uploads();
  co_await repository.store_all(uploads);
  exchange.set_outcome("batch");
  Reply reply(200);
  reply.content_type = "application/x-ndjson";
  Batch* const answered = &*batch;
  const std::string lines = co_await repository.pool().run(&Batch::answer, answered, asked);
  co_await exchange.answer(std::move(reply), lines);
}

}  // namespace larder::http
