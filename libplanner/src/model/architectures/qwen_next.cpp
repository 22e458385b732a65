// Qwen3-Next, Qwen3.5 and Qwen3.6: gated delta nets (linear attention) with gated softmax attention in every fourth layer.
// Sources: modeling_qwen3_next.py, configuration_qwen3_next.py, modeling_qwen3_5.py (huggingface/transformers); conversion/qwen.py,
// src/models/qwen3next.cpp, qwen35.cpp, qwen35moe.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

constexpr std::int64_t kFullAttentionInterval = 4;

void read_shared(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads"});
  hp.head_dim = config.integer_or({"head_dim"}, 256);
  hp.head_dim_v = hp.head_dim;
  double partial = config.number_or({"partial_rotary_factor"}, 0.25);
  if (const auto rope = config.object("rope_parameters")) partial = rope->number_or({"partial_rotary_factor"}, partial);
  hp.rotary_dim = static_cast<std::int64_t>(static_cast<double>(hp.head_dim) * partial);
  hp.attention_out_bias = hp.attention_bias;
  hp.attention_gate = true;
  hp.sliding_window = 0;
  hp.linear_conv = config.integer_or({"linear_conv_kernel_dim"}, 4);
  hp.linear_k_head_dim = config.integer_or({"linear_key_head_dim"}, 128);
  hp.linear_v_head_dim = config.integer_or({"linear_value_head_dim"}, 128);
  hp.linear_k_heads = config.integer_or({"linear_num_key_heads"}, 16);
  hp.linear_v_heads = config.integer_or({"linear_num_value_heads"}, 32);
  if (hp.layer_kinds.empty()) {
    hp.layer_kinds = every_nth_full(hp.n_layers, config.integer_or({"full_attention_interval"}, kFullAttentionInterval), LayerKind::linear_attention);
  }
  // Every checkpoint that Qwen released has one prediction layer (Qwen3-Coder-Next has none); Qwen3-Next's config does not mention it.
  hp.n_mtp_layers = config.integer_or({"mtp_num_hidden_layers"}, 1);
  read_vision_tower(config, hp, VisionTower::qwen3_vl);
}

void read_qwen35(const ConfigReader& config, Hyperparameters& hp) {
  read_shared(config, hp);
  hp.ffn_size = config.integer({"intermediate_size"});
}

void read_moe(const ConfigReader& config, Hyperparameters& hp) {
  read_shared(config, hp);
  hp.n_experts = config.integer({"num_experts"});
  hp.n_experts_active = config.integer({"num_experts_per_tok"});
  hp.expert_ffn_size = config.integer({"moe_intermediate_size"});
  hp.shared_ffn_size = config.integer({"shared_expert_intermediate_size"});
  hp.ffn_size = 0;  // Qwen3-Next states intermediate_size, but no layer is dense
}

/// GGUF has the delta net's sizes under the names of a state space, and the pattern as an interval.
void complete_gguf(Hyperparameters& hp) {
  hp.linear_conv = hp.ssm_conv;
  hp.linear_k_heads = hp.ssm_groups;
  hp.linear_v_heads = hp.ssm_heads > 0 ? hp.ssm_heads : hp.ssm_dt_rank;
  hp.linear_k_head_dim = hp.ssm_state;
  hp.linear_v_head_dim = hp.linear_v_heads > 0 ? hp.ssm_inner / hp.linear_v_heads : 0;
  hp.ssm_inner = hp.ssm_state = hp.ssm_conv = hp.ssm_dt_rank = hp.ssm_heads = hp.ssm_groups = 0;
  hp.attention_gate = true;
  if (hp.n_experts > 0) hp.ffn_size = 0;
  if (hp.layer_kinds.empty()) {
    hp.layer_kinds = every_nth_full(hp.n_layers, hp.extra_or("gguf.full_attention_interval", kFullAttentionInterval), LayerKind::linear_attention);
  }
}

/// Gated delta net: Q, K, V projected together and convolved, a decay (alpha) and a write strength (beta) per value head, a gate.
void delta_net(ModelBuilder& m, bool joined_beta_alpha) {
  LinearAttention a;
  a.kind = LinearAttentionKind::gated_delta_net;
  a.n_k_heads = m.hp.linear_k_heads;
  a.n_v_heads = m.hp.linear_v_heads;
  a.k_head_dim = m.hp.linear_k_head_dim;
  a.v_head_dim = m.hp.linear_v_head_dim;
  a.conv_kernel = m.hp.linear_conv;
  m.mixer(a);
  const std::int64_t h = m.hp.hidden_size;
  const std::int64_t values = a.n_v_heads * a.v_head_dim;
  const std::int64_t convolved = 2 * a.n_k_heads * a.k_head_dim + values;
  m.linear("attn_qkv", h, convolved);
  m.linear("attn_gate", h, values);
  m.tensor("ssm_conv1d.weight", {a.conv_kernel, convolved});
  m.tensor("ssm_dt.bias", {a.n_v_heads});
  m.tensor("ssm_a", {a.n_v_heads});
  if (joined_beta_alpha) {
    m.linear("ssm_ba", h, 2 * a.n_v_heads);
  } else {
    m.linear("ssm_beta", h, a.n_v_heads);
    m.linear("ssm_alpha", h, a.n_v_heads);
  }
  m.norm("ssm_norm", false, a.v_head_dim);
  m.linear("ssm_out", values, h);
}

void layer(ModelBuilder& m, bool joined_beta_alpha) {
  m.norm("attn_norm");
  m.kind() == LayerKind::linear_attention ? delta_net(m, joined_beta_alpha) : m.attention({.qk_norm = QkNorm::per_head, .gated = true});
  m.norm("post_attention_norm");
  m.hp.n_experts > 0 ? m.moe({.shared_gate = true}) : m.dense();
}

void build_with(ModelBuilder& m, bool joined_beta_alpha) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m, joined_beta_alpha);
  }
  m.output_norm();
  m.output_head();
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    layer(m, joined_beta_alpha);
    m.nextn({.embed_tokens = false, .head = false});
  }
}

void build_qwen3_next(ModelBuilder& m) { build_with(m, true); }
void build_qwen35(ModelBuilder& m) { build_with(m, false); }

}  // namespace

// The converter keeps prediction layers by default since mid-2026; the published files do not have them.
extern const Architecture kQwen3Next = {
    .name = "qwen3next", .model_types = {"qwen3_next"}, .read_config = read_moe, .complete_gguf = complete_gguf, .build = build_qwen3_next};
extern const Architecture kQwen35 = {
    .name = "qwen35", .model_types = {"qwen3_5", "qwen3_5_text"}, .read_config = read_qwen35, .complete_gguf = complete_gguf, .build = build_qwen35};
extern const Architecture kQwen35Moe = {
    .name = "qwen35moe", .model_types = {"qwen3_5_moe", "qwen3_5_moe_text"}, .read_config = read_moe, .complete_gguf = complete_gguf, .build = build_qwen35};

}  // namespace planner
