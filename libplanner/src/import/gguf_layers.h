// Layers read off a file's tensors: for architectures that no description covers.
#pragma once

#include <vector>

#include "import/gguf_index.h"
#include "planner/hyperparameters.h"
#include "planner/model.h"

namespace planner {

/// Kinds of the layers of the model proper, by their tensors. Attention layers slide only where the file gives a period; of a file without
/// tensors all layers are attention, but those that have no KV heads.
[[nodiscard]] std::vector<LayerKind> layer_kinds_from_tensors(const GgufIndex& index, const Hyperparameters& hp);

/// Layers of the model proper, then multi-token-prediction layers. Needs hp.layer_kinds.
[[nodiscard]] std::vector<Layer> layers_from_tensors(const GgufIndex& index, const Hyperparameters& hp);

}  // namespace planner
