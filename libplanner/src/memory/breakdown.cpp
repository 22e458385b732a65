#include "planner/breakdown.h"

#include <algorithm>

namespace planner {
namespace {

void add(BreakdownTerm& term, const Buffer& b) {
  term.bytes += b.bytes;
  term.uncertainty_bytes += b.uncertainty_bytes;
  term.basis = std::max(term.basis, b.basis);  // ordered from file to assumption
}

BreakdownRow row_of(const DeviceMemory& device) {
  BreakdownRow row;
  row.device = device.name;
  row.layers = device.layers;
  row.capacity_bytes = device.capacity_bytes;
  row.usable_bytes = device.usable_bytes;
  row.total.basis = Basis::file;
  for (auto& term : row.terms) term.basis = Basis::file;
  for (const auto& b : device.buffers) {
    add(row.terms[static_cast<std::size_t>(b.component)], b);
    add(row.total, b);
  }
  return row;
}

}  // namespace

std::vector<BreakdownRow> breakdown(const MemoryEstimate& memory, std::size_t most_rows) {
  std::vector<BreakdownRow> rows;
  const bool shared = memory.devices.size() > most_rows;
  for (const auto& device : memory.devices) {
    auto row = row_of(device);
    const auto it = std::find_if(rows.begin(), rows.end(), [&](const BreakdownRow& r) { return shared && r.device == row.device; });
    if (it == rows.end()) {
      rows.push_back(std::move(row));
      continue;
    }
    row.equals = it->equals + 1;
    if (row.total.bytes > it->total.bytes) *it = std::move(row);
    else it->equals = row.equals;
  }
  return rows;
}

std::optional<Basis> basis_of(const std::vector<BreakdownRow>& rows, Component component) {
  std::optional<Basis> weakest;
  for (const auto& row : rows) {
    const auto& term = row.term(component);
    if (term.bytes > 0) weakest = std::max(weakest.value_or(Basis::file), term.basis);
  }
  return weakest;
}

}  // namespace planner
