#include "common/api.hpp"

#include "common/json_fields.hpp"

namespace larder::api {
namespace {

namespace json = boost::json;

using json_fields::array_at;
using json_fields::count_at;
using json_fields::flag_at;
using json_fields::number_at;
using json_fields::parse_object;
using json_fields::text_at;

json::object to_value(const NamespaceStat& stat) {
  return {{"name", stat.name},
          {"kind", stat.kind},
          {"overlay", stat.overlay},
          {"artifacts", stat.artifacts},
          {"logical_bytes", stat.logical_bytes},
          {"objects", stat.objects},
          {"physical_bytes", stat.physical_bytes},
          {"saved_bytes", stat.saved_bytes()},
          {"max_bytes", stat.max_bytes},
          {"hits", stat.hits},
          {"misses", stat.misses},
          {"uploads", stat.uploads},
          {"duplicates", stat.duplicates},
          {"rejects", stat.rejects},
          {"removals", stat.removals},
          {"bytes_sent", stat.bytes_sent},
          {"bytes_received", stat.bytes_received}};
}

NamespaceStat namespace_stat(const json::object& object) {
  NamespaceStat stat;
  stat.name = text_at(object, "name");
  stat.kind = text_at(object, "kind");
  stat.overlay = text_at(object, "overlay");
  stat.artifacts = count_at(object, "artifacts");
  stat.logical_bytes = count_at(object, "logical_bytes");
  stat.objects = count_at(object, "objects");
  stat.physical_bytes = count_at(object, "physical_bytes");
  stat.max_bytes = count_at(object, "max_bytes");
  stat.hits = count_at(object, "hits");
  stat.misses = count_at(object, "misses");
  stat.uploads = count_at(object, "uploads");
  stat.duplicates = count_at(object, "duplicates");
  stat.rejects = count_at(object, "rejects");
  stat.removals = count_at(object, "removals");
  stat.bytes_sent = count_at(object, "bytes_sent");
  stat.bytes_received = count_at(object, "bytes_received");
  return stat;
}

json::object to_value(const ScrubStat& stat) {
  return {{"running", stat.running}, {"started", stat.started}, {"finished", stat.finished},
          {"bytes", stat.bytes},     {"defects", stat.defects}, {"last_defects", stat.last_defects}};
}

ScrubStat scrub_stat(const json::object& parent) {
  ScrubStat stat;
  const json::value* value = parent.if_contains("scrub");
  if (value == nullptr || !value->is_object()) return stat;
  const json::object& object = value->get_object();
  stat.running = flag_at(object, "running");
  stat.started = number_at<std::int64_t>(object, "started");
  stat.finished = number_at<std::int64_t>(object, "finished");
  stat.bytes = count_at(object, "bytes");
  stat.defects = count_at(object, "defects");
  stat.last_defects = count_at(object, "last_defects");
  return stat;
}

json::object to_value(const HashservStat& stat) {
  return {{"port", stat.port},
          {"namespace", stat.name_space},
          {"unihashes", stat.unihashes},
          {"requests", stat.requests},
          {"unkept", stat.unkept}};
}

HashservStat hashserv_stat(const json::object& parent) {
  HashservStat stat;
  const json::value* value = parent.if_contains("hashserv");
  if (value == nullptr || !value->is_object()) return stat;
  stat.port = count_at(value->get_object(), "port");
  stat.name_space = text_at(value->get_object(), "namespace");
  stat.unihashes = count_at(value->get_object(), "unihashes");
  stat.requests = count_at(value->get_object(), "requests");
  stat.unkept = count_at(value->get_object(), "unkept");
  return stat;
}

}  // namespace

std::string to_json(const Stat& stat) {
  json::array namespaces;
  for (const NamespaceStat& each : stat.namespaces) namespaces.push_back(to_value(each));
  const json::object object = {{"version", stat.version},
                               {"data_directory", stat.data_directory},
                               {"durability", stat.durability},
                               {"started", stat.started},
                               {"now", stat.now},
                               {"ready", stat.ready},
                               {"reconciling", stat.reconciling},
                               {"objects", stat.objects},
                               {"logical_bytes", stat.logical_bytes},
                               {"physical_bytes", stat.physical_bytes},
                               {"disk_total_bytes", stat.disk_total_bytes},
                               {"disk_free_bytes", stat.disk_free_bytes},
                               {"disk_total_inodes", stat.disk_total_inodes},
                               {"disk_free_inodes", stat.disk_free_inodes},
                               {"resident_bytes", stat.resident_bytes},
                               {"connections", stat.connections},
                               {"failed_logins", stat.failed_logins},
                               {"tls_handshakes", stat.tls_handshakes},
                               {"tls_failures", stat.tls_failures},
                               {"tls_certificate_expires", stat.tls_certificate_expires},
                               {"generation", stat.generation},
                               {"scrub", to_value(stat.scrub)},
                               {"hashserv", to_value(stat.hashserv)},
                               {"namespaces", std::move(namespaces)}};
  return json::serialize(object);
}

Result<Stat> stat_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "statistics answer"));
  Stat stat;
  stat.version = text_at(object, "version");
  stat.data_directory = text_at(object, "data_directory");
  stat.durability = text_at(object, "durability");
  stat.started = number_at<std::int64_t>(object, "started");
  stat.now = number_at<std::int64_t>(object, "now");
  stat.ready = flag_at(object, "ready");
  stat.reconciling = flag_at(object, "reconciling");
  stat.objects = count_at(object, "objects");
  stat.logical_bytes = count_at(object, "logical_bytes");
  stat.physical_bytes = count_at(object, "physical_bytes");
  stat.disk_total_bytes = count_at(object, "disk_total_bytes");
  stat.disk_free_bytes = count_at(object, "disk_free_bytes");
  stat.disk_total_inodes = count_at(object, "disk_total_inodes");
  stat.disk_free_inodes = count_at(object, "disk_free_inodes");
  stat.resident_bytes = count_at(object, "resident_bytes");
  stat.connections = count_at(object, "connections");
  stat.failed_logins = count_at(object, "failed_logins");
  stat.tls_handshakes = count_at(object, "tls_handshakes");
  stat.tls_failures = count_at(object, "tls_failures");
  stat.tls_certificate_expires = number_at<std::int64_t>(object, "tls_certificate_expires");
  stat.generation = count_at(object, "generation");
  stat.scrub = scrub_stat(object);
  stat.hashserv = hashserv_stat(object);
  for (const json::value& each : array_at(object, "namespaces")) {
    if (each.is_object()) stat.namespaces.push_back(namespace_stat(each.get_object()));
  }
  return stat;
}

