// What llama.cpp sets aside for intermediate results: it builds the graph of the largest batch, lays its tensors out and allocates that much.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/model.h"
#include "planner/tensor_format.h"

namespace planner::engine {

/// Rules change with the engine's age; a generation is named after a build whose rules are known.
enum class Generation : std::uint8_t {
  b4748,   ///< February 2025: one cache for all sequences, masks in F32, activations apart from their products
  v0_5_0,  ///< September 2026
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
  std::int64_t alignment = 32;    ///< of the device's buffers
  // The part of the model that the device runs.
  std::int64_t first_layer = 0;
  std::int64_t n_layers = -1;     ///< -1: all from first_layer on
  bool has_input = true;          ///< looks the tokens' embeddings up; otherwise hidden states come in
  bool has_output = true;         ///< the output norm and head; otherwise hidden states go out

  friend bool operator==(const GraphOptions&, const GraphOptions&) = default;
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

/// Compute buffers of one model that were laid out before: searches ask for the same again and again with other weights or placements.
class ComputeMemo {
 public:
  [[nodiscard]] std::int64_t bytes(const Model& model, const GraphOptions& options);
  /// Takes the whole model's buffer for any part of it, which is never too little: a search narrows down first and counts exactly at its end.
  bool whole_for_parts = false;

 private:
  struct Entry {
    GraphOptions options;
    std::int64_t bytes;
  };
  std::vector<Entry> entries_;
};

}  // namespace planner::engine
