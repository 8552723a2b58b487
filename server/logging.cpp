#include "server/logging.hpp"

#include <spdlog/details/file_helper.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <ctime>

namespace larder {
namespace {

// A file that can be opened again under its name.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(const std::string& file) { helper_.open(file); }

  void reopen() {
    const std::lock_guard lock(mutex_);
    helper_.reopen(false);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    helper_.write(text);
  }
  void flush_() override { helper_.flush(); }

  spdlog::details::file_helper helper_;
};

// {"time":"…","level":"info","message":"…"}
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::time_t seconds = spdlog::log_clock::to_time_t(message.time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char time[40];
    std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &parts);
    const auto level = spdlog::level::to_string_view(message.level);
    const boost::json::object line = {
        {"time", time},
        {"level", boost::json::string_view(level.data(), level.size())},
        {"message", boost::json::string_view(message.payload.data(), message.payload.size())}};
    const std::string text = boost::json::serialize(line) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

LogFormat chosen_format(LogFormat wanted, bool to_terminal) {
  if (wanted != LogFormat::automatic) return wanted;
  return to_terminal ? LogFormat::text : LogFormat::json;
}

using Reopeners = std::vector<std::shared_ptr<FileSink>>;

spdlog::sink_ptr make_sink(const std::string& file, Reopeners& reopeners) {
  if (file.empty() || file == "stderr") return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto sink = std::make_shared<FileSink>(file);
  reopeners.push_back(sink);
  return sink;
}

}  // namespace

Result<Logs> make_logs(const LogConfig& config) {
  Logs logs;
  auto reopeners = std::make_shared<Reopeners>();
  try {
    const bool terminal = config.file.empty() && ::isatty(STDERR_FILENO) == 1;
    const LogFormat format = chosen_format(config.format, terminal);
    logs.main = std::make_shared<spdlog::logger>("larderd", make_sink(config.file, *reopeners));
    if (format == LogFormat::json)
      logs.main->set_formatter(std::make_unique<JsonFormatter>());
    else
      logs.main->set_pattern("%Y-%m-%d %H:%M:%S %l: %v");
    logs.main->set_level(spdlog::level::from_str(config.level));
    logs.main->flush_on(spdlog::level::info);

  } catch (const spdlog::spdlog_ex& failure) {
    return Error(Errc::io, std::string("cannot open the log: ") + failure.what());
  }
  std::shared_ptr<LogWriter> access;
  if (!config.access.empty() && config.access != "off") {
    LARDER_TRY_ASSIGN(access, LogWriter::open(config.access == "stderr" ? std::string() : config.access));
    const bool access_terminal = config.access == "stderr" && ::isatty(STDERR_FILENO) == 1;
    logs.access = AccessLog(access, chosen_format(config.format, access_terminal));
  }
  logs.reopen = [reopeners, access, log = logs.main] {
    for (const auto& sink : *reopeners) sink->reopen();
    const auto reopened = access ? access->reopen() : Result<void>();
    if (!reopened) log->error("{}; going on with the one that is open", reopened.error().message());
  };
  return logs;
}

Logs silent_logs() {
  Logs logs;
  logs.main = std::make_shared<spdlog::logger>("silent", std::make_shared<spdlog::sinks::null_sink_mt>());
  logs.reopen = [] {};
  return logs;
}

}  // namespace larder
