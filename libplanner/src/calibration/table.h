// Comma-separated tables: quoted fields may hold commas, doubled quotes and line ends.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace planner::calibration {

/// Calls `row` for each line, the heading included, with its 1-based number. An open quote ends with the text.
void read_table(std::string_view text, const std::function<void(std::int64_t line, const std::vector<std::string>& fields)>& row);

/// The field as a table holds it.
[[nodiscard]] std::string table_field(std::string_view value);

}  // namespace planner::calibration
