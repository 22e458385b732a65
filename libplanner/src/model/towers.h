// Vision towers beside a text model: read from a config's vision_config, and described by the tensors of a projector (mmproj) file.
// A tower belongs to no text architecture: a description names the kind that its family uses, with one call in read_config.
#pragma once

#include "model/config_reader.h"
#include "planner/hyperparameters.h"

namespace planner {

class ModelBuilder;

enum class VisionTower : std::uint8_t {
  none,
  qwen2_vl,    ///< Qwen2-VL: layer norms, plain feed-forward
  qwen2_5_vl,  ///< Qwen2.5-VL: RMS norms, gated feed-forward, windows
  qwen3_vl,    ///< Qwen3-VL, Qwen3.5, Qwen3.6: learned positions, mergers of deeper layers (deepstack) in Qwen3-VL
  siglip,      ///< Gemma 3
  gemma4,      ///< Gemma 4
  pixtral,     ///< Pixtral, Mistral Small 3.1 and later, Ministral 3
  llama4,      ///< Llama 4
  mllama,      ///< Llama 3.2 Vision
  moonvit_3d,  ///< Kimi K2.5
};

/// Reads the tower's sizes into hp.extras ("vision.depth", "vision.hidden_size" ...). A config without vision_config, or whose
/// vision_config does not settle the tower's shape, is a config of a text model: nothing is read, and no tower is built.
void read_vision_tower(const ConfigReader& config, Hyperparameters& hp, VisionTower kind);

/// Adds the tower that read_vision_tower found to the tensors (ModelPart::vision); nothing when it found none.
void build_vision_tower(ModelBuilder& m);

}  // namespace planner
