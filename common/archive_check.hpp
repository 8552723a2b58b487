// Is an archive whole? Reads it to its last byte: everything is decompressed,
// every checksum the format carries is compared, every tar header walked.
// Nothing is written, and memory does not grow with the archive. What a small
// file can decompress to is not limited: a decompression bomb costs time (see
// `stop`), never space.
//
// Sound are concatenated frames and members as pzstd, pigz and pbzip2 write them,
// zstd's skippable frames, and archives of nothing (an empty tar is two blocks of
// zeros). A tar has to end in those two blocks: without them one that was cut
// between two entries would look whole. Not noticed is what no reader can notice:
// a cut within the padding behind them, when nothing compresses the tar.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "common/result.hpp"

namespace larder {

// Whether a file of this name has anything to check. By the ending: .tar, bare
// or compressed (.tar.zst .tar.gz .tgz .tar.xz .txz .tar.bz2 .tbz2 .crate …), a
// single compressed file (.gz .zst .xz .bz2), and .zip.
bool is_checkable_archive(std::string_view name);

// Asked every now and then; true ends the check with Errc::cancelled.
using StopCheck = std::function<bool()>;

// A file of another name than the above passes unread. The contents have to be
// what the name says. Errors: corrupt (what is wrong, and after how many bytes),
// cancelled, and what open and read report. The message starts with the name.
Result<void> check_archive(const std::filesystem::path& file, const StopCheck& stop = {});

// The same for an open file, from its first byte; moves its position. It has to
// be seekable. The caller keeps the descriptor.
Result<void> check_archive(int descriptor, std::string_view name, const StopCheck& stop = {});

}  // namespace larder
