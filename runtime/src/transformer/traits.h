// What the runtime must know of an architecture beyond its geometry: one row per architecture, named as GGUF names it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace planner::runtime {

enum class NormKind : std::uint8_t { rms, layer };
/// Which values are rotated together.
enum class RopePairs : std::uint8_t { neighbours, halves };
enum class Activation : std::uint8_t { silu, gelu, swiglu_oai };
/// How a router's logits become weights; the numbers are those of expert_gating_func in GGUF.
enum class Routing : std::uint8_t {
  softmax = 1,         ///< over all experts
  sigmoid = 2,         ///< each for itself
  softmax_chosen = 3,  ///< over those that were picked
};
/// How sliding layers rotate.
enum class SlidingRope : std::uint8_t {
  as_full,   ///< like full layers, with rope.freq_base_swa where the file has it
  own_base,  ///< base 10000 or rope.freq_base_swa, not scaled (Gemma 3)
  unscaled,  ///< the same base, not scaled, no YaRN (OLMo 3)
};

struct ArchitectureTraits {
  std::string_view name;
  NormKind norm = NormKind::rms;
  RopePairs rope = RopePairs::halves;
  SlidingRope sliding_rope = SlidingRope::as_full;
  bool full_layers_rotate = true;  ///< false: only sliding layers do (Command R7B)
  Activation activation = Activation::silu;
  bool scales_embedding = false;             ///< by sqrt(hidden_size) (Gemma)
  bool parallel = false;                     ///< attention and feed-forward read the same norm and are added together (Command R)
  std::string_view ffn_norm = "ffn_norm";    ///< before the feed-forward
  std::string_view attention_out_norm = {};  ///< on what attention adds
  std::string_view ffn_out_norm = {};        ///< on what the feed-forward adds
  Routing routing = Routing::softmax;
  bool normalizes_experts = false;   ///< weights of the chosen experts sum to 1, where the file does not say (expert_weights_norm)
  bool yarn_log_multiplier = false;  ///< the key rope.scaling.yarn_log_multiplier is heeded (DeepSeek)
  // Where the file does not say.
  double attention_softcap = 0;
  double final_softcap = 0;
  std::int64_t width_scaled_layers = 0;  ///< models of so many layers scale scores by hidden_size / n_heads instead of head_dim (Gemma 27B)
};

[[nodiscard]] const std::vector<ArchitectureTraits>& architecture_traits();
/// Null where the runtime does not know the architecture.
[[nodiscard]] const ArchitectureTraits* find_traits(std::string_view name);

}  // namespace planner::runtime
