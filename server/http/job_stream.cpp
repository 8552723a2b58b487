#include "server/http/job_stream.hpp"

#include <boost/asio/steady_timer.hpp>

namespace larder::http {

void JobLines::add(std::string_view json) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return closed_ || lines_.size() < k_most; });
  if (!closed_) lines_.append(json).append("\n");
}

void JobLines::finish() {
  const std::lock_guard lock(mutex_);
  done_ = true;
}

void JobLines::fail(const Error& error) {
  add(api::to_json(problem_of(error)));
  finish();
}

std::string JobLines::take(bool& done) {
  const std::lock_guard lock(mutex_);
  done = done_;
  room_.notify_all();
  return std::exchange(lines_, {});
}

void JobLines::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  lines_.clear();
  room_.notify_all();
}

namespace {

// However the stream ends, the job must not wait for its reader.
class Closing {
 public:
  explicit Closing(JobLines& lines) : lines_(lines) {}
  ~Closing() { lines_.close(); }

 private:
  JobLines& lines_;
};

}  // namespace

Task<void> stream_job(Exchange& exchange, std::shared_ptr<JobLines> lines, std::stop_source stop) {
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                           asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;
  const Closing closing(*lines);
  Reply reply(200);
  reply.content_type = "application/x-ndjson";
  co_await exchange.begin_stream(std::move(reply));
  const LoopExecutor executor = exchange.connection().socket().get_executor();
  Timer timer(executor);
  for (bool done = false; !done;) {
    const std::string news = lines->take(done);
    const bool sent = co_await exchange.stream(news);
    if (!sent || !exchange.context().ready()) stop.request_stop();
    if (!sent) co_return;
    if (done) break;
    if (news.size() >= JobLines::k_most / 4) continue;  // there is more where it comes from
    exchange.connection().set_deadline(SteadyTime::max());
    timer.expires_after(std::chrono::milliseconds(100));
    const auto [error] = co_await timer.async_wait(k_as_outcome);
    (void)error;
  }
  co_await exchange.end_stream();
}

}  // namespace larder::http
