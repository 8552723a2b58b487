// The whole daemon but its command line: what it is made of, and in what order
// that starts and ends. Tests run one in their own process, on port 0.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "server/access/authorizer.hpp"
#include "server/background_scrub.hpp"
#include "server/config.hpp"
#include "server/ftp/session.hpp"
#include "server/hashequiv/session.hpp"
#include "server/http/exchange.hpp"
#include "server/http/metrics.hpp"
#include "server/live_config.hpp"
#include "server/logging.hpp"
#include "server/repository.hpp"
#include "server/runtime/disk_pool.hpp"
#include "server/runtime/loop_group.hpp"
#include "server/runtime/session_server.hpp"
#include "server/sockets.hpp"
#include "server/store/posix_file_system.hpp"
#include "server/store/store.hpp"
#include "server/tls_keeper.hpp"
#include "server/upkeep.hpp"

namespace larder {

// How many files this process may have open; the usual 1024 when it is not known.
std::uint64_t descriptor_limit();
// How many contents are kept open when so many descriptors are allowed.
std::uint64_t content_files(const Config& config, std::uint64_t allowed);
StoreOptions store_options(const Config& config);

// Makes the data directory if need be and opens the store in it.
struct OpenStore {
  std::unique_ptr<PosixFileSystem> disk;
  std::unique_ptr<Store> store;
  std::unique_ptr<HashEquivalence> equivalences;  // null: nobody is to ask for them
};
Result<OpenStore> open_store(const Config& config, const Clock& clock);

class Daemon {
 public:
  // Opens everything and accepts connections when it returns.
  static Result<std::unique_ptr<Daemon>> start(Config config, Logs logs, Sockets sockets);
  static Result<std::unique_ptr<Daemon>> start(Config config, Logs logs);  // opens its sockets, too
  ~Daemon();

  // Finishes running transfers for up to shutdown_timeout, then ends. May be called twice.
  Result<void> stop();
  void reopen_logs();
  // Puts in force what can be changed without a restart; the log names the rest.
  void reload(Config config);

  const SessionServer& http() const { return http_; }
  const SessionServer& ftp() const { return ftp_; }
  const SessionServer& hashserv() const { return hashserv_; }
  // "http 127.0.0.1:8480", "https …", "ftp …", "ftps …", "hashserv …": what accepts connections.
  std::vector<std::string> listeners() const;
  Store& store() { return *store_.store; }
  const Config& config() const { return *config_; }

 private:
  Daemon(Config config, Logs logs, OpenStore store);

  Result<void> listen(Sockets sockets);
  Result<void> listen_ftp(std::vector<ListeningSocket> sockets, const std::vector<FtpEndpoint>& configured,
                          ftp::Door door);
  Result<void> listen_hashserv(std::vector<ListeningSocket> sockets);
  void complete_stat(api::Stat& stat) const;
  void reconcile(std::stop_token stop);  // whenever the store asks for it
  void reconcile_once(const std::stop_token& stop);
  void load_names(const std::stop_token& stop);
  void write_behind(std::stop_token stop);
  void keep_up(std::stop_token stop);  // trash, eviction, room for the index
  void keep_reserve();
  bool wait_for_sessions(std::chrono::steady_clock::time_point deadline) const;

  LiveConfig config_;
  Logs logs_;
  SystemClock clock_;
  const UnixSeconds started_;
  OpenStore store_;
  TlsKeeper tls_;
  std::size_t plain_http_ = 0;  // listeners; those with TLS come behind them
  std::size_t plain_ftp_ = 0;
  std::atomic<bool> ready_{true};
  bool stopped_ = false;

  // In the order of construction; torn down by stop() from the outside in.
  LoopGroup loops_;
  DiskPool pool_;
  DiskPool jobs_;
  Repository repository_;
  Authorizer access_;
  http::Latency latency_;
  http::Context http_context_;
  SessionServer http_;
  ftp::Context ftp_context_;
  SessionServer ftp_;
  std::optional<DiskPool> equivalence_pool_;
  std::optional<hashequiv::Shared> equivalence_;
  std::optional<hashequiv::Context> hashserv_context_;
  SessionServer hashserv_;
  std::jthread reconciler_;
  std::jthread loader_;
  std::jthread writer_behind_;
  Upkeep upkeep_;
  std::jthread keeper_;
  bool reserves_ = true;  // the keeper's: the file system can
  BackgroundScrub scrub_;
  std::jthread scrubber_;
};

}  // namespace larder
