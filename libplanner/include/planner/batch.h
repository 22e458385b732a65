/// One line of a batch: a request as JSON in, an answer as JSON out. What `planner batch` and services answer with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "planner/catalog.h"

namespace planner {

/// "planner.estimate/1" for the request in `json_line`, or {"schema": "planner.error/1", "line": N, "error": "..."} where it cannot be answered. Never throws for
/// bad input. Thread-safe.
[[nodiscard]] std::string answer_line(std::string_view json_line, std::int64_t line_number, const Catalog& catalog);

}  // namespace planner
