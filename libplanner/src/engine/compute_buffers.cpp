#include "engine/compute_buffers.h"

#include <algorithm>
#include <span>
#include <vector>

#include "engine/graph/allocator.h"
#include "engine/graph/builder.h"

namespace planner::engine {
namespace {

/// Layers of the model proper, and all tensors by layer (files list them in any order).
struct Layers {
  std::vector<graph::LayerParts> parts;
  std::vector<const Tensor*> tensors;
  std::vector<std::size_t> ends;

  void collect(const Model& model) {
    parts.clear();
    for (const auto& layer : model.layers) {
      if (layer.mtp) break;
      parts.push_back({&layer, static_cast<std::int64_t>(parts.size()), {}});
    }
    const auto n = static_cast<std::int32_t>(parts.size());
    const auto counts = [&](const Tensor& t) { return t.layer >= 0 && t.layer < n; };
    ends.assign(parts.size() + 1, 0);
    for (const auto& t : model.tensors) {
      if (counts(t)) ++ends[static_cast<std::size_t>(t.layer) + 1];
    }
    for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
    tensors.resize(ends.back());
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].tensors = std::span(tensors).subspan(ends[i], ends[i + 1] - ends[i]);
    for (const auto& t : model.tensors) {
      if (counts(t)) tensors[ends[static_cast<std::size_t>(t.layer)]++] = &t;
    }
  }
};

}  // namespace

std::int64_t compute_buffer_bytes(const Model& model, const GraphOptions& options, bool exhaustive) {
  (void)exhaustive;
  thread_local Layers layers;
  thread_local graph::Graph g;
  layers.collect(model);
  const auto bytes = [&](const graph::Batch& batch) {
    graph::Builder(g, model, layers.parts, options, batch).build();
    return graph::buffer_bytes(g, options.alignment);
  };
  const std::int64_t tokens = (options.tokens + options.sequences - 1) / options.sequences * options.sequences;
  const std::int64_t prompt = bytes({tokens, options.sequences, std::min(options.tokens, options.outputs)});
  const std::int64_t one_each = bytes({options.sequences, options.sequences, options.sequences});
  return std::max(prompt, one_each);
}

}  // namespace planner::engine
