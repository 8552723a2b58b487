// Who did something, as ledger and index name them: "192.0.2.7" without a login,
// "ci@192.0.2.7" with one (a token or a user), "larderd adopt" and the like.
#pragma once

#include <string>
#include <string_view>

namespace larder {

// `name` empty: nobody in particular.
std::string actor_text(std::string_view name, std::string_view address);

// Whether somebody who asks for `pattern` means `actor`. NAME@ADDRESS is two globs, divided at the last '@'
// as the actor is: "ci@*" is "ci" from anywhere, and not the certificate "ci@10.0.0.1". Without an '@' it is
// a glob for the name or for the address.
bool means_actor(std::string_view pattern, std::string_view actor);

}  // namespace larder
