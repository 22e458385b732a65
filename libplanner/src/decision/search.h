// Searches over monotone questions.
#pragma once

#include <cstdint>

namespace planner::decision {

/// Largest n in [low, high] for which `holds`; low - 1 when not even low does. `holds` must be true up to some n and false after it.
template <typename Holds>
std::int64_t largest(std::int64_t low, std::int64_t high, Holds holds) {
  std::int64_t best = low - 1;
  while (low <= high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (holds(middle)) best = middle, low = middle + 1;
    else high = middle - 1;
  }
  return best;
}

}  // namespace planner::decision
