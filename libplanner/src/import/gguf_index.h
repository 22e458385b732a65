// A file's tensors by name and by layer: what hyperparameters and layers are read off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "planner/gguf.h"

namespace planner {

/// "blk.12.attn_q.weight" -> 12 and "attn_q.weight"; layer -1 for every other name.
struct LayerName {
  std::int64_t layer = -1;
  std::string_view rest;
};
[[nodiscard]] LayerName layer_name(std::string_view tensor_name);

/// Look-ups over the tensors of a file, which outlives it.
class GgufIndex {
 public:
  /// Throws Error (invalid_file) for a layer number that no model has.
  explicit GgufIndex(const GgufFile& file);

  /// Layers that any tensor belongs to: the highest number and one.
  [[nodiscard]] std::int64_t n_layers() const { return static_cast<std::int64_t>(layers_.size()); }

  [[nodiscard]] const GgufTensor* find(std::string_view name) const;
  /// A tensor of a layer: find(12, "attn_q.weight"). Null when there is none, or no such layer.
  [[nodiscard]] const GgufTensor* find(std::int64_t layer, std::string_view rest) const;
  [[nodiscard]] bool has(std::int64_t layer, std::string_view rest) const { return find(layer, rest) != nullptr; }
  /// Whether a tensor of the layer begins so: "nextn.", "time_mix_".
  [[nodiscard]] bool has_prefix(std::int64_t layer, std::string_view prefix) const;
  /// Whether any layer has the tensor.
  [[nodiscard]] bool any_layer_has(std::string_view rest) const;

 private:
  struct InLayer {
    std::string_view rest;
    const GgufTensor* tensor;
  };
  std::unordered_map<std::string_view, const GgufTensor*> by_name_;
  std::vector<std::vector<InLayer>> layers_;
};

/// Whether the layer routes to experts: stacked (ffn_up_exps), or one by one as in the first Mixtral files (ffn_up.0).
[[nodiscard]] bool has_experts(const GgufIndex& index, std::int64_t layer);

/// More layers than any model has.
inline constexpr std::int64_t kMostGgufLayers = 4096;

}  // namespace planner
