// What each request needs, as one table: by method and target. Pure.
#pragma once

#include "common/rights.hpp"
#include "server/http/request_parser.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// Statistics and metrics: whom they are open to is configured apart (access.status).
bool is_status(const Target& target);

// Where the need is "somewhere", the handler looks at what the request is about: a body, or what
// lies in the trash.
Need need_of(Method method, const Target& target);

// Whether a web page had a browser send this, and it is more than looking: the page would act with the
// rights of whoever sits before the browser, or of the browser's machine. Nothing but a browser says so.
bool is_change_by_web_page(const Request& request);

}  // namespace larder::http
