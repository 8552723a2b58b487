#include "server/tls_keeper.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "common/units.hpp"

namespace larder {
namespace {

constexpr UnixSeconds k_day = 24 * 60 * 60;
constexpr UnixSeconds k_early = 14 * k_day;  // before a certificate ends

FileStamp stamp_of(const std::string& file) {
  FileStamp stamp;
  struct stat status {};
  if (file.empty() || ::stat(file.c_str(), &status) != 0) return stamp;
  stamp.device = status.st_dev;
  stamp.inode = status.st_ino;
  stamp.size = status.st_size;
  stamp.modified = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  return stamp;
}

// The setting that named the file of a finding; the nearest one that has a line.
std::string path_of(const ConfigResult& result, const TlsFinding& finding) {
  if (finding.about == TlsFinding::About::client_ca) return "tls.client_ca";
  const std::string place = "tls.certificates[" + std::to_string(finding.index) + "]";
  const std::string exact = place + (finding.about == TlsFinding::About::key ? ".key" : ".certificate");
  for (const std::string& path : {exact, place}) {
    if (result.origins.contains(path)) return path;
  }
  return "tls.certificates";
}

}  // namespace

TlsOptions tls_options(const Config& config, TlsOptions::Protocol protocol) {
  using Version = TlsOptions::MinVersion;
  using Ask = TlsOptions::ClientCertificates;
  TlsOptions options;
  options.protocol = protocol;
  for (const CertificateConfig& each : config.tls.certificates)
    options.certificates.push_back({each.certificate, each.key});
  options.min_version = config.tls.min_version == TlsVersion::v1_3 ? Version::tls_1_3 : Version::tls_1_2;
  options.client_ca = config.tls.client_ca;
  switch (config.tls.client_certificates) {
    case ClientCertificates::none: options.client_certificates = Ask::none; break;
    case ClientCertificates::optional: options.client_certificates = Ask::optional; break;
    case ClientCertificates::required: options.client_certificates = Ask::required; break;
  }
  options.kernel = config.tls.kernel ? TlsOptions::Kernel::yes : TlsOptions::Kernel::no;
  return options;
}

void check_tls_files(ConfigResult& result, UnixSeconds now) {
  if (result.config.tls.certificates.empty()) return;
  const TlsOptions options = tls_options(result.config, TlsOptions::Protocol::http);
  const TlsLoad load = load_tls(options, now, std::make_shared<TlsFigures>());
  for (const TlsFinding& each : load.defects) {
    const std::string path = path_of(result, each);
    ConfigDefect defect = defect_at(result, path, "");
    defect.message = path + ": " + each.message;
    result.defects.push_back(std::move(defect));
  }
}

std::vector<FileStamp> stamps_of(const TlsConfig& config) {
  std::vector<FileStamp> stamps;
  for (const CertificateConfig& each : config.certificates) {
    stamps.push_back(stamp_of(each.certificate));
    stamps.push_back(stamp_of(each.key));
  }
  stamps.push_back(stamp_of(config.client_ca));
  return stamps;
}

std::optional<std::string> expiry_warning(UnixSeconds now, UnixSeconds expires, UnixSeconds last_warned) {
  if (expires == 0 || expires - now > k_early || now - last_warned < k_day) return std::nullopt;
  if (expires <= now)
    return "the TLS certificate has expired, and clients refuse it; put a new one in its place";
  const std::chrono::seconds left(expires - now);
  return "the TLS certificate expires in " + human_duration(left) +
         "; put a new one in its place, it is noticed";
}

TlsKeeper::TlsKeeper(const LiveConfig& config, const Clock& clock, std::shared_ptr<spdlog::logger> log)
    : config_(config), clock_(clock), log_(std::move(log)) {}

std::shared_ptr<const TlsContext> TlsKeeper::http() const {
  const std::lock_guard lock(mutex_);
  return current_.http;
}

std::shared_ptr<const TlsContext> TlsKeeper::ftp() const {
  const std::lock_guard lock(mutex_);
  return current_.ftp;
}

UnixSeconds TlsKeeper::expires() const {
  const auto context = http();
  return context ? context->expires() : 0;
}

std::vector<std::string> TlsKeeper::load_into(Contexts& next) {
  std::vector<std::string> defects;
  const Config& config = *config_;
  stamps_ = stamps_of(config.tls);
  loaded_ = clock_.now();
  if (config.tls.certificates.empty()) return defects;
  TlsLoad http = load_tls(tls_options(config, TlsOptions::Protocol::http), loaded_, figures_);
  TlsLoad ftp = load_tls(tls_options(config, TlsOptions::Protocol::ftp), loaded_, figures_);
  for (const TlsFinding& each : http.defects) defects.push_back(each.message);
  // Between the two loads a file may have changed.
  if (defects.empty() && !ftp.context) defects.push_back(ftp.defects.front().message);
  if (!defects.empty()) return defects;
  for (const TlsFinding& each : http.warnings) log_->warn("{}", each.message);
  next.http = std::move(http.context);
  next.ftp = std::move(ftp.context);
  return defects;
}

Result<void> TlsKeeper::load() {
  const std::lock_guard loading(loading_);
  Contexts next;
  const std::vector<std::string> defects = load_into(next);
  std::string all;
  for (const std::string& each : defects) all += (all.empty() ? "" : "; ") + each;
  if (!all.empty()) return Error(Errc::invalid_argument, all);
  if (!next.http) return {};  // a listener that is open keeps what it had
  const std::lock_guard lock(mutex_);
  current_ = std::move(next);
  return {};
}

void TlsKeeper::reload() {
  const auto loaded = load();
  if (!loaded) log_->error("the TLS certificates stay as they were: {}", loaded.error().message());
}

void TlsKeeper::look() {
  bool is_changed = false;
  bool is_old = false;
  {
    const std::lock_guard loading(loading_);
    is_changed = stamps_of(config_->tls) != stamps_;
    is_old = clock_.now() - loaded_ >= k_day && !config_->tls.certificates.empty();
  }
  if (is_changed || is_old) {
    const auto loaded = load();
    if (!loaded) log_->error("the TLS certificates stay as they were: {}", loaded.error().message());
    if (loaded && is_changed) log_->info("new TLS certificates are in force for new connections");
  }
  const std::lock_guard loading(loading_);
  const auto warning = expiry_warning(clock_.now(), expires(), warned_);
  if (!warning) return;
  warned_ = clock_.now();
  log_->warn("{}", *warning);
}

}  // namespace larder
