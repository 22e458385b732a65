#include "calibration/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace planner::calibration {
namespace {

using Group = std::function<std::string(const FittedRow&)>;

std::vector<FittedRow> of_test(std::span<const FittedRow> rows, MeasuredTest test) {
  std::vector<FittedRow> out;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(out), [&](const FittedRow& r) { return r.measurement->test == test; });
  return out;
}

std::string table(const std::string& heading, std::span<const FittedRow> rows, const Group& group, std::size_t most = 40) {
  std::string out = fmt::format("\n| {} | rows | median | within 20 % | bias | 90 % below |\n|---|--:|--:|--:|--:|--:|\n", heading);
  const auto lines = error_table(rows, group);
  for (std::size_t i = 0; i < std::min(lines.size(), most + 1); ++i) {
    const auto& s = lines[i];
    out += fmt::format("| {} | {} | {:.1f} % | {:.0f} % | {:+.1f} % | {:.0f} % |\n", s.group, s.rows, 100 * s.median, 100 * s.within_20, 100 * s.bias, 100 * s.p90);
  }
  return out;
}

std::string size_of(const FittedRow& r) {
  const double gib = r.measurement->size_gib;
  if (gib <= 0) return "not stated";
  constexpr double kSteps[] = {2, 5, 10, 20, 50};
  double below = 0;
  for (const double step : kSteps) {
    if (gib < step) return fmt::format("{:.0f} to {:.0f} GiB", below, step);
    below = step;
  }
  return "50 GiB and more";
}

std::string depth_of(const FittedRow& r) {
  const double depth = r.measurement->mean_depth();
  if (depth < 512) return "below 512";
  if (depth < 2048) return "512 to 2047";
  if (depth < 8192) return "2048 to 8191";
  if (depth < 32768) return "8192 to 32767";
  return "32768 and more";
}

/// The tables of one way to leave out, one test.
std::string tables(std::span<const FittedRow> all, MeasuredTest test) {
  const auto rows = of_test(all, test);
  std::string out = table("vendor", rows, [](const FittedRow& r) { return r.vendor; });
  out += table("model kind", rows, [](const FittedRow& r) { return std::string(r.routed ? "mixture of experts" : "dense"); });
  out += table("back end", rows, [](const FittedRow& r) { return r.measurement->backend; });
  out += table("generation", rows, [](const FittedRow& r) { return r.generation; });
  out += table("engine", rows, [](const FittedRow& r) { return r.measurement->engine; });
  out += table("quantization", rows, [](const FittedRow& r) { return r.measurement->quantization; });
  out += table("architecture", rows, [](const FittedRow& r) { return r.architecture; });
  out += table("file", rows, size_of);
  out += table(test == MeasuredTest::decode ? "mean depth" : "cached tokens", rows, depth_of);
  return out;
}

std::string outliers(const FittedSpeed& fit) {
  // A weight of a fifth is a residual of four scales: 40 % in decode, 60 % in prefill.
  constexpr double kContradicts = 0.2;
  std::vector<const FittedRow*> rows;
  for (const auto& r : fit.residuals) {
    if (r.weight < kContradicts) rows.push_back(&r);
  }
  std::sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return a->weight < b->weight; });
  std::string out = fmt::format("\n## Rows that contradict their neighbours\n{} rows keep less than a fifth of their weight. They stay in the tables above.\n\n"
                                "| row | device | back end | model | mix | test | measured | predicted | weight |\n|---|---|---|---|---|---|--:|--:|--:|\n",
                                rows.size());
  for (const auto* r : rows) {
    const auto& m = *r->measurement;
    out += fmt::format("| {} | {}{} | {} | {} | {} | {}{:.0f} | {:.4g} | {:.4g} | {:.2f} |\n", m.id, m.devices > 1 ? fmt::format("{} x ", m.devices) : "", m.device, m.backend, m.model, m.quantization,
                       m.test == MeasuredTest::decode ? "tg" : "pp", m.tokens, m.tokens_per_s, r->predicted, r->weight);
  }
  return out;
}

std::string not_fitted(const SpeedData& data) {
  std::map<std::string, int> reasons;
  for (const auto& m : data.rows()) {
    if (!m.not_fitted.empty()) ++reasons[m.not_fitted];
  }
  for (const auto& l : data.left_out()) ++reasons[l.reason];
  std::string out = "\n## Rows that take no part\n\n| reason | rows |\n|---|--:|\n";
  for (const auto& [reason, n] : reasons) out += fmt::format("| {} | {} |\n", reason, n);
  return out;
}

}  // namespace

std::string accuracy_report(const SpeedData& data, const FittedSpeed& fit, std::span<const FittedRow> unseen_devices, std::span<const FittedRow> unseen_models) {
  std::string out = fmt::format(
      "# Accuracy of speed predictions\n\nMade by `planner-fit` from {} rows of `data/measurements/`; `planner accuracy` prints the same for the factors in use. Errors are predicted / measured - 1 for\n"
      "rows that the fit has not seen: in the first part whole devices are left out (ten folds), in the second whole models. How the fit works: [methods.md](methods.md).\n"
      "\nShare of unseen rows within their printed 80 % interval: devices left out {:.1f} %, models left out {:.1f} %.\n",
      data.rows().size(), 100 * interval_coverage(unseen_devices), 100 * interval_coverage(unseen_models));
  out += "\n# Devices left out: decode\n" + tables(unseen_devices, MeasuredTest::decode);
  out += "\n# Models left out: decode\n" + tables(unseen_models, MeasuredTest::decode);
  out += "\n# Devices left out: prefill\n" + tables(unseen_devices, MeasuredTest::prefill);
  out += "\n# Models left out: prefill\n" + tables(unseen_models, MeasuredTest::prefill);
  out += "\n# What the fit itself leaves: decode\n" + tables(fit.residuals, MeasuredTest::decode);
  out += "\n# What the fit itself leaves: prefill\n" + tables(fit.residuals, MeasuredTest::prefill);
  return out + outliers(fit) + not_fitted(data);
}

}  // namespace planner::calibration
