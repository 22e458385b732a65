// Allocation rules of the engines: cells of the cache, compute buffers, pools. One file per family of engines.
#pragma once

#include <cstdint>

#include "engine/compute_buffers.h"
#include "planner/memory.h"

namespace planner::engine {

/// What changes with the engine's version, and with its switches. Versions are builds ("b4748"); without one the newest rules hold. ik_llama.cpp, which left
/// the main line in 2024 and counts its builds anew, has rules of its own.
struct LlamaRules {
  Generation generation = Generation::v0_5_0;
  bool is_ik = false;
  bool flash_attention = true;
  MlaCache mla_cache = MlaCache::compressed;
  MlaGraph mla_graph = MlaGraph::absorbed;
  bool fused_experts = false;      ///< ik_llama.cpp's -fmoe
  bool caches_mtp_layers = false;  ///< prediction layers have a cache like the others
  int copies = 4;                  ///< of pipeline parallelism
  bool vulkan_has_events = true;       ///< pipeline parallelism on Vulkan devices as well
  bool copies_with_overrides = false;  ///< pipeline parallelism also with tensors placed by hand
  bool caches_windows = true;          ///< sliding layers have a cache of their own
  bool splits_sequences = true;        ///< each sequence has a cache of its own unless they are unified
  bool output_first = true;            ///< of the layers that -ngl counts the output is the first to be placed, not the last
  bool outputs_by_sequence = true;     ///< a server reserves logits of a token per sequence, not of the whole batch
  GraphOptions graph;                  ///< the switches of the graph's form; the rest is for llama_cpp_graph to fill
};
[[nodiscard]] LlamaRules llama_cpp_rules(const Model& model, const Workload& w, const Deployment& deployment);

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
[[nodiscard]] CacheCells llama_cpp_cells(const Workload& w, const LlamaRules& rules, std::int64_t padding);

/// The batch that the engine sets space aside for. `windows`: whether sliding layers have a cache of their own.
[[nodiscard]] GraphOptions llama_cpp_graph(const Model& model, const Workload& w, const CacheCells& cells, const LlamaRules& rules, bool windows);

/// Batches that the engine has under way at once, each with inputs of its own: several with all layers on more than one accelerator.
[[nodiscard]] int llama_cpp_copies(const LlamaRules& rules, const Deployment& deployment, const Workload& w, const Placement& placement);

/// Row of the V cache in elements: without flash attention V is transposed, and every layer takes the widest layer's row. 0: each its own.
[[nodiscard]] std::int64_t llama_cpp_common_v_row(const Model& model, const LlamaRules& rules);

/// Peak of activations that a server's profiling run sees, per device: the widest layer over the tokens of one step, and the logits.
[[nodiscard]] std::int64_t activation_peak_bytes(const Model& model, std::int64_t tokens, std::int64_t sequences, std::int64_t tensor_parallel);

}  // namespace planner::engine
