#include "support/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace planner::test {
namespace {

std::vector<double> sorted_absolute(std::vector<double> values) {
  for (auto& v : values) v = std::abs(v);
  std::sort(values.begin(), values.end());
  return values;
}

/// Value that `share` of the sorted values do not exceed.
double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

}  // namespace

double ErrorTable::median(const std::string& group) const { return quantile(sorted_absolute(groups_.at(group).errors), 0.5); }

double ErrorTable::share_within(const std::string& group, double limit) const {
  const auto& errors = groups_.at(group).errors;
  const auto n = std::count_if(errors.begin(), errors.end(), [&](double e) { return std::abs(e) <= limit; });
  return static_cast<double>(n) / static_cast<double>(errors.size());
}

std::string ErrorTable::text() const {
  std::string out = fmt::format("{:<24}{:>6}{:>10}{:>10}{:>10}{:>10}{:>10}\n", heading_, "n", "median", "p95", "max", "mean", "rounding");
  for (const auto& [name, group] : groups_) {
    const auto absolute = sorted_absolute(group.errors);
    const double mean = std::accumulate(group.errors.begin(), group.errors.end(), 0.0) / static_cast<double>(group.errors.size());
    out += fmt::format("{:<24}{:>6}{:>10.3f}{:>10.3f}{:>10.3f}{:>+10.3f}{:>10.3f}\n", name, absolute.size(), 100 * quantile(absolute, 0.5),
                       100 * quantile(absolute, 0.95), 100 * absolute.back(), 100 * mean, 100 * quantile(sorted_absolute(group.roundings), 0.5));
  }
  return out;
}

}  // namespace planner::test
