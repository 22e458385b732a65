// Phi-1 to Phi-4: Phi-1, 1.5 and 2 (one norm per layer, biases everywhere), Phi-3 and 4 (RMS norms, fused matrices), Phi-3-small
// (LayerNorms, block-sparse attention), Phi-3.5-MoE (LayerNorms, two of sixteen experts). Sources: modeling_phi.py, configuration_phi3.py,
// modeling_phi3.py, modeling_phimoe.py (huggingface/transformers); modeling_phi3_small.py (microsoft/Phi-3-small-128k-instruct);
// src/models/phi2.cpp, phi3.cpp, phimoe.cpp, conversion/phi.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_phi2(const ConfigReader& config, Hyperparameters& hp) {
  if (hp.n_heads == 0) config.require({"num_attention_heads"});
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = true;
  if (hp.ffn_size == 0) hp.ffn_size = 4 * hp.hidden_size;
}

void complete_phi2(Hyperparameters& hp) { hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = true; }

void build_phi2(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    m.attention();
    m.dense({.gated = false});
  }
  m.output_norm(true);
  m.output_head(true);
}

/// Every layer slides where the config names a window (modeling_phi3.py, Phi3Model).
void slide_everywhere(Hyperparameters& hp) {
  hp.layer_kinds = uniform_layers(hp.n_layers, hp.sliding_window > 0 ? LayerKind::sliding_attention : LayerKind::full_attention);
}

void read_phi3(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  slide_everywhere(hp);
}

/// llama.cpp reads the window and turns it off: its files run with full attention (src/models/phi3.cpp).
void complete_phi3(Hyperparameters& hp) {
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
}

void build_phi3(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.fused_qkv = true});
    m.norm("ffn_norm");
    m.dense({.fused_gate_up = true});
  }
  m.output_norm();
  m.output_head();
}

void read_phi3small(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.ffn_size = config.integer({"intermediate_size", "ff_intermediate_size"});
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = true;
  // Two layers of three or so attend to blocks only, but the cache keeps all tokens.
  hp.sliding_window = 0;
}

void build_phi3small(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    m.attention({.fused_qkv = true});
    m.norm("ffn_norm", true);
    m.dense({.fused_gate_up = true});
  }
  m.output_norm(true);
  m.output_head();
}

void read_phimoe(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "num_local_experts", "num_experts_per_tok"});
  // PhimoeConfig has these off where the config is silent, but llama.cpp loads no Phi-MoE without them and none was released.
  hp.attention_bias = config.boolean_or({"attention_bias"}, true);
  hp.attention_out_bias = hp.attention_bias;
  set_extra(hp, "lm_head_bias", config.boolean_or({"lm_head_bias"}, true) ? 1 : 0);
  hp.expert_ffn_size = hp.ffn_size;
  slide_everywhere(hp);
}

void complete_phimoe(Hyperparameters& hp) {
  complete_phi3(hp);
  hp.attention_out_bias = true;
  hp.expert_ffn_size = hp.ffn_size;
  set_extra(hp, "lm_head_bias", 1);
}

void build_phimoe(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    m.attention();
    m.norm("ffn_norm", true);
    m.moe();
  }
  m.output_norm(true);
  m.output_head(m.hp.extra_or("lm_head_bias", 1) != 0);
}

}  // namespace

extern const Architecture kPhi2 = {
    .name = "phi2", .model_types = {"phi", "phi-msft"}, .read_config = read_phi2, .complete_gguf = complete_phi2, .build = build_phi2};
extern const Architecture kPhi3 = {.name = "phi3", .model_types = {"phi3"}, .read_config = read_phi3, .complete_gguf = complete_phi3, .build = build_phi3, .llama_cpp_ignores_window = true};
extern const Architecture kPhi3Small = {.name = "phi3small", .model_types = {"phi3small"}, .read_config = read_phi3small, .build = build_phi3small};
extern const Architecture kPhiMoe = {
    .name = "phimoe", .model_types = {"phimoe"}, .read_config = read_phimoe, .complete_gguf = complete_phimoe, .build = build_phimoe, .llama_cpp_ignores_window = true};

}  // namespace planner
