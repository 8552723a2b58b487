# Everything larder uses comes from the distribution. Debian 12 is the
# reference: its default Boost is too old, so 1.81 is asked for by name.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(OpenSSL 3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(RocksDB REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(LibArchive REQUIRED)
find_package(CURL REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)

# yaml-cpp named its target without a namespace before 0.8.
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

# Debian links RocksDB's static archive into RocksDB::rocksdb; the shared one
# keeps the binary small and the link quick.
if(TARGET RocksDB::rocksdb-shared)
  set(LARDER_ROCKSDB RocksDB::rocksdb-shared)
else()
  set(LARDER_ROCKSDB RocksDB::rocksdb)
endif()
