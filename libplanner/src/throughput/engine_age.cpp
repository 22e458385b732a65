#include "throughput/engine_age.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "planner/speed_class.h"

namespace planner::throughput {
namespace {

/// Builds of llama.cpp with the time of their release, as years. Source: tags of ggml-org/llama.cpp, dates as benchmarks with them state.
struct Build {
  double number, year;
};
constexpr std::array<Build, 11> kBuilds = {{{1000, 2023.63}, {1620, 2023.95}, {2023, 2024.08}, {2824, 2024.35}, {3512, 2024.60}, {4384, 2024.97},
                                            {4748, 2025.14}, {5863, 2025.52}, {6210, 2025.63}, {7423, 2025.96}, {9190, 2026.37}}};

}  // namespace

double engine_years(const Engine& engine, std::string_view version) {
  constexpr double kMostYears = 3.5;
  if (version.size() < 2 || version.front() != 'b' || (engine.id != "llama.cpp" && engine.based_on != "llama.cpp")) return 0;
  const auto number = text::parse_int(version.substr(1));
  if (!number) return 0;
  const auto n = static_cast<double>(*number);
  if (n >= kBuilds.back().number) return std::max(0.0, kSpeedYear - kBuilds.back().year - (n - kBuilds.back().number) / 4000);
  if (n <= kBuilds.front().number) return kSpeedYear - kBuilds.front().year;
  const auto above = std::find_if(kBuilds.begin(), kBuilds.end(), [&](const Build& b) { return b.number > n; });
  const auto below = above - 1;
  const double year = below->year + (above->year - below->year) * (n - below->number) / (above->number - below->number);
  return std::clamp(kSpeedYear - year, 0.0, kMostYears);
}

}  // namespace planner::throughput
