#include "server/access/authorizer.hpp"

#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/hasher.hpp"

namespace larder {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds k_verified_for(60);
constexpr std::size_t k_most_verified = 4096;
constexpr int k_most_checks = 2;                 // passwords hashed at a time
constexpr unsigned k_most_waiting = 16;          // of one address, for that
constexpr std::size_t k_longest_password = 512;  // bytes; what libcrypt takes (CRYPT_MAX_PASSPHRASE_SIZE)

std::string random_bytes() {
  std::string bytes(32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) != 1)
    throw std::bad_alloc();  // no entropy
  return bytes;
}

std::string stamp_of(const std::string& file) {
  struct stat status {};
  if (file.empty() || ::stat(file.c_str(), &status) != 0) return "";
  return std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) + ":" +
         std::to_string(status.st_mtim.tv_sec) + ":" + std::to_string(status.st_mtim.tv_nsec);
}

Result<Passwords> read_htpasswd(const std::string& file) {
  constexpr std::size_t k_largest = 4 << 20;  // bytes
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return posix_error("read", file, errno);
  std::ostringstream text;
  text << stream.rdbuf();
  if (text.str().size() > k_largest)
    return Error(Errc::too_large, file + " is too large for a password file");
  auto passwords = parse_htpasswd(text.str());
  if (!passwords) return Error(Errc::invalid_argument, file + ": " + passwords.error().message());
  return passwords;
}

bool has_expired(UnixSeconds expires, UnixSeconds now) {
  return expires != 0 && now >= expires;
}

}  // namespace

std::filesystem::path Authorizer::tokens_file(const Config& config) {
  return config.access.tokens.empty() ? config.data / "access" / "tokens"
                                      : std::filesystem::path(config.access.tokens);
}

Authorizer::Authorizer(const Config& config, const Clock& clock, Told warn)
    : clock_(clock),
      warn_(std::move(warn)),
      random_(random_bytes()),
      config_(config),
      token_file_(tokens_file(config)) {
  configure(config);
}

void Authorizer::configure(const Config& config) {
  {
    const std::unique_lock lock(mutex_);
    config_ = config;
    password_stamp_ = "?";
    rebuild(records_);
  }
  refresh();
}

void Authorizer::refresh() {
  std::string tokens_before;
  std::string passwords_before;
  std::string password_file;
  {
    const std::shared_lock lock(mutex_);
    tokens_before = token_stamp_;
    passwords_before = password_stamp_;
    password_file = config_.access.htpasswd;
  }
  if (token_file_.stamp() != tokens_before) read_tokens();
  if (stamp_of(password_file) != passwords_before) read_passwords();
}

void Authorizer::read_tokens() {
  const std::lock_guard reading(reading_);
  const std::string stamp = token_file_.stamp();  // before reading: a change in between is read again
  const auto records = token_file_.read();
  const std::unique_lock lock(mutex_);
  token_stamp_ = stamp;
  if (records) return rebuild(*records);
  knows_anybody_ = true;  // somebody has been given tokens, even if none can be told
  if (warn_) warn_(records.error().message() + "; the tokens known before stay in force");
}

void Authorizer::read_passwords() {
  const std::lock_guard reading(reading_);
  std::string file;
  {
    const std::shared_lock lock(mutex_);
    file = config_.access.htpasswd;
  }
  const std::string stamp = stamp_of(file);
  auto passwords = file.empty() ? Result<Passwords>(Passwords()) : read_htpasswd(file);
  const std::unique_lock lock(mutex_);
  password_stamp_ = stamp;
  if (passwords) {
    passwords_ = std::move(*passwords);
    return rebuild(records_);
  }
  if (warn_) warn_(passwords.error().message() + "; the passwords known before stay in force");
}

void Authorizer::rebuild(const TokenRecords& records) {
  const auto identity = [&](Origin origin) {
    auto made = std::make_shared<Identity>();
    made->may = anonymous_permissions(config_, origin);
    return made;
  };
  anonymous_near_ = identity(Origin::loopback);
  anonymous_far_ = identity(Origin::elsewhere);
  Tokens tokens;
  for (const TokenRecord& record : records) {
    const auto known = tokens_.find(record.id);
    auto last_used = known == tokens_.end() ? std::make_shared<std::atomic<UnixSeconds>>(0)
                                            : known->second.near->last_used;
    const auto holder = [&](Origin origin) {
      auto made = identity(origin);
      made->name = record.name;
      made->description = "token '" + record.name + "'";
      made->may.grant(record.rights, record.where);
      made->expires = record.expires;
      made->last_used = last_used;
      return made;
    };
    tokens.emplace(record.id, Token{record, holder(Origin::loopback), holder(Origin::elsewhere)});
  }
  if (&records != &records_) records_ = records;
  tokens_ = std::move(tokens);
  status_ = config_.access.status;
  knows_anybody_ = !config_.access.htpasswd.empty() || !token_stamp_.empty();
  version_.fetch_add(1, std::memory_order_acq_rel);
}

