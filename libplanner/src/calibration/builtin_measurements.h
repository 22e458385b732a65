// data/measurements/ as it stands, compiled in; read when somebody asks.
#pragma once

#include <string_view>

namespace planner::calibration {

[[nodiscard]] std::string_view throughput_csv();
[[nodiscard]] std::string_view sources_csv();
[[nodiscard]] std::string_view serving_csv();

}  // namespace planner::calibration
