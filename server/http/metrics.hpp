// The figures of /-/metrics, in Prometheus' text format 0.0.4.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/api.hpp"
#include "common/counter.hpp"
#include "server/http/request_parser.hpp"

namespace larder::http {

// How long answers took, by kind of request. Any thread may observe.
class Latency {
 public:
  enum class Kind : std::uint8_t {
    read,
    write,
    other
  };  // GET and HEAD of artifacts; PUT and DELETE; the rest
  static constexpr std::array<double, 12> k_bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                      0.01,   0.05,    0.25,   1,     10,     60};  // seconds

  void observe(Kind kind, std::chrono::nanoseconds duration);
  std::string render() const;

 private:
  struct Histogram {
    std::array<Counter, k_bounds.size() + 1> buckets;
    Counter nanoseconds;
  };
  std::array<Histogram, 3> histograms_;
};

Latency::Kind latency_kind(Method method, bool artifact);

// What the system knows of the process.
struct ProcessFigures {
  double cpu_seconds = 0;  // of all threads, in the kernel, too
  std::optional<std::uint64_t> open_files;
};

std::string render_metrics(const api::Stat& stat, const ProcessFigures& process, const Latency& latency);

}  // namespace larder::http
