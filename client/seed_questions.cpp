#include "client/seed_questions.hpp"

#include <zlib.h>

#include <algorithm>
#include <new>
#include <span>
#include <unordered_map>

#include "client/file_digest.hpp"
#include "client/local_file.hpp"
#include "common/percent.hpp"

namespace larder::client {
namespace {

constexpr std::size_t k_batch = 100'000;

struct Question {
  NameRef ref;
  std::string line;
  bool compares = false;  // the line has a digest: something is there, but which bytes?
};

Request find_missing_request(const std::string& name_space, std::span<const Question> batch) {
  std::string body;
  for (const Question& each : batch) body += each.line;
  Request request;
  request.method = "POST";
  request.target = std::string(api::k_find_missing) + "?namespace=" + percent_encode(name_space);
  request.headers = {"Content-Type: text/plain", "Accept: text/plain"};
  constexpr std::size_t k_worth_compressing = 64 * 1024;
  if (body.size() >= k_worth_compressing) {
    body = gzipped(body);
    request.headers.emplace_back("Content-Encoding: gzip");
  }
  request.text = std::move(body);
  return request;
}

Result<void> ask(ServerConnection& connection, const QuestionContext& context,
                 std::span<const Question> batch, SeedPlan& plan) {
  const Request request = find_missing_request(context.name_space, batch);
  LARDER_TRY_ASSIGN(const Answer answer,
                    connection.perform_patiently(request, context.patience, context.on_trouble));
  if (!answer.ok()) return Error(Errc::io, describe_refusal(answer));

  std::unordered_map<std::string, NameRef> asked;
  for (const Question& each : batch) asked.emplace(name_at(plan, each.ref).name, each.ref);
  for (const std::string& name : missing_names(answer.body)) {
    const auto found = asked.find(name);
    if (found == asked.end()) continue;
    PlannedName& planned = name_at(plan, found->second);
    planned.replaces = batch.front().compares;  // a batch asks one way only
    planned.missing = true;
  }
  return {};
}

Result<void> ask_all(ServerConnection& connection, const QuestionContext& context,
                     const std::vector<Question>& questions, SeedPlan& plan) {
  for (std::size_t start = 0; start < questions.size(); start += k_batch) {
    const std::size_t count = std::min(k_batch, questions.size() - start);
    LARDER_TRY(ask(connection, context, std::span(questions).subspan(start, count), plan));
  }
  return {};
}

// Nothing for a file that cannot be read: whether it is missed is not the
// question then, and sending it is not possible.
std::optional<Digest> digest_at(const std::filesystem::path& path) {
  const auto file = LocalFile::open(path, O_RDONLY | O_NOFOLLOW);
  if (!file) return std::nullopt;
  const auto digest = digest_of_file(file->descriptor());
  if (!digest) return std::nullopt;
  return *digest;
}

std::vector<Question> questions_with_digests(const QuestionContext& context, const SeedPlan& plan) {
  std::vector<Question> questions;
  const PlannedFile* hashed = nullptr;
  std::optional<Digest> digest;
  for (const NameRef& ref : all_names(plan)) {
    const PlannedName& name = name_at(plan, ref);
    const bool replaceable = overwrite_rule(context.kind, name.name) == OverwriteRule::replaceable;
    if (name.missing || (!replaceable && !context.compare)) continue;
    const PlannedFile& file = plan.groups[ref.group].files[ref.file];
    if (hashed != &file) digest = digest_at(context.directory / file.file.path);
    hashed = &file;
    if (digest) questions.push_back({ref, question(name.name, *digest), true});
  }
  return questions;
}

}  // namespace

Result<void> mark_missing(ServerConnection& connection, const QuestionContext& context, SeedPlan& plan) {
  std::vector<Question> questions;
  for (const NameRef& ref : all_names(plan))
    questions.push_back({ref, question(name_at(plan, ref).name), false});
  LARDER_TRY(ask_all(connection, context, questions, plan));
  return ask_all(connection, context, questions_with_digests(context, plan), plan);
}

std::string gzipped(const std::string& text) {
  z_stream stream = {};
  constexpr int k_gzip = 16 + MAX_WBITS;
  constexpr int k_memory_level = 8;
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, k_gzip, k_memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace larder::client
