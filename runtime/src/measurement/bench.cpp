#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <numeric>

#include "planner/error.h"
#include "runtime/bandwidth.h"
#include "runtime/measurement.h"
#include "runtime/random.h"

namespace planner::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double mean(const std::vector<double>& x) { return x.empty() ? 0 : std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size()); }

double deviation(const std::vector<double>& x) {
  if (x.size() < 2) return 0;
  const double m = mean(x);
  double squares = 0;
  for (const double v : x) squares += (v - m) * (v - m);
  return std::sqrt(squares / static_cast<double>(x.size() - 1));
}

std::string now() {
  const auto time = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/// One test's session, tokens and clock.
class Runner {
 public:
  Runner(const Transformer& model, ThreadPool& pool, const BenchTest& test, const BenchOptions& options)
      : test_(test),
        options_(options),
        vocabulary_(model.vocabulary_size()),
        session_(model, pool,
                 {.context = test.n_depth + test.n_prompt + test.n_gen,
                  .ubatch = options.ubatch,
                  .kv_type_k = options.kv_type_k,
                  .kv_type_v = options.kv_type_v,
                  .path = options.path}) {}

  std::int64_t run(std::int64_t n_prompt, std::int64_t n_gen) {
    fill();
    const auto start = Clock::now();
    if (n_prompt > 0) static_cast<void>(session_.append(0, tokens(n_prompt)));
    for (std::int64_t i = 0; i < n_gen; ++i) static_cast<void>(session_.append(0, tokens(1)));
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }

  [[nodiscard]] std::int64_t bytes(std::int64_t weights) const {
    std::int64_t bytes = 0;
    for (std::int64_t at = 0; at < test_.n_prompt; at += options_.ubatch) {
      bytes += weights + session_.kv_bytes_per_token(test_.n_depth + std::min(test_.n_prompt, at + options_.ubatch));
    }
    for (std::int64_t i = 0; i < test_.n_gen; ++i) bytes += weights + session_.kv_bytes_per_token(test_.n_depth + test_.n_prompt + i + 1);
    return bytes;
  }

 private:
  /// The cache with n_depth tokens: those of the last run where they can be gone back to.
  void fill() {
    if (session_.length() >= test_.n_depth && session_.rewind(0, test_.n_depth)) return;
    session_.clear();
    if (test_.n_depth == 0) return;
    if (options_.progress) options_.progress(test_.name() + ", filling the cache", 0, options_.repetitions);
    static_cast<void>(session_.append(0, tokens(test_.n_depth), 0));
  }

  std::span<const TokenId> tokens(std::int64_t n) {
    tokens_.clear();
    for (std::int64_t i = 0; i < n; ++i) tokens_.push_back(static_cast<TokenId>(random_.below(static_cast<std::uint64_t>(vocabulary_))));
    return tokens_;
  }

  const BenchTest& test_;
  const BenchOptions& options_;
  std::int64_t vocabulary_;
  Session session_;
  Random random_{1};
  std::vector<TokenId> tokens_;
};

}  // namespace

std::string BenchTest::name() const {
  std::string out;
  if (n_prompt > 0) out = "pp" + std::to_string(n_prompt);
  if (n_gen > 0) out += (out.empty() ? "tg" : "+tg") + std::to_string(n_gen);
  if (n_depth > 0) out += " @ d" + std::to_string(n_depth);
  return out;
}

std::vector<double> BenchResult::samples_ts() const {
  std::vector<double> out;
  for (const auto ns : samples_ns) out.push_back(1e9 * static_cast<double>(test.n_prompt + test.n_gen) / static_cast<double>(ns));
  return out;
}

double BenchResult::avg_ns() const { return mean({samples_ns.begin(), samples_ns.end()}); }
double BenchResult::stddev_ns() const { return deviation({samples_ns.begin(), samples_ns.end()}); }
double BenchResult::avg_ts() const { return mean(samples_ts()); }
double BenchResult::stddev_ts() const { return deviation(samples_ts()); }
double BenchResult::gb_per_s() const { return avg_ns() > 0 ? static_cast<double>(bytes) / avg_ns() : 0; }
double BenchResult::bandwidth_share() const { return bandwidth_bytes_per_s > 0 ? 1e9 * gb_per_s() / bandwidth_bytes_per_s : 0; }

BenchResult bench(const Transformer& model, ThreadPool& pool, const BenchTest& test, const BenchOptions& options) {
  const auto refuse = [](const std::string& problem) { throw Error(ErrorKind::usage, problem); };
  for (const auto n : {test.n_prompt, test.n_gen, test.n_depth}) {
    if (n < 0 || n > (std::int64_t{1} << 30)) refuse("a test of " + std::to_string(n) + " tokens");
  }
  if (test.n_prompt + test.n_gen == 0) refuse("a test without tokens");
  if (options.repetitions < 1) refuse(std::to_string(options.repetitions) + " repetitions, expected 1 or more");
  Runner runner(model, pool, test, options);
  const auto report = [&](std::int64_t run) {
    if (options.progress) options.progress(test.name(), run, options.repetitions);
  };
  BenchResult result{.test = test, .time = now(), .samples_ns = {}, .bytes = runner.bytes(model.weight_bytes_per_token())};
  if (options.warmup) {
    report(0);
    static_cast<void>(runner.run(test.n_prompt, std::min<std::int64_t>(test.n_gen, 1)));
  }
  result.bandwidth_bytes_per_s = measure_read_bandwidth(pool).median;
  for (std::int64_t i = 0; i < options.repetitions; ++i) {
    report(i + 1);
    result.samples_ns.push_back(runner.run(test.n_prompt, test.n_gen));
  }
  return result;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const auto at = line.find_first_not_of(" \t:", sizeof "model name" - 1);
    return at == std::string::npos ? "" : line.substr(at);
  }
  return "";
}

}  // namespace planner::runtime
