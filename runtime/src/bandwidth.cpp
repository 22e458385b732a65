#include "runtime/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <vector>

#include "kernels.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace planner::runtime {
namespace {

/// Bytes of the largest cache of the first core, as Linux tells it; 0 where nothing does.
std::int64_t last_level_cache_bytes() {
  std::int64_t largest = 0;
  for (int i = 0; i < 8; ++i) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/size");
    std::int64_t size = 0;
    char unit = 0;
    if (!(file >> size)) break;
    if (file >> unit) size *= unit == 'K' ? 1024 : unit == 'M' ? 1024 * 1024 : 1;
    largest = std::max(largest, size);
  }
  return largest;
}

}  // namespace

Bandwidth measure_read_bandwidth(ThreadPool& pool, int rounds, std::int64_t buffer_bytes) {
  constexpr std::int64_t kAlignment = 1 << 21;  // a huge page
  if (buffer_bytes <= 0) buffer_bytes = std::max<std::int64_t>(512 << 20, 4 * last_level_cache_bytes());
  const std::int64_t share = std::max<std::int64_t>(kAlignment, buffer_bytes / pool.size() / kAlignment * kAlignment);
  buffer_bytes = share * pool.size();

  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{kAlignment}); }
  };
  const std::unique_ptr<std::byte, Free> buffer(static_cast<std::byte*>(::operator new(static_cast<std::size_t>(buffer_bytes), std::align_val_t{kAlignment})));
#if defined(__linux__)
  madvise(buffer.get(), static_cast<std::size_t>(buffer_bytes), MADV_HUGEPAGE);
#endif
  // Written by the thread that reads it: pages of its own memory node, and pages at all.
  pool.run([&](int thread) { std::fill_n(buffer.get() + thread * share, share, std::byte{1}); });

  const auto checksum = kernels_of(best_path()).checksum;
  std::vector<double> rates;
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(pool.size()) * 8);  // a cache line each; kept, so that reading is no dead code
  for (int round = 0; round < std::max(1, rounds); ++round) {
    const auto begin = std::chrono::steady_clock::now();
    pool.run([&](int thread) { sums[static_cast<std::size_t>(thread) * 8] += checksum(reinterpret_cast<const std::uint8_t*>(buffer.get()) + thread * share, share); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    rates.push_back(static_cast<double>(buffer_bytes) / seconds.count());
  }
  std::sort(rates.begin(), rates.end());
  return {rates.back(), rates[rates.size() / 2], pool.size(), buffer_bytes};
}

}  // namespace planner::runtime
