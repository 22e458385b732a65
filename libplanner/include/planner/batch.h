/// One line of a batch: a request as JSON in, an answer as JSON out. What `planner batch` and services answer with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "planner/catalog.h"

namespace planner {

/// "planner.estimate/1" for the request in `json_line`, or {"schema": "planner.error/1", "line": N, "error": "..."} where it cannot be answered. Never throws for
/// bad input. Thread-safe.
[[nodiscard]] std::string answer_line(std::string_view json_line, std::int64_t line_number, const Catalog& catalog);

/// The same for JSON Lines: one answer a line, in order, each with a line break behind it. Lines count from 1.
[[nodiscard]] std::string answer_lines(std::string_view json_lines, const Catalog& catalog);

/// {"schema": "planner.error/1", "line": N, "error": why}; without `line` where there are none.
[[nodiscard]] std::string error_json(std::string_view why, std::optional<std::int64_t> line = std::nullopt);

}  // namespace planner
