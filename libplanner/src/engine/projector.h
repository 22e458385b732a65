// A multimodal projector: the vision tower that llama.cpp loads from a file of its own, and the buffer of its graph.
#pragma once

#include <cstdint>
#include <optional>

#include "planner/gguf.h"
#include "planner/model.h"

namespace planner::engine {

struct Projector {
  std::int64_t weights_bytes = 0;
  std::int64_t compute_bytes = 0;      ///< on the device that runs the tower: the image and the widest moment of a block, for the warm-up image
  std::int64_t input_bytes = 0;        ///< of that, what the host holds as well: the image and the places of its patches
  std::int64_t uncertainty_bytes = 0;  ///< of compute_bytes
};

/// The model's own tower as converters write it in 16 bit (mmproj-F16.gguf); nothing where the model has none, or its shape is not known.
[[nodiscard]] std::optional<Projector> projector_of(const Model& model);

/// A projector file. Throws Error (invalid_file) where it holds no tower.
[[nodiscard]] Projector projector_from_gguf(const GgufFile& file);

}  // namespace planner::engine
