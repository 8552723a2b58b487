// Who asks, and whether they may: before anything else is done about a request.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// Finds out who shows the request's credentials. False: they are wrong, and that has been answered,
// after a while.
Task<bool> identify(Exchange& exchange);

// Whether whoever has been identified may do this; decided by names alone, so that nobody learns
// what is there. Nothing is awaited.
bool may(const Exchange& exchange, const Target& target);
// Says that they may not: 401 where credentials could help, 403 where they did not.
Task<void> refuse(Exchange& exchange, const Target& target);
Task<void> refuse(Exchange& exchange, const Need& need);
Task<void> refuse_web_page(Exchange& exchange);
api::Problem refusal(const Exchange& exchange,
                     const Need& need);  // the same, for who answers several at once

// True: they may not, and that has been answered. For what only a body or the store can tell.
Task<bool> refuse_unless(Exchange& exchange, Right right, std::string_view name_space);
Task<bool> refuse_unless_everywhere(Exchange& exchange, Right right);

// Leaves of statistics what the asker may see.
void hide_unreadable(const Exchange& exchange, api::Stat& stat);

}  // namespace larder::http
