// LFM2 and LFM2-MoE: gated short convolutions with an attention layer now and then.
// Sources: configuration_lfm2.py, modeling_lfm2.py, configuration_lfm2_moe.py (huggingface/transformers); conversion/lfm2.py,
// src/models/lfm2.cpp, lfm2moe.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

constexpr std::int64_t kConvolution = 3;  // conv_L_cache

void read_shared(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings", "tie_embedding"}, true);
  hp.linear_conv = config.integer_or({"conv_L_cache"}, kConvolution);
  set_extra(hp, "conv_bias", config.boolean_or({"conv_bias"}, false) ? 1 : 0);
  if (hp.layer_kinds.empty()) {
    const auto full = config.integers({"full_attn_idxs"});
    if (full.empty()) config.fail("layer_types", "is absent");
    hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::short_conv);
    for (const auto i : full) {
      if (i >= hp.n_layers) config.fail("full_attn_idxs", "names layer " + std::to_string(i) + " of " + std::to_string(hp.n_layers));
      hp.layer_kinds[static_cast<std::size_t>(i)] = LayerKind::full_attention;
    }
  }
}

/// The width that a config states is that of a plain feed-forward: a gated one of as many parameters is 2/3 as wide, times a factor and
/// rounded up (modeling_lfm2.py, Lfm2MLP). A config that gives intermediate_size alone states the width itself.
void read_lfm2(const ConfigReader& config, Hyperparameters& hp) {
  read_shared(config, hp);
  hp.ffn_size = config.integer({"block_ff_dim", "intermediate_size"});
  if (config.boolean_or({"block_auto_adjust_ff_dim"}, config.has("block_ff_dim"))) {
    const std::int64_t multiple = config.integer_or({"block_multiple_of"}, 256);
    if (multiple < 1) config.fail("block_multiple_of", "is 0");
    hp.ffn_size = 2 * hp.ffn_size / 3;
    hp.ffn_size = static_cast<std::int64_t>(config.number_or({"block_ffn_dim_multiplier"}, 1.0) * static_cast<double>(hp.ffn_size));
    hp.ffn_size = (hp.ffn_size + multiple - 1) / multiple * multiple;
  }
}

void read_lfm2_moe(const ConfigReader& config, Hyperparameters& hp) {
  read_shared(config, hp);
  hp.ffn_size = config.integer({"intermediate_size"});
  hp.expert_ffn_size = config.integer({"moe_intermediate_size"});
  hp.n_dense_leading = config.integer_or({"num_dense_layers"}, 2);
  set_extra(hp, "expert_bias", config.boolean_or({"use_expert_bias"}, true) ? 1 : 0);
}

void complete_gguf(Hyperparameters& hp) {
  take_kv_pattern(hp, LayerKind::short_conv);
  set_extra_from_gguf(hp, "l_cache", "shortconv.l_cache");
  if (hp.linear_conv == 0) hp.linear_conv = hp.extra_or("l_cache", kConvolution);
}

void short_conv(ModelBuilder& m) {
  const bool bias = m.hp.extra_or("conv_bias", 0) != 0;
  const std::int64_t width = m.hp.hidden_size;
  m.mixer(ShortConv{m.hp.linear_conv, width});
  m.tensor("shortconv.conv.weight", {m.hp.linear_conv, width});
  if (bias) m.tensor("shortconv.conv.bias", {width});
  m.linear("shortconv.in_proj", width, 3 * width, bias);
  m.linear("shortconv.out_proj", width, width, bias);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::short_conv ? short_conv(m) : m.attention({.qk_norm = QkNorm::per_head});
    m.norm("ffn_norm");
    m.moe_or_dense({.correction_bias = m.hp.extra_or("expert_bias", 1) != 0, .correction_is_buffer = true});
  }
  m.global_tensor("token_embd_norm.weight", {m.hp.hidden_size});  // the final norm, under the name of an embedding norm
  m.output_head();
}

}  // namespace

extern const Architecture kLfm2 = {.name = "lfm2", .model_types = {"lfm2"}, .read_config = read_lfm2, .complete_gguf = complete_gguf, .build = build};
extern const Architecture kLfm2Moe = {
    .name = "lfm2moe", .model_types = {"lfm2_moe"}, .read_config = read_lfm2_moe, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
