// The bytes of one open file in another, new one.
#pragma once

#include "server/store/file_system.hpp"

namespace larder {

// Copies them, in the kernel where it can.
Result<void> copy_content(File& from, File& to);
// Shares them copy-on-write (FICLONE). Errc::not_supported where the file system cannot.
Result<void> clone_content(File& from, File& to);
// As far as the file has a descriptor.
Result<void> set_modified(File& file, UnixSeconds modified);

}  // namespace larder
