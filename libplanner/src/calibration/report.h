// docs/accuracy.md: how far predictions are off, by everything that may matter.
#pragma once

#include <string>

#include "planner/calibration.h"

namespace planner::calibration {

[[nodiscard]] std::string accuracy_report(const SpeedData& data, const FittedSpeed& fit, std::span<const FittedRow> unseen_devices, std::span<const FittedRow> unseen_models);

}  // namespace planner::calibration
