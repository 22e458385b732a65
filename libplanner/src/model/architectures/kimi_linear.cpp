// Kimi Linear and Kimi K3: Kimi delta attention with multi-head latent attention in every fourth layer, fine-grained experts.
// K3 adds a full-rank gate, an output gate on the latent attention, residuals across layers, and experts in a narrower space.
// Sources: modeling_kimi.py (moonshotai/Kimi-Linear-48B-A3B-Instruct), modeling_kimi_linear.py (moonshotai/Kimi-K3); conversion/kimi_linear.py,
// kimi_k3.py, src/models/kimi-linear.cpp, kimi-k3.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"});
  hp.head_dim = hp.qk_nope_head_dim + hp.qk_rope_head_dim;
  hp.head_dim_v = hp.v_head_dim;
  hp.n_kv_heads = hp.n_heads;
  hp.rotary_dim = hp.qk_rope_head_dim;
  hp.sliding_window = 0;

  const auto linear = config.object("linear_attn_config");
  if (!linear) config.fail("linear_attn_config", "is absent");
  hp.linear_conv = linear->integer_or({"short_conv_kernel_size"}, 4);
  hp.linear_k_head_dim = hp.linear_v_head_dim = linear->integer({"head_dim"});
  hp.linear_k_heads = hp.linear_v_heads = linear->integer_or({"num_heads"}, hp.n_heads);
  // Layers are counted from 1 here.
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::linear_attention);
  const auto full = linear->integers({"full_attn_layers"});
  if (full.empty()) config.fail("linear_attn_config.full_attn_layers", "is absent");
  for (const auto i : full) {
    if (i < 1 || i > hp.n_layers) config.fail("linear_attn_config.full_attn_layers", "names layer " + std::to_string(i) + " of " + std::to_string(hp.n_layers));
    hp.layer_kinds[static_cast<std::size_t>(i - 1)] = LayerKind::full_attention;
  }

  hp.n_experts = config.integer({"num_experts"});
  hp.n_experts_active = config.integer({"num_experts_per_token", "num_experts_per_tok"});
  hp.expert_ffn_size = config.integer({"moe_intermediate_size"});
  hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
  if (const std::int64_t step = config.integer_or({"moe_layer_freq"}, 1); step != 1) config.fail("moe_layer_freq", "is not 1");
}

void read_kimi_k3(const ConfigReader& config, Hyperparameters& hp) {
  read_config(config, hp);
  hp.attention_gate = config.boolean_or({"mla_use_output_gate"}, true);
  set_extra(hp, "routed_expert_hidden_size", config.integer_or({"routed_expert_hidden_size"}, 0));
  set_extra(hp, "latent_moe_use_norm", config.boolean_or({"latent_moe_use_norm"}, true) ? 1 : 0);
  set_extra(hp, "attn_res_block_size", config.integer_or({"attn_res_block_size"}, 0));
}

void complete_gguf(Hyperparameters& hp) {
  take_kv_pattern(hp, LayerKind::linear_attention);
  hp.n_kv_heads = hp.n_heads;  // files state 1: the latent row is shared
  hp.linear_conv = hp.ssm_conv;
  hp.ssm_conv = 0;
  hp.linear_k_heads = hp.linear_v_heads = hp.n_heads;
  set_extra_from_gguf(hp, "kda.head_dim", "kda.head_dim");
  hp.linear_k_head_dim = hp.linear_v_head_dim = hp.extra("kda.head_dim");
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

void complete_kimi_k3(Hyperparameters& hp) {
  complete_gguf(hp);
  hp.attention_gate = true;
  set_extra_from_gguf(hp, "routed_expert_hidden_size", "expert_latent_length");
  set_extra_from_gguf(hp, "attn_res_block_size", "attn_res.block_size");
}

/// Kimi delta attention: Q, K, V each with a convolution of its own, a decay per channel through a low-rank pair, a gate.
void delta_attention(ModelBuilder& m, bool full_rank_gate) {
  LinearAttention a;
  a.kind = LinearAttentionKind::kimi_delta;
  a.n_k_heads = m.hp.linear_k_heads;
  a.n_v_heads = m.hp.linear_v_heads;
  a.k_head_dim = m.hp.linear_k_head_dim;
  a.v_head_dim = m.hp.linear_v_head_dim;
  a.conv_kernel = m.hp.linear_conv;
  m.mixer(a);
  const std::int64_t h = m.hp.hidden_size;
  const std::int64_t rank = a.k_head_dim;
  const std::int64_t width = a.n_v_heads * a.v_head_dim;
  for (const char* name : {"ssm_conv1d_q.weight", "ssm_conv1d_k.weight", "ssm_conv1d_v.weight"}) m.tensor(name, {a.conv_kernel, 1, width, 1});
  for (const char* name : {"attn_q", "attn_k", "attn_v"}) m.linear(name, h, width);
  m.linear("ssm_f_a", h, rank);
  m.linear("ssm_f_b", rank, width);
  m.linear("ssm_beta", h, a.n_v_heads);
  m.tensor("ssm_dt.bias", {width});
  if (full_rank_gate) {
    m.tensor("ssm_a", {a.n_v_heads});
    m.linear("ssm_g", h, width);
  } else {
    m.tensor("ssm_a", {1, a.n_v_heads, 1, 1});
    m.linear("ssm_g_a", h, rank);
    m.linear("ssm_g_b", rank, width);
  }
  m.norm("ssm_norm", false, a.v_head_dim);
  m.linear("attn_output", width, h);
}

void build_kimi_linear(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::linear_attention ? delta_attention(m, false) : m.mla();
    m.norm("ffn_norm");
    m.moe_or_dense({.correction_bias = true});
  }
  m.output_norm();
  m.output_head();
}

void build_kimi_k3(ModelBuilder& m) {
  const std::int64_t h = m.hp.hidden_size;
  const std::int64_t latent = m.hp.extra_or("routed_expert_hidden_size", 0);
  // Residuals across layers: a score vector per half of a layer; the checkpoint has it as a norm and a projection, which the converter multiplies.
  const bool residuals = m.hp.extra_or("attn_res_block_size", 0) > 0;
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    if (m.kind() == LayerKind::linear_attention) {
      delta_attention(m, true);
    } else {
      m.mla();
      if (m.hp.attention_gate) m.linear("attn_gate", h, m.hp.n_heads * m.hp.v_head_dim);
    }
    m.norm("ffn_norm");
    if (residuals) {
      m.tensor("attn_res_score.weight", {h});
      m.tensor("ffn_res_score.weight", {h});
    }
    if (latent > 0 && m.routes(i)) {
      m.linear("ffn_routed_down", h, latent);
      m.linear("ffn_routed_up", latent, h);
      if (m.hp.extra_or("latent_moe_use_norm", 1) != 0) m.norm("ffn_routed_norm", false, latent);
    }
    m.moe_or_dense({.correction_bias = true, .expert_input = latent});
  }
  if (residuals) m.global_tensor("output_res_score.weight", {h});
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kKimiLinear = {
    .name = "kimi-linear", .model_types = {"kimi_linear"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build_kimi_linear};
extern const Architecture kKimiK3 = {
    .name = "kimi-k3", .model_types = {"kimi_k3"}, .read_config = read_kimi_k3, .complete_gguf = complete_kimi_k3, .build = build_kimi_k3};

}  // namespace planner
