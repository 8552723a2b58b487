// Bytes that look like what builds produce: true archives of a wished-for
// size, made quickly by cutting members out of one pool of random bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tests/support/dice.hpp"

namespace larder::test {

enum class Compression {
  none,
  zstd,
  pzstd,  // zstd frames, each behind a skippable frame that tells its size
  gzip,
  xz,
};

// All functions throw std::runtime_error when libarchive fails.
class SampleContent {
 public:
  explicit SampleContent(Dice& dice);

  // Bytes that no compressor makes smaller.
  std::string noise(std::size_t size);
  // A tar archive of members below `top`; compressed, it has about `size` bytes.
  std::string tar(std::size_t size, Compression compression, std::string_view top);
  std::string zip(std::size_t size, std::string_view top);
  // What sigdata files are: zstd of sorted JSON since kirkstone, a pickle before.
  std::string siginfo(std::string_view task, std::string_view hash);
  std::string pickled_siginfo(std::string_view task, std::string_view hash);
  // A detached binary OpenPGP signature, as far as its first bytes go.
  std::string signature();

 private:
  std::string_view piece(std::size_t size);

  Dice& dice_;
  std::string pool_;
};

std::string compress(std::string_view plain, Compression compression);

// What pzstd makes of a tar without members: 34 bytes that every build
// directory holds many times.
std::string_view empty_archive();

}  // namespace larder::test
