// What outlives an FTP session, for an hour or less: directories that were made and
// have nothing in them yet (directories are there by the names below them, and clients
// use several sessions for one tree), and uploads that were refused just now. Bounded:
// the oldest goes first. Thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"

namespace larder::ftp {

class SessionMemory {
 public:
  void made(std::string_view directory, UnixSeconds now);
  void unmade(std::string_view directory);
  // Also what is above a directory that was made.
  bool has_made(std::string_view directory, UnixSeconds now) const;

  // The names of those right below `directory`, sorted.
  std::vector<std::string> made_in(std::string_view directory, UnixSeconds now) const;

  // Some clients (rclone) remove what is there when their upload is refused, and send theirs again: so
  // a name would change its content after all. What was refused to a peer stays for a moment.
  void refused(std::string_view peer, std::string_view path, UnixSeconds now);
  bool was_refused(std::string_view peer, std::string_view path, UnixSeconds now) const;

 private:
  static constexpr std::size_t k_most_bytes = 1 << 20;  // of names, of each kind
  static constexpr UnixSeconds k_made_for = 60 * 60;
  static constexpr UnixSeconds k_refused_for = 60;

  struct Entry {
    std::string text;
    UnixSeconds time = 0;
  };
  struct Entries {
    std::deque<Entry> all;  // oldest first
    std::size_t bytes = 0;

    void add(std::string text, UnixSeconds now);
    void remove(std::string_view text);
  };

  mutable std::mutex mutex_;
  Entries made_;
  Entries refused_;
};

}  // namespace larder::ftp
