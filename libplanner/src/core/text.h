// Small text helpers that every module may use: case, numbers, nearest names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace planner::text {

[[nodiscard]] std::string to_lower(std::string_view s);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] bool contains(std::string_view s, std::string_view part);
[[nodiscard]] bool ends_with(std::string_view s, std::string_view suffix);
[[nodiscard]] std::string_view trim(std::string_view s);
[[nodiscard]] std::vector<std::string_view> split(std::string_view s, char separator);

/// Whole-string integer; nothing when there is anything else in it or it does not fit.
[[nodiscard]] std::optional<std::int64_t> parse_int(std::string_view s);
/// Whole-string finite number.
[[nodiscard]] std::optional<double> parse_double(std::string_view s);

/// Optimal-string-alignment distance: insertions, deletions, substitutions, swaps of neighbours.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
/// Up to `limit` of `names` that somebody who typed `typed` may have meant, nearest first; none when all are far.
[[nodiscard]] std::vector<std::string> nearest(std::string_view typed, std::span<const std::string> names, std::size_t limit = 3);
/// " (did you mean 'a' or 'b'?)", or nothing when no name is near.
[[nodiscard]] std::string did_you_mean(std::string_view typed, std::span<const std::string> names);

}  // namespace planner::text
