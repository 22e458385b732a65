// Llama and what has its shape: Mistral, Mixtral, Yi, SmolLM, InternLM 3 ... RMS norms, SwiGLU, rotary attention; Mixtral routes.
// Sources: modeling_llama.py, modeling_mixtral.py (huggingface/transformers); src/models/llama.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  // attention_bias covers the output projection too (modeling_llama.py, LlamaAttention).
  hp.attention_out_bias = hp.attention_bias;
  // InternLM 3 has a key of its own for all other biases (modeling_internlm3.py).
  if (hp.model_type == "internlm3") hp.attention_out_bias = hp.mlp_bias = config.boolean_or({"bias"}, false);
  // Only mistral and mixtral slide, and then in every layer; in a llama config the key means nothing.
  const bool slides = hp.model_type == "mistral" || hp.model_type == "mixtral";
  if (!slides) hp.sliding_window = 0;
  if (slides && hp.sliding_window > 0 && hp.layer_kinds.empty()) hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::sliding_attention);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kLlama = {.name = "llama", .model_types = {"llama", "mistral", "mixtral", "internlm3"}, .read_config = read_config, .build = build, .llama_cpp_ignores_window = true};

}  // namespace planner
