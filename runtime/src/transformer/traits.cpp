#include "transformer/traits.h"

namespace planner::runtime {

// Sources: the models' modeling_*.py (huggingface/transformers); src/models/*.cpp and src/llama-model.cpp (ggml-org/llama.cpp).
const std::vector<ArchitectureTraits>& architecture_traits() {
  static const std::vector<ArchitectureTraits> table = {
      // Llama, Mistral, Mixtral and all that is converted as llama
      {.name = "llama", .rope = RopePairs::neighbours, .normalizes_experts = true},
      {.name = "qwen2"},
      {.name = "qwen3"},
      {.name = "qwen3moe", .normalizes_experts = true},
      {.name = "phi3", .normalizes_experts = true},
      {.name = "gemma", .activation = Activation::gelu, .scales_embedding = true},
      {.name = "gemma2",
       .activation = Activation::gelu,
       .scales_embedding = true,
       .attention_out_norm = "post_attention_norm",
       .ffn_out_norm = "post_ffw_norm",
       .attention_softcap = 50,
       .final_softcap = 30,
       .width_scaled_layers = 46},
      {.name = "gemma3",
       .sliding_rope = SlidingRope::own_base,
       .activation = Activation::gelu,
       .scales_embedding = true,
       .attention_out_norm = "post_attention_norm",
       .ffn_out_norm = "post_ffw_norm",
       .width_scaled_layers = 62},
      // OLMo 2 and 3: norms behind, none before
      {.name = "olmo2", .sliding_rope = SlidingRope::unscaled, .ffn_norm = {}, .attention_out_norm = "post_attention_norm", .ffn_out_norm = "post_ffw_norm"},
      {.name = "gpt-oss", .activation = Activation::swiglu_oai, .ffn_norm = "post_attention_norm", .routing = Routing::softmax_chosen},
      // DeepSeek V2, V3, R1 and what has their shape
      {.name = "deepseek2", .rope = RopePairs::neighbours, .yarn_log_multiplier = true},
      {.name = "command-r", .norm = NormKind::layer, .rope = RopePairs::neighbours, .parallel = true, .ffn_norm = {}},
      {.name = "cohere2", .norm = NormKind::layer, .rope = RopePairs::neighbours, .full_layers_rotate = false, .parallel = true, .ffn_norm = {}},
  };
  return table;
}

const ArchitectureTraits* find_traits(std::string_view name) {
  for (const auto& traits : architecture_traits()) {
    if (traits.name == name) return &traits;
  }
  return nullptr;
}

}  // namespace planner::runtime