IdentityPtr Authorizer::anonymous(Origin origin) const {
  const std::shared_lock lock(mutex_);
  return origin == Origin::loopback ? anonymous_near_ : anonymous_far_;
}

IdentityPtr Authorizer::make_user(std::string_view name, Origin origin) const {
  auto made = std::make_shared<Identity>();
  made->name = name;
  made->description = "user '" + std::string(name) + "'";
  made->may = anonymous_permissions(config_, origin);
  made->may.grant(user_permissions(config_.access, name));
  return made;
}

IdentityPtr Authorizer::without_credentials(std::string_view certified, Origin origin) const {
  if (certified.empty()) return anonymous(origin);
  const std::shared_lock lock(mutex_);
  return make_user(certified, origin);
}

Digest Authorizer::verification_key(const Credentials& credentials) const {
  Hasher hasher;
  hasher.update(random_);
  hasher.update(credentials.user);
  hasher.update(std::string_view("\0", 1));
  hasher.update(credentials.secret);
  return hasher.finish();
}

Authorizer::Recognition Authorizer::recognise(const Credentials& credentials, Origin origin) {
  Recognition found;
  if (const auto id = token_id(credentials.secret)) {
    const std::shared_lock lock(mutex_);
    const auto token = tokens_.find(*id);
    if (token == tokens_.end() || !is_token_of(token->second.record, credentials.secret)) return found;
    const UnixSeconds now = clock_.now();
    if (has_expired(token->second.record.expires, now)) return found;
    found.kind = Recognition::Kind::known;
    found.identity = origin == Origin::loopback ? token->second.near : token->second.far;
    found.identity->last_used->store(now, std::memory_order_relaxed);
    return found;
  }
  if (credentials.user.empty() || credentials.secret.size() > k_longest_password) return found;
  const std::shared_lock lock(mutex_);
  if (passwords_.empty()) return found;
  const Digest key = verification_key(credentials);
  const std::lock_guard cache(verified_mutex_);
  const auto known = verified_.find(key);
  if (known == verified_.end() || known->second.until <= steady_clock::now() ||
      known->second.version != version()) {
    found.kind = Recognition::Kind::ask;
    return found;
  }
  found.kind = Recognition::Kind::known;
  found.identity = make_user(known->second.user, origin);
  return found;
}

std::optional<Authorizer::Turn> Authorizer::queue_check(std::string_view address) {
  std::string place = place_of_address(address);
  const std::lock_guard lock(waiting_mutex_);
  unsigned& waiting = waiting_[place];
  if (waiting >= k_most_waiting) return std::nullopt;
  ++waiting;
  return Turn(*this, std::move(place));
}

Authorizer::Turn::Turn(Turn&& other) noexcept
    : access_(std::exchange(other.access_, nullptr)),
      place_(std::move(other.place_)),
      entered_(other.entered_) {}

Authorizer::Turn::~Turn() {
  if (access_ == nullptr) return;
  if (entered_) access_->checks_.fetch_sub(1, std::memory_order_relaxed);
  const std::lock_guard lock(access_->waiting_mutex_);
  const auto waiting = access_->waiting_.find(place_);
  if (--waiting->second == 0) access_->waiting_.erase(waiting);
}

bool Authorizer::Turn::enter() {
  std::atomic<int>& checks = access_->checks_;
  int now = checks.load(std::memory_order_relaxed);
  while (!entered_ && now < k_most_checks)
    entered_ = checks.compare_exchange_weak(now, now + 1, std::memory_order_relaxed);
  return entered_;
}

