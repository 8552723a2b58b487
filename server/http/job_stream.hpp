// A long job in the disk pool and the client that waits for it: lines of JSON, as
// they come. The job is told to stop when the client goes away or the daemon ends.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "server/http/exchange.hpp"

namespace larder::http {

// Filled by the job's thread, emptied by the session's loop.
class JobLines {
 public:
  static constexpr std::size_t k_most = 1 << 20;  // bytes that wait for the client

  // Waits while too much waits for the client: the job goes no faster than it reads.
  void add(std::string_view json);
  // The last call: no further lines, or why the job failed.
  template <typename T>
  void done(const Result<T>& outcome) {
    if (outcome)
      finish();
    else
      fail(outcome.error());
  }

  // Lines since the last call; `done` when there will be no more.
  std::string take(bool& done);
  void close();  // nobody reads any more: what is added from now on is dropped

 private:
  void finish();
  void fail(const Error& error);

  std::mutex mutex_;
  std::condition_variable room_;
  std::string lines_;
  bool done_ = false;
  bool closed_ = false;
};

// Answers 200 with application/x-ndjson, until the job is done. The last line of a job that
// failed is a problem document.
Task<void> stream_job(Exchange& exchange, std::shared_ptr<JobLines> lines, std::stop_source stop);

}  // namespace larder::http
