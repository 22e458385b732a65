// Errors by group, and the table that shows them.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace planner::test {

/// Relative errors (0.01 is 1 %) collected by group.
class ErrorTable {
 public:
  explicit ErrorTable(std::string heading) : heading_(std::move(heading)) {}

  /// `rounding`: half of the last digit of the published figure, relative.
  void add(const std::string& group, double error, double rounding = 0) {
    groups_[group].errors.push_back(error);
    groups_[group].roundings.push_back(rounding);
  }
  /// Of the absolute errors.
  [[nodiscard]] double median(const std::string& group) const;
  /// Share of rows with an absolute error of at most `limit`.
  [[nodiscard]] double share_within(const std::string& group, double limit) const;

  /// One line a group: n, median, 95th percentile and maximum of the absolute error, mean of the signed one, median rounding; in per cent.
  [[nodiscard]] std::string text() const;

 private:
  struct Group {
    std::vector<double> errors, roundings;
  };
  std::string heading_;
  std::map<std::string, Group> groups_;
};

}  // namespace planner::test
