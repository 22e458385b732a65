// Searches over monotone questions.
#pragma once

#include <algorithm>
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

/// Smallest n in [low, high] for which `holds`; high + 1 when not even high does. `holds` must be false up to some n and true after it.
template <typename Holds>
std::int64_t smallest(std::int64_t low, std::int64_t high, Holds holds) {
  return -largest(-high, -low, [&](std::int64_t n) { return holds(-n); });
}

/// `largest` where `margin(n)` is known, which falls with n, nearly along a line, and is negative where n is too much: few questions, most of them near the answer.
template <typename Margin>
std::int64_t largest_along_line(std::int64_t low, std::int64_t high, Margin margin) {
  if (high < low) return low - 1;
  auto above = static_cast<double>(margin(high));
  if (above >= 0) return high;
  auto below = static_cast<double>(margin(low));
  if (below < 0) return low - 1;
  // Invariant: low holds, high does not.
  while (high - low > 1) {
    const double share = below / (below - above);
    const auto guess = std::clamp(low + static_cast<std::int64_t>(share * static_cast<double>(high - low)), low + 1, high - 1);
    const auto at = static_cast<double>(margin(guess));
    const std::int64_t width = high - low;
    if (at >= 0) low = guess, below = at;
    else high = guess, above = at;
    if (high - low <= 1) break;
    // A line leads to the answer from one side: the neighbour closes the other. Where it does not, halving does.
    const std::int64_t neighbour = high - low > width / 2 ? low + (high - low) / 2 : at >= 0 ? low + 1 : high - 1;
    const auto there = static_cast<double>(margin(neighbour));
    if (there >= 0) low = neighbour, below = there;
    else high = neighbour, above = there;
  }
  return low;
}

}  // namespace planner::decision
