// Allocation rules of the engines: cells of the cache, compute buffers, pools. One file per family of engines.
#pragma once

#include <cstdint>

#include "planner/memory.h"

namespace planner::engine {

/// Cells of the cache of one stream and how many streams there are.
struct CacheCells {
  std::int64_t full = 0;     ///< tokens of a stream's full-attention cache
  std::int64_t streams = 1;
  /// Tokens of a sliding cache with this window.
  [[nodiscard]] std::int64_t sliding(std::int64_t window, const Workload& w, std::int64_t padding) const;
};
[[nodiscard]] CacheCells llama_cpp_cells(const Workload& w, std::int64_t padding);

/// Bytes of one device's compute buffer: the largest phase of the graph that it runs.
/// Source: docs/methods.md, "Compute buffers".
[[nodiscard]] std::int64_t llama_cpp_compute_bytes(const Model& model, const Workload& w, std::int64_t padding, bool flash_attention, bool has_output);

/// Peak of activations that a server's profiling run sees, per device: the widest layer over the tokens of one step, and the logits.
[[nodiscard]] std::int64_t activation_peak_bytes(const Model& model, std::int64_t tokens, std::int64_t sequences, std::int64_t tensor_parallel);

}  // namespace planner::engine
