#include "client/stat_page.hpp"

#include <algorithm>
#include <chrono>

#include "client/text.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

constexpr std::size_t k_label = 12;

std::string row(std::string_view label, const std::string& value) {
  return left(label, k_label) + value + "\n";
}

std::string state_of(const api::Stat& stat) {
  if (!stat.ready) return "not ready yet";
  return stat.reconciling ? "ready; comparing index and tree after an unclean stop" : "ready";
}

std::string saved(const api::Stat& stat) {
  const std::uint64_t less = stat.logical_bytes - std::min(stat.logical_bytes, stat.physical_bytes);
  return human_size(less) + " saved by sharing (" + percent(less, stat.logical_bytes) + ")";
}

std::string inodes_of(const api::Stat& stat) {
  return grouped(stat.disk_free_inodes) + " inodes free of " + grouped(stat.disk_total_inodes) + " (" +
         percent(stat.disk_free_inodes, stat.disk_total_inodes) + ")";
}

std::string promise_of(const std::string& durability) {
  if (durability == "each" || durability == "batch") {
    return durability + " (what was acknowledged survives a power cut)";
  }
  if (durability == "none") return "none (survives a crash of the daemon, not a power cut)";
  return durability;
}

std::string check_of(const api::Stat& stat) {
  const api::ScrubStat& scrub = stat.scrub;
  std::string text = scrub.finished == 0
                         ? "no pass complete yet"
                         : "complete on " + local_time(scrub.finished) + ", " + grouped(scrub.last_defects) +
                               (scrub.last_defects == 1 ? " defect" : " defects");
  if (scrub.started > scrub.finished)
    text += "; pass under way: " + human_size(scrub.bytes) + " read (" +
            percent(scrub.bytes, stat.physical_bytes) + "), " + grouped(scrub.defects) + " found";
  return text;
}

// Nothing when the server has no certificate.
std::string certificate_of(const api::Stat& stat) {
  const std::int64_t left = stat.tls_certificate_expires - stat.now;
  if (stat.tls_certificate_expires == 0) return {};
  const std::string on = local_time(stat.tls_certificate_expires);
  if (left <= 0) return "the certificate HAS EXPIRED on " + on + "; clients refuse it";
  constexpr std::int64_t k_day = 24 * 60 * 60;
  const std::string days = grouped(static_cast<std::uint64_t>(left / k_day));
  return "the certificate expires on " + on + " (in " + days + (left / k_day == 1 ? " day)" : " days)") +
         (left < 14 * k_day ? ": RENEW IT" : "");
}

std::string limit_of(const api::NamespaceStat& each) {
  if (each.max_bytes == 0) return human_size(each.logical_bytes);
  // What the limit is about: a content counts once, however many names it has.
  return human_size(each.physical_bytes) + " of " + human_size(each.max_bytes) + " (" +
         percent(each.physical_bytes, each.max_bytes) + ")";
}

std::string namespace_part(const api::NamespaceStat& each) {
  std::string page = "\n" + each.name + " (" + each.kind + ")\n";
  page += row("  artifacts", grouped(each.artifacts) + ", " + limit_of(each));
  page += row("  asked", grouped(each.hits) + " hits, " + grouped(each.misses) + " misses (" +
                             percent(each.hits, each.hits + each.misses) + " found)");
  page += row("  stored", grouped(each.uploads) + " new, " + grouped(each.duplicates) + " again, " +
                              grouped(each.rejects) + " refused, " + grouped(each.removals) + " removed");
  page += row("  traffic", human_size(each.bytes_sent) + " out, " + human_size(each.bytes_received) + " in");
  return page;
}

}  // namespace

std::string stat_page(const std::string& server, const api::Stat& stat) {
  const std::chrono::seconds up(std::max<std::int64_t>(0, stat.now - stat.started));
  std::string page =
      server + ": larder " + stat.version + ", " + state_of(stat) + ", up " + human_duration(up) + "\n\n";
  page += row("data", stat.data_directory);
  page += row("objects", grouped(stat.objects) + ", " + human_size(stat.physical_bytes) +
                             " on disk; the names add up to " + human_size(stat.logical_bytes));
  page += row("", saved(stat));
  page += row("disk", human_size(stat.disk_free_bytes) + " free of " + human_size(stat.disk_total_bytes) +
                          " (" + percent(stat.disk_free_bytes, stat.disk_total_bytes) + ")");
  if (stat.disk_total_inodes > 0) page += row("", inodes_of(stat));
  page += row("durability", promise_of(stat.durability));
  page += row("checked", check_of(stat));
  page += row("process", human_size(stat.resident_bytes) + " of memory, " + grouped(stat.connections) +
                             (stat.connections == 1 ? " connection" : " connections") + ", generation " +
                             grouped(stat.generation));
  if (stat.hashserv.port != 0)
    page +=
        row("hashserv", grouped(stat.hashserv.unihashes) + " unihashes, " + grouped(stat.hashserv.requests) +
                            " requests, " + grouped(stat.hashserv.unkept) + " reports not kept, port " +
                            std::to_string(stat.hashserv.port));
  const std::string certificate = certificate_of(stat);
  if (!certificate.empty()) page += row("tls", certificate);
  for (const api::NamespaceStat& each : stat.namespaces) page += namespace_part(each);
  page += "\nHits, misses, uploads and traffic are counted since the daemon started.\n";
  return page;
}

}  // namespace larder::client
