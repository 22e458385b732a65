// Jamba: Mamba-1 with an attention layer now and then, and experts in every other layer.
// Sources: configuration_jamba.py, modeling_jamba.py (huggingface/transformers); conversion/jamba.py, src/models/jamba.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads"});
  hp.ffn_size = config.integer_or({"intermediate_size"}, 14336);
  hp.n_kv_heads = config.integer_or({"num_key_value_heads"}, 8);
  hp.sliding_window = 0;
  const std::int64_t period = config.integer_or({"attn_layer_period"}, 8);
  const std::int64_t offset = config.integer_or({"attn_layer_offset"}, 4);
  const std::int64_t moe_period = config.integer_or({"expert_layer_period"}, 2);
  const std::int64_t moe_offset = config.integer_or({"expert_layer_offset"}, 1);
  if (period < 1) config.fail("attn_layer_period", "is 0");
  if (moe_period < 1) config.fail("expert_layer_period", "is 0");
  // Layers are attention, and route, where i % period == offset.
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::mamba);
  hp.n_experts = config.integer_or({"num_experts", "num_local_experts"}, 16);
  hp.n_experts_active = config.integer_or({"num_experts_per_tok"}, 2);
  hp.expert_ffn_size = hp.ffn_size;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    if (i % period == offset) hp.layer_kinds[static_cast<std::size_t>(i)] = LayerKind::full_attention;
    hp.moe_layers.push_back(hp.n_experts > 1 && i % moe_period == moe_offset);
  }
  if (hp.n_experts <= 1) hp.n_experts = hp.n_experts_active = hp.expert_ffn_size = 0;  // a dense Jamba says one expert

  hp.ssm_inner = config.integer_or({"mamba_expand"}, 2) * hp.hidden_size;
  hp.ssm_state = config.integer_or({"mamba_d_state"}, 16);
  hp.ssm_conv = config.integer_or({"mamba_d_conv"}, 4);
  const auto* rank = config.find({"mamba_dt_rank"});
  const bool automatic = rank == nullptr || rank->is_string();
  hp.ssm_dt_rank = automatic ? (hp.hidden_size + 15) / 16 : config.integer({"mamba_dt_rank"});
  read_mamba_options(config, hp, "mamba_conv_bias", "mamba_proj_bias");
}

void complete_gguf(Hyperparameters& hp) {
  take_kv_pattern(hp, LayerKind::mamba);
  if (hp.expert_ffn_size == 0 && hp.n_experts > 0) hp.expert_ffn_size = hp.ffn_size;
  // Which layers route is only seen from the tensors; every released Jamba has period 2, offset 1.
  if (hp.n_experts > 0 && hp.moe_layers.empty()) {
    for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers.push_back(i % 2 == 1);
  }
}

void build(ModelBuilder& m) {
  auto options = mamba_options(m.hp);
  options.inner_norms = true;
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::mamba ? m.mamba1(options) : m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kJamba = {.name = "jamba", .model_types = {"jamba"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
