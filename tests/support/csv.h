// CSV tables with a heading line: quoted fields may hold commas, quotes (doubled) and line ends.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace planner::test {

struct CsvRow {
  int line = 0;  ///< 1-based line of the file where the row begins
  std::map<std::string, std::string, std::less<>> fields;

  /// A field by its column's heading; fails the test case where there is no such column.
  [[nodiscard]] const std::string& operator[](std::string_view column) const;
};

/// All rows below the heading. Throws std::runtime_error: unreadable, or a row with another number of fields than the heading.
[[nodiscard]] std::vector<CsvRow> read_csv(const std::filesystem::path& path);

}  // namespace planner::test
