// What is said on one connection of a hash equivalence client, and what is answered: without sockets. Bytes
// in, bytes out; each request is carried out on the way, so that everything here may wait for the disk. Not
// thread-safe: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/hashequiv/messages.hpp"
#include "server/hashequiv/shared.hpp"

namespace larder::hashequiv {

// What somebody may do, in the words of the protocol.
struct Allowed {
  Allowed() = default;
  bool read = false;    // @read
  bool report = false;  // @report
  bool clean = false;   // @db-admin
  std::string owner;    // who it is, for what they report; empty: nobody in particular
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
