// Predicted against printed in the wild: the logs of llama.cpp, ik_llama.cpp and Ollama in memory.csv.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "planner/check.h"
#include "planner/error.h"
#include "planner/units.h"
#include "support/error_table.h"
#include "support/files.h"
#include "support/log_rows.h"

namespace {

using namespace planner;

std::string short_name(LogEngine engine) { return engine == LogEngine::ik_llama_cpp ? "ik" : std::string(to_string(engine)); }

}  // namespace

TEST_CASE("accuracy: buffers printed in the wild") {
  // What was reached; worse means that a rule, a model, a name or a flag is no longer understood. Relative errors: median, and the least share of rows within 5 %.
  constexpr double kFewestAnswered = 0.98;  // of the logs that give model, context and cache type
  struct Bar {
    const char* group;
    double median, within_5_percent;
  };
  constexpr Bar kBars[] = {{"ik kv", 0.0001, 0.99},      {"ik model", 0.0015, 0.98},        {"ik compute", 0.001, 0.70},        {"ik total", 0.0015, 0.92},
                           {"llama.cpp kv", 0.0001, 0.99}, {"llama.cpp model", 0.0001, 0.99}, {"llama.cpp compute", 0.001, 0.80}, {"llama.cpp total", 0.0005, 0.85}};
  constexpr double kCacheWithinTenthMib = 0.98;

  const auto facts = test::facts_folder();
  if (!facts) {
    MESSAGE("no folder of facts: nothing to compare");
    return;
  }
  const auto& catalog = Catalog::builtin();
  const auto groups = test::read_log_groups(*facts);

  test::ErrorTable by_architecture("engine, architecture, component");
  test::ErrorTable by_component("engine, component");
  std::map<std::string, std::vector<std::string>> left_out, rows_left_out;
  std::vector<std::string> far_off;
  std::size_t answered = 0;
  std::size_t kv_rows = 0, kv_exact = 0;
  std::size_t logs = 0, eligible = 0, eligible_answered = 0;
  for (const auto& g : groups) {
    const auto engine = test::log_engine_of(g.rows.front()["engine"]);
    if (!engine || is_server(*engine)) continue;  // server_logs.cpp
    ++logs;
    const auto& first = g.rows.front();
    const bool is_eligible = !first["model"].empty() && !first["n_ctx"].empty() && !first["cache_type_k"].empty();
    eligible += is_eligible ? 1 : 0;
    CAPTURE(g.id);
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
      eligible_answered += is_eligible ? 1 : 0;
      const auto add = [&](const CheckRow& row, const std::string& component) {
        const auto error = row.error();
        if (!error) return;
        const double rounding = static_cast<double>(row.rounding) / static_cast<double>(row.printed);
        by_component.add(fmt::format("{} {}", short_name(log->engine), component), *error, rounding);
        by_architecture.add(fmt::format("{} {} {}", short_name(log->engine), check.model.architecture, component), *error, rounding);
      };
      const auto note_far_off = [&](const CheckRow& row) {
        far_off.push_back(fmt::format("{} {} {} {} {}: {:.2f} MiB, predicted {:.2f}", g.id, short_name(log->engine), check.model.id, row.device, to_string(row.term),
                                      static_cast<double>(row.printed) / 0x1p20, static_cast<double>(*row.predicted) / 0x1p20));
      };
      for (const auto& row : check.rows) {
        if (row.verdict == CheckVerdict::not_compared) {
          rows_left_out[row.reason.substr(0, row.reason.find(':'))].push_back(fmt::format("{} {} {}", g.id, row.device, to_string(row.term)));
          continue;
        }
        add(row, std::string(to_string(row.term)));
        if (row.verdict == CheckVerdict::outside) note_far_off(row);
        if (row.term == LogTerm::kv || row.term == LogTerm::recurrent_state) {
          ++kv_rows;
          kv_exact += std::abs(*row.predicted - row.printed) <= kMiB / 10 + row.rounding ? 1 : 0;
        }
      }
      for (const auto& row : check.totals) {
        if (row.verdict == CheckVerdict::not_compared) continue;
        add(row, "total");
        if (row.verdict == CheckVerdict::outside) note_far_off(row);
      }
    } catch (const Error& e) {
      const std::string message = e.what();
      left_out[message.substr(message.find(": ") == std::string::npos ? 0 : message.find(": ") + 2)].push_back(g.id);
    }
  }

  fmt::print("{} of {} logs answered; predicted - printed, in per cent\n{}\n{}\n", answered, logs, by_component.text(), by_architecture.text());
  fmt::print("cache and recurrent state: {} of {} rows within 0.1 MiB\n", kv_exact, kv_rows);
  fmt::print("\nrows off by more than 5 %\n");
  for (const auto& row : far_off) fmt::print("  {}\n", row);
  fmt::print("\nlogs left out\n");
  for (const auto& [why, ids] : left_out) fmt::print("  {}: {}\n", why, fmt::join(ids, " "));
  fmt::print("\nrows left out\n");
  for (const auto& [why, rows] : rows_left_out) fmt::print("  {} rows: {}: {}\n", rows.size(), why, fmt::join(rows, ", "));
  fmt::print("\n{} of {} logs that give model, context and cache type are answered\n", eligible_answered, eligible);

  CHECK_GE(static_cast<double>(eligible_answered), kFewestAnswered * static_cast<double>(eligible));
  CHECK_GE(static_cast<double>(kv_exact), kCacheWithinTenthMib * static_cast<double>(kv_rows));
  for (const auto& bar : kBars) {
    CAPTURE(bar.group);
    CHECK_LE(by_component.median(bar.group), bar.median);
    CHECK_GE(by_component.share_within(bar.group, 0.05), bar.within_5_percent);
  }
}
