// MiMo-V2: one full attention layer to four or five sliding ones, which have KV heads of their own number and a learned sink per head; keys
// are wider than values; a leading dense layer, then experts; three MTP layers.
// Sources: modeling_mimo_v2_flash.py (XiaomiMiMo/MiMo-V2-Flash); src/models/mimo2.cpp, conversion/mimo.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

// The config does not count the MTP layers; all released checkpoints have three (conversion/mimo.py).
constexpr std::int64_t kMtpLayers = 3;

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "swa_num_key_value_heads", "head_dim", "v_head_dim", "sliding_window", "hybrid_layer_pattern",
                  "intermediate_size", "n_routed_experts", "moe_intermediate_size", "num_experts_per_tok", "moe_layer_freq"});
  hp.n_heads_swa = config.integer_or({"swa_num_attention_heads"}, hp.n_heads);
  hp.n_kv_heads_swa = config.integer_or({"swa_num_key_value_heads"}, hp.n_kv_heads);
  hp.head_dim_swa = config.integer_or({"swa_head_dim"}, hp.head_dim);
  hp.head_dim_v_swa = config.integer_or({"swa_v_head_dim"}, hp.head_dim_v);
  const auto pattern = config.integers({"hybrid_layer_pattern"});
  const auto routes = config.integers({"moe_layer_freq"});
  if (static_cast<std::int64_t>(pattern.size()) < hp.n_layers) config.fail("hybrid_layer_pattern", "is shorter than num_hidden_layers");
  if (static_cast<std::int64_t>(routes.size()) < hp.n_layers) config.fail("moe_layer_freq", "is shorter than num_hidden_layers");
  hp.layer_kinds.clear();
  for (std::size_t i = 0; i < static_cast<std::size_t>(hp.n_layers); ++i) {
    hp.layer_kinds.push_back(pattern[i] == 1 ? LayerKind::sliding_attention : LayerKind::full_attention);
    hp.moe_layers.push_back(routes[i] != 0);
  }
  set_extra(hp, "sliding_sinks", config.boolean_or({"add_swa_attention_sink_bias"}, true) ? 1 : 0);
  set_extra(hp, "full_sinks", config.boolean_or({"add_full_attention_sink_bias"}, false) ? 1 : 0);
  // MiMo-V2.5 ships Q, K and V in one matrix, and so do its GGUF files.
  const auto layout = config.string_or({"attention_projection_layout"}, hp.model_type == "mimo_v2" ? "fused_qkv" : "split");
  set_extra(hp, "fused_qkv", layout == "fused_qkv" ? 1 : 0);
  hp.attention_out_bias = false;
  hp.n_mtp_layers = kMtpLayers;
}

void complete_gguf(Hyperparameters& hp) {
  heads_by_kind(hp);
  set_extra(hp, "sliding_sinks", 1);
  // Only the first layer is dense; files do not say so.
  if (hp.moe_layers.empty() && hp.n_dense_leading == 0) hp.n_dense_leading = 1;
}

void layer(ModelBuilder& m) {
  const bool sliding = m.kind() == LayerKind::sliding_attention;
  m.norm("attn_norm");
  m.attention({.fused_qkv = m.hp.extra_or("fused_qkv", 0) != 0, .sinks = m.hp.extra_or(sliding ? "sliding_sinks" : "full_sinks", 0) != 0});
  m.norm("ffn_norm");
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m);
    m.moe_or_dense({.correction_bias = true});
  }
  m.output_norm();
  m.output_head();
  // The MTP layers slide and are dense; a norm of their own closes them.
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer(LayerKind::sliding_attention);
    layer(m);
    m.dense();
    m.nextn({.embed_tokens = false, .head = false, .head_norm = false});
    m.norm("layer_output_norm");
  }
}

}  // namespace

extern const Architecture kMimo2 = {.name = "mimo2",
                                    .model_types = {"mimo_v2_flash", "mimo_v2"},
                                    .read_config = read_config,
                                    .complete_gguf = complete_gguf,
                                    .build = build,
                                    .gguf_holds_mtp = true};

}  // namespace planner
