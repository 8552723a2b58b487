#include "server/hashequiv/conversation.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

namespace larder::hashequiv {
namespace {

namespace json = boost::json;
using std::chrono::steady_clock;

constexpr std::string_view k_protocol = "OEHASHEQUIV";
constexpr std::int64_t k_microseconds = 1'000'000;  // of a second
constexpr std::size_t k_enough = 256 << 10;         // bytes of output
constexpr std::chrono::milliseconds k_long_enough(20);
constexpr std::size_t k_most_told = 200;  // bytes of a request, in the log

enum class Needs : std::uint8_t { nothing, read, clean };

struct Command {
  std::string_view name;
  Needs needs;
};

constexpr std::array<Command, 19> k_commands = {{
    {"ping", Needs::nothing},         {"get", Needs::read},
    {"get-outhash", Needs::read},     {"get-stream", Needs::read},
    {"exists-stream", Needs::read},   {"get-stats", Needs::read},
    {"get-db-usage", Needs::clean},   {"get-db-query-columns", Needs::clean},
    {"report", Needs::read},  // without @report both are answered, and nothing is stored
    {"auth", Needs::nothing},         {"report-equiv", Needs::read},
    {"reset-stats", Needs::clean},    {"backfill-wait", Needs::read},
    {"remove", Needs::clean},         {"gc-mark", Needs::clean},
    {"gc-mark-stream", Needs::clean}, {"gc-sweep", Needs::clean},
    {"gc-status", Needs::clean},      {"clean-unused", Needs::clean},
}};

// Of bitbake-hashserv's own users.
constexpr std::array<std::string_view, 7> k_of_users = {
    "get-user", "get-all-users", "new-user", "set-user-perms", "refresh-token", "delete-user", "become-user"};

// What is lacking for it, as the protocol calls it; empty: nothing.
std::string_view lacking(Needs needs, const Allowed& allowed) {
  switch (needs) {
    case Needs::nothing: return {};
    case Needs::read: return allowed.read ? std::string_view() : "@read";
    case Needs::clean: return allowed.clean ? std::string_view() : "@db-admin (the right to delete)";
  }
  return {};
}

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// A member that has to be there and can be part of a key.
std::optional<std::string> key_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const std::string_view text = view(value->get_string());
  if (!HashEquivalence::can_be_key(text)) return std::nullopt;
  return std::string(text);
}

std::optional<HashEquivalence::Task> task_in(const json::object& object) {
  auto method = key_at(object, "method");
  auto taskhash = key_at(object, "taskhash");
  if (!method || !taskhash) return std::nullopt;
  return HashEquivalence::Task{std::move(*method), std::move(*taskhash)};
}

std::string_view text_at(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? view(value->get_string()) : std::string_view();
}

bool is_true_at(const json::object& object, json::string_view name, bool unless_said) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return unless_said;
  return value->is_bool() && value->get_bool();
}

// What is not text cannot be told of an output; what has a NUL in it ends there.
HashEquivalence::Details details_in(const json::object& object) {
  HashEquivalence::Details details;
  for (std::size_t i = 0; i < details.size(); ++i) {
    const std::string_view name = HashEquivalence::k_detail_names[i];
    const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
    if (value == nullptr || !value->is_string()) continue;
    const std::string_view text = view(value->get_string());
    details[i] = text.substr(0, text.find('\0'));
  }
  return details;
}

// Nothing: it is no condition. Columns nobody knows say nothing, and neither does null.
std::optional<HashEquivalence::Where> where_in(const json::object& object) {
  const json::value* value = object.if_contains("where");
  if (value == nullptr || !value->is_object()) return std::nullopt;
  HashEquivalence::Where where;
  for (const std::string_view column : HashEquivalence::k_columns) {
    const json::value* wanted =
        value->get_object().if_contains(json::string_view(column.data(), column.size()));
    if (wanted == nullptr || wanted->is_null()) continue;
    const std::string text =
        wanted->is_string() ? std::string(view(wanted->get_string())) : json::serialize(*wanted);
    where.emplace(column, text);
  }
  return where;
}

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

// "2026-11-29T09:20:27.000001", in UTC.
std::string iso_time(std::int64_t microseconds) {
  const std::time_t seconds = microseconds / k_microseconds;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string fraction = std::to_string(k_microseconds + microseconds % k_microseconds);
  return std::string(text.data(), size) + "." + fraction.substr(1);
}

json::object mapping(const HashEquivalence::Task& task, std::string_view unihash) {
  return {{"taskhash", json_text(task.taskhash)},
          {"method", json_text(task.method)},
          {"unihash", json_text(unihash)}};
}

