/// What tables that set deployments side by side show of an answer: the memory that decides, and the speed for the money and for the power.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "planner/catalog.h"
#include "planner/estimate.h"

namespace planner {

/// One line of such a table. Unknown is absent.
struct Comparison {
  Verdict verdict = Verdict::fits;
  // Memory of the device that decides: the limiting one, else the accelerator with the least to spare, the host where there is none.
  std::string device;
  std::int64_t needed_bytes = 0;  ///< with everything on the accelerators: usable + shortfall where something is missing, else what is allocated
  std::optional<std::int64_t> usable_bytes;
  std::optional<std::int64_t> free_bytes;  ///< usable - needed; absent where something is missing
  // Of all devices together. Absent as soon as one device's figure is.
  std::optional<double> price_usd;          ///< at launch
  std::optional<double> power_w;            ///< board power
  std::optional<double> decode_per_dollar;  ///< tokens/s of all sequences together / price
  std::optional<double> joules_per_token;   ///< board power / tokens/s of all sequences together: an upper bound, boards draw less while they wait for memory
};

/// The line of an answer; `request` is what was asked. Throws Error (unknown_name) where a device of the request is not in the catalog.
/// Example: RTX 4090 (1,599 USD, 450 W) at 100 tokens/s -> 0.0625 tokens/s per dollar, 4.5 J per token (comparison_test.cpp)
[[nodiscard]] Comparison comparison_of(const Estimate& answer, const EstimateRequest& request, const Catalog& catalog);

}  // namespace planner