std::string to_json(const Problem& problem) {
  json::object object = {{"type", "about:blank"},
                         {"status", problem.status},
                         {"code", problem.code},
                         {"detail", problem.detail}};
  if (!problem.existing.empty()) object["existing"] = problem.existing;
  if (!problem.offered.empty()) object["offered"] = problem.offered;
  return json::serialize(object);
}

Result<Problem> problem_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "error answer"));
  Problem problem;
  problem.status = number_at<int>(object, "status");
  problem.code = text_at(object, "code");
  problem.detail = text_at(object, "detail");
  problem.existing = text_at(object, "existing");
  problem.offered = text_at(object, "offered");
  return problem;
}

std::string to_json(const Listing& listing) {
  json::array entries;
  for (const ListingEntry& each : listing.entries) {
    json::object entry = {{"name", each.name}, {"type", each.directory ? "directory" : "file"}};
    if (!each.directory) {
      entry["size"] = each.size;
      entry["stored"] = each.stored;
      entry["sha256"] = each.digest;
    }
    entries.push_back(std::move(entry));
  }
  return json::serialize(json::object{{"path", listing.path}, {"entries", std::move(entries)}});
}

Result<Listing> listing_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "listing"));
  Listing listing;
  listing.path = text_at(object, "path");
  for (const json::value& each : array_at(object, "entries")) {
    if (!each.is_object()) continue;
    const json::object& member = each.get_object();
    ListingEntry entry;
    entry.name = text_at(member, "name");
    entry.directory = text_at(member, "type") == "directory";
    entry.size = count_at(member, "size");
    entry.stored = number_at<std::int64_t>(member, "stored");
    entry.digest = text_at(member, "sha256");
    listing.entries.push_back(std::move(entry));
  }
  return listing;
}

std::string to_json(const AdoptEvent& event) {
  json::object object = {{"adopted", event.adopted}, {"present", event.present}, {"skipped", event.skipped},
                         {"failed", event.failed},   {"bytes", event.bytes},     {"done", event.done}};
  if (!event.path.empty()) object["path"] = event.path;
  if (!event.outcome.empty()) object["outcome"] = event.outcome;
  if (!event.reason.empty()) object["reason"] = event.reason;
  return json::serialize(object);
}

Result<AdoptEvent> adopt_event_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "adopt event"));
  AdoptEvent event;
  event.path = text_at(object, "path");
  event.outcome = text_at(object, "outcome");
  event.reason = text_at(object, "reason");
  event.adopted = count_at(object, "adopted");
  event.present = count_at(object, "present");
  event.skipped = count_at(object, "skipped");
  event.failed = count_at(object, "failed");
  event.bytes = count_at(object, "bytes");
  event.done = flag_at(object, "done");
  return event;
}

std::string to_json(const VerifyEvent& event) {
  json::object object = {{"names", event.names},
                         {"objects", event.objects},
                         {"hashed", event.hashed},
                         {"bytes", event.bytes},
                         {"defects", event.defects},
                         {"repaired", event.repaired},
                         {"total_bytes", event.total_bytes},
                         {"resumed", event.resumed},
                         {"complete", event.complete},
                         {"done", event.done}};
  if (!event.path.empty()) object["path"] = event.path;
  if (!event.defect.empty()) object["defect"] = event.defect;
  if (!event.detail.empty()) object["detail"] = event.detail;
  if (!event.action.empty()) object["action"] = event.action;
  return json::serialize(object);
}

Result<VerifyEvent> verify_event_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "verify event"));
  VerifyEvent event;
  event.path = text_at(object, "path");
  event.defect = text_at(object, "defect");
  event.detail = text_at(object, "detail");
  event.action = text_at(object, "action");
  event.names = count_at(object, "names");
  event.objects = count_at(object, "objects");
  event.hashed = count_at(object, "hashed");
  event.bytes = count_at(object, "bytes");
  event.defects = count_at(object, "defects");
  event.repaired = count_at(object, "repaired");
  event.total_bytes = count_at(object, "total_bytes");
  event.resumed = flag_at(object, "resumed");
  event.complete = flag_at(object, "complete");
  event.done = flag_at(object, "done");
  return event;
}

}  // namespace larder::api
