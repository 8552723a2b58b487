// What is said on one connection of a hash equivalence client, and what is answered: without sockets. Bytes
// in, bytes out; each request is carried out on the way, so that everything here may wait for the disk. Not
// thread-safe: one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "server/hashequiv/messages.hpp"
#include "server/store/hash_equivalence.hpp"

namespace larder::hashequiv {

// How long requests took. Thread-safe.
class Statistics {
 public:
  void add(std::chrono::steady_clock::duration took);
  boost::json::value told() const;  // what get-stats answers
  boost::json::value start_anew();  // and reset-stats
  std::uint64_t ever() const;       // requests, whether or not they were counted anew

 private:
  boost::json::value told_locked() const;

  mutable std::mutex mutex_;
  std::uint64_t ever_ = 0;
  std::uint64_t number_ = 0;
  double total_ = 0;  // seconds, as all of these
  double longest_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // summed squares of the distance from the mean
};

// What somebody may do, in the words of the protocol.
struct Allowed {
  Allowed() = default;
  bool read = false;    // @read
  bool report = false;  // @report
  bool clean = false;   // @db-admin
  std::string owner;    // who it is, for what they report; empty: nobody in particular
};

// Room for messages that are not complete, for all peers of a kind: a quarter of it for one address.
// Thread-safe.
class Room {
 public:
  explicit Room(std::uint64_t bytes) : bytes_(bytes) {}
  bool take(const std::string& peer, std::size_t bytes);  // false: there is not as much, and none is taken
  void give_back(const std::string& peer, std::size_t bytes);
  std::uint64_t taken() const;

 private:
  const std::uint64_t bytes_;
  mutable std::mutex mutex_;
  std::uint64_t taken_ = 0;
  std::map<std::string, std::uint64_t> by_peer_;
};

// What all conversations share.
struct Shared {
  Shared(HashEquivalence& store, const Clock& time) : known(store), clock(time) {}
  HashEquivalence& known;
  const Clock& clock;
  Statistics statistics;
  Room of_writers{256 << 20};
  Room of_others{128 << 20};                 // nothing of what they tell is kept
  std::atomic<std::uint64_t> sending{0};     // bytes of answers that are on their way
  std::atomic<bool> full{false};             // the last report found no room on the disk
  std::atomic<std::uint64_t> unkept{0};      // reports
  std::atomic<UnixSeconds> next_warning{0};  // of reports that are not kept for want of a right
};

class Conversation {
 public:
  Conversation(Shared& shared, std::string peer)
      : shared_(shared), known_(shared.known), peer_(std::move(peer)) {}
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  struct Login {
    Login() = default;
    Login(std::string named, std::string shown) : user(std::move(named)), token(std::move(shown)) {}
    std::string user;
    std::string token;
  };
  struct Turn {
    Turn() = default;
    std::string output;
    bool more = false;                  // there is more to be said: go_on()
    bool over = false;                  // the connection ends behind the output
    std::optional<Login> login;         // who is it? logged_in() or refuse_login() goes on
    std::vector<std::string> troubles;  // for the log: what is wrong,
    std::vector<std::string> news;      // and what was done
  };
  // Answers what `bytes` complete.
  Turn hear(const std::string& bytes, Allowed allowed);
  Turn go_on();  // once the output of a turn with `more` has been sent
  Turn logged_in(Allowed allowed);
  Turn refuse_login();

  bool greeted() const { return state_ != State::protocol && state_ != State::headers; }
  std::uint64_t heard() const { return heard_; }  // lines and messages that were complete
  // Nothing was begun that has no answer yet.
  bool at_rest() const { return reader_.buffered() == 0 && state_ != State::chunks; }

 private:
  enum class State : std::uint8_t {
    protocol,
    headers,
    requests,
    chunks,
    get_stream,
    exists_stream,
    mark_stream
  };

  void proceed(Turn& turn);
  void settle(Turn& turn);
  void on_line(std::string_view line, Turn& turn);
  void greet(std::string_view line, Turn& turn);
  void take_header(std::string_view line, Turn& turn);
  void take_chunk(std::string_view line, Turn& turn);
  void give_back_room();
  void on_message(std::string_view text, Turn& turn);
  void stream(std::string_view line, Turn& turn);

  // Requests: the answer; nothing when there is none to be given, and the connection ends.
  using Answer = std::optional<boost::json::value>;
  Answer answer(std::string_view command, const boost::json::value& value, Turn& turn);
  Answer get(const boost::json::object& request, Turn& turn);
  Answer get_outhash(const boost::json::object& request, Turn& turn);
  Answer report(const boost::json::object& request, Turn& turn);
  Answer what_would_hold(const HashEquivalence::Task& task, const std::string& outhash,
                         const std::string& proposed, Turn& turn);
  void note_failure(const Error& error, Turn& turn);
  Answer report_equiv(const boost::json::object& request, Turn& turn);
  Answer count_rows(Turn& turn);
  Answer clean_up(std::string_view command, const boost::json::object& request, Turn& turn);
  void refuse(std::string_view message, Turn& turn);
  void fail(const Error& error, Turn& turn);
  void note_unkept(Turn& turn);
  void note_cleaning(std::string_view command, const boost::json::value& value, std::uint64_t count,
                     Turn& turn);

  Shared& shared_;
  HashEquivalence& known_;
  const std::string peer_;
  std::uint64_t heard_ = 0;
  LineReader reader_;
  State state_ = State::protocol;
  Allowed allowed_;
  Login login_;
  bool wants_headers_ = false;
  bool has_told_ = false;  // something that is not durable yet
  std::string chunks_;
  Room* room_ = nullptr;  // that chunks_ is in
};

}  // namespace larder::hashequiv
