// The certificates in force: loaded at start, again when their files or the
// configuration change, and once a day (so that the keys of session tickets do not
// stay). What is broken never replaces what works. Connections keep what they began with.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "server/live_config.hpp"
#include "server/runtime/tls_context.hpp"

namespace spdlog {
class logger;
}

namespace larder {

TlsOptions tls_options(const Config& config, TlsOptions::Protocol protocol);

// Adds what is wrong with the files that `tls` names, each with its line. Waits for the disk.
void check_tls_files(ConfigResult& result, UnixSeconds now);

// What tells one state of a file from another; all 0 when it is not there.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970
  bool operator==(const FileStamp&) const = default;
};
std::vector<FileStamp> stamps_of(const TlsConfig& config);

// What to say of a certificate that ends at `expires`, at most once a day; nothing while that is
// further away than two weeks.
std::optional<std::string> expiry_warning(UnixSeconds now, UnixSeconds expires, UnixSeconds last_warned);

class TlsKeeper {
 public:
  TlsKeeper(const LiveConfig& config, const Clock& clock, std::shared_ptr<spdlog::logger> log);

  // Any thread; null while the configuration wants no TLS.
  std::shared_ptr<const TlsContext> http() const;
  std::shared_ptr<const TlsContext> ftp() const;

  Result<void> load();  // at start: Errc::invalid_argument with all defects
  void reload();        // the configuration was read again
  void look();          // every few seconds: files, age, expiry

  // The first certificate to end, UnixSeconds; 0: there is none.
  UnixSeconds expires() const;
  const TlsFigures& figures() const { return *figures_; }

 private:
  struct Contexts {
    std::shared_ptr<const TlsContext> http;
    std::shared_ptr<const TlsContext> ftp;
  };
  std::vector<std::string> load_into(Contexts& next);  // the defects

  const LiveConfig& config_;
  const Clock& clock_;
  std::shared_ptr<spdlog::logger> log_;
  std::shared_ptr<TlsFigures> figures_ = std::make_shared<TlsFigures>();

  mutable std::mutex mutex_;  // of current_
  Contexts current_;

  std::mutex loading_;  // of what follows
  std::vector<FileStamp> stamps_;
  UnixSeconds loaded_ = 0;
  UnixSeconds warned_ = 0;  // of expiry
};

}  // namespace larder
