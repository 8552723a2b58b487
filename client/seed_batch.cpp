#include "client/seed_batch.hpp"

#include "common/percent.hpp"
#include "common/upload_batch.hpp"

namespace larder::client {
namespace {

std::size_t missing_names(const PlannedFile& file) {
  std::size_t count = 0;
  for (const PlannedName& name : file.names) count += name.missing ? 1 : 0;
  return count;
}

}  // namespace

bool SeedBatch::takes(const PlannedFile& file) {
  return file.file.state.size <= k_small;
}

bool SeedBatch::has_room_for(const PlannedFile& file) const {
  const std::size_t names = missing_names(file);
  std::size_t more = 0;
  for (const PlannedName& name : file.names)
    if (name.missing) more += name.name.size() + k_small;  // at most; a file may have grown
  return items_.empty() || (body_.size() + more <= k_most_bytes && items_.size() + names <= k_most_uploads);
}

void SeedBatch::add(const PlannedFile& file, const Content& content, std::string_view bytes) {
  for (const PlannedName& name : file.names) {
    if (!name.missing) continue;
    append_digest_line(body_, name.name, content.digest, content.size);
    body_.append(bytes);
    items_.push_back({&file, &name, content});
  }
}

void SeedBatch::clear() {
  items_.clear();
  body_.clear();
}

Request SeedBatch::request(const std::string& name_space, const std::string& build) const {
  Request request;
  request.method = "POST";
  request.target = std::string(api::k_uploads) + "?namespace=" + percent_encode(name_space);
  request.headers = {"Content-Type: application/octet-stream"};
  if (!build.empty()) request.headers.push_back("Larder-Build: " + build);
  request.text = body_;
  return request;
}

std::optional<std::vector<Answer>> SeedBatch::answers(std::string_view body) const {
  std::vector<Answer> answers;
  for (const Item& item : items_) {
    const auto end = body.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(end + 1);
    const auto result = api::upload_result_from_json(line);
    if (!result || result->problem.status == 0) return std::nullopt;
    if (!result->path.empty() && result->path != item.name->name) return std::nullopt;
    Answer answer;
    answer.head.status = result->problem.status;
    answer.body = line;
    answers.push_back(std::move(answer));
  }
  if (!body.empty()) return std::nullopt;
  return answers;
}

}  // namespace larder::client