IdentityPtr Authorizer::check_password(const Credentials& credentials, Origin origin) {
  std::string hash;
  bool known = false;
  std::uint64_t seen = 0;
  {
    const std::shared_lock lock(mutex_);
    if (passwords_.empty()) return nullptr;
    const auto found = passwords_.find(credentials.user);
    known = found != passwords_.end();
    hash = known ? found->second : passwords_.begin()->second;  // as much work for a name that nobody has
    seen = version();
  }
  const bool right = is_password_of(hash, credentials.secret);
  if (!right || !known) return nullptr;
  {
    const std::lock_guard cache(verified_mutex_);
    const auto now = steady_clock::now();
    if (verified_.size() >= k_most_verified)
      std::erase_if(verified_, [&](const auto& each) { return each.second.until <= now; });
    if (verified_.size() >= k_most_verified) verified_.clear();
    verified_[verification_key(credentials)] = Verified{now + k_verified_for, seen, credentials.user};
  }
  const std::shared_lock lock(mutex_);
  return make_user(credentials.user, origin);
}

FailureGate::Delay Authorizer::failed(std::string_view address, std::string_view user,
                                      std::string_view secret) {
  const std::uint64_t count = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  const Digest key = verification_key(Credentials(std::string(user), std::string(secret)));
  std::uint64_t fingerprint = 0;
  std::memcpy(&fingerprint, key.bytes().data(), sizeof fingerprint);
  FailureGate::Delay delay;
  {
    const std::lock_guard lock(gate_mutex_);
    delay = gate_.failed(address, fingerprint, steady_clock::now());
  }
  // The first of a wave, and then ever fewer: a guesser must not fill the disk. No user name: people
  // type passwords there.
  if (warn_ && (count & (count - 1)) == 0)
    warn_("wrong credentials from " + std::string(address) + " (" + std::to_string(count) +
          " failed logins since the start)");
  return delay;
}

FailureGate::Delay Authorizer::before_check(std::string_view address) {
  const std::lock_guard lock(gate_mutex_);
  return gate_.before_check(address, steady_clock::now());
}

std::vector<Authorizer::TokenUse> Authorizer::tokens() const {
  const std::shared_lock lock(mutex_);
  std::vector<TokenUse> all;
  for (const TokenRecord& record : records_) {
    const auto token = tokens_.find(record.id);
    const UnixSeconds used =
        token == tokens_.end() ? 0 : token->second.near->last_used->load(std::memory_order_relaxed);
    all.push_back({record, used});
  }
  return all;
}

Result<NewToken> Authorizer::create_token(const TokenRecord& wanted) {
  LARDER_TRY_ASSIGN(NewToken made, add_token(token_file_, wanted, clock_.now()));
  read_tokens();
  return made;
}

Result<TokenRecord> Authorizer::revoke_token(std::string_view name_or_id) {
  LARDER_TRY_ASSIGN(TokenRecord gone, drop_token(token_file_, name_or_id));
  read_tokens();
  return gone;
}

Result<NewToken> add_token(const TokenFile& file, TokenRecord wanted, UnixSeconds now) {
  if (!is_actor_name(wanted.name) || wanted.name == k_other_users)
    return Error(
        Errc::invalid_argument,
        "a token's name is up to 64 letters, digits, '.', '_', '+' and '-', and starts with a letter "
        "or digit; '" +
            wanted.name + "' is none");
  if (wanted.rights.empty()) return Error(Errc::invalid_argument, "a token without rights is of no use");
  if (wanted.where.empty()) wanted.where = NamespaceSet::all();
  if (wanted.rights.has(Right::admin) && !wanted.where.is_all())
    return Error(Errc::invalid_argument, "admin is for all namespaces: leave the namespaces away");
  if (has_expired(wanted.expires, now)) return Error(Errc::invalid_argument, "that token would have expired");
  NewToken made = make_token();
  wanted.id = made.id;
  wanted.hash = made.hash;
  wanted.created = now;
  LARDER_TRY(file.change([&](TokenRecords& records) -> Result<void> {
    for (const TokenRecord& each : records) {
      if (each.name == wanted.name)
        return Error(Errc::exists,
                     "there is a token '" + each.name + "' already; revoke it first, or take another name");
    }
    records.push_back(wanted);
    return {};
  }));
  return made;
}

Result<TokenRecord> drop_token(const TokenFile& file, std::string_view name_or_id) {
  TokenRecord gone;
  LARDER_TRY(file.change([&](TokenRecords& records) -> Result<void> {
    const auto found = std::find_if(records.begin(), records.end(), [&](const TokenRecord& each) {
      return each.name == name_or_id || each.id == name_or_id;
    });
    if (found == records.end())
      return Error(Errc::not_found, "there is no token '" + std::string(name_or_id) + "'");
    gone = *found;
    records.erase(found);
    return {};
  }));
  return gone;
}

}  // namespace larder
