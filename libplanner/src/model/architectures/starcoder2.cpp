// StarCoder 2: grouped-query attention with a window in every layer, LayerNorms, biases everywhere, a feed-forward without gate.
// Sources: configuration_starcoder2.py, modeling_starcoder2.py (huggingface/transformers); src/models/starcoder2.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size"});
  // Starcoder2Config ties where the config is silent.
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  const bool bias = config.boolean_or({"use_bias"}, true);
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = bias;
  if (hp.sliding_window > 0) hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::sliding_attention);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    m.attention();
    m.norm("ffn_norm", true);
    m.dense({.gated = false});
  }
  m.output_norm(true);
  m.output_head();
}

}  // namespace

extern const Architecture kStarcoder2 = {.name = "starcoder2", .model_types = {"starcoder2"}, .read_config = read_config, .build = build, .llama_cpp_ignores_window = true};

}  // namespace planner
