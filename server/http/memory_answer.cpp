#include "server/http/memory_answer.hpp"

#include "common/name_list.hpp"
#include "server/http/date.hpp"
#include "server/http/listing.hpp"
#include "server/http/target.hpp"

namespace larder::http {

AtOnce answer_from_memory(const Context& context, const Permissions& may, const PlainRequest& request,
                          AnswerForm form, std::string& name, std::string& output, MemoryAnswer& answer) {
  // Somebody who can read a listing may have meant a directory, if there is no such artifact.
  if (choose_listing_format(request.accept) != ListingFormat::none) return AtOnce::no;
  const auto& key = answer.key = plain_artifact(request.target, name);
  if (!key || key->path() == k_name_list) return AtOnce::no;
  if (!may.may(Right::read, key->name_space())) return AtOnce::no;

  Repository& repository = context.repository;
  const bool head = request.method == Method::head;
  Entry& entry = answer.artifact.entry;
  const Found found = head ? repository.check(*key, Access::seen, entry) : repository.peek(*key, entry);
  if (found == Found::unknown) return AtOnce::no;
  if (found == Found::miss) {
    repository.count_miss(*key);
    answer.status = 404;
    answer.outcome = "miss";
    append_missing(output, request.method, form.version, form.keep_alive, current_http_date());
    if (!head) answer.bytes_out = k_missing.size();
    return AtOnce::answered;
  }
  if (!head && !repository.ready_content(entry, answer.artifact)) return AtOnce::no;  // the pool opens it
  const bool from_file = !head && !answer.artifact.body;
  if (from_file && form.files == AnswerForm::Files::no) return AtOnce::no;
  if (!head) repository.count_hit(*key, Access::used);
  answer.outcome = "hit";
  if (from_file) return AtOnce::have_file;

  answer.status = 200;
  append_artifact_head(output, {entry.digest, entry.size, entry.stored}, form.version, form.keep_alive,
                       current_http_date());
  if (head) return AtOnce::answered;
  repository.count_sent(*key, entry.size);
  answer.body = std::move(answer.artifact.body);
  answer.bytes_out = entry.size;
  return AtOnce::answered;
}

}  // namespace larder::http
