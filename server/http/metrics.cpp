#include "server/http/metrics.hpp"

#include <cstdio>

namespace larder::http {
namespace {

constexpr std::array<const char*, 3> k_kind_names = {"read", "write", "other"};

void append_help(std::string& out, const char* name, const char* type, const char* help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n");
  out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void append_value(std::string& out, const char* name, std::uint64_t value) {
  out.append(name).append(" ").append(std::to_string(value)).append("\n");
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

// Namespace names need no escaping: [a-z0-9._-].
void append_family(std::string& out, const api::Stat& stat, const char* name, const char* type,
                   const char* help, std::uint64_t api::NamespaceStat::*member) {
  append_help(out, name, type, help);
  for (const api::NamespaceStat& each : stat.namespaces)
    out.append(name)
        .append("{namespace=\"")
        .append(each.name)
        .append("\"} ")
        .append(std::to_string(each.*member))
        .append("\n");
}

// By the names that Prometheus' own clients have for these.
void append_process(std::string& out, const ProcessFigures& process) {
  append_help(out, "process_cpu_seconds_total", "counter", "Processor time of the process.");
  out.append("process_cpu_seconds_total ").append(number_text(process.cpu_seconds)).append("\n");
  if (!process.open_files) return;
  append_help(out, "process_open_fds", "gauge", "Open file descriptors.");
  append_value(out, "process_open_fds", *process.open_files);
}

void append_inodes(std::string& out, const api::Stat& stat) {
  append_help(out, "larder_disk_total_inodes", "gauge", "What the data directory's disk has of them.");
  append_value(out, "larder_disk_total_inodes", stat.disk_total_inodes);
  append_help(out, "larder_disk_free_inodes", "gauge", "How many of them are free.");
  append_value(out, "larder_disk_free_inodes", stat.disk_free_inodes);
}

void append_tls(std::string& out, const api::Stat& stat) {
  append_help(out, "larder_tls_certificate_expiry_seconds", "gauge",
              "When the first TLS certificate expires, seconds since 1970.");
  append_value(out, "larder_tls_certificate_expiry_seconds",
               static_cast<std::uint64_t>(stat.tls_certificate_expires));
  append_help(out, "larder_tls_handshakes_total", "counter", "TLS handshakes that succeeded.");
  append_value(out, "larder_tls_handshakes_total", stat.tls_handshakes);
  append_help(out, "larder_tls_failed_handshakes_total", "counter", "Those that did not.");
  append_value(out, "larder_tls_failed_handshakes_total", stat.tls_failures);
}

void append_hashserv(std::string& out, const api::HashservStat& stat) {
  if (stat.port == 0) return;
  append_help(out, "larder_hashserv_unihashes", "gauge", "Tasks that have a unihash.");
  append_value(out, "larder_hashserv_unihashes", stat.unihashes);
  append_help(out, "larder_hashserv_requests_total", "counter", "Requests for hash equivalence.");
  append_value(out, "larder_hashserv_requests_total", stat.requests);
  append_help(out, "larder_hashserv_unkept_reports_total", "counter",
              "Reports of which nothing was kept: no right to write, or no room.");
  append_value(out, "larder_hashserv_unkept_reports_total", stat.unkept);
}

}  // namespace

void Latency::observe(Kind kind, std::chrono::nanoseconds duration) {
  Histogram& histogram = histograms_[static_cast<std::size_t>(kind)];
  const double seconds = std::chrono::duration<double>(duration).count();
  std::size_t bucket = 0;
  while (bucket < k_bounds.size() && seconds > k_bounds[bucket]) ++bucket;
  histogram.buckets[bucket].add();
  histogram.nanoseconds.add(static_cast<std::uint64_t>(duration.count()));
}

std::string Latency::render() const {
  constexpr const char* k_name = "larder_request_duration_seconds";
  std::string out;
  append_help(out, k_name, "histogram", "Time from a request's header to the end of its answer.");
  for (std::size_t kind = 0; kind < histograms_.size(); ++kind) {
    const std::string label = std::string("{kind=\"") + k_kind_names[kind] + "\"";
    std::uint64_t count = 0;
    for (std::size_t bucket = 0; bucket <= k_bounds.size(); ++bucket) {
      count += histograms_[kind].buckets[bucket].read();
      const std::string bound = bucket < k_bounds.size() ? number_text(k_bounds[bucket]) : "+Inf";
      out.append(k_name).append("_bucket").append(label).append(",le=\"").append(bound).append("\"} ");
      out.append(std::to_string(count)).append("\n");
    }
    const double sum = static_cast<double>(histograms_[kind].nanoseconds.read()) / 1e9;
    out.append(k_name).append("_sum").append(label).append("} ").append(number_text(sum)).append("\n");
    out.append(k_name).append("_count").append(label).append("} ").append(std::to_string(count)).append("\n");
  }
  return out;
}

Latency::Kind latency_kind(Method method, bool artifact) {
  if (!artifact) return Latency::Kind::other;
  if (method == Method::get || method == Method::head) return Latency::Kind::read;
  if (method == Method::put || method == Method::delete_) return Latency::Kind::write;
  return Latency::Kind::other;
}

std::string render_metrics(const api::Stat& stat, const ProcessFigures& process, const Latency& latency) {
  using Row = api::NamespaceStat;
  std::string out;
  append_help(out, "larder_build_info", "gauge", "The running version.");
  out.append("larder_build_info{version=\"").append(stat.version).append("\"} 1\n");
  append_help(out, "larder_durability_info", "gauge",
              "What an acknowledged upload survives: each, batch, none.");
  out.append("larder_durability_info{policy=\"").append(stat.durability).append("\"} 1\n");
  append_help(out, "larder_start_time_seconds", "gauge", "When the daemon started, seconds since 1970.");
  append_value(out, "larder_start_time_seconds", static_cast<std::uint64_t>(stat.started));
  append_help(out, "larder_reconciling", "gauge",
              "1 while tree and index are compared after an unclean stop.");
  append_value(out, "larder_reconciling", stat.reconciling ? 1 : 0);
  append_help(out, "larder_objects", "gauge", "Distinct contents.");
  append_value(out, "larder_objects", stat.objects);
  append_help(out, "larder_disk_total_bytes", "gauge", "Size of the data directory's disk.");
  append_value(out, "larder_disk_total_bytes", stat.disk_total_bytes);
  append_help(out, "larder_disk_free_bytes", "gauge", "What is free of it.");
  append_value(out, "larder_disk_free_bytes", stat.disk_free_bytes);
  if (stat.disk_total_inodes > 0) append_inodes(out, stat);
  append_help(out, "larder_resident_bytes", "gauge", "Memory of the process.");
  append_value(out, "larder_resident_bytes", stat.resident_bytes);
  append_process(out, process);
  append_help(out, "larder_connections", "gauge", "Open connections, and sessions of FTP.");
  append_value(out, "larder_connections", stat.connections);
  append_help(out, "larder_failed_logins_total", "counter", "Logins that were refused.");
  append_value(out, "larder_failed_logins_total", stat.failed_logins);
  if (stat.tls_certificate_expires > 0) append_tls(out, stat);
  append_hashserv(out, stat.hashserv);
  append_help(out, "larder_generation", "counter", "Last ledger sequence.");
  append_value(out, "larder_generation", stat.generation);

  append_help(out, "larder_scrub_running", "gauge", "1 while what is stored is being checked.");
  append_value(out, "larder_scrub_running", stat.scrub.running ? 1 : 0);
  append_help(out, "larder_scrub_last_complete_seconds", "gauge",
              "When the daemon had last checked everything, seconds since 1970; 0: never.");
  append_value(out, "larder_scrub_last_complete_seconds", static_cast<std::uint64_t>(stat.scrub.finished));
  append_help(out, "larder_scrub_bytes", "gauge", "Read by the pass under way, or the last one.");
  append_value(out, "larder_scrub_bytes", stat.scrub.bytes);
  append_help(out, "larder_scrub_defects", "gauge", "Found by the pass under way, or the last one.");
  append_value(out, "larder_scrub_defects", stat.scrub.defects);

  append_family(out, stat, "larder_artifacts", "gauge", "Visible names.", &Row::artifacts);
  append_family(out, stat, "larder_logical_bytes", "gauge", "What the names add up to.", &Row::logical_bytes);
  append_family(out, stat, "larder_namespace_objects", "gauge", "Distinct contents counted for it.",
                &Row::objects);
  append_family(out, stat, "larder_physical_bytes", "gauge", "What the contents counted for it take.",
                &Row::physical_bytes);
  append_family(out, stat, "larder_hits_total", "counter", "Reads and checks answered.", &Row::hits);
  append_family(out, stat, "larder_misses_total", "counter", "Reads and checks of what is not there.",
                &Row::misses);
  append_family(out, stat, "larder_uploads_total", "counter", "Uploads that were new.", &Row::uploads);
  append_family(out, stat, "larder_duplicates_total", "counter", "Uploads whose bytes were there.",
                &Row::duplicates);
  append_family(out, stat, "larder_rejects_total", "counter", "Uploads refused.", &Row::rejects);
  append_family(out, stat, "larder_removals_total", "counter", "Names removed.", &Row::removals);
  append_family(out, stat, "larder_sent_bytes_total", "counter", "Artifact bytes sent.", &Row::bytes_sent);
  append_family(out, stat, "larder_received_bytes_total", "counter", "Artifact bytes received.",
                &Row::bytes_received);
  out += latency.render();
  return out;
}

}  // namespace larder::http
