// Reads what LIST, NLST, MLSD and STAT show, a page at a time: the namespaces, a
// directory, one file, or what matches a pattern.
#pragma once

#include <string>

#include "server/access/permissions.hpp"
#include "server/ftp/control.hpp"
#include "server/ftp/memory.hpp"
#include "server/ftp/path.hpp"
#include "server/repository.hpp"

namespace larder::ftp {

class Lister {
 public:
  // Shows what `may` allows to read.
  Lister(Repository& repository, const SessionMemory& memory, const Permissions& may, ListStyle style)
      : repository_(repository), memory_(memory), may_(may), style_(std::move(style)) {}

  // Finds what `action` names. Errc::not_found; Errc::invalid_argument for MLSD of a file.
  Task<Result<void>> begin(const Action& action);
  // Appends a page to `out`; false when that was the last one.
  Task<Result<bool>> next(std::string& out);

 private:
  Task<Result<void>> begin_below(const Action& action);
  Task<Result<void>> open_directory(std::string path);
  void show_namespaces();
  void show_namespace(const std::string& name);  // to those who may read it
  void add_made(std::string_view directory);
  std::string render() const;  // the page; in the disk pool
  std::size_t entries_a_page() const;

  Repository& repository_;
  const SessionMemory& memory_;
  const Permissions& may_;
  ListStyle style_;
  Place place_;
  std::string directory_;  // below the namespace
  std::string pattern_;    // empty: everything
  Store::DirectoryPage page_;
};

}  // namespace larder::ftp
