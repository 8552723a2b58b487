// A staged write. Nothing under the key changes until commit() returns, and an
// Upload that is dropped leaves no trace. Blocking; use from one thread at a
// time; may outlive nothing: the Store has to be there until it is gone.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/artifact_key.hpp"
#include "common/hasher.hpp"
#include "common/result.hpp"
#include "server/store/entry.hpp"
#include "server/store/publication.hpp"
#include "server/store/quota.hpp"

namespace larder {

class StoreCore;

class Upload {
 public:
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  Result<void> append(std::span<const std::byte> bytes);
  // It is cut, and may go on later: holds no space but what it takes.
  void pause() { reservation_.shrink_to_written(); }
  // The sender says only now how long it is in all.
  void announce(std::uint64_t size) { request_.size = size; }
  // The uploader's rights may have changed since it began.
  void may_replace_is(bool may_replace) { request_.may_replace = may_replace; }
  Result<Receipt> commit();  // durable once it returns, by the store's policy

  const ArtifactKey& key() const { return key_; }
  const std::string& uploader() const { return request_.uploader; }
  std::uint64_t received() const { return received_; }  // bytes

 private:
  friend class StoreCore;
  Upload(StoreCore& core, ArtifactKey key, UploadRequest request);

  Result<void> reserve_for(std::uint64_t bytes);
  Result<void> check_complete(const Digest& digest) const;
  Result<void> check_archive_whole() const;
  Result<void> finish();
  Publication publication();
  Result<void> place(const std::string& path);
  void discard();

  StoreCore& core_;
  const ArtifactKey key_;
  UploadRequest request_;
  const std::uint64_t max_size_;
  Quota::Reservation reservation_;
  std::string staging_;               // empty while comparing: the name is taken and only its digest matters
  std::span<const std::byte> bytes_;  // all of them, where they are in memory and need no staging
  std::unique_ptr<File> file_;
  Hasher hasher_;
  std::uint64_t received_ = 0;
  Publication::Content content_;
  Publication::Origin origin_;
  std::vector<std::byte> body_;  // read again for the journal
};

// begin_upload() may know the answer before the first byte.
struct UploadStart {
  std::unique_ptr<Upload> upload;  // null when settled
  std::optional<Receipt> settled;  // present or conflict, by the declared digest
};

// An upload whose bytes are all in memory.
struct SmallUpload {
  const ArtifactKey* key = nullptr;
  UploadRequest request;
  std::span<const std::byte> bytes;
  std::optional<Result<Receipt>> outcome;  // out
};

}  // namespace larder
