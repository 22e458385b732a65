// Arcee Trinity: three sliding layers to one full, a gate on the attention's output, norms per head and around both halves of a layer;
// leading dense layers, then experts with a shared one.
// Sources: configuration_afmoe.py, modeling_afmoe.py (huggingface/transformers); src/models/afmoe.cpp, conversion/afmoe.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kFullEvery = 4;

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "num_experts", "num_experts_per_tok", "moe_intermediate_size",
                  "num_dense_layers", "num_shared_experts"});
  hp.n_dense_leading = config.integer({"num_dense_layers"});
  if (hp.layer_kinds.empty() && hp.sliding_window > 0) {
    hp.layer_kinds = every_nth_full(hp.n_layers, config.integer_or({"global_attn_every_n_layers"}, kFullEvery), LayerKind::sliding_attention);
  }
}

void complete_gguf(Hyperparameters& hp) {
  imply_sliding_pattern(hp, kFullEvery);
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = QkNorm::per_head});
    m.linear("attn_gate", m.hp.hidden_size, m.hp.n_heads * m.hp.head_dim);
    m.norm("post_attention_norm");
    m.norm("ffn_norm");
    m.moe_or_dense({.correction_bias = true});
    m.norm("post_ffw_norm");
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kAfmoe = {.name = "afmoe", .model_types = {"afmoe"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
