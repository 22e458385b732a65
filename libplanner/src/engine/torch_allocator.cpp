#include "engine/torch_allocator.h"

#include <set>

namespace planner::engine {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kUnit = 512;
constexpr std::int64_t kLargestSmall = kMiB;
constexpr std::int64_t kSmallSegment = 2 * kMiB;
constexpr std::int64_t kLargeSegment = 20 * kMiB;
constexpr std::int64_t kOwnSegmentFrom = 10 * kMiB;
constexpr std::int64_t kOwnSegmentUnit = 2 * kMiB;

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

std::int64_t torch_allocated_bytes(const std::vector<std::int64_t>& tensors) {
  std::multiset<std::int64_t> free_small, free_large;
  std::int64_t total = 0;
  for (const auto bytes : tensors) {
    if (bytes <= 0) continue;
    const std::int64_t size = round_up(bytes, kUnit);
    const bool small = size <= kLargestSmall;
    auto& free = small ? free_small : free_large;
    std::int64_t block = small ? kSmallSegment : size < kOwnSegmentFrom ? kLargeSegment : round_up(size, kOwnSegmentUnit);
    if (const auto it = free.lower_bound(size); it != free.end()) {
      block = *it;
      free.erase(it);
    }
    const std::int64_t rest = block - size;
    const bool split = small ? rest >= kUnit : rest > kLargestSmall;
    if (split) free.insert(rest);
    total += split ? size : block;
  }
  return total;
}

}  // namespace planner::engine
