// The robust hierarchical fit: effects of groups from observations.
#pragma once

#include <span>
#include <vector>

#include "calibration/observations.h"

namespace planner::calibration {

/// What is believed of an effect before any measurement: a mean for all devices, and how far each level may move it (0: that level does not have it).
struct Prior {
  Effect effect;
  double mean;
  std::array<double, kSpeedLevels> sigma;  ///< general, backend, generation, memory, device, engine, local
};
[[nodiscard]] const Prior& prior_of(Effect effect);

/// Effects by group (Observations::groups) and effect.
class Effects {
 public:
  explicit Effects(std::size_t groups) : values_(groups * kEffects, 0.0) {}
  [[nodiscard]] double& at(int group, Effect e) { return values_[static_cast<std::size_t>(group) * kEffects + static_cast<std::size_t>(e)]; }
  [[nodiscard]] double at(int group, Effect e) const { return values_[static_cast<std::size_t>(group) * kEffects + static_cast<std::size_t>(e)]; }

 private:
  std::vector<double> values_;
};

/// log seconds of an observation under given effects.
[[nodiscard]] double log_seconds(const Observation& o, const Effects& effects);

struct SolverOptions {
  double scale = 0.1;   ///< of the residuals' logarithm, where a row begins to count as an outlier
  int iterations = 25;
  const Effects* start = nullptr;                 ///< null: the priors' means
  std::vector<SpeedLevel> levels;                 ///< that move; empty: all but local. The others keep `start`
};
/// The effects that observations and priors agree on best.
[[nodiscard]] Effects solve(std::span<const Observation* const> observations, std::size_t n_groups, const SolverOptions& options);

/// What the robust loss leaves of a row with such a residual: 1 at 0, 1/2 at twice the scale.
[[nodiscard]] double robust_weight(double residual, double scale);

}  // namespace planner::calibration
