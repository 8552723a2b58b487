#include "server/daemon.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "server/http/kept_client.hpp"
#include "server/http/session.hpp"
#include "server/runtime/scheduling.hpp"
#include "server/store/layout.hpp"
#include "server/store/reserve.hpp"

namespace larder {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t k_equivalence_threads = 4;  // of its own: no upload waits for who asks for much
constexpr std::size_t k_long_jobs = 4;            // at a time: prunes, snapshots, checks that people ask for

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;  // pages
  file >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Before the index is opened: without room for it that may be the last that is heard.
void tell_full_disk(spdlog::logger& log, const Config& config) {
  std::error_code failure;
  const auto space = std::filesystem::space(config.data, failure);
  if (failure || space.available >= config.free_space_floor.bytes) return;
  std::string then;
  if (space.available < k_reserve_bytes) {
    then = std::filesystem::exists(config.data / layout::k_reserve, failure)
               ? "; the index gets what was kept in reserve for it"
               : "; should larderd end now, the index had too little room to be opened, and some has to be "
                 "made by hand";
  }
  log.warn("the disk of {} has {} free, and {} are to be kept (free_space_floor): uploads are refused{}",
           config.data.string(), human_size(space.available), human_size(config.free_space_floor.bytes),
           then);
}

void tell_few_inodes(spdlog::logger& log, const Store& store, const Config& config) {
  const auto disk = store.disk_space();
  const std::uint64_t floor = config.free_inode_floor;
  if (!disk || floor == 0 || disk->total_inodes == 0 || disk->total_inodes >= 2 * floor) return;
  log.warn("the disk of {} has {} inodes in all, of which {} are to be kept free: set free_inode_floor lower",
           config.data.string(), disk->total_inodes, floor);
}

void tell_bug(spdlog::logger& log, const char* bug) {
  log.error("a connection ended by a bug in larderd: {}", bug);
}

}  // namespace

std::uint64_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

std::uint64_t content_files(const Config& config, std::uint64_t allowed) {
  constexpr std::uint64_t k_share = 4;  // connections, uploads and the index need the rest
  return std::min<std::uint64_t>(config.content_files, allowed / k_share);
}

StoreOptions store_options(const Config& config) {
  StoreOptions options;
  options.namespaces = config.namespaces;
  options.durability = config.durability;
  options.free_space_floor = config.free_space_floor;
  options.free_inode_floor = config.free_inode_floor;
  options.max_object_size = config.http.max_object_size;
  options.content.bytes = config.content_memory.bytes;
  options.content.files = content_files(config, descriptor_limit());
  return options;
}

Result<OpenStore> open_store(const Config& config, const Clock& clock) {
  std::error_code failure;
  std::filesystem::create_directories(config.data, failure);
  if (failure) return posix_error("make the data directory", config.data.string(), failure.value());
  OpenStore open;
  LARDER_TRY_ASSIGN(open.disk,
                    PosixFileSystem::open_root(config.data, {layout::k_staging, layout::k_objects}));
  LARDER_TRY_ASSIGN(open.store,
                    Store::open(*open.disk, config.data, clock, store_options(config), config.index_cache));
  return open;
}

Result<std::unique_ptr<Daemon>> Daemon::start(Config config, Logs logs) {
  LARDER_TRY_ASSIGN(Sockets sockets, open_sockets(config, {}));
  return start(std::move(config), std::move(logs), std::move(sockets));
}

