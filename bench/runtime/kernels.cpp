// Kernels: the product y = W x of every format and path.
//   in_cache/FORMAT/PATH     one token, 64 rows that stay in the second-level cache, one core: what binds when memory is quick. Counters: weights per
//                            nanosecond, and per cycle of the core's clock, which a chain of dependent additions tells.
//   many_tokens/FORMAT/PATH  256 tokens at once, as in prefill, one core: multiply-additions per cycle.
//   from_memory/FORMAT/PATH  one token, 512 MiB of weights on all cores: GB/s (decimal), and the share of the read bandwidth measured right before.
// Paths that this machine lacks are not there. Choose with --benchmark_filter=in_cache/Q4_K/

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "runtime/bandwidth.h"
#include "runtime/matrix.h"

namespace {

using namespace planner;
using namespace planner::runtime;

struct Weights {
  std::vector<std::byte> blocks;
  Matrix matrix;
  std::vector<float> x, y;

  Weights(const Format& format, std::int64_t rows, std::int64_t columns) {
    Random random(1);
    blocks.resize(static_cast<std::size_t>(rows * format.row_bytes(columns)));
    const std::int64_t sample = std::min<std::int64_t>(rows, 64);  // made once, then repeated
    format.random_blocks(blocks.data(), sample * columns, 0.02F, random);
    const auto sample_bytes = static_cast<std::size_t>(sample * format.row_bytes(columns));
    for (std::size_t at = sample_bytes; at < blocks.size(); at += sample_bytes)
      std::copy_n(blocks.begin(), std::min(sample_bytes, blocks.size() - at), blocks.begin() + static_cast<std::ptrdiff_t>(at));
    matrix = {&format, blocks.data(), rows, columns};
    x.resize(static_cast<std::size_t>(columns));
    for (auto& v : x) v = random.normal();
    y.resize(static_cast<std::size_t>(rows));
  }
};

/// Cycles of the core per nanosecond, now: multiplications that wait for each other take three each, on every core with AVX2. 0: not known.
double clock_ghz() {
#if defined(__x86_64__)
  double best = 0;
  std::uint64_t a = 3;
  constexpr int kChain = 200000;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kChain; ++i) asm volatile("imul %0, %0\n\timul %0, %0\n\timul %0, %0\n\timul %0, %0" : "+r"(a));
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
    best = std::max(best, 12.0 * kChain / time.count());
  }
  return best;
#else
  return 0;
#endif
}

void in_cache(benchmark::State& state, const Format& format, Path path) {
  Weights w(format, 64, 1536);
  Activations x;
  x.assign(w.x.data(), w.matrix.columns, 1);
  const Execution execution{nullptr, path};
  const double ghz = clock_ghz();
  for (auto _ : state) {
    multiply(w.matrix, x, w.y.data(), execution);
    benchmark::DoNotOptimize(w.y.data());
  }
  const auto weights = static_cast<double>(w.matrix.rows * w.matrix.columns) * static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["weights/ns"] = Counter(weights * 1e-9, Counter::kIsRate);
  if (ghz > 0) state.counters["weights/cycle"] = Counter(weights * 1e-9 / ghz, Counter::kIsRate);
  state.counters["GB/s"] = Counter(static_cast<double>(w.matrix.bytes()) * static_cast<double>(state.iterations()) * 1e-9, Counter::kIsRate);
}

/// 256 tokens at once: multiply-additions a cycle, unpacking included.
void many_tokens(benchmark::State& state, const Format& format, Path path) {
  constexpr std::int64_t kTokens = 256;
  Weights w(format, 128, 1536);
  Random random(2);
  w.x.resize(static_cast<std::size_t>(kTokens * w.matrix.columns));
  for (auto& v : w.x) v = random.normal();
  w.y.resize(static_cast<std::size_t>(kTokens * w.matrix.rows));
  Activations x;
  x.assign(w.x.data(), w.matrix.columns, kTokens);
  const Execution execution{nullptr, path};
  const double ghz = clock_ghz();
  for (auto _ : state) {
    multiply(w.matrix, x, w.y.data(), execution);
    benchmark::DoNotOptimize(w.y.data());
  }
  const auto products = static_cast<double>(w.matrix.rows * w.matrix.columns * kTokens) * static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["products/ns"] = Counter(products * 1e-9, Counter::kIsRate);
  if (ghz > 0) state.counters["products/cycle"] = Counter(products * 1e-9 / ghz, Counter::kIsRate);
}

void from_memory(benchmark::State& state, const Format& format, Path path) {
  constexpr std::int64_t kColumns = 1536;
  Weights w(format, (std::int64_t{512} << 20) / format.row_bytes(kColumns), kColumns);
  ThreadPool pool(ThreadPool::hardware_threads());
  Activations x;
  x.assign(w.x.data(), kColumns, 1);
  const Execution execution{&pool, path};
  // Probes between the products: neighbours come and go.
  double probed = 0, seconds = 0;
  std::int64_t n = 0;
  for (auto _ : state) {
    state.PauseTiming();
    probed += measure_read_bandwidth(pool, 1, 256 << 20).median;
    state.ResumeTiming();
    const auto begin = std::chrono::steady_clock::now();
    multiply(w.matrix, x, w.y.data(), execution);
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ++n;
  }
  const double rate = static_cast<double>(w.matrix.bytes() * n) / seconds;
  state.counters["GB/s"] = rate * 1e-9;
  state.counters["share"] = rate / (probed / static_cast<double>(n));
}

const int registered = [] {
  for (const auto& format : formats()) {
    for (const auto path : available_paths()) {
      const std::string name = std::string(format.name()) + "/" + std::string(to_string(path));
      benchmark::RegisterBenchmark(("in_cache/" + name).c_str(), [&format, path](benchmark::State& s) { in_cache(s, format, path); })->MinTime(0.1);
      if (path != Path::reference) benchmark::RegisterBenchmark(("many_tokens/" + name).c_str(), [&format, path](benchmark::State& s) { many_tokens(s, format, path); })->MinTime(0.1);
      if (path != Path::reference && path != Path::portable)
        benchmark::RegisterBenchmark(("from_memory/" + name).c_str(), [&format, path](benchmark::State& s) { from_memory(s, format, path); })->Iterations(10)->UseRealTime();
    }
  }
  return 0;
}();

}  // namespace
