// Servers with a KV pool: which rules hold, what a rank holds of the weights, and what a step needs.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/deployment.h"
#include "planner/workload.h"

namespace planner::engine {

/// The rules of the version asked for, the newest where none was.
[[nodiscard]] const ServerRules& server_rules(const Deployment& deployment);

/// How many ranks cut a layer, and how many stages of layers stand behind each other.
struct Ranks {
  std::int64_t tensor = 1, pipeline = 1;
  [[nodiscard]] std::int64_t total() const { return tensor * pipeline; }
};
/// As told; otherwise all devices cut every layer, as far as the heads can be divided among them, and stages take the rest.
[[nodiscard]] Ranks ranks_of(const Model& model, const Deployment& deployment);

/// The layers of one stage.
struct Stage {
  std::int64_t first = 0, n_layers = 0;
  bool is_first = true, is_last = true;
  [[nodiscard]] bool holds(std::int64_t layer) const { return layer >= first && layer < first + n_layers; }
};
/// Equal stages; layers over go to the ones before the last, from the back, or (`last_takes_rest`, older rules) all to the last.
/// Source: get_pp_indices in vllm/distributed/utils.py (vllm-project/vllm).
[[nodiscard]] std::vector<Stage> stages_of(std::int64_t n_layers, std::int64_t pipeline, bool last_takes_rest = false);

/// What one step may hold.
struct StepLimits {
  std::int64_t tokens = 0, sequences = 0, graph_sequences = 0;
};
[[nodiscard]] StepLimits step_limits(const ServerRules& rules, const Workload& workload, const DeploymentDevice* device, const Ranks& ranks);

/// The default share of a device, where none was asked for.
[[nodiscard]] double default_fraction(const ServerRules& rules, const StepLimits& limits, const Ranks& ranks, std::int64_t memory);

/// What a rank holds from loading on.
struct RankWeights {
  std::int64_t matrices = 0;   ///< its part of the weights, and the towers'
  std::int64_t slack = 0;      ///< what the allocator's blocks are larger
  std::int64_t tables = 0;     ///< rotary tables
  std::int64_t absorbed = 0;   ///< products of MLA projections kept beside them
};
[[nodiscard]] RankWeights rank_weights(const Model& model, const WeightMap& weights, const Engine& engine, const ServerRules& rules, const Ranks& ranks, const Stage& stage);

/// Peak of a step's intermediate results on a rank: the widest layer over all tokens, or the logits of all sequences while they are sampled.
///     max(2 * tokens * (2 * hidden + widest layer), 2 * tokens * hidden + sequences * vocabulary * logit_bytes)
[[nodiscard]] std::int64_t step_activation_bytes(const Model& model, const ServerRules& rules, const StepLimits& limits, const Ranks& ranks, const Stage& stage);

/// Graphs that are captured: 1, 2, 4, then every 8 up to 256, then every `step_beyond`.
[[nodiscard]] std::int64_t captured_graphs(const GraphCapture& capture, const StepLimits& limits);

}  // namespace planner::engine
