// MiniCPM 1, 2 and 4 (Llama in shape) and MiniCPM 3 (multi-head latent attention, dense).
// Sources: configuration_minicpm.py, modeling_minicpm.py (openbmb/MiniCPM-2B-sft-bf16, openbmb/MiniCPM3-4B, openbmb/MiniCPM4-8B);
// src/models/minicpm.cpp, minicpm3.cpp, conversion/minicpm.py (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_minicpm(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;
  if (hp.n_experts > 0) hp.expert_ffn_size = hp.ffn_size;
}

void read_minicpm3(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.v_head_dim = config.integer_or({"v_head_dim"}, hp.hidden_size / std::max<std::int64_t>(1, hp.n_heads));
  hp.head_dim = hp.qk_nope_head_dim + hp.qk_rope_head_dim;
  hp.head_dim_v = hp.v_head_dim;
  hp.n_kv_heads = hp.n_heads;
  hp.rotary_dim = hp.qk_rope_head_dim;
}

/// Files give the whole width of a key and its rotated part; values are as wide as hidden_size / n_heads.
void complete_minicpm3(Hyperparameters& hp) {
  hp.qk_rope_head_dim = hp.rotary_dim;
  hp.qk_nope_head_dim = hp.head_dim - hp.rotary_dim;
  hp.v_head_dim = hp.head_dim_v = hp.hidden_size / std::max<std::int64_t>(1, hp.n_heads);
}

void build_minicpm(ModelBuilder& m) {
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

void build_minicpm3(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    // Files keep kv_b whole, and so the engine caches whole heads.
    m.mla({.unsplit_kv_b = true});
    m.norm("ffn_norm");
    m.dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kMinicpm = {.name = "minicpm", .model_types = {"minicpm", "minicpm4"}, .read_config = read_minicpm, .build = build_minicpm};
extern const Architecture kMinicpm3 = {
    .name = "minicpm3", .model_types = {"minicpm3"}, .read_config = read_minicpm3, .complete_gguf = complete_minicpm3, .build = build_minicpm3};

}  // namespace planner
