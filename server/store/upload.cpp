#include "server/store/upload.hpp"

#include <string_view>
#include <unordered_set>

#include "common/archive_check.hpp"
#include "server/store/store_core.hpp"

namespace larder {
namespace {

// Space for uploads of unknown length is reserved in steps of this many bytes.
constexpr std::uint64_t k_reservation_step = 8 << 20;

}  // namespace

Upload::Upload(StoreCore& core, ArtifactKey key, UploadRequest request)
    : core_(core),
      key_(std::move(key)),
      request_(std::move(request)),
      max_size_(core.max_object_size(key_.name_space())) {}

Upload::~Upload() {
  discard();
}

void Upload::discard() {
  file_.reset();
  if (!staging_.empty()) (void)core_.disk.remove(staging_);  // whatever stays is emptied at the next start
  staging_.clear();
}

Result<void> Upload::append(std::span<const std::byte> bytes) {
  const std::uint64_t after = received_ + bytes.size();
  if (after > max_size_)
    return Error(Errc::too_large, "cannot store " + key_.str() + ": more than the " + human_size(max_size_) +
                                      " that one object may have (max_object_size)");
  if (request_.size && after > *request_.size)
    return Error(Errc::invalid_argument, "cannot store " + key_.str() + ": more bytes than announced");
  if (file_) {
    LARDER_TRY(reserve_for(after));
    LARDER_TRY(file_->append(bytes));
    reservation_.written(bytes.size());
  }
  hasher_.update(bytes);
  received_ = after;
  return {};
}

Result<void> Upload::reserve_for(std::uint64_t bytes) {
  if (bytes <= reservation_.bytes()) return {};
  const std::uint64_t needed = bytes - reservation_.bytes();
  if (needed < k_reservation_step && reservation_.grow(k_reservation_step)) return {};
  return reservation_.grow(needed);  // the last of the space, to the byte
}

Result<void> Upload::check_complete(const Digest& digest) const {
  if (request_.size && received_ != *request_.size)
    return Error(Errc::invalid_argument, "cannot store " + key_.str() + ": " + std::to_string(received_) +
                                             " of " + std::to_string(*request_.size) +
                                             " announced bytes arrived");
  if (request_.declared && *request_.declared != digest)
    return Error(Errc::digest_mismatch, "cannot store " + key_.str() +
                                            ": the bytes that arrived have the SHA-256 " + digest.hex() +
                                            ", declared was " + request_.declared->hex());
  const NamespaceConfig* const name_space = core_.find_namespace(key_.name_space());
  if (received_ == 0 && name_space != nullptr && name_space->kind != NamespaceKind::generic)
    return Error(Errc::invalid_argument,
                 "cannot store " + key_.str() +
                     ": it is empty, and BitBake takes an empty artifact for a failed fetch");
  return {};
}

// Of a cut upload whose length nobody announced, the archive itself is the only witness.
Result<void> Upload::check_archive_whole() const {
  if (!request_.verify_archive || staging_.empty() || !is_checkable_archive(key_.file_name())) return {};
  LARDER_TRY_ASSIGN(const auto staged, core_.disk.open(staging_));
  if (staged->descriptor() < 0) return {};
  const auto whole = check_archive(staged->descriptor(), key_.file_name());
  if (!whole) return whole.error().within("storing " + key_.str());
  return {};
}

// All bytes are there: what they are, and how they become durable.
Result<void> Upload::finish() {
  content_.digest = hasher_.finish();
  content_.size = received_;
  LARDER_TRY(check_complete(content_.digest));
  LARDER_TRY(check_archive_whole());
  const bool journalled = core_.is_journalled(received_);
  if (journalled) content_.body = bytes_;
  if (!file_) return {};
  LARDER_TRY(file_->seal());
  if (!journalled) {
    LARDER_TRY(core_.sync_file(*file_));
  } else {
    body_.resize(static_cast<std::size_t>(received_));
    LARDER_TRY_ASSIGN(const std::size_t count, file_->read_at(0, body_));
    if (count != body_.size())
      return Error(Errc::io, "cannot store " + key_.str() + ": " + staging_ + " was cut off");
    content_.body = body_;
  }
  file_.reset();
  return {};
}

Result<void> Upload::place(const std::string& path) {
  if (!bytes_.empty()) return core_.disk.create_whole(path, bytes_);
  if (staging_.empty())
    return Error(Errc::busy, "cannot store " + key_.str() +
                                 ": the name was removed while its bytes were compared; "
                                 "send it again");
  LARDER_TRY(core_.disk.publish(staging_, path));
  staging_.clear();
  return {};
}

Publication Upload::publication() {
  content_.place = [this](const std::string& path) { return place(path); };
  if (!bytes_.empty() || !staging_.empty()) content_.guess = ObjectStore::Guess::new_content;
  origin_.actor = request_.uploader;
  origin_.declared = request_.declared.has_value();
  origin_.why = request_.why;
  origin_.keep_existing = !request_.may_replace;
  origin_.create_only = request_.create_only;
  origin_.expected = request_.expected;
  Publication publication;
  publication.key = &key_;
  publication.content = &content_;
  publication.origin = &origin_;
  return publication;
}

Result<Receipt> Upload::commit() {
  LARDER_TRY(finish());
  Publication one = publication();
  core_.publish_all(std::span(&one, 1));
  discard();
  reservation_ = Quota::Reservation();
  return std::move(*one.outcome);
}

void StoreCore::store_small(std::span<SmallUpload* const> uploads) {
  std::unordered_set<std::string_view> keys;
  std::vector<SmallUpload*> again;  // of a name that is among the others already
  std::vector<SmallUpload*> ready;
  std::vector<std::unique_ptr<Upload>> staged;
  for (SmallUpload* each : uploads) {
    if (!keys.insert(each->key->str()).second) {
      again.push_back(each);
      continue;
    }
    auto upload = stage(*each);
    if (!upload) continue;
    ready.push_back(each);
    staged.push_back(std::move(upload));
  }
  // Who waits for the journal asks nothing else of it (UploadJournal::Pending), so the others go by
  // themselves.
  for (const bool journalled : {true, false}) {
    std::vector<Publication> publications;
    std::vector<SmallUpload*> theirs;
    for (std::size_t i = 0; i < staged.size(); ++i) {
      if (staged[i]->content_.body.empty() == journalled) continue;
      publications.push_back(staged[i]->publication());
      theirs.push_back(ready[i]);
    }
    if (!publications.empty()) publish_all(publications);
    for (std::size_t i = 0; i < theirs.size(); ++i) theirs[i]->outcome = std::move(publications[i].outcome);
  }
  staged.clear();
  for (SmallUpload* each : again) store_small(std::span(&each, 1));
}

// Null when it is settled.
std::unique_ptr<Upload> StoreCore::stage(SmallUpload& small) {
  // Where each upload is synced by itself it takes the way of a large one.
  if (!small.request.size) small.request.size = small.bytes.size();
  const bool in_memory = options.durability == Durability::none || is_journalled(small.bytes.size());
  auto start = begin_upload(*small.key, std::move(small.request),
                            in_memory ? small.bytes : std::span<const std::byte>());
  if (!start) small.outcome = start.error();
  if (start && start->settled) small.outcome = *start->settled;
  if (small.outcome) return nullptr;
  Result<void> ready = start->upload->append(small.bytes);
  if (ready) ready = start->upload->finish();
  if (ready) return std::move(start->upload);
  small.outcome = ready.error();
  return nullptr;
}

}  // namespace larder
