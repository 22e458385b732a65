// Attention over the KV cache, one core, 4096 positions of 128 values that stay in the second-level cache.
//   attention/TYPE/GROUP/TOKENS   GROUP query heads share the KV head; TOKENS 1: decode, 16: a block of prefill.
// Counters: GB/s of cache read (decimal), and GFLOP/s of the two products.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "runtime/random.h"
#include "vector/vector.h"

namespace {

using namespace planner::runtime;

constexpr std::int64_t kPositions = 4096, kDim = 128;

void attention(benchmark::State& state, CacheType type, std::int64_t group, std::int64_t n_tokens) {
  Random random(1);
  const auto& kernels = vector_kernels(best_path());
  const auto row_bytes = cache_row_bytes(type, kDim);
  std::vector<std::byte> keys(static_cast<std::size_t>(kPositions * row_bytes)), values(keys.size());
  std::vector<float> row(kDim);
  for (auto* rows : {&keys, &values}) {
    for (std::int64_t i = 0; i < kPositions; ++i) {
      for (auto& x : row) x = random.normal();
      kernels.store(type, row.data(), rows->data() + i * row_bytes, kDim);
    }
  }
  const auto n = static_cast<std::size_t>(n_tokens * group);
  std::vector<float> queries(n * kDim), largest(n), sum(n), weighted(n * kDim), scratch(static_cast<std::size_t>(attention_scratch(kDim, kDim)));
  for (auto& x : queries) x = 0.1F * random.normal();
  AttentionBlock b;
  b.queries = queries.data();
  b.query_stride = kDim;
  b.token_stride = group * kDim;
  b.n_tokens = n_tokens;
  b.group = group;
  b.first_position = kPositions - n_tokens;
  b.head_dim = b.head_dim_v = kDim;
  b.end = b.capacity = kPositions;
  b.keys = {keys.data(), row_bytes, type};
  b.values = {values.data(), row_bytes, type};
  b.scratch = scratch.data();
  b.largest = largest.data();
  b.sum = sum.data();
  b.weighted = weighted.data();
  for (auto _ : state) {
    kernels.attend(b);
    benchmark::DoNotOptimize(weighted.data());
    benchmark::ClobberMemory();
  }
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GB/s"] = benchmark::Counter(2e-9 * static_cast<double>(kPositions * row_bytes), rate);
  state.counters["GFLOP/s"] = benchmark::Counter(4e-9 * static_cast<double>(kPositions * kDim * group * n_tokens), rate);
}

const bool registered = [] {
  for (const auto& [type, name] : {std::pair{CacheType::f16, "F16"}, {CacheType::q8_0, "Q8_0"}, {CacheType::f32, "F32"}}) {
    for (const std::int64_t group : {1, 4, 6, 8}) {
      for (const std::int64_t n_tokens : {1, 16}) {
        const auto title = "attention/" + std::string(name) + "/" + std::to_string(group) + "/" + std::to_string(n_tokens);
        benchmark::RegisterBenchmark(title.c_str(), [type = type, group, n_tokens](benchmark::State& state) { attention(state, type, group, n_tokens); });
      }
    }
  }
  return true;
}();

}  // namespace