Result<std::unique_ptr<Daemon>> Daemon::start(Config config, Logs logs, Sockets sockets) {
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(config.data, ignored);
  if (!ignored) config.data = absolute;
  tell_full_disk(*logs.main, config);
  static const SystemClock k_clock;  // outlives every store
  LARDER_TRY_ASSIGN(OpenStore store, open_store(config, k_clock));
  if (!sockets.hashserv.empty()) {
    const std::filesystem::path directory = config.data / k_hash_equivalence;
    if (hashserv_namespace(config).empty())
      return Error(Errc::invalid_argument,
                   "hash equivalence needs a namespace of the kind sstate, and there is none");
    // Nothing that is stored has to go for the sake of hashes.
    const auto has_room = [raw = store.store.get(), floor = config.free_space_floor](std::uint64_t bytes) {
      const auto disk = raw->disk_space();
      return !disk || (disk->free_bytes >= floor.bytes + bytes && bytes_to_free(*disk, floor, 0) == 0);
    };
    LARDER_TRY_ASSIGN(const bool restored, HashEquivalence::restore(directory));
    if (restored)
      logs.main->warn("{} was not there: the copy {}.backup of it was put in its place", directory.string(),
                      directory.string());
    auto opened = HashEquivalence::open(directory, k_clock, config.durability, has_room);
    if (!opened) return opened.error();
    store.equivalences = std::move(*opened);
  }
  tell_few_inodes(*logs.main, *store.store, config);
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(config), std::move(logs), std::move(store)));
  LARDER_TRY(daemon->tls_.load());
  LARDER_TRY(daemon->listen(std::move(sockets)));
  daemon->loops_.start();
  daemon->http_.start();
  daemon->ftp_.start();
  daemon->hashserv_.start();
  daemon->reconciler_ =
      std::jthread([raw = daemon.get()](std::stop_token stop) { raw->reconcile(std::move(stop)); });
  daemon->loader_ =
      std::jthread([raw = daemon.get()](const std::stop_token& stop) { raw->load_names(stop); });
  daemon->writer_behind_ =
      std::jthread([raw = daemon.get()](std::stop_token stop) { raw->write_behind(std::move(stop)); });
  daemon->keeper_ =
      std::jthread([raw = daemon.get()](std::stop_token stop) { raw->keep_up(std::move(stop)); });
  daemon->scrubber_ = std::jthread([raw = daemon.get()](std::stop_token stop) {
    schedule_as_background();
    raw->scrub_.run(std::move(stop));
  });
  return daemon;
}

Daemon::Daemon(Config config, Logs logs, OpenStore store)
    : config_(std::move(config)),
      logs_(std::move(logs)),
      started_(clock_.now()),
      store_(std::move(store)),
      tls_(config_, clock_, logs_.main),
      loops_(config_->loops),
      pool_(config_->disk_threads),
      jobs_(k_long_jobs),
      repository_(*store_.store, pool_, jobs_),
      access_(*config_, clock_, [log = logs_.main](const std::string& message) { log->warn("{}", message); }),
      http_context_{repository_,
                    config_,
                    logs_.access,
                    latency_,
                    [this](api::Stat& stat) { complete_stat(stat); },
                    [this] { return ready_.load(std::memory_order_relaxed); },
                    access_,
                    clock_},
      http_(loops_, {config_->http.max_connections, config_->http.max_connections_per_address},
            [log = logs_.main](const char* bug) { tell_bug(*log, bug); }),
      ftp_context_{repository_,
                   config_,
                   logs_.access,
                   clock_,
                   [this] { return ready_.load(std::memory_order_relaxed); },
                   [this] { return tls_.ftp(); },
                   access_},
      ftp_(loops_, {config_->ftp.max_sessions, config_->ftp.max_sessions_per_address},
           [log = logs_.main](const char* bug) { tell_bug(*log, bug); }),
      hashserv_(loops_, {config_->hashserv.max_connections, config_->hashserv.max_connections_per_address},
                [log = logs_.main](const char* bug) { tell_bug(*log, bug); }),
      upkeep_(*store_.store, config_, clock_, logs_.main, store_.equivalences.get()),
      scrub_(*store_.store, config_, clock_, logs_.main) {}

Result<void> Daemon::listen(Sockets sockets) {
  plain_http_ = sockets.http.size();
  plain_ftp_ = sockets.ftp.size();
  for (ListeningSocket& each : sockets.http) {
    const auto serve = [this](SessionSet& sessions, std::unique_ptr<Connection> connection,
                              Admission::Ticket ticket) {
      http::KeptClient::accept(http_context_, sessions, std::move(connection), std::move(ticket));
    };
    LARDER_TRY(http_.listen(std::move(each), serve));
  }
  for (ListeningSocket& each : sockets.https) {
    const auto serve = [this](SessionSet& sessions, std::unique_ptr<Connection> connection,
                              Admission::Ticket ticket) {
      sessions.spawn(http::HttpSession::serve_secure(http_context_, sessions, tls_.http(),
                                                     std::move(connection), std::move(ticket)));
    };
    LARDER_TRY(http_.listen(std::move(each), serve));
  }
  LARDER_TRY(listen_ftp(std::move(sockets.ftp), config_->ftp.listen, ftp::Door::plain));
  LARDER_TRY(listen_ftp(std::move(sockets.ftps), config_->ftp.listen_tls, ftp::Door::secure));
  return listen_hashserv(std::move(sockets.hashserv));
}

