// The names BitBake gives to sstate objects, made the way its
// generate_sstatefn makes them, for every release.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "tests/support/dice.hpp"

namespace larder::test {

inline constexpr std::size_t k_sstate_name_limit = 246;  // of the archive: 254 with ".siginfo"

struct SstateName {
  std::string extra;  // "universal/", "debian-12/" or empty
  std::string pn;
  std::string target;
  std::string pv;
  std::string pr;
  std::string pkgarch;
  std::string version;
  std::string hash;  // 64 hex digits
  std::string task;
  std::string extension;  // ".tar.zst" or ".tgz"

  // "sstate:PN:TARGET:…_TASK.EXT", with TARGET, PV and PR cut to a third each
  // of what is left when it would be longer than k_sstate_name_limit.
  std::string file_name() const;
  std::string path() const;  // [EXTRA/]hh/hh/file_name()
};

// The shapes that a tree must hold at least once each.
enum class NameForm {
  target,         // a recipe for the machine
  native,         // below universal/
  distro_native,  // below debian-12/: no uninative
  cross,
  software,  // SWSPEC: no TARGET, no PKGARCH, never an EXTRA
  allarch,
  truncated,
  longest,   // exactly 246 bytes, uncut
  old_tgz,   // VERSION 3 and 7
  old_zstd,  // VERSION 10, 11 and 12
};
inline constexpr std::array k_name_forms = {
    NameForm::target,  NameForm::native,    NameForm::distro_native, NameForm::cross,   NameForm::software,
    NameForm::allarch, NameForm::truncated, NameForm::longest,       NameForm::old_tgz, NameForm::old_zstd,
};

enum class TaskKind {
  archived,  // leaves an archive and a siginfo
  plain,     // leaves a siginfo only
};

SstateName make_sstate_name(NameForm form, TaskKind kind, Dice& dice);

}  // namespace larder::test
