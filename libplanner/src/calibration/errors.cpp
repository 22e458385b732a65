// Error tables, and the ranges that predictions carry.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/json_writer.h"
#include "planner/calibration.h"

namespace planner {
namespace {

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

/// Ranges of groups with fewer rows, or of fewer devices, are those of all back ends together.
constexpr std::size_t kFewRows = 8, kFewDevices = 4;

/// Multiples of the prediction between which 80 % of the measurements lie, as logarithms.
struct LogRange {
  double low = -0.7, high = 0.7;
};
LogRange range_of(const std::vector<double>& errors, double tail) {
  // measured / predicted is the inverse of the error.
  return {std::min(0.0, -quantile(errors, 1 - tail)), std::max(0.0, -quantile(errors, tail))};
}

std::string range_key(const FittedRow& r, bool by_backend) {
  return fmt::format("{}{}{}", r.measurement->test == MeasuredTest::decode ? "decode" : "prefill", r.routed ? "_experts" : "", by_backend ? "|" + r.measurement->backend : "");
}

/// Ranges by kind and back end ("decode|cuda"), and by kind alone.
std::map<std::string, LogRange> ranges_of(const std::vector<const FittedRow*>& rows, double tail) {
  std::map<std::string, std::vector<double>> errors;
  std::map<std::string, std::set<std::string>> devices;
  for (const auto* r : rows) {
    for (const bool by_backend : {false, true}) {
      const auto key = range_key(*r, by_backend);
      errors[key].push_back(r->log_error);
      devices[key].insert(r->measurement->device);
    }
  }
  std::map<std::string, LogRange> out;
  for (const auto& [key, values] : errors) {
    if (values.size() >= kFewRows && devices[key].size() >= kFewDevices) out[key] = range_of(values, tail);
  }
  return out;
}

/// Share of rows within the ranges that the other folds' errors give, when so much is cut off at either end.
double coverage(std::span<const FittedRow> unseen, double tail) {
  std::map<int, std::map<std::string, LogRange>> ranges;
  std::size_t inside = 0;
  for (const auto& r : unseen) {
    auto it = ranges.find(r.fold);
    if (it == ranges.end()) {
      std::vector<const FittedRow*> others;
      for (const auto& o : unseen) {
        if (o.fold != r.fold) others.push_back(&o);
      }
      it = ranges.emplace(r.fold, ranges_of(others, tail)).first;
    }
    auto range = it->second.find(range_key(r, true));
    if (range == it->second.end()) range = it->second.find(range_key(r, false));
    const LogRange bounds = range == it->second.end() ? LogRange{} : range->second;
    if (-r.log_error >= bounds.low && -r.log_error <= bounds.high) ++inside;
  }
  return unseen.empty() ? 0 : static_cast<double>(inside) / static_cast<double>(unseen.size());
}

/// What to cut off at either end so that 80 % of unseen rows lie between. A tenth would do if errors were independent; those of one device or model are alike, so
/// that the folds at hand show less than there is.
double tail_of(std::span<const FittedRow> unseen) {
  constexpr double kWanted = 0.8;
  double tail = 0.10;
  while (tail > 0.02 && coverage(unseen, tail) < kWanted) tail -= 0.005;
  return tail;
}

std::string ranges_yaml(std::span<const FittedRow> rows, const std::string& known) {
  const double tail = tail_of(rows);
  std::vector<const FittedRow*> all;
  for (const auto& r : rows) all.push_back(&r);
  std::map<std::string, std::string> lines;  // by back end, "" for all
  for (const auto& [key, range] : ranges_of(all, tail)) {
    const auto bar = key.find('|');
    lines[bar == std::string::npos ? "" : key.substr(bar + 1)] += fmt::format(", {}: [{:.3f}, {:.3f}]", key.substr(0, bar), std::exp(range.low), std::exp(range.high));
  }
  std::string out;
  for (const auto& [backend, text] : lines) out += fmt::format("  - {{id: range/{}{}{}}}\n", backend.empty() ? "" : backend + "/", known, text);
  return out;
}

}  // namespace

double interval_coverage(std::span<const FittedRow> unseen) { return coverage(unseen, tail_of(unseen)); }

std::string speed_yaml(const FittedSpeed& fit, std::span<const FittedRow> unseen_devices, std::span<const FittedRow> unseen_models) {
  std::string out =
      "# Made by planner-fit from data/measurements/; not to be edited. Effects are logarithms of factors, added over the groups that a device belongs to\n"
      "# (planner/speed_class.h); ranges bound 80 % of measurements as multiples of the prediction, for devices with and without measurements of their own.\n"
      "speed:\n";
  constexpr double kNothing = 0.0005;
  for (const auto& [group, effects] : fit.effects) {
    std::string list;
    for (const auto& [name, value] : effects) {
      if (std::fabs(value) >= kNothing) list += fmt::format("{}{}: {:.3f}", list.empty() ? "" : ", ", name, value);
    }
    const auto rows = fit.rows.find(group);
    out += fmt::format("  - {{id: \"{}\", rows: {}, effects: {{{}}}}}\n", group, rows == fit.rows.end() ? 0 : rows->second, list);
  }
  return out + ranges_yaml(unseen_models, "known") + ranges_yaml(unseen_devices, "unknown");
}

ErrorSummary summarize_errors(std::string group, std::span<const FittedRow* const> rows) {
  ErrorSummary s;
  s.group = std::move(group);
  s.rows = rows.size();
  std::vector<double> absolute, signed_errors;
  for (const auto* r : rows) {
    const double e = r->relative_error();
    absolute.push_back(std::fabs(e));
    signed_errors.push_back(e);
    if (std::fabs(e) <= 0.2) s.within_20 += 1;
  }
  if (!rows.empty()) s.within_20 /= static_cast<double>(rows.size());
  s.median = quantile(absolute, 0.5);
  s.p90 = quantile(absolute, 0.9);
  s.bias = quantile(signed_errors, 0.5);
  return s;
}

std::vector<ErrorSummary> error_table(std::span<const FittedRow> rows, const std::function<std::string(const FittedRow&)>& group) {
  std::map<std::string, std::vector<const FittedRow*>> groups;
  std::vector<const FittedRow*> all;
  for (const auto& r : rows) {
    groups[group(r)].push_back(&r);
    all.push_back(&r);
  }
  std::vector<ErrorSummary> out;
  for (const auto& [name, members] : groups) out.push_back(summarize_errors(name, members));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.rows > b.rows; });
  out.insert(out.begin(), summarize_errors("all", all));
  return out;
}