Result<void> Daemon::listen_hashserv(std::vector<ListeningSocket> sockets) {
  if (!store_.equivalences) return {};
  equivalence_.emplace(*store_.equivalences, clock_);
  equivalence_pool_.emplace(k_equivalence_threads);
  hashserv_context_.emplace(hashequiv::Context{
      *equivalence_, *equivalence_pool_, config_, logs_.access, clock_,
      [this] { return ready_.load(std::memory_order_relaxed); }, access_,
      [log = logs_.main](const std::string& message) { log->warn("hash equivalence: {}", message); },
      [log = logs_.main](const std::string& message) { log->info("hash equivalence: {}", message); }});
  for (ListeningSocket& each : sockets) {
    const auto serve = [this](SessionSet& sessions, std::unique_ptr<Connection> connection,
                              Admission::Ticket ticket) {
      sessions.spawn(hashequiv::HashservSession::serve(*hashserv_context_, sessions, std::move(connection),
                                                       std::move(ticket)));
    };
    LARDER_TRY(hashserv_.listen(std::move(each), serve));
  }
  return {};
}

Result<void> Daemon::listen_ftp(std::vector<ListeningSocket> sockets,
                                const std::vector<FtpEndpoint>& configured, ftp::Door door) {
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const std::string passive = i < configured.size() ? configured[i].passive_address : std::string();
    const auto serve = [this, door, passive](SessionSet& sessions, std::unique_ptr<Connection> connection,
                                             Admission::Ticket ticket) {
      sessions.spawn(ftp::FtpSession::serve(ftp_context_, sessions, door, passive, std::move(connection),
                                            std::move(ticket)));
    };
    LARDER_TRY(ftp_.listen(std::move(sockets[i]), serve));
  }
  return {};
}

std::vector<std::string> Daemon::listeners() const {
  std::vector<std::string> all;
  const auto add = [&all](const SessionServer& server, std::size_t plain, const std::string& protocol) {
    const std::vector<std::string> names = server.listener_names();
    for (std::size_t i = 0; i < names.size(); ++i)
      all.push_back(protocol + (i < plain ? " " : "s ") + names[i]);
  };
  add(http_, plain_http_, "http");
  add(ftp_, plain_ftp_, "ftp");
  add(hashserv_, hashserv_.listener_names().size(), "hashserv");
  return all;
}

Daemon::~Daemon() {
  (void)stop();
}

void Daemon::complete_stat(api::Stat& stat) const {
  stat.version = LARDER_VERSION;
  stat.data_directory = config_->data.string();
  stat.started = started_;
  stat.now = clock_.now();
  stat.ready = ready_;
  stat.resident_bytes = resident_bytes();
  stat.connections = http_.sessions() + ftp_.sessions() + hashserv_.sessions();
  stat.tls_handshakes = tls_.figures().handshakes.load(std::memory_order_relaxed);
  stat.tls_failures = tls_.figures().failures.load(std::memory_order_relaxed);
  stat.tls_certificate_expires = tls_.expires();
  stat.failed_logins = access_.failures();
  if (!equivalence_) return;
  stat.hashserv.port = hashserv_.port(0);
  stat.hashserv.name_space = hashserv_namespace(*config_);
  stat.hashserv.unihashes = equivalence_->known.unihashes();
  stat.hashserv.requests = equivalence_->statistics.ever();
  stat.hashserv.unkept = equivalence_->unkept.load(std::memory_order_relaxed);
}

void Daemon::reconcile(std::stop_token stop) {
  schedule_as_background();
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  constexpr std::chrono::seconds k_period(10);
  while (!stop.stop_requested()) {
    if (!store_.store->reconciled()) reconcile_once(stop);
    wake.wait_for(lock, stop, k_period, [] { return false; });
  }
}

void Daemon::reconcile_once(const std::stop_token& stop) {
  logs_.main->info(
      "tree and index may differ (an unclean stop, or a failing disk): comparing them in the background");
  const auto report = store_.store->reconcile(stop);
  if (!report && report.error().code() == Errc::cancelled) return;
  if (!report) {
    logs_.main->error("comparing tree and index failed: {}", report.error().message());
    return;
  }
  if (report->unreadable > 0)
    logs_.main->error("{} files or directories of the tree cannot be read and count as missing",
                      report->unreadable);
  if (report->damaged > 0)
    logs_.main->error("{} names did not hold what was stored; they are in quarantine/", report->damaged);
  logs_.main->info("tree and index agree: {} names, {} entered, {} dropped, {} unused objects removed",
                   report->names, report->found, report->vanished, report->orphans);
}