json::object row_of(const HashEquivalence::OutputOfTask& found, bool with_unihash) {
  const HashEquivalence::Output& output = found.output;
  json::object row = {{"method", json_text(output.task.method)},
                      {"taskhash", json_text(output.task.taskhash)},
                      {"outhash", json_text(output.outhash)},
                      {"created", json_text(iso_time(output.created))}};
  for (std::size_t i = 0; i < output.details.size(); ++i) {
    const std::string_view name = HashEquivalence::k_detail_names[i];
    json::value& place = row[json::string_view(name.data(), name.size())];
    if (output.details[i]) place = json_text(*output.details[i]);
  }
  if (!with_unihash) return row;
  row["unihash"] = json_text(found.unihash.value_or(""));
  row["gc_mark"] = json_text(found.gc_mark);
  return row;
}

json::object counted(std::uint64_t count) {
  return {{"count", count}};
}

// "1.1": after 1.0, and no later than what is spoken here.
bool is_spoken(std::string_view version) {
  unsigned major = 0;
  unsigned minor = 0;
  const char* const end = version.data() + version.size();
  const auto first = std::from_chars(version.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return false;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  return second.ec == std::errc() && second.ptr == end && major == 1 && minor == 1;
}

// Words between white space.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view k_blanks = " \t\r\v\f";
  for (auto begin = line.find_first_not_of(k_blanks); begin != std::string_view::npos;
       begin = line.find_first_not_of(k_blanks)) {
    line.remove_prefix(begin);
    const auto end = line.find_first_of(k_blanks);
    words.push_back(line.substr(0, end));
    line.remove_prefix(words.back().size());
  }
  return words;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& each : out) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each - 'A' + 'a');
  }
  return out;
}

}  // namespace

// ----------------------------------------------------------------- framing --

Conversation::~Conversation() {
  give_back_room();
}

void Conversation::give_back_room() {
  if (room_ != nullptr) room_->give_back(peer_, chunks_.size());
  room_ = nullptr;
  std::string().swap(chunks_);
}

Conversation::Turn Conversation::hear(const std::string& bytes, Allowed allowed) {
  allowed_ = std::move(allowed);
  reader_.feed(bytes);
  return go_on();
}

Conversation::Turn Conversation::go_on() {
  Turn turn;
  proceed(turn);
  return turn;
}

// As much as is sent in one go, and no longer than others can wait: what a peer asks for in a few bytes can
// be large, and take its time.
void Conversation::proceed(Turn& turn) {
  const bool may_stream = (state_ != State::get_stream && state_ != State::exists_stream) || allowed_.read;
  if (!may_stream || (state_ == State::mark_stream && !allowed_.clean)) turn.over = true;
  const auto begin = steady_clock::now();
  while (!turn.over && !turn.login && !turn.more) {
    const auto line = reader_.next();
    if (!line) break;
    on_line(*line, turn);
    if (state_ != State::chunks) ++heard_;
    const bool enough = turn.output.size() >= k_enough || steady_clock::now() - begin >= k_long_enough;
    turn.more = enough && !turn.over && !turn.login;
  }
  reader_.forget_taken();
  if (!turn.login && !turn.more && reader_.endless()) turn.over = true;
  settle(turn);
}

// What somebody was told of their own reports is durable. All that came together shares one sync.
void Conversation::settle(Turn& turn) {
  if (!std::exchange(has_told_, false)) return;
  const auto synced = known_.sync();
  if (synced) return;
  turn.output.clear();
  turn.login.reset();
  turn.more = false;
  fail(synced.error(), turn);
}

void Conversation::on_line(std::string_view line, Turn& turn) {
  switch (state_) {
    case State::protocol: return greet(line, turn);
    case State::headers: return take_header(line, turn);
    case State::requests: return on_message(line, turn);
    case State::chunks: return take_chunk(line, turn);
    case State::get_stream:
    case State::exists_stream:
    case State::mark_stream: return stream(line, turn);
  }
}

void Conversation::greet(std::string_view line, Turn& turn) {
  const auto words = words_of(line);
  turn.over = words.size() != 2 || words[0] != k_protocol || !is_spoken(words[1]);
  state_ = State::headers;
}

void Conversation::take_header(std::string_view line, Turn& turn) {
  if (!line.empty()) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) turn.over = true;
    if (!turn.over && lower(line.substr(0, colon)) == "needs-headers") {
      const auto words = words_of(line.substr(colon + 1));
      wants_headers_ = words.size() == 1 && words[0] == "true";
    }
    return;
  }
  if (wants_headers_) append_line(turn.output, "");  // there are none
  state_ = State::requests;
}

