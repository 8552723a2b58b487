#include "common/upload_batch.hpp"

#include "common/json_fields.hpp"

namespace larder {

namespace json = boost::json;
using json_fields::parse_object;
using json_fields::text_at;

std::string api::to_json(const UploadResult& result) {
  const Problem& problem = result.problem;
  json::object object = {{"path", result.path}, {"status", problem.status}};
  if (!problem.code.empty()) object["code"] = problem.code;
  if (!problem.detail.empty()) object["detail"] = problem.detail;
  if (!problem.existing.empty()) object["existing"] = problem.existing;
  if (!problem.offered.empty()) object["offered"] = problem.offered;
  return json::serialize(object);
}

Result<api::UploadResult> api::upload_result_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "answer about an upload"));
  UploadResult result;
  result.path = text_at(object, "path");
  LARDER_TRY_ASSIGN(result.problem, problem_from_json(text));
  return result;
}

Result<std::vector<BatchedUpload>> parse_upload_batch(std::string_view body) {
  constexpr std::size_t k_longest_line =
      16 << 10;  // longer than any name: those that are too long are refused one by one
  std::vector<BatchedUpload> uploads;
  while (!body.empty()) {
    if (uploads.size() == k_most_uploads)
      return Error(Errc::too_large, "more than " + std::to_string(k_most_uploads) +
                                        " artifacts in one request; send them in several");
    const std::string which = "artifact " + std::to_string(uploads.size() + 1) + ": ";
    const auto end = body.substr(0, k_longest_line).find('\n');
    if (end == std::string_view::npos)
      return Error(Errc::invalid_argument, which + "no line of path, SHA-256 and size");
    auto file = parse_digest_line(body.substr(0, end));
    if (!file)
      return Error(Errc::invalid_argument,
                   which + "its line is not path, SHA-256 and size, with tabs between them");
    body.remove_prefix(end + 1);
    if (file->size > body.size())
      return Error(Errc::invalid_argument, which + "the body ends within its bytes");
    const auto size = static_cast<std::size_t>(file->size);
    uploads.push_back({std::move(*file), body.substr(0, size)});
    body.remove_prefix(size);
  }
  return uploads;
}

}  // namespace larder
