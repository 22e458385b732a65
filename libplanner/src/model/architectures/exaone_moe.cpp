// K-EXAONE: three sliding layers to one full, norms per head, a leading dense layer, then experts with a shared one; a dense MTP layer.
// Sources: modeling_exaone_moe.py (huggingface/transformers); src/models/exaone-moe.cpp, conversion/exaone.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kFullEvery = 4;

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "num_experts", "moe_intermediate_size", "num_experts_per_tok",
                  "num_shared_experts", "sliding_window"});
  hp.head_dim = config.integer_or({"head_dim"}, hp.head_dim);
  hp.head_dim_v = hp.head_dim;
  hp.n_dense_leading = config.integer_or({"first_k_dense_replace", "first_last_k_dense_replace"}, 0);
  if (const auto* routes = config.find({"is_moe_layer"}); routes != nullptr && routes->is_array()) {
    for (const auto& flag : *routes) hp.moe_layers.push_back(flag.is_boolean() ? flag.get<bool>() : flag.is_number() && flag.get<double>() != 0);
    if (static_cast<std::int64_t>(hp.moe_layers.size()) < hp.n_layers) config.fail("is_moe_layer", "is shorter than num_hidden_layers");
    hp.moe_layers.resize(static_cast<std::size_t>(hp.n_layers));
  }
  if (hp.layer_kinds.empty() && hp.sliding_window > 0) hp.layer_kinds = every_nth_full(hp.n_layers, kFullEvery, LayerKind::sliding_attention);
}

void complete_gguf(Hyperparameters& hp) {
  imply_sliding_pattern(hp, kFullEvery);
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

void half_layer(ModelBuilder& m) {
  m.norm("attn_norm");
  m.attention({.qk_norm = QkNorm::per_head});
  m.norm("ffn_norm");
}

void build(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    half_layer(m);
    m.moe_or_dense({.correction_bias = true});
  }
  m.output_norm();
  m.output_head();
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    half_layer(m);
    m.dense();
    m.nextn({.embed_tokens = false, .head = false});
  }
}

}  // namespace

extern const Architecture kExaoneMoe = {
    .name = "exaone-moe", .model_types = {"exaone_moe"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build, .gguf_holds_mtp = true};

}  // namespace planner
