// The names of shared state objects, as every release of BitBake makes them:
//
//   [EXTRA/]hh/hh/sstate:PN:TARGET:PV:PR:PKGARCH:VERSION:HASH_TASK.EXT[.siginfo|.sig]
//
// A name that would be too long has TARGET, PV and PR cut short, so these three
// tell little; PN, PKGARCH, VERSION, HASH and TASK are always whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace larder {

// What stands beside an archive and shares its fate.
enum class Companion : std::uint8_t {
  none,     // the archive itself
  siginfo,  // what went into the hash; exists for every task that ran, mostly without an archive
  sig,      // a detached signature of the archive
};

// Every view is a part of the path that was parsed.
struct SstateName {
  std::string_view extra;             // "universal", "debian-12" …: native and cross recipes
  std::string_view hash_directories;  // "ab/cd"; "ab" before dunfell; empty in a flat directory
  std::string_view pn;
  std::string_view target;     // may be cut
  std::string_view pv;         // may be cut
  std::string_view pr;         // may be cut
  std::string_view pkgarch;    // empty for software tasks
  std::string_view version;    // of the format: 3, 7, 10, 11, 12, 14 …
  std::string_view hash;       // 64 lower-case hexadecimal digits
  std::string_view task;       // without do_
  std::string_view extension;  // "tgz" or "tar.zst"
  Companion companion = Companion::none;

  // fetch, unpack, patch, populate_lic and preconfigure say nothing about the
  // machine: their names (SSTATE_SWSPEC) have neither TARGET nor PKGARCH.
  bool is_software() const { return pkgarch.empty(); }
};

// nullopt for whatever BitBake would not have named so. `path` is relative to
// the namespace or to SSTATE_DIR.
std::optional<SstateName> parse_sstate_name(std::string_view path);

// The path of the archive that `path` belongs to: itself without the .siginfo
// or .sig behind its archive extension. Any other path is its own group.
std::string_view group_of(std::string_view path);

}  // namespace larder