std::string accuracy_json(const SpeedData& data, std::span<const FittedRow> rows) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.accuracy/1").key("rows").begin_array();
  for (const auto& r : rows) {
    const auto& m = *r.measurement;
    j.begin_object().field("id", m.id).field("device", m.device).field("devices", m.devices).field("backend", m.backend).field("engine", m.engine).field("model", m.model);
    j.field("quantization", m.quantization).field("test", to_string(m.test)).field("tokens", m.tokens).field("depth", m.depth);
    j.field("measured_tokens_per_s", m.tokens_per_s).field("predicted_tokens_per_s", r.predicted).field("error", r.relative_error());
    j.key("not_fitted").text_or_null(m.not_fitted).key("source").text_or_null(m.source).end_object();
  }
  j.end_array().key("errors").begin_array();
  for (const auto test : {MeasuredTest::decode, MeasuredTest::prefill}) {
    std::vector<FittedRow> some;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(some), [&](const FittedRow& r) { return r.measurement->test == test && r.measurement->not_fitted.empty(); });
    const auto write = [&](const char* by, const std::vector<ErrorSummary>& lines) {
      for (const auto& s : lines) {
        j.begin_object().field("test", to_string(test)).field("by", by).field("group", s.group).field("rows", static_cast<std::int64_t>(s.rows));
        j.field("median", s.median).field("within_20_percent", s.within_20).field("bias", s.bias).field("p90", s.p90).end_object();
      }
    };
    if (some.empty()) continue;
    write("vendor", error_table(some, [](const FittedRow& r) { return r.vendor; }));
    write("backend", error_table(some, [](const FittedRow& r) { return r.measurement->backend; }));
    write("kind", error_table(some, [](const FittedRow& r) { return std::string(r.routed ? "mixture of experts" : "dense"); }));
  }
  j.end_array().key("not_predicted").begin_array();
  for (const auto& l : data.left_out()) j.begin_object().field("id", l.id).field("reason", l.reason).end_object();
  return j.end_array().end_object().take();
}

}  // namespace planner
