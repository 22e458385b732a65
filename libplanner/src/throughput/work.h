// What one step really does in one place: bytes by class of format, operations, launches. Counted from the geometry and the stored formats, without
// a device's rates; terms.h turns it into time.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/deployment.h"
#include "planner/kv_cache.h"
#include "planner/workload.h"

namespace planner::throughput {

using ByClass = std::array<double, kWeightClasses>;

/// Work of one place. `expert_*` are whole stacks: what share of them a step touches depends on its tokens (coverage).
struct Work {
  ByClass bytes{}, weights{};                ///< dense matrices, and the head where it lies here
  ByClass expert_bytes{}, expert_weights{};
  double head_weights = 0;                   ///< of `weights`: the output head, which a prompt goes through once
  // One sequence at the depth asked for, one token.
  double kv_bytes = 0;                       ///< read
  double state_bytes = 0;                    ///< read and written
  double attention_ops = 0;                  ///< scores and values over the cache
  // One prompt.
  double prompt_attention_ops = 0;           ///< every query against what it sees
  double prompt_scores = 0;                  ///< numbers of the score matrices
  // Operations of the graph, whatever the number of tokens.
  double launches = 0, expert_launches = 0, recurrent_launches = 0, stream_launches = 0;
  double matrices = 0;
  double recurrent_layers = 0;
  int layers = 0;

  [[nodiscard]] bool used() const;
  [[nodiscard]] double total_bytes() const;  ///< dense weights and whole stacks
  Work& operator+=(const Work& other);
};

/// Traits of the model that the terms need beside the work.
struct ModelTraits {
  double hidden = 0;
  double expert_share = 0;  ///< active / all routed experts; 0: none
};
[[nodiscard]] ModelTraits traits_of(const Model& model);

/// Share of the routed experts that `tokens` tokens together touch, each picking its own independently: 1 - (1 - share)^tokens.
[[nodiscard]] double expert_coverage(double share, double tokens);
/// The same in a decode step, whose tokens do not pick independently: texts that are alike route alike, so that n tokens touch what n^0.55 independent ones would.
/// Fitted to llama-batched-bench results of three mixtures with 1 to 32 sequences (data/measurements/serving.csv).
[[nodiscard]] double step_coverage(double share, double tokens);

/// One Work per device of the deployment, then the host's.
[[nodiscard]] std::vector<Work> count_work(const Model& model, const WeightMap& weights, const Workload& workload, const Placement& placement,
                                           std::size_t n_devices, bool windows);

}  // namespace planner::throughput