void Conversation::take_chunk(std::string_view line, Turn& turn) {
  if (line.empty()) {
    state_ = State::requests;
    on_message(chunks_, turn);
    return give_back_room();
  }
  if (room_ == nullptr) room_ = allowed_.report ? &shared_.of_writers : &shared_.of_others;
  turn.over = chunks_.size() + line.size() > k_longest_message;
  if (turn.over) return;
  if (room_->take(peer_, line.size())) {
    chunks_.append(line);
  } else {
    turn.troubles.emplace_back("too many long messages at a time: one was cut off");
    turn.over = true;
  }
}

void Conversation::on_message(std::string_view text, Turn& turn) {
  const auto message = parse_message(text);
  if (!message || !message->is_object()) {
    turn.over = true;
    return;
  }
  if (state_ == State::requests && announces_chunks(*message)) {
    state_ = State::chunks;
    return;
  }
  for (const Command& each : k_commands) {
    const json::value* value =
        message->get_object().if_contains(json::string_view(each.name.data(), each.name.size()));
    if (value == nullptr) continue;
    const std::string_view lacks = lacking(each.needs, allowed_);
    if (!lacks.empty())
      return refuse((allowed_.owner.empty() ? "Anonymous" : allowed_.owner) + " is not allowed to " +
                        std::string(each.name) + ": it needs " + std::string(lacks),
                    turn);
    const auto begin = steady_clock::now();
    const auto given = answer(each.name, *value, turn);
    if (!each.name.ends_with("-stream")) shared_.statistics.add(steady_clock::now() - begin);
    if (given) append_message(turn.output, *given);
    return;
  }
  const json::object& object = message->get_object();
  const bool is_of_users = std::ranges::any_of(k_of_users, [&](std::string_view each) {
    return object.contains(json::string_view(each.data(), each.size()));
  });
  if (is_of_users) return refuse("Users are those of larder: see larderd token", turn);
  turn.over = true;
}

void Conversation::refuse(std::string_view message, Turn& turn) {
  append_message(turn.output, json::object{{"invoke-error", json::object{{"message", json_text(message)}}}});
  turn.over = true;
}

// To a client a lost connection is a reason to build without us, an error one to end the build.
void Conversation::fail(const Error& error, Turn& turn) {
  turn.troubles.push_back(error.message());
  turn.over = true;
}

// ---------------------------------------------------------------- requests --

Conversation::Answer Conversation::answer(std::string_view command, const json::value& value, Turn& turn) {
  static const json::object k_nothing;
  const json::object& request = value.is_object() ? value.get_object() : k_nothing;
  if (command == "ping") return json::object{{"alive", true}};
  if (command == "get") return get(request, turn);
  if (command == "get-outhash") return get_outhash(request, turn);
  if (command == "report") return report(request, turn);
  if (command == "report-equiv") return report_equiv(request, turn);
  if (command == "get-stats") return shared_.statistics.told();
  if (command == "reset-stats") return shared_.statistics.start_anew();
  if (command == "backfill-wait") return json::object{{"tasks", 0}};  // there is no other server to wait for
  if (command == "get-db-usage") return count_rows(turn);
  if (command == "get-db-query-columns") {
    json::array columns;
    for (const std::string_view each : HashEquivalence::k_columns) columns.push_back(json_text(each));
    return json::object{{"columns", std::move(columns)}};
  }
  if (command == "auth") {
    const auto user = key_at(request, "username");
    const auto token = key_at(request, "token");
    if (!user || !token) {
      turn.over = true;
      return std::nullopt;
    }
    login_ = Login(*user, *token);
    turn.login = login_;
    return std::nullopt;
  }
  if (command == "get-stream" || command == "exists-stream" || command == "gc-mark-stream") {
    state_ = command == "get-stream"      ? State::get_stream
             : command == "exists-stream" ? State::exists_stream
                                          : State::mark_stream;
    return json::value("ok");
  }
  return clean_up(command, request, turn);
}

Conversation::Answer Conversation::get(const json::object& request, Turn& turn) {
  const auto task = task_in(request);
  if (!task) {
    turn.over = true;
    return std::nullopt;
  }
  if (is_true_at(request, "all", false)) {
    const auto found = known_.output_of(*task);
    if (!found) fail(found.error(), turn);
    if (!found) return std::nullopt;
    return *found ? Answer(row_of(**found, true)) : Answer(nullptr);
  }
  const auto found = known_.unihash(*task);
  if (!found) fail(found.error(), turn);
  if (!found) return std::nullopt;
  return *found ? Answer(mapping(*task, **found)) : Answer(nullptr);
}

