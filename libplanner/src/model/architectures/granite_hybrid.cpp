// Granite 4.0: Mamba-2 layers with an attention layer now and then, dense or routing with a shared expert; its smallest and "micro" models are
// attention alone. Bamba has the same layers.
// Sources: configuration_granitemoehybrid.py, modeling_granitemoehybrid.py, configuration_bamba.py (huggingface/transformers);
// conversion/granite.py, src/models/granite-hybrid.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

void read_mamba2(const ConfigReader& config, Hyperparameters& hp, std::int64_t default_heads) {
  hp.ssm_inner = config.integer_or({"mamba_expand"}, 2) * hp.hidden_size;
  hp.ssm_state = config.integer_or({"mamba_d_state"}, 256);
  hp.ssm_conv = config.integer_or({"mamba_d_conv"}, 4);
  hp.ssm_heads = config.integer_or({"mamba_n_heads"}, default_heads);
  hp.ssm_groups = config.integer_or({"mamba_n_groups"}, 1);
  read_mamba_options(config, hp, "mamba_conv_bias", "mamba_proj_bias");
}

void read_bamba(const ConfigReader& config, Hyperparameters& hp) {
  const auto attention = config.integers({"attn_layer_indices"});
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::mamba);
  for (const auto i : attention) {
    if (i >= hp.n_layers) config.fail("attn_layer_indices", "names layer " + std::to_string(i) + " of " + std::to_string(hp.n_layers));
    hp.layer_kinds[static_cast<std::size_t>(i)] = LayerKind::full_attention;
  }
  hp.ffn_size = config.integer({"intermediate_size"});
  read_mamba2(config, hp, 128);
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads"});
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;
  if (hp.model_type == "bamba") return read_bamba(config, hp);

  if (hp.layer_kinds.empty()) config.fail("layer_types", "is absent");
  // The dense feed-forward of a model without experts is what is the shared expert beside experts.
  hp.shared_ffn_size = config.integer_or({"shared_intermediate_size"}, 1024);
  if (hp.n_experts > 0) {
    hp.expert_ffn_size = config.integer({"intermediate_size"});
  } else {
    hp.ffn_size = hp.shared_ffn_size;
    hp.shared_ffn_size = hp.n_experts_active = hp.expert_ffn_size = 0;
  }
  const bool hybrid = std::find(hp.layer_kinds.begin(), hp.layer_kinds.end(), LayerKind::mamba) != hp.layer_kinds.end();
  if (hybrid) {
    read_mamba2(config, hp, 128);
  } else {
    hp.architecture = hp.n_experts > 0 ? "granitemoe" : "granite";  // GGUF files of attention-only models have the older name
  }
}

void complete_gguf(Hyperparameters& hp) {
  take_kv_pattern(hp, LayerKind::mamba);
  if (hp.n_experts == 0) {
    hp.shared_ffn_size = 0;
  } else if (hp.expert_ffn_size == 0) {
    hp.expert_ffn_size = hp.ffn_size;
  }
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::mamba ? m.mamba2(mamba_options(m.hp)) : m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kGraniteHybrid = {
    .name = "granitehybrid", .model_types = {"granitemoehybrid", "bamba"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
