#include "server/hashequiv/shared.hpp"

#include <algorithm>
#include <cmath>

namespace larder::hashequiv {

namespace json = boost::json;
using std::chrono::steady_clock;

void Statistics::add(steady_clock::duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const std::lock_guard lock(mutex_);
  ++ever_;
  ++number_;
  total_ += seconds;
  longest_ = std::max(longest_, seconds);
  const double distance = seconds - mean_;
  mean_ += distance / static_cast<double>(number_);
  squares_ += distance * (seconds - mean_);
}

json::value Statistics::told_locked() const {
  const double deviation = number_ > 1 ? std::sqrt(squares_ / static_cast<double>(number_ - 1)) : 0;
  const json::object figures = {{"num", number_},
                                {"total_time", total_},
                                {"max_time", longest_},
                                {"average", number_ > 0 ? total_ / static_cast<double>(number_) : 0},
                                {"stdev", deviation}};
  return json::object{{"requests", figures}};
}

json::value Statistics::told() const {
  const std::lock_guard lock(mutex_);
  return told_locked();
}

json::value Statistics::start_anew() {
  const std::lock_guard lock(mutex_);
  json::value before = told_locked();
  number_ = 0;
  total_ = longest_ = mean_ = squares_ = 0;
  return before;
}

std::uint64_t Statistics::ever() const {
  const std::lock_guard lock(mutex_);
  return ever_;
}

bool Room::take(const std::string& peer, std::size_t bytes) {
  constexpr std::uint64_t k_share = 4;
  const std::lock_guard lock(mutex_);
  std::uint64_t& mine = by_peer_[peer];
  const bool fits = taken_ + bytes <= bytes_ && mine + bytes <= bytes_ / k_share;
  if (fits) {
    taken_ += bytes;
    mine += bytes;
  }
  if (mine == 0) by_peer_.erase(peer);
  return fits;
}

void Room::give_back(const std::string& peer, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  taken_ -= bytes;
  const auto mine = by_peer_.find(peer);
  if (mine != by_peer_.end() && (mine->second -= bytes) == 0) by_peer_.erase(mine);
}

std::uint64_t Room::taken() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

}  // namespace larder::hashequiv
