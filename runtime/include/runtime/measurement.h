/// Measuring a model: llama-bench's tests, with the bytes that each moved and the bandwidth of the machine beside them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"
#include "runtime/session.h"
#include "runtime/thread_pool.h"
#include "runtime/transformer.h"

namespace planner::runtime {

/// A prompt of n_prompt tokens, then n_gen tokens one by one, with n_depth tokens in the cache before them (which are not timed).
struct BenchTest {
  std::int64_t n_prompt = 0;
  std::int64_t n_gen = 0;
  std::int64_t n_depth = 0;

  /// "pp512", "tg128 @ d4096", "pp512+tg128"
  [[nodiscard]] std::string name() const;
};

struct BenchOptions {
  std::int64_t repetitions = 5;
  std::int64_t ubatch = 512;
  FormatId kv_type_k = FormatId::f16;
  FormatId kv_type_v = FormatId::f16;
  Path path = best_path();
  bool warmup = true;  ///< one run that does not count
  /// Called before each run: "tg128 @ d4096", run of `runs` (0: warm-up or filling the cache).
  std::function<void(const std::string& test, std::int64_t run, std::int64_t runs)> progress;
};

struct BenchResult {
  BenchTest test;
  std::string time;  ///< when it began, ISO 8601 in UTC
  std::vector<std::int64_t> samples_ns;
  std::int64_t bytes = 0;            ///< that one run reads: weights once per ubatch and per generated token, and the cache
  double bandwidth_bytes_per_s = 0;  ///< of the machine, measured just before (median)

  // Over the samples, as llama-bench has them: the deviation is that of a sample (n - 1).
  [[nodiscard]] double avg_ns() const;
  [[nodiscard]] double stddev_ns() const;
  [[nodiscard]] double avg_ts() const;  ///< tokens per second, prompt and generated together
  [[nodiscard]] double stddev_ts() const;
  [[nodiscard]] std::vector<double> samples_ts() const;
  /// Decimal: bytes / avg_ns.
  [[nodiscard]] double gb_per_s() const;
  /// gb_per_s over the machine's.
  [[nodiscard]] double bandwidth_share() const;
};

/// Runs one test. Tokens are random, their seed always the same. Throws Error (usage): a test without tokens, no repetition; what Session throws.
[[nodiscard]] BenchResult bench(const Transformer& model, ThreadPool& pool, const BenchTest& test, const BenchOptions& options = {});

/// Model of the processor: "AMD EPYC 9R14"; empty where the system does not say.
[[nodiscard]] std::string cpu_name();

/// What results are printed with besides themselves.
struct BenchContext {
  std::string model_filename;
  std::string model_type;  ///< "qwen2 1.8B Q4_K_M"
  std::int64_t model_bytes = 0;
  std::int64_t model_parameters = 0;
  std::string cpu;
  std::string version;  ///< of this program
  int n_threads = 1;
  BenchOptions options;
};
/// `catalog` knows the name of the file's mix.
[[nodiscard]] BenchContext bench_context(const Transformer& model, const Catalog& catalog, const BenchOptions& options, int n_threads, std::string version);

enum class BenchFormat : std::uint8_t { md, json, jsonl, csv };

/// Text in llama-bench's formats, with its names: what comes before the first result, a result, what comes behind the last. Added to them:
/// gb_per_s, bandwidth_gb_per_s, bandwidth_share. Fields of what this engine does not have (GPU layers, splits) say so as llama-bench would.
[[nodiscard]] std::string bench_header(BenchFormat format, const BenchContext& context);
[[nodiscard]] std::string bench_row(BenchFormat format, const BenchContext& context, const BenchResult& result, bool first);
[[nodiscard]] std::string bench_footer(BenchFormat format, const BenchContext& context);

}  // namespace planner::runtime
