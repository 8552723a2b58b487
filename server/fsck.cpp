#include "server/fsck.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "server/daemon.hpp"
#include "server/store/layout.hpp"
#include "server/store/posix_file_system.hpp"
#include "server/store/reserve.hpp"

namespace larder {
namespace {

Result<void> check_is_data(const std::filesystem::path& data) {
  struct stat format;
  if (::stat((data / layout::k_format).c_str(), &format) != 0 || !S_ISREG(format.st_mode))
    return Error(Errc::not_found, "there is no larder data directory in " + data.string());
  if (format.st_uid == ::geteuid()) return {};
  return Error(Errc::forbidden, "the data directory " + data.string() + " belongs to user " +
                                    std::to_string(format.st_uid) +
                                    ", to whom the index must belong, too; run larderd fsck as that user");
}

// The index ends up beside the new one, under a name that tells when it was replaced.
Result<void> move_index_aside(const Config& config, const Clock& clock, std::ostream& out) {
  const std::filesystem::path index = config.data / layout::k_index;
  std::error_code failure;
  if (!std::filesystem::exists(index, failure)) return {};
  // Whoever cannot open it may be kept out by a daemon; a broken one is just what this is for.
  {
    LARDER_TRY_ASSIGN(const auto disk, PosixFileSystem::open_root(config.data));
    (void)give_up_reserve(*disk, index);
    const auto open = Index::open(index, config.index_cache);
    if (!open && open.error().code() == Errc::busy) return open.error();
  }
  const std::filesystem::path aside = index.string() + ".replaced-" + std::to_string(clock.now());
  std::filesystem::rename(index, aside, failure);
  if (failure) return posix_error("move aside", index.string(), failure.value());
  out << "the index was moved to " << aside.string() << "; it can be removed\n";
  return {};
}

// What a daemon does after an unclean stop, and all it takes to make an index from nothing.
// Whether nothing was damaged.
Result<bool> compare(Store& store, std::ostream& out) {
  if (store.reconciled()) return true;
  out << "comparing tree and index (a new index, or an unclean stop)\n";
  LARDER_TRY_ASSIGN(const Store::ReconcileReport report, store.reconcile({}));
  out << "  " << report.names << " names, " << report.found << " entered, " << report.vanished << " dropped, "
      << report.orphans << " unused objects removed, " << report.unreadable << " unreadable, "
      << report.damaged << " damaged and quarantined\n";
  return report.damaged == 0 && report.unreadable == 0;
}

// What the configuration does not name is not looked at: fsck may have been given none.
bool tell_unknown_namespaces(const Config& config, std::ostream& out) {
  bool found = false;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(config.data / layout::k_tree, failure)) {
    const std::string name = entry.path().filename().string();
    const bool known = std::any_of(config.namespaces.begin(), config.namespaces.end(),
                                   [&](const NamespaceConfig& each) { return each.name == name; });
    if (!known)
      out << "the names of " << name << " are not checked: no namespace of the configuration (--config)\n";
    found = found || !known;
  }
  return found;
}

void print(std::ostream& out, const api::VerifyEvent& event) {
  if (event.defect.empty()) return;
  out << event.path << ": " << event.defect << ": " << event.detail;
  if (!event.action.empty()) out << " -> " << event.action;
  out << "\n";
}

}  // namespace

Result<bool> run_fsck(const Config& config, const FsckOptions& options, std::ostream& out) {
  static const SystemClock k_clock;
  LARDER_TRY(check_is_data(config.data));
  // Mending charges objects to who has names of them.
  if (tell_unknown_namespaces(config, out) && options.repair)
    return Error(Errc::invalid_argument,
                 "--repair needs a configuration that names all that is there; give it with --config");
  if (options.rebuild_index) LARDER_TRY(move_index_aside(config, k_clock, out));
  auto open = open_store(config, k_clock);
  if (!open && open.error().code() == Errc::busy)
    return Error(Errc::busy, open.error().message() + "\nwhile the daemon runs, use: larder verify");
  if (!open) return open.error();
  Store& store = *open->store;
  LARDER_TRY_ASSIGN(const bool agreed, compare(store, out));

  ScrubOptions scrub;
  scrub.level = options.quick ? ScrubLevel::quick : ScrubLevel::full;
  scrub.repair = options.repair;
  LARDER_TRY_ASSIGN(const auto turn, store.enter_scrub(ScrubState::Who::person));
  const auto outcome =
      store.scrub(scrub, turn, [&](const api::VerifyEvent& event) { print(out, event); }, {});
  const auto closed = store.close();
  if (!outcome) return outcome.error();
  if (!closed) return closed.error();
  out << config.data.string() << ": " << outcome->names << " names, " << outcome->objects << " objects, "
      << outcome->hashed << " read (" << human_size(outcome->bytes) << "), " << outcome->defects
      << " defects";
  if (outcome->defects > 0) out << ", " << outcome->repaired << " dealt with";
  out << "\n";
  return agreed && outcome->defects == 0;
}

}  // namespace larder
