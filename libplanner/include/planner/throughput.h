/// Seconds per token: bytes moved over bandwidth, operations over compute, and the time that every token costs whatever it moves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/deployment.h"
#include "planner/memory.h"
#include "planner/speed_class.h"
#include "planner/workload.h"

namespace planner {

enum class Bound : std::uint8_t { bandwidth, compute, latency, interconnect, host };
[[nodiscard]] std::string_view to_string(Bound bound);

/// One addend of the time per token.
struct TimeTerm {
  std::string name;     ///< "weights", "KV cache", "per layer" ...
  std::string device;
  double seconds = 0;
  std::string formula;  ///< with the numbers in it
  std::string source;
};

struct Throughput {
  double decode_tokens_per_s = 0, decode_low = 0, decode_high = 0;     ///< per sequence, at Workload::depth
  double prefill_tokens_per_s = 0, prefill_low = 0, prefill_high = 0;  ///< 0: no compute rate is known
  double time_to_first_token_s = 0;
  double aggregate_decode_tokens_per_s = 0;  ///< all sequences together
  std::int64_t bytes_read_per_token = 0;     ///< of one step, one sequence
  double efficiency = 0;                     ///< bytes per second achieved / bandwidth of the devices that move them
  Bound bound = Bound::bandwidth;
  std::string basis = "default";             ///< measured, calibrated, fitted, default
  std::vector<TimeTerm> terms;               ///< add up to the time per token
};

/// Bytes read from memory to decode one token of one sequence with `depth` tokens in its cache: all weights that are multiplied (embedding tables
/// are looked up, not read), the active experts alone, the head also where it is tied, the KV cache within each layer's window (all of it
/// unless `windows`), the recurrent state.
[[nodiscard]] std::int64_t bytes_read_per_token(const Model& model, const WeightMap& weights, const Workload& workload, bool windows = true);

/// Nothing where a device's bandwidth is not known; `reason` then says whose.
[[nodiscard]] std::optional<Throughput> estimate_throughput(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                                            const Placement& placement, const Catalog& catalog, std::string& reason);

}  // namespace planner
