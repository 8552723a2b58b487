#include "client/seed_summary.hpp"

#include <boost/json.hpp>

#include "client/text.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

namespace json = boost::json;

struct Listed {
  const char* key;
  const char* heading;
  const std::vector<Trouble>* troubles;
};

std::vector<Listed> listed(const SeedSummary& summary) {
  return {
      {"conflicts", "conflicts: the server has other bytes under these names and keeps them",
       &summary.conflicts},
      {"corrupt", "corrupt: not sent; delete them here, so that the build makes them again",
       &summary.corrupt},
      {"held_back", "held back", &summary.held_back},
      {"changed", "changed while being read: run seed again when the build is done", &summary.changed},
      {"failed", "failed", &summary.failed},
  };
}

std::string trouble_text(const Trouble& trouble) {
  std::string text = "    " + trouble.path + "\n";
  if (!trouble.what.empty()) text += "      " + trouble.what + "\n";
  if (!trouble.existing.empty()) text += "      server: " + trouble.existing + "\n";
  if (!trouble.offered.empty()) text += "      here:   " + trouble.offered + "\n";
  return text;
}

std::string left_out_text(const SeedSummary& summary, Detail detail) {
  if (summary.left_out.empty()) return {};
  std::string text = "  left out  " + grouped(summary.left_out.size()) + "\n";
  std::map<SkipReason, std::vector<const std::string*>> by_reason;
  for (const LeftOut& each : summary.left_out) by_reason[each.reason].push_back(&each.path);
  for (const auto& [reason, paths] : by_reason) {
    text += "    " + grouped(paths.size()) + " " + std::string(name_of(reason)) + ": each " +
            std::string(sentence_of(reason)) + "\n";
    if (detail == Detail::counts) continue;
    for (const std::string* path : paths) text += "      " + *path + "\n";
  }
  return text;
}

json::array trouble_array(const std::vector<Trouble>& troubles) {
  json::array array;
  for (const Trouble& each : troubles) {
    json::object object = {{"path", each.path}};
    if (!each.what.empty()) object["detail"] = each.what;
    if (!each.existing.empty()) object["existing"] = each.existing;
    if (!each.offered.empty()) object["offered"] = each.offered;
    array.push_back(std::move(object));
  }
  return array;
}

}  // namespace

ExitCode SeedSummary::exit_code() const {
  if (interrupted) return ExitCode::interrupted;
  if (!stopped.empty()) return ExitCode::server;
  const bool complete =
      conflicts.empty() && corrupt.empty() && held_back.empty() && changed.empty() && failed.empty();
  return complete ? ExitCode::well : ExitCode::incomplete;
}

std::map<std::string, std::uint64_t> count_by_reason(const std::vector<LeftOut>& left_out) {
  std::map<std::string, std::uint64_t> counts;
  for (const LeftOut& each : left_out) ++counts[std::string(name_of(each.reason))];
  return counts;
}

std::string summary_text(const SeedSummary& summary, Detail detail) {
  std::string text = summary.server + "/" + summary.name_space + "/";
  if (!summary.stopped.empty()) {
    text += " stopped: " + summary.stopped + "\n";
  } else if (summary.interrupted) {
    text += " interrupted; the same command again continues\n";
  } else if (summary.exit_code() != ExitCode::well) {
    text += summary.dry_run ? " would be incomplete\n" : " is incomplete\n";
  } else if (summary.dry_run) {
    text += " dry run, nothing was sent\n";
  } else {
    text += summary.sent == 0 ? " is up to date, nothing to send\n" : " is complete\n";
  }
  text += std::string(summary.dry_run ? "  to send   " : "  sent      ") + grouped(summary.sent) + " (" +
          human_size(summary.sent_bytes) + ")\n";
  text += "  present   " + grouped(summary.present) + "\n";
  if (summary.unsent > 0) text += "  not sent  " + grouped(summary.unsent) + "\n";
  text += left_out_text(summary, detail);
  for (const Listed& each : listed(summary)) {
    if (each.troubles->empty()) continue;
    text += "  " + grouped(each.troubles->size()) + " " + each.heading + "\n";
    for (const Trouble& trouble : *each.troubles) text += trouble_text(trouble);
  }
  if (!summary.clashes.empty()) {
    text += "  " + grouped(summary.clashes.size()) +
            " without a bare name: another file of this directory has it; served under the full path\n";
    if (detail == Detail::names) {
      for (const Trouble& trouble : summary.clashes) text += trouble_text(trouble);
    }
  }
  text += "  in        " + human_duration(summary.duration) + "\n";
  return text;
}

std::string summary_json(const SeedSummary& summary, Detail detail) {
  json::object reasons;
  for (const auto& [reason, count] : count_by_reason(summary.left_out)) reasons[reason] = count;
  json::object object = {{"server", summary.server},
                         {"namespace", summary.name_space},
                         {"dry_run", summary.dry_run},
                         {"interrupted", summary.interrupted},
                         {"sent", summary.sent},
                         {"sent_bytes", summary.sent_bytes},
                         {"present", summary.present},
                         {"unsent", summary.unsent},
                         {"skipped", summary.left_out.size()},
                         {"skipped_by_reason", std::move(reasons)},
                         {"seconds", static_cast<double>(summary.duration.count()) / 1000.0}};
  if (!summary.stopped.empty()) object["stopped"] = summary.stopped;
  for (const Listed& each : listed(summary)) object[each.key] = trouble_array(*each.troubles);
  object["bare_name_clashes"] = trouble_array(summary.clashes);
  if (detail == Detail::names) {
    json::array names;
    for (const LeftOut& each : summary.left_out) {
      names.push_back(json::object{{"path", each.path}, {"reason", std::string(name_of(each.reason))}});
    }
    object["skipped_names"] = std::move(names);
  }
  return json::serialize(object);
}

}  // namespace larder::client
