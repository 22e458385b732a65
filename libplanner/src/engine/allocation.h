// Allocation rules of the engines: cells of the cache, compute buffers, pools. One file per family of engines.
#pragma once

#include <cstdint>

#include "engine/compute_buffers.h"
#include "planner/memory.h"

namespace planner::engine {

/// The rules that a deployment's engine follows: by the version asked for ("b4748"), the newest where none was. ik_llama.cpp, which left the main
/// line in 2024, keeps the older ones.
[[nodiscard]] Generation llama_cpp_generation(const Deployment& deployment);

/// Whether the engine takes flash attention for the model: not for Grok, and the older
/// generation refuses heads whose keys and values differ in width.
[[nodiscard]] bool llama_cpp_allows_flash_attention(const Model& model, Generation generation);

/// Cells of the cache of one stream and how many streams there are.
struct CacheCells {
  std::int64_t full = 0;     ///< tokens of a stream's full-attention cache
  std::int64_t streams = 1;  ///< caches side by side
  std::int64_t padding = 1;
  bool whole_windows = false;  ///< sliding layers cache as much as the others
  /// Tokens of a sliding cache with this window.
  [[nodiscard]] std::int64_t sliding(std::int64_t window, const Workload& w) const;
  [[nodiscard]] std::int64_t total() const { return full * streams; }
};
/// Cells of the whole context, rounded up to `padding` (of the older generation: 256 with flash attention, 32 without). One stream per sequence, or
/// one for all: when unified, and always in the older generation.
[[nodiscard]] CacheCells llama_cpp_cells(const Workload& w, Generation generation, std::int64_t padding, bool flash_attention);

/// The batch that the engine sets space aside for. `windows`: whether sliding layers have a cache of their own.
[[nodiscard]] GraphOptions llama_cpp_graph(const Model& model, const Workload& w, const CacheCells& cells, Generation generation, bool windows, bool flash_attention);

/// Row of the V cache in elements: without flash attention V is transposed, and every layer takes the widest layer's row. 0: each its own.
[[nodiscard]] std::int64_t llama_cpp_common_v_row(const Model& model, Generation generation, bool flash_attention);

/// Peak of activations that a server's profiling run sees, per device: the widest layer over the tokens of one step, and the logits.
[[nodiscard]] std::int64_t activation_peak_bytes(const Model& model, std::int64_t tokens, std::int64_t sequences, std::int64_t tensor_parallel);

}  // namespace planner::engine
