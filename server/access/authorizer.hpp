// Who shows these credentials, and what may they do: tokens, the password file and the rules for
// those who show none, as they are now. Thread-safe. Loops ask recognise(), which answers from
// memory; only a password that nobody has shown for a minute takes its time, in the disk pool.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.hpp"
#include "server/access/credentials.hpp"
#include "server/access/failure_gate.hpp"
#include "server/access/htpasswd.hpp"
#include "server/access/permissions.hpp"
#include "server/access/token_file.hpp"

namespace larder {

// Somebody, and what they may do. Never changes; connections share it.
struct Identity {
  std::string name;                                     // of a token or a user; empty: nobody in particular
  std::string description;                              // "token 'ci'", "user 'anna'"; empty likewise
  Permissions may;                                      // what everybody may included
  UnixSeconds expires = 0;                              // 0: never
  std::shared_ptr<std::atomic<UnixSeconds>> last_used;  // of the token; null: of none
};
using IdentityPtr = std::shared_ptr<const Identity>;

class Authorizer {
 public:
  using Told = std::function<void(const std::string& message)>;  // for the log; never a secret

  // `data`: where the tokens are kept unless the configuration says so.
  Authorizer(const Config& config, const Clock& clock, Told warn);

  static std::filesystem::path tokens_file(const Config& config);

  // Another configuration; and files that have changed meanwhile. What is wrong with a file is told
  // once, and the tokens and passwords that were known stay.
  void configure(const Config& config);
  void refresh();

  // Changes whenever an answer of this class may be another one than before.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // Whether there is anybody who could log in: without, credentials mean nothing.
  bool knows_anybody() const { return knows_anybody_.load(std::memory_order_acquire); }
  StatusAccess status() const { return status_.load(std::memory_order_relaxed); }

  IdentityPtr anonymous(Origin origin) const;

  struct Recognition {
    enum class Kind {
      known,    // `identity` is who it is
      unknown,  // wrong, expired or revoked
      ask,      // a password: check_password() has to tell
    };
    Kind kind = Kind::unknown;
    IdentityPtr identity;
  };
  Recognition recognise(const Credentials& credentials, Origin origin);
  // Takes its time. Null: wrong. Call while a Turn has entered: each keeps a core busy.
  IdentityPtr check_password(const Credentials& credentials, Origin origin);
  // A password's way to its check, until it is destroyed. A few are checked at a time; whoever waits tries
  // again in a moment, and gives up after k_longest_wait.
  class Turn {
   public:
    Turn(Authorizer& access, std::string place) : access_(&access), place_(std::move(place)) {}
    Turn(Turn&& other) noexcept;
    Turn& operator=(Turn&&) = delete;
    ~Turn();
    bool enter();  // false: too many are under way

   private:
    Authorizer* access_;
    std::string place_;
    bool entered_ = false;
  };
  static constexpr std::chrono::seconds k_longest_wait{10};
  // Nothing: as many of this address wait already as may.
  std::optional<Turn> queue_check(std::string_view address);
  // Who shows no credentials: the one whom a client certificate names, as a user; anybody when `certified` is
  // empty.
  IdentityPtr without_credentials(std::string_view certified, Origin origin) const;

  // Wrong credentials were shown: how long to hold the refusal back. Counts and tells the log.
  FailureGate::Delay failed(std::string_view address, std::string_view user, std::string_view secret);
  FailureGate::Delay before_check(std::string_view address);
  std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

  // Tokens --------------------------------------------------------------------

  // Blocking. Errc::exists: the name is taken.
  Result<NewToken> create_token(const TokenRecord& wanted);
  struct TokenUse {
    TokenRecord record;
    UnixSeconds last_used = 0;  // since the daemon started; 0: not
  };
  std::vector<TokenUse> tokens() const;
  // By name or id; blocking. Errc::not_found.
  Result<TokenRecord> revoke_token(std::string_view name_or_id);

 private:
  struct Token {
    TokenRecord record;
    IdentityPtr near;  // from loopback
    IdentityPtr far;
  };
  using Tokens = std::map<std::string, Token, std::less<>>;  // by id
  struct Verified {
    std::chrono::steady_clock::time_point until;
    std::uint64_t version = 0;
    std::string user;
  };

  void read_tokens();
  void read_passwords();
  void rebuild(const TokenRecords& records);  // the caller holds mutex_
  IdentityPtr make_user(std::string_view name, Origin origin) const;
  Digest verification_key(const Credentials& credentials) const;

  const Clock& clock_;
  const Told warn_;
  const std::string random_;  // makes keys of verified_ worthless elsewhere

  // From looking at a file until what it says is in force; taken before mutex_. Of two who read at a time
  // the one who read first could be the last to say, and bring back a token that was revoked meanwhile.
  std::mutex reading_;
  mutable std::shared_mutex mutex_;
  Config config_;
  TokenFile token_file_;
  Tokens tokens_;
  TokenRecords records_;
  Passwords passwords_;
  IdentityPtr anonymous_near_;
  IdentityPtr anonymous_far_;
  std::string token_stamp_ = "?";
  std::string password_stamp_ = "?";

  std::mutex verified_mutex_;
  std::unordered_map<Digest, Verified> verified_;
  std::mutex gate_mutex_;
  FailureGate gate_;

  std::atomic<std::uint64_t> version_{1};
  std::atomic<bool> knows_anybody_{false};
  std::atomic<StatusAccess> status_{StatusAccess::everybody};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<int> checks_{0};
  std::mutex waiting_mutex_;
  std::unordered_map<std::string, unsigned> waiting_;  // by place
};

// What changes a token file, for the daemon and for `larderd token` alike. Errc::exists,
// Errc::not_found, Errc::corrupt.
Result<NewToken> add_token(const TokenFile& file, TokenRecord wanted, UnixSeconds now);
Result<TokenRecord> drop_token(const TokenFile& file, std::string_view name_or_id);

}  // namespace larder
