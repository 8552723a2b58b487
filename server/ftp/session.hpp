// The driver of an FTP session: reads commands, carries out what Control decides,
// moves the bytes. Commands are answered in order; during a transfer only ABOR and
// STAT are, and the end of the control connection ends the transfer.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/access/visitor.hpp"
#include "server/access_log.hpp"
#include "server/ftp/control.hpp"
#include "server/ftp/data_channel.hpp"
#include "server/ftp/lister.hpp"
#include "server/ftp/memory.hpp"
#include "server/ftp/path.hpp"
#include "server/ftp/reply.hpp"
#include "server/live_config.hpp"
#include "server/repository.hpp"
#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace larder::ftp {

// What all sessions share. Lives longer than any of them.
struct Context {
  Repository& repository;
  const LiveConfig& config;
  AccessLog& access_log;
  const Clock& clock;
  std::function<bool()> ready;  // false: shutting down
  std::function<std::shared_ptr<const TlsContext>()> tls;
  Authorizer& access;
  SessionMemory memory;
};

// How a connection begins: in the clear, where AUTH may ask for TLS, or with TLS (ftps).
enum class Door : std::uint8_t { plain, secure };

class FtpSession final : public Session {
 public:
  FtpSession(Context& context, SessionSet& sessions, Door door, std::string passive_address,
             std::unique_ptr<Connection> connection);  // of the loop
  ~FtpSession() override;

  // Serves the connection until it ends. `passive_address` is what PASV tells; empty: the
  // address that the peer has reached us by.
  static Task<void> serve(Context& context, SessionSet& sessions, Door door, std::string passive_address,
                          std::unique_ptr<Connection> connection, Admission::Ticket ticket);

  Connection& connection() override { return connection_; }
  bool idle() const override { return idle_ || opening_; }  // nothing has moved yet
  SteadyTime deadline() override { return std::min(connection_.deadline(), data_.deadline()); }
  void expire() override;
  void close() override;

 private:
  Task<void> run();
  void meet();  // whoever shows no credentials, as far as TLS tells
  Task<bool> secure_control();
  Task<void> begin_tls(const Action& action);

  // Commands and replies (session.cpp) ---------------------------------------

  Task<bool> next_command();  // into command_; false: there will be none
  void take_input(std::string_view bytes);
  Task<bool> flush();
  std::chrono::milliseconds patience() const;
  void say(int code, std::string_view text) { append_reply(output_, code, text); }
  void say_error(const Error& error, Doing doing);
  void say_at_once(int code, std::string_view text);  // past what waits to be written, if it fits
  Task<void> perform(const Action& action);
  Task<void> log_in(const Action& action);
  Task<void> enter(const Action& action);
  Task<void> describe(const Action& action);
  Task<void> tell_status(const Action& action);
  Task<void> remove(const Action& action);
  Task<void> make_directory(const Action& action);
  Task<void> remove_directory(const Action& action);
  Task<void> rename_from(const Action& action);
  Task<void> rename(const Action& action);
  void open_passive(const Action& action);
  void aim(const Action& action);

  Task<void> remember_parent(std::string path);  // of what was removed: it is there until RMD
  bool has_made(const std::string& path) const;

  // Rights (login.cpp) ---------------------------------------------------------

  // No identity: nobody, or (kind ask) nobody had the time to check.
  Task<Authorizer::Recognition> recognise(const Credentials& credentials);
  void end_login();          // USER and REIN do, unless they were refused
  Task<bool> still_known();  // the token was not revoked meanwhile, and the rules are those in force
  const Permissions& may() const { return visitor_.may(); }
  std::string actor() const { return visitor_.actor(connection_.peer_text()); }  // for the ledger
  bool sees(const Place& place) const;                                           // names of it may be told
  bool refuse(Right right, std::string_view path);  // true: it was refused, and that has been said
  Origin origin() const;

  std::optional<ArtifactKey> key_of(const std::string& path, Doing doing);  // nothing: that has been said
  Task<Result<Entry>> look_up(const ArtifactKey& key);
  Task<bool> is_directory(const std::string& path);
  ListStyle style(ListFormat format) const;

  // Transfers (transfer.cpp) --------------------------------------------------

  Task<void> list(const Action& action);
  Task<void> retrieve(const Action& action);
  Task<void> send(const Action& action, const ArtifactKey& key, const OpenArtifact& artifact);
  Task<void> store(const Action& action);
  Task<int> begin_store(const Action& action, const ArtifactKey& key);
  Task<Result<void>> receive();
  Task<bool> is_whole(const Action& action);
  Task<void> pause(std::chrono::milliseconds time);
  void say_stored(const ArtifactKey& key, const Result<Receipt>& receipt);
  Task<bool> open_data(std::string preliminary);
  Task<bool> secure_data();
  void refuse_data(int code, std::string_view text);
  void end_data();
  void settle_sent();
  void drop_unfinished();

  // The control connection during a transfer.
  enum class Taken : std::uint8_t { all, perhaps };  // of what TLS holds
  void watch_control(Taken taken);
  void on_control_readable();
  void answer_meanwhile();
  void stop_watching();
  bool control_is_gone();  // also when that has not been noticed yet
  std::string interruption() const;

  void begin_record(std::string_view method, const Action& action);
  void end_record(int status, std::string_view outcome);

  Context& context_;
  SessionSet& sessions_;
  const Door door_;
  const std::unique_ptr<Connection> owned_;
  Connection& connection_;
  // What the control connection began with: its data connections have to resume that session.
  std::shared_ptr<const TlsContext> tls_;
  std::string tls_scope_;
  DataChannel data_;
  Visitor visitor_;
  Credentials credentials_;  // that the session logged in with
  Control control_;
  CommandReader reader_;
  std::deque<Command> pending_;
  Command command_;
  std::string output_;   // replies that wait,
  std::string writing_;  // and those that are on their way
  std::string passive_address_;
  std::array<char, 2048> input_;
  bool idle_ = true;
  bool opening_ = false;  // waiting for a data connection
  bool over_ = false;

  // Of the transfer under way:
  struct Watch {
    FtpSession* session = nullptr;  // null: nobody cares any more
  };
  std::shared_ptr<Watch> watch_;
  bool control_gone_ = false;
  bool aborted_ = false;
  std::uint64_t moved_ = 0;  // bytes

  std::optional<ArtifactKey> sent_;     // whole; whether it was read, the next command tells
  std::unique_ptr<Upload> unfinished_;  // what STOR began and APPE or REST may go on with,
  SteadyTime unfinished_until_;         // when nothing comes of it by then, no more

  // For the log:
  SteadyTime started_;
  std::string_view method_;
  std::string name_;
  std::string name_space_;
};

}  // namespace larder::ftp
