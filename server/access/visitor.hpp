// What a connection knows of who is behind it: the credentials it showed last, and who that was.
// Asked for every request, so that the same credentials are looked up once. Of one loop.
#pragma once

#include <string>
#include <string_view>

#include "common/actor.hpp"
#include "server/access/authorizer.hpp"

namespace larder {

class Visitor {
 public:
  // Whether who it was last time is who shows `shown` now.
  bool is_known(std::string_view shown, const Authorizer& access, const Clock& clock) const {
    return identity_ && shown == shown_ && version_ == access.version() &&
           (identity_->expires == 0 || clock.now() < identity_->expires);
  }
  // `version`: of the authorizer, from before it was asked.
  void is(IdentityPtr identity, std::string_view shown, std::uint64_t version) {
    identity_ = std::move(identity);
    shown_ = shown;
    version_ = version;
  }

  const Identity& identity() const { return *identity_; }
  // For the ledger; `address` is where they are.
  std::string actor(std::string_view address) const { return actor_text(identity_->name, address); }
  const Permissions& may() const { return identity_->may; }

 private:
  IdentityPtr identity_;
  std::string shown_;
  std::uint64_t version_ = 0;
};

}  // namespace larder