Conversation::Answer Conversation::get_outhash(const json::object& request, Turn& turn) {
  const auto method = key_at(request, "method");
  const auto outhash = key_at(request, "outhash");
  if (!method || !outhash) {
    turn.over = true;
    return std::nullopt;
  }
  const bool with_unihash = is_true_at(request, "with_unihash", true);
  using Which = HashEquivalence::Which;
  const auto found = known_.output(*method, *outhash, with_unihash ? Which::with_unihash : Which::any);
  if (!found) fail(found.error(), turn);
  if (!found) return std::nullopt;
  return *found ? Answer(row_of(**found, with_unihash)) : Answer(nullptr);
}

Conversation::Answer Conversation::report(const json::object& request, Turn& turn) {
  const std::string proposed(text_at(request, "unihash"));
  if (!HashEquivalence::is_unihash(proposed)) {
    refuse("Invalid unihash", turn);
    return std::nullopt;
  }
  auto task = task_in(request);
  auto outhash = key_at(request, "outhash");
  if (!task || !outhash) {
    turn.over = true;
    return std::nullopt;
  }
  if (!allowed_.report) {
    note_unkept(turn);
    return what_would_hold(*task, *outhash, proposed, turn);
  }
  HashEquivalence::Output output;
  output.task = *task;
  output.outhash = *outhash;
  output.details = details_in(request);
  if (!allowed_.owner.empty()) output.details[0] = allowed_.owner;
  const auto stored = known_.report(std::move(output), proposed);
  if (!stored) note_failure(stored.error(), turn);
  if (turn.over) return std::nullopt;
  if (!stored) return what_would_hold(*task, *outhash, proposed, turn);
  shared_.full = false;
  has_told_ = true;
  return mapping(*task, *stored);
}

// Without room on the disk a build goes on as if it might not report; that is told once.
void Conversation::note_failure(const Error& error, Turn& turn) {
  if (error.code() != Errc::no_space) return fail(error, turn);
  shared_.unkept.fetch_add(1, std::memory_order_relaxed);
  if (!shared_.full.exchange(true)) turn.troubles.push_back(error.message());
}

// Once an hour: a build is not told, and somebody may wonder why nothing comes together.
void Conversation::note_unkept(Turn& turn) {
  constexpr UnixSeconds k_hour = 60 * 60;
  shared_.unkept.fetch_add(1, std::memory_order_relaxed);
  const UnixSeconds now = shared_.clock.now();
  UnixSeconds next = shared_.next_warning.load(std::memory_order_relaxed);
  if (now < next || !shared_.next_warning.compare_exchange_strong(next, now + k_hour)) return;
  turn.troubles.push_back("a report is not kept, because " +
                          (allowed_.owner.empty() ? "nobody in particular" : allowed_.owner) +
                          " may not write; others are not told of for an hour");
}

void Conversation::note_cleaning(std::string_view command, const json::value& value, std::uint64_t count,
                                 Turn& turn) {
  std::string line(command);
  line += " by " + (allowed_.owner.empty() ? "nobody in particular" : allowed_.owner);
  line += ": " + std::to_string(count) + " rows, " + json::serialize(value).substr(0, k_most_told);
  turn.news.push_back(std::move(line));
}

Conversation::Answer Conversation::what_would_hold(const HashEquivalence::Task& task,
                                                   const std::string& outhash, const std::string& proposed,
                                                   Turn& turn) {
  const auto own = known_.unihash(task);
  if (!own) fail(own.error(), turn);
  if (!own) return std::nullopt;
  if (*own) return mapping(task, **own);
  if (outhash.empty()) return mapping(task, proposed);
  const auto found = known_.output(task.method, outhash, HashEquivalence::Which::with_unihash);
  if (!found) fail(found.error(), turn);
  if (!found) return std::nullopt;
  return mapping(task, *found && (*found)->unihash ? *(*found)->unihash : proposed);
}

Conversation::Answer Conversation::report_equiv(const json::object& request, Turn& turn) {
  const std::string proposed(text_at(request, "unihash"));
  if (!HashEquivalence::is_unihash(proposed)) {
    refuse("Invalid unihash", turn);
    return std::nullopt;
  }
  const auto task = task_in(request);
  if (!task) {
    turn.over = true;
    return std::nullopt;
  }
  if (!allowed_.report) {
    note_unkept(turn);
    return what_would_hold(*task, "", proposed, turn);
  }
  const auto holds = known_.equate(*task, proposed);
  if (!holds) note_failure(holds.error(), turn);
  if (turn.over) return std::nullopt;
  if (!holds) return what_would_hold(*task, "", proposed, turn);
  has_told_ = true;
  return mapping(*task, *holds);
}

