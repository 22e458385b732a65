#include "import/gguf_index.h"

#include <algorithm>

#include "core/text.h"
#include "import/gguf_reader.h"
#include "planner/error.h"

namespace planner {

LayerName layer_name(std::string_view tensor_name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!tensor_name.starts_with(kPrefix)) return {-1, tensor_name};
  const auto tail = tensor_name.substr(kPrefix.size());
  const auto dot = tail.find('.');
  const auto digits = tail.substr(0, dot);
  if (dot == std::string_view::npos || digits.find_first_not_of("0123456789") != std::string_view::npos) return {-1, tensor_name};
  const auto layer = text::parse_int(digits);
  return layer ? LayerName{*layer, tail.substr(dot + 1)} : LayerName{-1, tensor_name};
}

GgufIndex::GgufIndex(const GgufFile& file) {
  by_name_.reserve(file.tensors.size());
  for (const auto& tensor : file.tensors) {
    by_name_.emplace(tensor.name, &tensor);
    const auto [layer, rest] = layer_name(tensor.name);
    if (layer < 0) continue;
    if (layer >= kMostGgufLayers) {
      throw Error(ErrorKind::invalid_file, printable_path(file.path) + ": the tensor '" + printable(tensor.name) + "' is of layer " +
                                               std::to_string(layer) + ", expected less than " + std::to_string(kMostGgufLayers));
    }
    const auto i = static_cast<std::size_t>(layer);
    if (layers_.size() <= i) layers_.resize(i + 1);
    layers_[i].push_back({rest, &tensor});
  }
}

const GgufTensor* GgufIndex::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

const GgufTensor* GgufIndex::find(std::int64_t layer, std::string_view rest) const {
  if (layer < 0 || layer >= n_layers()) return nullptr;
  const auto& tensors = layers_[static_cast<std::size_t>(layer)];
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const InLayer& t) { return t.rest == rest; });
  return it == tensors.end() ? nullptr : it->tensor;
}

bool GgufIndex::has_prefix(std::int64_t layer, std::string_view prefix) const {
  if (layer < 0 || layer >= n_layers()) return false;
  const auto& tensors = layers_[static_cast<std::size_t>(layer)];
  return std::any_of(tensors.begin(), tensors.end(), [&](const InLayer& t) { return t.rest.starts_with(prefix); });
}

bool GgufIndex::any_layer_has(std::string_view rest) const {
  for (std::int64_t i = 0; i < n_layers(); ++i) {
    if (has(i, rest)) return true;
  }
  return false;
}

bool has_experts(const GgufIndex& index, std::int64_t layer) {
  return index.has(layer, "ffn_down_exps.weight") || index.has(layer, "ffn_down.0.weight");
}

}  // namespace planner
