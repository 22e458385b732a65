// Predicted against printed in the wild: the logs of servers with a KV pool in memory.csv (vLLM; SGLang and TensorRT-LLM where rows have them).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "planner/check.h"
#include "planner/error.h"
#include "support/error_table.h"
#include "support/files.h"
#include "support/log_rows.h"

namespace {

using namespace planner;

/// Absolute errors of one engine's component.
struct Errors {
  std::vector<double> all;

  [[nodiscard]] double quantile(double q) const {
    if (all.empty()) return 0;
    auto sorted = all;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  }
  [[nodiscard]] double share_within(double most) const {
    if (all.empty()) return 1;
    const auto n = std::count_if(all.begin(), all.end(), [&](double e) { return e <= most; });
    return static_cast<double>(n) / static_cast<double>(all.size());
  }
};

bool by_row(const std::string& a, const std::string& b) { return a < b; }

}  // namespace

TEST_CASE("accuracy: memory that servers printed") {
  // The bars. Weights: one row of eleven is 1.1 % off (DeepSeek-R1 on 16 ranks of v0.7). Tokens: of the pool as printed; the rows far off are small pools that
  // are predicted themselves, or caches in 8 bit that the row does not say.
  constexpr std::size_t kFewestAnswered = 20;
  constexpr double kWeights = 0.01;
  constexpr double kWeightsShare = 0.9;
  constexpr double kWorstWeights = 0.015;
  constexpr double kTokensMedian = 0.005;
  constexpr double kActivationsMedian = 0.03;
  constexpr double kPoolMedian = 0.05;

  const auto facts = test::facts_folder();
  if (!facts) {
    MESSAGE("no folder of facts: nothing to compare");
    return;
  }
  const auto& catalog = Catalog::builtin();
  const auto groups = test::read_log_groups(*facts);

  test::ErrorTable by_component("engine, component");
  test::ErrorTable by_architecture("engine, architecture, component");
  std::map<std::string, std::vector<std::string>> left_out, rows_left_out;
  std::map<LogTerm, Errors> vllm;
  std::vector<std::string> rows;
  std::size_t answered = 0;
  std::size_t logs = 0;
  for (const auto& g : groups) {
    const auto engine = test::log_engine_of(g.rows.front()["engine"]);
    if (engine && !is_server(*engine)) continue;  // memory_logs.cpp
    CAPTURE(g.id);
    ++logs;
    std::string why;
    const auto log = test::log_of_rows(g, catalog, why);
    if (!log) {
      left_out[why].push_back(g.id);
      continue;
    }
    try {
      const auto check = check_log(*log, {}, catalog);
      if (check.compared() == 0) {
        left_out["no row can be compared: " + (check.rows.empty() ? std::string("none") : check.rows.front().reason)].push_back(g.id);
        continue;
      }
      ++answered;
      for (const auto& row : check.rows) {
        if (row.verdict == CheckVerdict::not_compared) {
          rows_left_out[row.reason].push_back(fmt::format("{} {}", g.id, to_string(row.term)));
          continue;
        }
        const auto error = row.error();
        if (!error) continue;
        const double rounding = static_cast<double>(row.rounding) / static_cast<double>(row.printed);
        by_component.add(fmt::format("{} {}", to_string(log->engine), to_string(row.term)), *error, rounding);
        by_architecture.add(fmt::format("{} {} {}", to_string(log->engine), check.model.architecture, to_string(row.term)), *error, rounding);
        if (log->engine == LogEngine::vllm) vllm[row.term].all.push_back(std::max(0.0, std::abs(*error) - rounding));
        constexpr double kMiB = 0x1p20;
        const bool tokens = row.term == LogTerm::kv_tokens;
        rows.push_back(fmt::format("{} {:<10} {:<32} {:<9} printed {:>12.2f} predicted {:>12.2f} {} {:+8.2f} %", g.id, to_string(log->engine), check.model.id, to_string(row.term),
                                   static_cast<double>(row.printed) / (tokens ? 1 : kMiB), static_cast<double>(*row.predicted) / (tokens ? 1 : kMiB), tokens ? "tokens" : "MiB   ", 100 * *error));
      }
    } catch (const Error& e) {
      const std::string message = e.what();
      const auto colon = message.find(": ");
      left_out[message.substr(colon == std::string::npos ? 0 : colon + 2)].push_back(g.id);
    }
  }

  fmt::print("{} of {} logs answered; predicted - printed, in per cent\n{}\n{}\n", answered, logs, by_component.text(), by_architecture.text());
  std::sort(rows.begin(), rows.end(), by_row);
  fmt::print("\nrows compared\n");
  for (const auto& row : rows) fmt::print("  {}\n", row);
  fmt::print("\nlogs left out\n");
  for (const auto& [why, ids] : left_out) fmt::print("  {}: {}\n", why, fmt::join(ids, ", "));
  fmt::print("\nrows left out\n");
  for (const auto& [why, ids] : rows_left_out) fmt::print("  {}: {}\n", why, fmt::join(ids, ", "));

  CHECK_GE(answered, kFewestAnswered);
  const auto& weights = vllm[LogTerm::model];
  fmt::print("\nvLLM weights: {:.0f} % of {} rows within 1 %, worst {:.2f} %\n", 100 * weights.share_within(kWeights), weights.all.size(), 100 * weights.quantile(1));
  CHECK_GE(weights.share_within(kWeights), kWeightsShare);
  CHECK_LE(weights.quantile(1), kWorstWeights);
  CHECK_LE(vllm[LogTerm::kv_tokens].quantile(0.5), kTokensMedian);
  CHECK_LE(vllm[LogTerm::compute].quantile(0.5), kActivationsMedian);
  CHECK_LE(vllm[LogTerm::kv_pool].quantile(0.5), kPoolMedian);
}
