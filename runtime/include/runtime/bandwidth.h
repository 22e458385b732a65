/// How fast this machine reads memory: what decode speed is held against.
#pragma once

#include <cstdint>

#include "runtime/matrix.h"
#include "runtime/thread_pool.h"

namespace planner::runtime {

/// Decimal bytes per second, as bandwidth is quoted.
struct Bandwidth {
  double best = 0;    ///< of all rounds
  double median = 0;  ///< of all rounds: what to expect on a machine that others use too
  int n_threads = 0;
  std::int64_t buffer_bytes = 0;
};

/// Reads a buffer on all threads of `pool`, `rounds` times (>= 1), each thread a contiguous part. `buffer_bytes` 0: 512 MiB, or four times the
/// last-level cache where that is more. Memory is allocated for the time of the call; throws std::bad_alloc.
[[nodiscard]] Bandwidth measure_read_bandwidth(ThreadPool& pool, int rounds = 9, std::int64_t buffer_bytes = 0);

}  // namespace planner::runtime
