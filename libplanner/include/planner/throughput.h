/// Seconds per token: what is moved over bandwidth, what is computed over arithmetic, what is launched, and how long each device takes for it.
///
/// One step of decode in one place (a device, or the host):
///     sum over format classes of (weight bytes / bandwidth * f + weights * operations each / FP32 peak * f)    routed experts: the share that is touched
///     + cache bytes at the depth / bandwidth * f + attention operations / FP32 peak * f + recurrent state / bandwidth * f
///     + operations of the graph * time per launch
/// plus sampling and host work, hops between devices, all-reduces of tensor parallelism. The factors f are fitted to measurements (speed_class.h, docs/methods.md).
/// A prompt: matrix operations over the matrix peak, attention's quadratic part, weights once per ubatch, launches per ubatch, activations.
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
  std::string name;     ///< "weights", "KV cache", "launches" ...
  std::string device;
  double seconds = 0;
  std::string formula;  ///< with the numbers in it
  std::string source;
};

struct Throughput {
  double decode_tokens_per_s = 0, decode_low = 0, decode_high = 0;     ///< per sequence, at Workload::depth
  double prefill_tokens_per_s = 0, prefill_low = 0, prefill_high = 0;  ///< of the prompt's tokens that are not cached
  double time_to_first_token_s = 0;
  double aggregate_decode_tokens_per_s = 0;  ///< all sequences together
  std::int64_t bytes_read_per_token = 0;     ///< of one step, one sequence
  double efficiency = 0;                     ///< bytes per second achieved / bandwidth of the devices that move them
  Bound bound = Bound::bandwidth;
  std::string basis = "default";             ///< measured, calibrated, fitted, default
  std::vector<TimeTerm> terms;               ///< add up to the time per token; only where asked for
};

/// Bytes read from memory to decode one token of one sequence with `depth` tokens in its cache: all weights that are multiplied (embedding tables
/// are looked up, not read), the active experts alone, the head also where it is tied, the KV cache within each layer's window (all of it
/// unless `windows`), the recurrent state.
[[nodiscard]] std::int64_t bytes_read_per_token(const Model& model, const WeightMap& weights, const Workload& workload, bool windows = true);

/// Nothing where a device's bandwidth is not known; `reason` then says whose. `explain` fills Throughput::terms.
[[nodiscard]] std::optional<Throughput> estimate_throughput(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                                            const Placement& placement, const Catalog& catalog, std::string& reason, bool explain = false);

/// Rates at one number of sequences.
struct BatchPoint {
  std::int64_t sequences = 1;
  double tokens_per_s = 0;            ///< of one sequence
  double aggregate_tokens_per_s = 0;
  double time_to_first_token_s = 0;   ///< of a prompt that waits for nothing but its own prefill
};

/// The most sequences at once, up to `limit`, at which a token takes at most `tpot_s` and the prompt at most `ttft_s` (0: no goal). Nothing where one
/// sequence alone misses a goal, or nothing is known of the device. What fits in memory is not asked.
[[nodiscard]] std::optional<BatchPoint> largest_batch(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                                      const Placement& placement, const Catalog& catalog, std::int64_t limit, double ttft_s, double tpot_s);

/// Decoding with drafted tokens: `drafted` are proposed one after the other, then checked by the model in one step.
///     tokens per round = (1 - acceptance^(drafted + 1)) / (1 - acceptance)
///     seconds per round = drafted * seconds per drafted token + one step over drafted + 1 tokens of the sequence
/// Weights and cache are read once per step, but a mixture's step touches more experts, and arithmetic grows with the tokens.
/// Source: Leviathan et al., Fast Inference from Transformers via Speculative Decoding, arXiv 2211.17192, equation 1.
/// Example: acceptance 0.8, 4 drafted -> 3.36 tokens per round (throughput_test.cpp)
struct Speculative {
  double tokens_per_round = 1;
  double seconds_per_round = 0;
  double tokens_per_s = 0;
  double speedup = 1;  ///< against decoding without a draft; below 1 it loses
};
/// `draft_seconds`: of one token of the draft model at this depth; absent: the model's own multi-token-prediction layers draft. Nothing where the speed of a
/// device is not known, or there is neither.
[[nodiscard]] std::optional<Speculative> estimate_speculative(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                                              const Placement& placement, const Catalog& catalog, double acceptance, std::int64_t drafted,
                                                              std::optional<double> draft_seconds);

/// The depth beyond which drafting loses, up to `most` tokens: the checked tokens' attention grows with the cache. Nothing where it gains everywhere; 0 where it
/// never gains.
[[nodiscard]] std::optional<std::int64_t> speculative_limit(const Model& model, const WeightMap& weights, Workload workload, const Deployment& deployment,
                                                            const Placement& placement, const Catalog& catalog, double acceptance, std::int64_t drafted,
                                                            std::optional<double> draft_seconds, std::int64_t most);

}  // namespace planner
