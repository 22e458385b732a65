// How old an engine is: its speed changes with its kernels.
#pragma once

#include <string_view>

#include "planner/catalog.h"

namespace planner::throughput {

/// Years between a version and kSpeedYear, 0 for the newest and for versions that nothing is known of. llama.cpp's builds ("b4748") are dated between
/// builds whose date is known.
[[nodiscard]] double engine_years(const Engine& engine, std::string_view version);

}  // namespace planner::throughput