// All names into memory, while requests are answered without them.
void Daemon::load_names(const std::stop_token& stop) {
  const auto began = steady_clock::now();
  const auto loaded = store_.store->load_names(config_->index_memory, stop);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began);
  if (!loaded && loaded.error().code() != Errc::cancelled)
    logs_.main->warn("the names are not kept in memory (see index_memory); checks take a little longer: {}",
                     loaded.error().message());
  const std::uint64_t bytes = store_.store->bytes_of_names();
  if (loaded && bytes > 0)
    logs_.main->debug("all names are in memory: {} after {} ms", human_size(bytes), took.count());
}

// What gathers in memory goes to the disk every fifteen seconds, or when there is much of it.
void Daemon::write_behind(std::stop_token stop) {
  schedule_as_background();
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  constexpr std::chrono::seconds k_period(1);
  constexpr unsigned k_periods_between_uses = 15;
  std::uint64_t told_of = 0;
  for (unsigned period = 1; !stop.stop_requested(); ++period) {
    wake.wait_for(lock, stop, k_period, [] { return false; });
    access_.refresh();  // what `larderd token` changed
    tls_.look();        // likewise; not where a prune or the trash is waited for
    if (period % k_periods_between_uses != 0 && !store_.store->recency_is_pressing()) continue;
    const auto flushed = store_.store->flush_recency();
    if (!flushed) logs_.main->warn("cannot note what was used: {}", flushed.error().message());
    const std::uint64_t dropped = store_.store->uses_dropped();
    if (dropped > told_of)
      logs_.main->warn(
          "the disk is too slow to note what is used: {} uses will be forgotten at the next start",
          dropped - told_of);
    told_of = dropped;
  }
}

void Daemon::keep_up(std::stop_token stop) {
  schedule_as_background();
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  constexpr std::chrono::seconds k_period(2);
  constexpr unsigned k_looks_between_reserves = 30;
  for (unsigned looks = 1; !stop.stop_requested(); ++looks) {
    upkeep_.look(stop);
    if (looks % k_looks_between_reserves == 0) keep_reserve();
    wake.wait_for(lock, stop, k_period, [] { return false; });
  }
}

void Daemon::keep_reserve() {
  if (!reserves_) return;
  const auto kept = store_.store->keep_reserve();
  if (kept) return;
  reserves_ = kept.error().code() != Errc::not_supported;
  logs_.main->debug("no room is kept for the index to be opened on a full disk: {}", kept.error().message());
}

bool Daemon::wait_for_sessions(steady_clock::time_point deadline) const {
  while (!http_.idle() || !ftp_.idle() || !hashserv_.idle()) {
    if (steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Result<void> Daemon::stop() {
  if (stopped_) return {};
  stopped_ = true;
  ready_ = false;
  repository_.stop_jobs();
  reconciler_.request_stop();
  loader_.request_stop();
  writer_behind_.request_stop();
  keeper_.request_stop();
  scrubber_.request_stop();
  for (SessionServer* each : {&http_, &ftp_, &hashserv_}) {
    each->stop_listening();
    each->drain();
  }
  if (!wait_for_sessions(steady_clock::now() + config_->shutdown_timeout)) {
    logs_.main->warn("{} transfers were not over after {} and are cut off",
                     http_.sessions() + ftp_.sessions() + hashserv_.sessions(),
                     human_duration(config_->shutdown_timeout));
    http_.close_all();
    ftp_.close_all();
    hashserv_.close_all();
    // Each ends as soon as the disk answers it; none may outlive what it uses.
    (void)wait_for_sessions(steady_clock::time_point::max());
  }
  jobs_.stop();
  pool_.stop();
  if (equivalence_pool_) equivalence_pool_->stop();
  loops_.stop();
  if (reconciler_.joinable()) reconciler_.join();
  if (loader_.joinable()) loader_.join();
  if (writer_behind_.joinable()) writer_behind_.join();
  if (keeper_.joinable()) keeper_.join();
  if (scrubber_.joinable()) scrubber_.join();
  const Result<void> closed = store_.store->close();
  logs_.access.flush();
  return closed;
}

void Daemon::reopen_logs() {
  logs_.reopen();
}

void Daemon::reload(Config config) {
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(config.data, ignored);
  if (!ignored) config.data = absolute;
  for (const std::string& key : config_.reload(std::move(config)))
    logs_.main->warn("a new value of {} takes effect at the next start", key);
  tls_.reload();
  access_.configure(*config_);
  logs_.main->set_level(spdlog::level::from_str(config_->log.level));
}

}  // namespace larder
