#include "server/http/digests_handler.hpp"

#include "server/http/text_stream.hpp"

namespace larder::http {

Task<void> serve_digests(Exchange& exchange, const Target& target) {
  constexpr std::size_t k_page = 4096;  // names read from the index at once
  Repository& repository = exchange.context().repository;
  const std::string name_space = query_value(target.query, "namespace").value_or("");
  if (repository.find_namespace(name_space) == nullptr) {
    const Error missing(
        name_space.empty() ? Errc::invalid_argument : Errc::not_found,
        name_space.empty() ? "digests needs ?namespace=NAME" : "there is no namespace '" + name_space + "'");
    co_return co_await exchange.answer_error(missing);
  }
  const bool packed = accepts_gzip(exchange.request().accept_encoding);
  Reply reply(200);
  reply.content_type = "text/plain; charset=utf-8";
  reply.extra = "Vary: Accept-Encoding\r\n";
  if (packed) reply.extra += "Content-Encoding: gzip\r\n";
  co_await exchange.begin_stream(std::move(reply));
  if (exchange.request().method == Method::head) co_return co_await exchange.end_stream();

  TextStream out(exchange, packed);
  std::string after;
  for (bool more = true; more;) {
    std::string wanted = name_space;
    std::string position = after;
    const auto page = co_await repository.list_digests(std::move(wanted), std::move(position), k_page);
    if (!page || !exchange.context().ready()) co_return exchange.abort();
    std::string text;
    for (const ListedFile& file : page->files) append_digest_line(text, file.path, file.digest, file.size);
    if (!page->files.empty()) after = page->files.back().path;
    more = page->more;
    const bool sent = co_await out.write(text);
    if (!sent) co_return;
  }
  co_await out.finish();
}

}  // namespace larder::http
