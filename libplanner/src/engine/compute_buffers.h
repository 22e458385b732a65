// What llama.cpp sets aside for intermediate results: it builds the graph of the largest batch, lays its tensors out and allocates that much.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "planner/model.h"
#include "planner/tensor_format.h"

namespace planner::engine {

/// Rules change with the engine's age; a generation is named after a build whose rules are known.
enum class Generation : std::uint8_t {
  b4748,   ///< February 2025: one cache for all sequences, masks in F32, activations apart from their products
  v0_5_0,  ///< September 2026
};  // what came one by one in between is told by switches of GraphOptions

/// How multi-head latent attention is computed.
enum class MlaGraph : std::uint8_t {
  absorbed,  ///< queries are mapped into the latent space, all heads share the cached row
  expanded,  ///< full keys and values of every head are cached
  unpacked,  ///< ik_llama.cpp: the latent is cached, and full heads are computed from all of it, batch by batch
};

/// One batch and the cache that it sees.
struct GraphOptions {
  std::int64_t tokens = 512;      ///< n_ubatch, at most the context
  std::int64_t sequences = 1;
  std::int64_t outputs = 512;     ///< tokens whose logits are wanted
  std::int64_t cells = 0;         ///< of one stream's cache
  std::int64_t sliding_cells = 0;  ///< of one stream's sliding-window cache; 0: there is none, sliding layers see the whole one
  std::int64_t streams = 1;       ///< caches side by side: one per sequence, or one for all (unified)
  FormatId kv_type_k = FormatId::f16;
  FormatId kv_type_v = FormatId::f16;
  bool flash_attention = true;
  Generation generation = Generation::v0_5_0;
  MlaGraph mla = MlaGraph::absorbed;
  bool mla_stores_v = false;      ///< the absorbed form caches V beside the latent
  bool mask_is_cast = false;      ///< the mask comes in F32; flash attention gets a copy in F16
  bool embeddings_input = true;   ///< embeddings instead of tokens have a place among the inputs
  bool indexed_writes = true;     ///< writes into the cache say by an input of their own where they go
  bool f16_cache_copies = false;  ///< flash attention keeps a quantized cache in F16 behind its result (accelerators)
  std::int64_t draft_states = 0;  ///< recurrent states kept per sequence beside the last
  // Of ik_llama.cpp.
  bool fused_parts = false;       ///< norms with their weights, activations with their products, sums over experts: one operation each
  bool fused_experts = false;     ///< gate and up projections of experts and their activation in one operation
  bool unpacks_in_f32 = false;    ///< full heads are computed in F32 from a copy of the cache, all at once (accelerators)
  bool moves_fused_experts = true;  ///< that operation may move to an accelerator
  bool moves_by_expert = false;     ///< experts move for as many tokens as each of them gets
  std::int64_t attention_max_mib = 0;  ///< scores, or keys and values unpacked, at most this much at once; 0: no limit

  friend bool operator==(const GraphOptions&, const GraphOptions&) = default;
};

/// Where the parts of a model lie that is run on accelerators, alone or with the host. Places: accelerators by number, `host()` behind them.
struct DevicePlan {
  int accelerators = 1;
  std::vector<int> layers;            ///< place of each layer of the model proper
  std::vector<bool> experts_on_host;  ///< layers whose routed experts stay on the host
  int output = 0;                     ///< place of output norm and head
  int copies = 1;                     ///< pipeline parallelism: batches under way at once
  bool moves_products = true;         ///< large batches are multiplied on the first accelerator even where the matrices lie on the host
  bool pins_norms = true;             ///< norms are computed where their layer lies; otherwise where the layer before does
  bool caches_on_host = false;        ///< caches of all layers lie on the host
  bool quantized_attention = true;    ///< accelerators have flash attention over a cache of these formats
  std::int64_t device_alignment = 128;

  [[nodiscard]] int host() const { return accelerators; }
  friend bool operator==(const DevicePlan&, const DevicePlan&) = default;
};

/// Tokens of the vocabulary as published files have it. Those of Gemma 3n leave out the places for images and sound that the config counts (262,400).
[[nodiscard]] std::int64_t file_vocabulary(const Hyperparameters& hp);

/// Whether the family's graph was laid out after the engine's source; of others the closest form is taken, which is an estimate.
[[nodiscard]] bool graph_is_known(const Model& model);

/// Bytes of the compute buffer of a device that runs the given part of the model: the larger of the graphs for a full batch and for one token per
/// sequence.
/// `exhaustive` lays out every layer; otherwise repetitions of the same layers are cut short, which changes nothing but the time it takes
/// (compute_buffers_test.cpp).
[[nodiscard]] std::int64_t compute_buffer_bytes(const Model& model, const GraphOptions& options, bool exhaustive = false);

/// Bytes of the compute buffers of accelerators and host (the last one): the graph is divided and copies are made as the engine's scheduler does
/// (graph/scheduler.h). `tensor_bytes`: as stored, by the model's tensors; they tell what a weight on the host takes when it is copied.
[[nodiscard]] std::vector<std::int64_t> compute_buffers_bytes(const Model& model, const GraphOptions& options, const DevicePlan& plan,
                                                              std::span<const std::int64_t> tensor_bytes, bool exhaustive = false);

/// Compute buffers of one model that were laid out before: searches ask for the same again and again with other weights or placements.
class ComputeMemo {
 public:
  [[nodiscard]] std::int64_t bytes(const Model& model, const GraphOptions& options);
  /// `stored` tells files apart whose weights may be copied: their size will do. Nothing of a plan that leaves all weights on accelerators depends on it.
  [[nodiscard]] const std::vector<std::int64_t>& bytes(const Model& model, const GraphOptions& options, const DevicePlan& plan,
                                                       std::span<const std::int64_t> tensor_bytes, std::int64_t stored);
  /// Takes what was laid out for another share of the same kinds of places (some layers on the host, some experts there): a search narrows down with it and counts
  /// exactly at its end.
  bool similar_will_do = false;

 private:
  struct PlanEntry {
    GraphOptions options;
    DevicePlan plan;
    std::int64_t stored;
    std::vector<std::int64_t> bytes;
  };
  struct Entry {
    GraphOptions options;
    std::int64_t bytes;
  };
  std::vector<Entry> entries_;
  std::vector<PlanEntry> plans_;
};

}  // namespace planner::engine
