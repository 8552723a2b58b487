#include "server/upkeep.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

namespace larder {
namespace {

// Of max_size: above the first, eviction begins, and goes on to the second, so that it comes in
// batches and not with every upload.
constexpr double k_high = 0.95;
constexpr double k_low = 0.85;
constexpr UnixSeconds k_after_failure = 5 * 60;  // at the latest; pins and clocks change
constexpr UnixSeconds k_before_comparison = 30;  // so often, until tree and index have been compared
constexpr UnixSeconds k_between_ages = 60 * 60;
constexpr UnixSeconds k_between_trash = 60;
constexpr UnixSeconds k_between_ledger = 60 * 60;
constexpr UnixSeconds k_between_equivalences = 24 * 60 * 60;
constexpr UnixSeconds k_between_copies = 24 * 60 * 60;
constexpr UnixSeconds k_between_looks_at_copies = 10 * 60;
constexpr UnixSeconds k_between_charges = 30 * 60;  // it reads all names

std::uint64_t share(ByteSize size, double of) {
  return static_cast<std::uint64_t>(static_cast<double>(size.bytes) * of);
}

std::uint64_t missing_above(std::uint64_t floor, std::uint64_t refused, std::uint64_t free,
                            std::uint64_t total) {
  if (total <= floor) return 0;  // whatever goes
  const std::uint64_t wanted = floor + std::min(floor, (total - floor) / 4) + refused;
  return free >= wanted ? 0 : wanted - free;
}

std::int64_t seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

bool is_evicted(const NamespaceConfig& name_space) {
  switch (name_space.evict) {
    case Eviction::oldest: return true;
    case Eviction::never: return false;
    case Eviction::by_kind: return name_space.kind == NamespaceKind::sstate || name_space.max_size.bytes > 0;
  }
  return false;
}

std::optional<std::uint64_t> size_to_reach(const NamespaceConfig& name_space, std::uint64_t physical_bytes,
                                           std::uint64_t refused) {
  const std::uint64_t limit = name_space.max_size.bytes;
  if (limit == 0 || !is_evicted(name_space) || refused > limit) return std::nullopt;
  const bool has_room = refused == 0 || physical_bytes + refused <= limit;
  if (physical_bytes <= share(name_space.max_size, k_high) && has_room) return std::nullopt;
  return std::min(share(name_space.max_size, k_low), limit - refused);
}

std::uint64_t bytes_to_free(const DiskSpace& disk, ByteSize free_space_floor, std::uint64_t refused) {
  return missing_above(free_space_floor.bytes, refused, disk.free_bytes, disk.total_bytes);
}

std::uint64_t inodes_to_free(const DiskSpace& disk, std::uint64_t free_inode_floor, std::uint64_t refused) {
  if (free_inode_floor == 0) return 0;
  return missing_above(free_inode_floor, refused, disk.free_inodes, disk.total_inodes);
}

std::uint64_t proportion_of(std::uint64_t amount, std::uint64_t part, std::uint64_t whole) {
  if (part >= whole) return amount;
  const double each = static_cast<double>(amount) / static_cast<double>(whole);
  return static_cast<std::uint64_t>(std::ceil(each * static_cast<double>(part)));
}

UnixSeconds pause_until(UnixSeconds now, UnixSeconds next_chance) {
  const UnixSeconds latest = now + k_after_failure;
  return next_chance == 0 ? latest : std::clamp(next_chance, now + 1, latest);
}

bool is_over(const Pause& pause, UnixSeconds now, std::uint64_t physical_bytes) {
  return now >= pause.until || physical_bytes < pause.physical_bytes;
}

void Upkeep::look(const std::stop_token& stop) {
  const auto cleared = store_.clear_snapshots(stop);
  if (!cleared && cleared.error().code() != Errc::cancelled)
    log_->error("cannot clear a snapshot away: {}", cleared.error().message());
  empty_old_trash(stop);
  if (store_.reconciled()) keep_to_limits(stop);
  keep_disk_free(stop);
}

void Upkeep::keep_to_limits(const std::stop_token& stop) {
  trim_ledger();
  keep_equivalences(stop);
  for (const NamespaceConfig& each : config_->namespaces) {
    if (stop.stop_requested()) return;
    keep_to_age(each, stop);
    keep_to_size(each, stop);
  }
}

bool Upkeep::is_time(const std::string& task, UnixSeconds pause) {
  const UnixSeconds now = clock_.now();
  UnixSeconds& next = next_[task];
  if (now < next) return false;
  next = now + pause;
  return true;
}

void Upkeep::empty_old_trash(const std::stop_token& stop) {
  if (!is_time("trash", k_between_trash)) return;
  Store::TrashSelection selection;
  selection.removed_before = clock_.now() - seconds(config_->trash_keep) + 1;
  selection.why = "kept long enough";
  const auto emptied = store_.empty_trash(selection, stop);
  if (!emptied && emptied.error().code() == Errc::cancelled) return;
  if (!emptied) return log_->error("cannot empty the trash: {}", emptied.error().message());
  if (emptied->names > 0)
    log_->info("the trash was emptied of {} names, {} freed", emptied->names, human_size(emptied->freed));
}

void Upkeep::trim_ledger() {
  if (config_->ledger_keep.count() == 0 || !is_time("ledger", k_between_ledger)) return;
  const auto dropped = store_.trim_ledger(clock_.now() - seconds(config_->ledger_keep));
  if (!dropped) return log_->error("cannot drop old lines of the ledger: {}", dropped.error().message());
  if (*dropped > 0)
    log_->info("the ledger has dropped {} lines older than {}", *dropped,
               human_duration(config_->ledger_keep));
}

void Upkeep::keep_equivalences(const std::stop_token& stop) {
  if (equivalences_ == nullptr) return;
  if (config_->hashserv.keep.count() > 0 && is_time("old hash equivalences", k_between_equivalences))
    forget_equivalences(stop);
  if (equivalences_->unihashes() == 0) return;  // an earlier copy is worth more
  if (!is_time("copy of hash equivalences", k_between_looks_at_copies)) return;
  const auto last = equivalences_->backed_up();
  if (last && clock_.now() < *last + k_between_copies) return;
  const auto copied = equivalences_->back_up();
  if (!copied) log_->error("{}", copied.error().message());
}

// In rounds: what was looked at in one is forgotten, or kept as if it had been asked for.
void Upkeep::forget_equivalences(const std::stop_token& stop) {
  constexpr std::size_t k_round = 100'000;
  const UnixSeconds before = clock_.now() - seconds(config_->hashserv.keep);
  std::uint64_t forgotten = 0;
  const auto go_on = [&]() -> Result<bool> {
    LARDER_TRY_ASSIGN(const auto unasked, equivalences_->unasked(before, k_round, stop));
    if (unasked.empty()) return false;
    auto homeless = unasked;
    LARDER_TRY(store_.drop_stored(homeless, stop));
    LARDER_TRY_ASSIGN(const std::uint64_t tasks, equivalences_->forget(homeless, before));
    forgotten += tasks;
    auto stored = unasked;
    for (const std::string& each : homeless) stored.erase(each);
    LARDER_TRY(equivalences_->keep(stored));
    return tasks > 0 || !stored.empty();
  };
  Result<bool> more = true;
  while (more && *more && !stop.stop_requested()) more = go_on();
  if (!more && more.error().code() != Errc::cancelled)
    log_->error("cannot forget old hash equivalences: {}", more.error().message());
  if (forgotten > 0)
    log_->info(
        "{} hash equivalences were forgotten: nobody asked for them for {}, and no object has their hash",
        forgotten, human_duration(config_->hashserv.keep));
}

std::uint64_t Upkeep::empty_trash(const std::string& name_space, std::optional<std::uint64_t> enough,
                                  const std::stop_token& stop) {
  Store::TrashSelection selection;
  selection.name_space = name_space;
  selection.enough = enough;
  selection.why = "space is needed";
  const auto emptied = store_.empty_trash(selection, stop);
  if (!emptied && emptied.error().code() != Errc::cancelled)
    log_->error("cannot empty the trash: {}", emptied.error().message());
  return emptied ? emptied->freed : 0;
}

void Upkeep::keep_to_age(const NamespaceConfig& name_space, const std::stop_token& stop) {
  if (name_space.max_age.count() == 0 || !is_time("age of " + name_space.name, k_between_ages)) return;
  api::PruneRules rules;
  rules.name_space = name_space.name;
  rules.unused_for = seconds(name_space.max_age);
  rules.apply = true;
  rules.why = "not used for " + human_duration(name_space.max_age) + " (max_age)";
  Store::PrunePolicy policy;
  policy.lease = seconds(config_->lease);
  policy.grace = seconds(config_->grace_period);
  const auto pruned = store_.prune(rules, policy, "larderd", {}, stop);
  if (!pruned && pruned.error().code() == Errc::cancelled) return;
  if (!pruned) return log_->error("cannot prune {}: {}", name_space.name, pruned.error().message());
  if (pruned->removed.names > 0)
    log_->info("{}: {} names {} are in the trash, generation {}", name_space.name, pruned->removed.names,
               rules.why, pruned->generation);
}

void Upkeep::settle_charges(const std::stop_token& stop) {
  if (!is_time("charges", k_after_failure)) return;
  const auto settled = store_.settle_charges(stop);
  if (settled) next_["charges"] = clock_.now() + k_between_charges;
  if (!settled && settled.error().code() != Errc::cancelled)
    log_->error("cannot look whose the stored bytes are: {}", settled.error().message());
}

void Upkeep::keep_to_size(const NamespaceConfig& name_space, const std::stop_token& stop) {
  const std::uint64_t refused = store_.take_refused(name_space.name).bytes;
  const auto reach = size_to_reach(name_space, store_.physical_bytes(name_space.name), refused);
  if (!reach) return;
  Pause& pause = pauses_[name_space.name];
  if (!is_over(pause, clock_.now(), store_.physical_bytes(name_space.name))) return;
  settle_charges(stop);  // or it would evict for bytes of which it has no names
  if (!size_to_reach(name_space, store_.physical_bytes(name_space.name), refused)) return;
  // What was removed already goes first.
  const std::uint64_t takes = store_.physical_bytes(name_space.name);
  (void)empty_trash(name_space.name, takes - std::min(takes, *reach), stop);
  if (!size_to_reach(name_space, store_.physical_bytes(name_space.name), refused)) return;
  UnixSeconds next_chance = 0;
  const std::uint64_t freed =
      evict(name_space, *reach, "evicted: " + name_space.name + " reached its max_size", stop, next_chance);
  if (freed == 0) pause = {pause_until(clock_.now(), next_chance), store_.physical_bytes(name_space.name)};
}

// The trash would keep the space, and needs some: what is evicted does not go through it.
std::uint64_t Upkeep::evict(const NamespaceConfig& name_space, std::uint64_t size, const std::string& why,
                            const std::stop_token& stop, UnixSeconds& next_chance) {
  api::PruneRules rules;
  rules.name_space = name_space.name;
  rules.max_size = size;
  rules.no_trash = true;
  rules.apply = true;
  rules.why = why;
  Store::PrunePolicy policy;
  policy.lease = seconds(config_->lease);
  policy.grace = seconds(config_->grace_period);
  const auto pruned = store_.prune(rules, policy, "larderd", {}, stop);
  if (!pruned) {
    if (pruned.error().code() != Errc::cancelled)
      log_->error("cannot evict from {}: {}", name_space.name, pruned.error().message());
    return 0;
  }
  next_chance = pruned->next_chance;
  if (pruned->removed.names == 0 && store_.physical_bytes(name_space.name) == 0) return 0;
  if (pruned->removed.names == 0) {
    log_->warn(
        "room is needed, and nothing of {} can make some: everything is pinned, leased, young, or "
        "somebody else's, too",
        name_space.name);
    return 0;
  }
  log_->info("{}: {} names evicted, {} freed ({})", name_space.name, pruned->removed.names,
             human_size(pruned->removed.freed), why);
  return pruned->removed.freed;
}

Quota::Room Upkeep::missing(const Quota::Room& refused) const {
  const auto disk = store_.disk_space();
  if (!disk) return {};
  return {bytes_to_free(*disk, config_->free_space_floor, refused.bytes),
          inodes_to_free(*disk, config_->free_inode_floor, refused.inodes)};
}

void Upkeep::keep_disk_free(const std::stop_token& stop) {
  const bool may_evict = store_.reconciled();
  if (!may_evict && !is_time("room before the comparison", k_before_comparison)) return;
  // What was refused is made room for by who can do it.
  const Quota::Room refused = may_evict ? store_.take_refused("") : Quota::Room();
  if (missing(refused) == Quota::Room() || !is_over(pauses_[""], clock_.now(), 0)) return;
  const bool enough = empty_trash_for_disk(refused, stop);
  if (!enough && may_evict) evict_for_disk(refused, stop);
}

// Bytes tell of inodes only on average, and a file system may count what is free a moment late: what that
// has made, the next look sees.
bool Upkeep::empty_trash_for_disk(const Quota::Room& refused, const std::stop_token& stop) {
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  for (const NamespaceConfig& each : config_->namespaces) {
    objects += store_.objects(each.name);
    bytes += store_.physical_bytes(each.name);
  }
  const Quota::Room needed = missing(refused);
  const std::uint64_t of_inodes = proportion_of(bytes, needed.inodes, objects);
  const std::uint64_t enough = std::max({needed.bytes, of_inodes, std::uint64_t{1}});
  return empty_trash({}, enough, stop) >= enough;
}

// Of inodes each namespace gives as it has objects.
void Upkeep::evict_for_disk(const Quota::Room& refused, const std::stop_token& stop) {
  if (missing(refused) != Quota::Room()) settle_charges(stop);
  std::uint64_t objects = 0;  // of those that were not asked yet
  for (const NamespaceConfig& each : config_->namespaces)
    objects += is_evicted(each) ? store_.objects(each.name) : 0;
  UnixSeconds next_chance = 0;
  std::uint64_t freed = 0;
  for (const NamespaceConfig& each : config_->namespaces) {
    const Quota::Room needed = missing(refused);
    if (needed == Quota::Room() || stop.stop_requested()) return;
    if (!is_evicted(each)) continue;
    const std::uint64_t takes = store_.physical_bytes(each.name);
    const std::uint64_t own = store_.objects(each.name);
    const std::uint64_t inodes = proportion_of(needed.inodes, own, objects);
    objects -= std::min(objects, own);
    // At least a hundredth, so that this does not come back with every upload.
    const std::uint64_t goes = std::max({needed.bytes, proportion_of(takes, inodes, own), takes / 100});
    const char* const why = needed.bytes > 0 ? "evicted: the disk is nearly full (free_space_floor)"
                                             : "evicted: the disk has few inodes left (free_inode_floor)";
    UnixSeconds chance = 0;
    freed += evict(each, takes - std::min(takes, goes), why, stop, chance);
    if (chance != 0 && (next_chance == 0 || chance < next_chance)) next_chance = chance;
  }
  // What fell short goes on with the next look.
  if (freed == 0 && missing(refused) != Quota::Room())
    pauses_[""] = {pause_until(clock_.now(), next_chance), 0};
}

}  // namespace larder
