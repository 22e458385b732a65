// The text models of Qwen2-VL, Qwen2.5-VL and Qwen3-VL: Qwen 2 and 3 with rotary positions in three dimensions, which changes no shape.
// The towers are files of their own.
// Sources: modeling_qwen2_vl.py, modeling_qwen2_5_vl.py, modeling_qwen3_vl.py, modeling_qwen3_vl_moe.py (huggingface/transformers);
// src/models/qwen2vl.cpp, qwen3vl.cpp, qwen3vlmoe.cpp, conversion/qwen3vl.py (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

/// use_sliding_window is never set in a released config.
void see_everything(Hyperparameters& hp) {
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
}

void read_qwen2vl(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size"});
  hp.attention_bias = true;
  see_everything(hp);
  read_vision_tower(config, hp, hp.model_type.rfind("qwen2_5", 0) == 0 ? VisionTower::qwen2_5_vl : VisionTower::qwen2_vl);
}

void complete_qwen2vl(Hyperparameters& hp) { hp.attention_bias = true; }

void read_qwen3vl(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads"});
  hp.head_dim = config.integer_or({"head_dim"}, 128);
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.head_dim;
  hp.attention_out_bias = hp.attention_bias;
  see_everything(hp);
  read_vision_tower(config, hp, VisionTower::qwen3_vl);
}

void read_qwen3vlmoe(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_experts", "num_experts_per_tok", "moe_intermediate_size"});
  read_qwen3vl(config, hp);
  const auto dense = config.integers({"mlp_only_layers"});
  const std::int64_t step = config.integer_or({"decoder_sparse_step"}, 1);
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    hp.moe_layers.push_back(std::find(dense.begin(), dense.end(), i) == dense.end() && step > 0 && (i + 1) % step == 0);
  }
}

void build_with(ModelBuilder& m, QkNorm qk_norm) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = qk_norm});
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

void build_qwen2vl(ModelBuilder& m) { build_with(m, QkNorm::none); }
void build_qwen3vl(ModelBuilder& m) { build_with(m, QkNorm::per_head); }

}  // namespace

extern const Architecture kQwen2Vl = {.name = "qwen2vl",
                                      .model_types = {"qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"},
                                      .read_config = read_qwen2vl,
                                      .complete_gguf = complete_qwen2vl,
                                      .build = build_qwen2vl};
extern const Architecture kQwen3Vl = {.name = "qwen3vl", .model_types = {"qwen3_vl", "qwen3_vl_text"}, .read_config = read_qwen3vl, .build = build_qwen3vl};
extern const Architecture kQwen3VlMoe = {
    .name = "qwen3vlmoe", .model_types = {"qwen3_vl_moe", "qwen3_vl_moe_text"}, .read_config = read_qwen3vlmoe, .build = build_qwen3vl};

}  // namespace planner
