#include "server/store/upload.hpp"

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

Result<Receipt> Upload::commit() {
  StoreCore::Content content;
  content.digest = hasher_.finish();
  content.size = received_;
  LARDER_TRY(check_complete(content.digest));
  LARDER_TRY(check_archive_whole());

  std::vector<std::byte> body;
  if (file_) {
    LARDER_TRY(file_->seal());
    if (core_.is_journalled(received_)) {
      body.resize(static_cast<std::size_t>(received_));
      LARDER_TRY_ASSIGN(const std::size_t count, file_->read_at(0, body));
      if (count != body.size()) return Error(Errc::io, "cannot store " + key_.str() + ": " + staging_ + " was cut off");
      content.body = body;
    } else {
      LARDER_TRY(core_.sync_file(*file_));
    }
    file_.reset();
  }
  content.place = [this](const std::string& path) -> Result<void> {
    if (staging_.empty())
      return Error(Errc::busy, "cannot store " + key_.str() +
                                   ": the name was removed while its bytes were compared; "
                                   "send it again");
    LARDER_TRY(core_.disk.publish(staging_, path));
    staging_.clear();
    return {};
  };
  StoreCore::Origin origin;
  origin.actor = request_.uploader;
  origin.declared = request_.declared.has_value();
  origin.why = request_.why;
  origin.keep_existing = !request_.may_replace;
  origin.create_only = request_.create_only;
  origin.expected = request_.expected;
  auto receipt = core_.publish(key_, content, origin);
  discard();
  reservation_ = Quota::Reservation();
  return receipt;
}

}  // namespace larder
