// What happened since the start, by namespace. Counted by the Repository for
// every front end alike; read by stat and metrics. Counters only grow and are
// exact one by one, not as a set.
#pragma once

#include "common/counter.hpp"

namespace larder {

struct Activity {
  Counter hits;
  Counter misses;
  Counter uploads;
  Counter duplicates;
  Counter rejects;
  Counter removals;
  Counter bytes_sent;
  Counter bytes_received;
};

}  // namespace larder
