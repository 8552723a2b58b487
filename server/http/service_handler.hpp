// Everything that is not an artifact: the first page, listings, lists of names
// and what lies below /-/.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_root(Exchange& exchange);
Task<void> serve_listing(Exchange& exchange, const Target& target);
// The namespaces that the asker may read.
api::Listing list_namespaces(const Exchange& exchange);
// What lies in a directory. Errc::not_found: no name is below it.
Task<Result<api::Listing>> read_directory(Exchange& exchange, const Target& target);
// The text a client sent, unpacked; an error for what is too large (bytes) or damaged.
Task<Result<std::string>> read_text(Exchange& exchange, std::size_t limit);
// True: the body comes in an encoding that read_text() does not unpack, and that has been answered.
Task<bool> refuse_encoding(Exchange& exchange);
Task<void> serve_index(Exchange& exchange, const Target& target);  // /NAMESPACE/index.txt
Task<void> serve_admin(Exchange& exchange, const Target& target);
Task<void> serve_options(Exchange& exchange);
Task<void> answer_method_not_allowed(Exchange& exchange, std::string_view allowed);

}  // namespace larder::http
