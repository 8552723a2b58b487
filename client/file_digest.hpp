// The digest of a file on this disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/digest.hpp"
#include "common/hasher.hpp"
#include "common/result.hpp"

namespace larder::client {

// Feeds all bytes of an open file, from its start, to `hasher`. cancelled on an
// interrupt, io when it cannot be read.
Result<void> feed_file(int descriptor, Hasher& hasher);

Result<Digest> digest_of_file(int descriptor);

// The first `size` bytes of an open file, into `bytes`, and their digest. busy: it is shorter.
Result<Digest> read_all(int descriptor, std::size_t size, std::string& bytes);

}  // namespace larder::client