Conversation::Answer Conversation::count_rows(Turn& turn) {
  const auto counts = known_.count();
  if (!counts) fail(counts.error(), turn);
  if (!counts) return std::nullopt;
  const json::object usage = {{"unihashes", json::object{{"rows", counts->unihashes}}},
                              {"outhashes", json::object{{"rows", counts->outhashes}}}};
  return json::object{{"usage", usage}};
}

Conversation::Answer Conversation::clean_up(std::string_view command, const json::object& request,
                                            Turn& turn) {
  const auto told = [&](const Result<std::uint64_t>& count) -> Answer {
    if (count) {
      note_cleaning(command, request, *count, turn);
      return counted(*count);
    }
    if (count.error().code() == Errc::invalid_argument)
      refuse(count.error().message(), turn);
    else
      fail(count.error(), turn);
    return std::nullopt;
  };
  has_told_ = true;
  if (command == "gc-status") {
    const auto status = known_.mark_status();
    if (!status) fail(status.error(), turn);
    if (!status) return std::nullopt;
    return json::object{{"keep", status->keep},
                        {"remove", status->remove},
                        {"mark", status->mark ? json::value(json_text(*status->mark)) : json::value()}};
  }
  if (command == "clean-unused") {
    const json::value* age = request.if_contains("max_age_seconds");
    json::error_code failure;
    const double seconds = age != nullptr && age->is_number() ? age->to_number<double>(failure) : -1;
    constexpr double k_longest = 1e9;
    turn.over = failure || seconds < 0;
    if (turn.over) return std::nullopt;
    const auto ago = static_cast<std::int64_t>(std::min(seconds, k_longest));
    return told(known_.remove_unused_outputs((shared_.clock.now() - ago + 1) * k_microseconds));
  }
  const auto mark = key_at(request, "mark");
  if (command == "gc-sweep" && mark) return told(known_.sweep(*mark));
  const auto where = where_in(request);
  if (command == "gc-mark" && mark && where) return told(known_.mark(*mark, *where));
  if (command == "remove" && where) return told(known_.remove(*where));
  turn.over = true;
  return std::nullopt;
}

// ----------------------------------------------------------------- streams --

void Conversation::stream(std::string_view line, Turn& turn) {
  const auto begin = steady_clock::now();
  if (line.empty() || line == "END") {
    state_ = State::requests;
    return append_line(turn.output, "ok");
  }
  if (state_ == State::get_stream) {
    const auto words = words_of(line);
    turn.over =
        words.size() != 2 || !HashEquivalence::can_be_key(words[0]) || !HashEquivalence::can_be_key(words[1]);
    if (turn.over) return;
    const auto found = known_.unihash({std::string(words[0]), std::string(words[1])});
    if (!found) return fail(found.error(), turn);
    append_line(turn.output, *found ? std::string_view(**found) : std::string_view());
  } else if (state_ == State::exists_stream) {
    const auto found = known_.has_unihash(line);
    if (!found) return fail(found.error(), turn);
    append_line(turn.output, *found ? "true" : "false");
  } else {
    const auto request = parse_message(line);
    if (!request || !request->is_object()) return refuse("A line is no JSON object", turn);
    const auto mark = key_at(request->get_object(), "mark");
    const auto where = where_in(request->get_object());
    if (!mark || !where) return refuse("A line needs a mark, a text, and where, an object", turn);
    has_told_ = true;
    const auto count = known_.mark(*mark, *where);
    if (!count) return fail(count.error(), turn);
    append_line(turn.output, json::serialize(counted(*count)));
  }
  shared_.statistics.add(steady_clock::now() - begin);
}

// ------------------------------------------------------------------- login --

Conversation::Turn Conversation::logged_in(Allowed allowed) {
  allowed_ = std::move(allowed);
  json::array permissions;
  if (allowed_.clean) permissions.push_back("@db-admin");
  if (allowed_.read) permissions.push_back("@read");
  if (allowed_.report) permissions.push_back("@report");
  Turn turn;
  append_message(turn.output, json::object{{"result", true},
                                           {"username", json_text(login_.user)},
                                           {"permissions", std::move(permissions)}});
  proceed(turn);
  return turn;
}

Conversation::Turn Conversation::refuse_login() {
  Turn turn;
  refuse("Unable to authenticate as " + login_.user, turn);
  return turn;
}

}  // namespace larder::hashequiv
