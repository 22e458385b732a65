// Fits, cross-validation, predictions for measured rows.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "calibration/solver.h"
#include "planner/calibration.h"

namespace planner {
namespace {

using calibration::Effects;
using calibration::Observation;

/// Rows beyond such a logarithm count as outliers: decode is steadier than prefill.
double scale_of(MeasuredTest test) { return test == MeasuredTest::decode ? 0.10 : 0.15; }

constexpr MeasuredTest kTests[] = {MeasuredTest::decode, MeasuredTest::prefill};

using Pointers = std::vector<const Observation*>;

/// Observations of one test that take part in fits.
Pointers pick(const SpeedData& data, MeasuredTest test, const std::function<bool(const Measurement&)>& wanted) {
  Pointers out;
  for (const auto& o : data.observations().all()) {
    const auto& m = data.rows()[o.row];
    if (m.test == test && m.not_fitted.empty() && wanted(m)) out.push_back(&o);
  }
  return out;
}

FittedRow fitted_row(const SpeedData& data, const Observation& o, double log_seconds) {
  const auto& m = data.rows()[o.row];
  FittedRow r;
  r.measurement = &m;
  r.predicted = o.tokens / std::exp(log_seconds);
  r.log_error = o.log_seconds - log_seconds;
  r.weight = calibration::robust_weight(r.log_error, scale_of(m.test));
  r.routed = o.routed;
  r.architecture = o.architecture, r.vendor = o.vendor, r.generation = o.generation;
  return r;
}

Effects solve(const SpeedData& data, const Pointers& rows, MeasuredTest test, const Effects* start) {
  calibration::SolverOptions options;
  options.scale = scale_of(test);
  options.start = start;
  return calibration::solve(rows, data.observations().groups().size(), options);
}

bool everything(const Measurement&) { return true; }

}  // namespace

double FittedRow::relative_error() const { return std::expm1(log_error); }

SpeedData::SpeedData(std::vector<Measurement> rows, const Catalog& catalog) : rows_(std::move(rows)), observations_(std::make_unique<calibration::Observations>()) {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    std::string reason;
    if (!observations_->add(rows_[i], i, catalog, reason)) left_out_.push_back({rows_[i].id, reason});
  }
  observations_->balance(rows_);
}
SpeedData::~SpeedData() = default;
SpeedData::SpeedData(SpeedData&&) noexcept = default;

FittedSpeed fit_speed(const SpeedData& data) {
  FittedSpeed out;
  const auto& names = data.observations().groups();
  for (const auto test : kTests) {
    const auto rows = pick(data, test, everything);
    if (rows.empty()) continue;
    const auto effects = solve(data, rows, test, nullptr);
    for (const auto* o : rows) {
      out.residuals.push_back(fitted_row(data, *o, calibration::log_seconds(*o, effects)));
      for (const auto& g : o->groups) ++out.rows[names[static_cast<std::size_t>(g.index)]];
    }
    for (std::size_t g = 0; g < names.size(); ++g) {
      for (std::size_t e = 0; e < kEffects; ++e) {
        const double v = effects.at(static_cast<int>(g), static_cast<Effect>(e));
        if (v != 0) out.effects[names[g]][std::string(to_string(static_cast<Effect>(e)))] = v;
      }
    }
  }
  return out;
}

std::vector<FittedRow> cross_validate(const SpeedData& data, LeaveOut what, int folds) {
  const auto key = [&](const Measurement& m) -> const std::string& { return what == LeaveOut::device ? m.device : m.model; };
  std::set<std::string> names;
  for (const auto& m : data.rows()) names.insert(key(m));
  std::vector<std::string> shuffled(names.begin(), names.end());
  // The same deal on every machine: neither the engine's output nor this shuffle is left to the implementation.
  std::mt19937 random(20261124);
  for (std::size_t i = shuffled.size(); i > 1; --i) std::swap(shuffled[i - 1], shuffled[random() % i]);
  std::map<std::string, int> fold_of;
  for (std::size_t i = 0; i < shuffled.size(); ++i) fold_of[shuffled[i]] = static_cast<int>(i % static_cast<std::size_t>(folds)) + 1;

  std::vector<FittedRow> out;
  for (const auto test : kTests) {
    const auto all = pick(data, test, everything);
    if (all.empty()) continue;
    const Effects whole = solve(data, all, test, nullptr);
    for (int fold = 1; fold <= folds; ++fold) {
      const auto train = pick(data, test, [&](const Measurement& m) { return fold_of[key(m)] != fold; });
      // Starts near its end: groups that only the left out rows know fall back to their means in the first step.
      const Effects effects = solve(data, train, test, &whole);
      std::set<int> seen;
      for (const auto* o : train) {
        for (const auto& g : o->groups) seen.insert(g.index);
      }
      for (const auto* o : pick(data, test, [&](const Measurement& m) { return fold_of[key(m)] == fold; })) {
        // Nothing of what the whole fit knew of unseen groups may remain.
        Observation unseen = *o;
        std::erase_if(unseen.groups, [&](const auto& g) { return !seen.contains(g.index); });
        auto row = fitted_row(data, *o, calibration::log_seconds(unseen, effects));
        row.fold = fold;
        out.push_back(std::move(row));
      }
    }
  }
  return out;
}

std::vector<FittedRow> predict_from(const SpeedData& data, const std::function<bool(const Measurement&)>& train, const std::function<bool(const Measurement&)>& test) {
  std::vector<FittedRow> out;
  for (const auto kind : kTests) {
    const auto rows = pick(data, kind, train);
    const auto wanted = pick(data, kind, test);
    if (rows.empty() || wanted.empty()) continue;
    const Effects effects = solve(data, rows, kind, nullptr);
    for (const auto* o : wanted) out.push_back(fitted_row(data, *o, calibration::log_seconds(*o, effects)));
  }
  return out;
}

std::vector<FittedRow> predict_measured(const SpeedData& data, const Catalog& catalog) {
  std::vector<FittedRow> out;
  std::map<std::string, SpeedProfile> profiles;
  for (const auto& o : data.observations().all()) {
    const auto& m = data.rows()[o.row];
    const std::string key = m.device + '|' + m.backend + '|' + m.engine + '|' + std::to_string(o.years);
    auto it = profiles.find(key);
    if (it == profiles.end()) it = profiles.emplace(key, catalog.speed_profile_of(catalog.find_device(m.device), m.backend, m.backend == "cpu", m.engine, o.years)).first;
    double seconds = 0;
    for (const auto& term : o.terms) seconds += term.value(it->second);
    out.push_back(fitted_row(data, o, std::log(seconds)));
  }
  return out;
}

}  // namespace planner
