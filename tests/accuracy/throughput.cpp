// Predicted against published speeds, on what the fit has not seen: whole devices left out, whole models left out, a large model predicted from runs of a small one.
//
// The fits are made anew, with the program that made data/speed/fit.yaml, so that a change of the model shows here before its factors are committed. Bars are
// what has been reached and must not be lost; what is aimed at stands beside them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "planner/calibration.h"
#include "support/files.h"

namespace {

using namespace planner;

const SpeedData& published() {
  static const SpeedData data(builtin_measurements(), Catalog::builtin());
  return data;
}

const std::vector<FittedRow>& unseen(LeaveOut what) {
  static const std::vector<FittedRow> devices = cross_validate(published(), LeaveOut::device);
  static const std::vector<FittedRow> models = cross_validate(published(), LeaveOut::model);
  return what == LeaveOut::device ? devices : models;
}

std::vector<FittedRow> of(const std::vector<FittedRow>& rows, MeasuredTest test) {
  std::vector<FittedRow> out;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(out), [&](const FittedRow& r) { return r.measurement->test == test; });
  return out;
}

void print(const std::string& heading, const std::vector<ErrorSummary>& lines) {
  std::string text = fmt::format("\n{:<44} {:>6} {:>9} {:>12} {:>8} {:>11}\n", heading, "rows", "median", "within 20 %", "bias", "90 % below");
  for (const auto& s : lines) text += fmt::format("{:<44} {:>6} {:>7.1f} % {:>10.0f} % {:>+6.1f} % {:>9.0f} %\n", s.group, s.rows, 100 * s.median, 100 * s.within_20, 100 * s.bias, 100 * s.p90);
  MESSAGE(text);
}

/// The lines of a table by group.
std::map<std::string, ErrorSummary> report(const std::string& heading, const std::vector<FittedRow>& rows) {
  const auto by_vendor = error_table(rows, [](const FittedRow& r) { return r.vendor; });
  const auto by_kind = error_table(rows, [](const FittedRow& r) { return std::string(r.routed ? "mixture of experts" : "dense"); });
  print(heading + ", by vendor", by_vendor);
  print(heading + ", by kind of model", by_kind);
  std::map<std::string, ErrorSummary> out;
  for (const auto* lines : {&by_vendor, &by_kind}) {
    for (const auto& s : *lines) out[s.group] = s;
  }
  return out;
}

struct Bar {
  std::string_view group;
  double median;  ///< at most
  double within;  ///< share of rows within 20 %, at least
};

void hold(const std::map<std::string, ErrorSummary>& lines, std::initializer_list<Bar> bars) {
  for (const auto& bar : bars) {
    CAPTURE(bar.group);
    const auto it = lines.find(std::string(bar.group));
    REQUIRE(it != lines.end());
    CHECK_LE(it->second.median, bar.median);
    CHECK_GE(it->second.within_20, bar.within);
  }
}

}  // namespace

TEST_CASE("throughput: devices that the fit has not seen") {
  const auto decode = report("decode, devices left out", of(unseen(LeaveOut::device), MeasuredTest::decode));
  // Aimed at: all 12 % and 75 %, mixtures 12 %.
  hold(decode, {{"all", 0.095, 0.77}, {"NVIDIA", 0.08, 0.88}, {"AMD", 0.125, 0.74}, {"Apple", 0.095, 0.66}, {"Intel", 0.20, 0.60}, {"CPU", 0.60, 0.35}, {"mixture of experts", 0.135, 0.63}});
  const auto prefill = report("prefill, devices left out", of(unseen(LeaveOut::device), MeasuredTest::prefill));
  // Aimed at: 20 %.
  hold(prefill, {{"all", 0.24, 0.43}, {"NVIDIA", 0.20, 0.52}, {"Apple", 0.09, 0.66}});
}

TEST_CASE("throughput: models that the fit has not seen, on known devices") {
  const auto decode = report("decode, models left out", of(unseen(LeaveOut::model), MeasuredTest::decode));
  // Aimed at: all 7 % and 88 %, mixtures 12 %.
  hold(decode, {{"all", 0.09, 0.79}, {"NVIDIA", 0.095, 0.82}, {"AMD", 0.09, 0.77}, {"Apple", 0.09, 0.77}, {"mixture of experts", 0.10, 0.70}});
  const auto prefill = report("prefill, models left out", of(unseen(LeaveOut::model), MeasuredTest::prefill));
  hold(prefill, {{"all", 0.245, 0.42}, {"Apple", 0.15, 0.68}});
}

TEST_CASE("throughput: the printed interval holds 80 % of what nothing has seen") {
  for (const auto what : {LeaveOut::device, LeaveOut::model}) {
    const double share = interval_coverage(unseen(what));
    MESSAGE(fmt::format("{} left out: {:.1f} % of rows within their interval", what == LeaveOut::device ? "devices" : "models", 100 * share));
    CHECK_GE(share, 0.75);
    CHECK_LE(share, 0.88);
  }
}

TEST_CASE("throughput: 70B from runs of an 8B") {
  // Nothing of 30B or more is in the fit; what is predicted are the Q4 files of 70B models, on devices that ran an 8B one.
  const auto billions = [](const Measurement& m) {
    const auto* entry = Catalog::builtin().find_model(m.model);
    return entry == nullptr ? 0.0 : static_cast<double>(entry->model().parameters().total) / 1e9;
  };
  std::set<std::string> ran_small;
  for (const auto& m : published().rows()) {
    if (m.test == MeasuredTest::decode && billions(m) > 7.5 && billions(m) < 8.5) ran_small.insert(m.backend + m.device);
  }
  const auto rows = of(predict_from(published(), [&](const Measurement& m) { return billions(m) < 30; },
                                    [&](const Measurement& m) { return billions(m) > 68 && billions(m) < 73 && m.quantization.starts_with("Q4") && ran_small.contains(m.backend + m.device); }),
                       MeasuredTest::decode);
  const auto lines = error_table(rows, [](const FittedRow& r) { return r.measurement->device; });
  print("70B Q4 from models below 30B", lines);
  REQUIRE_GE(rows.size(), 40);
  CHECK_LE(lines.front().median, 0.10);
}

TEST_CASE("throughput: the committed factors are those of the committed measurements") {
  std::ifstream in(test::repository_data() / "speed" / "fit.yaml");
  std::stringstream committed;
  committed << in.rdbuf();
  REQUIRE(in);
  // The library in use was built with them: its predictions are the fit's own.
  const auto fit = fit_speed(published());
  const auto in_use = predict_measured(published(), Catalog::builtin());
  std::map<std::string, double> by_id;
  for (const auto& r : in_use) by_id[r.measurement->id] = r.predicted;
  double worst = 0;
  for (const auto& r : fit.residuals) worst = std::max(worst, std::fabs(std::log(by_id.at(r.measurement->id) / r.predicted)));
  CHECK_LE(worst, 0.02);  // three decimals of each logarithm
}
