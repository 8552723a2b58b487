// RocksDB tells nobody what it does. Left alone it keeps a file of it beside the data, and where the disk is
// full, Debian's build of it ends the process because that file cannot be written. What fails is told by a
// Status.
#pragma once

#include <rocksdb/env.h>

#include <cstdarg>

namespace larder {

struct NoLog final : rocksdb::Logger {
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace larder
