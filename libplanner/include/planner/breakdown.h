/// The memory of an answer as a table: a row per device, a column per term, each with what it rests on and how far it may be off.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/memory.h"

namespace planner {

inline constexpr std::size_t kComponentCount = 6;

struct BreakdownTerm {
  std::int64_t bytes = 0;
  std::int64_t uncertainty_bytes = 0;  ///< of its buffers, added up
  Basis basis = Basis::config;         ///< the weakest that one of its buffers rests on
};

struct BreakdownRow {
  std::string device;
  std::int64_t equals = 1;  ///< devices of that name, of which this is the fullest; 1: it stands for itself
  std::array<BreakdownTerm, kComponentCount> terms;  ///< by Component
  BreakdownTerm total;
  std::int64_t layers = 0;
  std::optional<std::int64_t> capacity_bytes, usable_bytes;

  [[nodiscard]] const BreakdownTerm& term(Component component) const { return terms[static_cast<std::size_t>(component)]; }
};

/// One row per device that holds anything. Where there are more than `most_rows` devices, those of one name share a row: the fullest's.
/// Example: eight H100 and the host, most_rows 4 -> "H100 SXM" (equals 8) and "host" (memory_test.cpp)
[[nodiscard]] std::vector<BreakdownRow> breakdown(const MemoryEstimate& memory, std::size_t most_rows = 4);

/// The weakest basis of a term over all rows; absent where no row has any of it.
[[nodiscard]] std::optional<Basis> basis_of(const std::vector<BreakdownRow>& rows, Component component);

}  // namespace planner
