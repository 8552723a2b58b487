// Store, the part about which hashes there are objects of.
#include "common/sstate_name.hpp"
#include "server/store/store.hpp"

namespace larder {

Result<void> Store::drop_stored(std::unordered_set<std::string>& hashes, const std::stop_token& stop) const {
  std::string hash;  // one for all names: its room is used again
  for (const std::string& space : core_->space_names()) {
    LARDER_TRY(core_->index->scan_names(space + "/", {}, [&](std::string_view key, const NameRecord&) {
      Index::Step step;
      if (stop.stop_requested() || hashes.empty()) step.kind = Index::Step::Kind::stop;
      const auto name = parse_sstate_name(key.substr(space.size() + 1));
      if (!name) return step;
      hash = name->hash;
      hashes.erase(hash);
      return step;
    }));
    if (stop.stop_requested()) return Error(Errc::cancelled, "looking for what is stored was stopped");
  }
  return {};
}

}  // namespace larder
