// dots.llm1: attention with norms per head, a leading dense layer, then experts with shared ones.
// Sources: configuration_dots1.py, modeling_dots1.py (huggingface/transformers); src/models/dots1.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "n_routed_experts", "moe_intermediate_size", "num_experts_per_tok", "n_shared_experts", "first_k_dense_replace"});
  hp.attention_out_bias = hp.attention_bias;
}

void complete_gguf(Hyperparameters& hp) {
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = QkNorm::per_head});
    m.norm("ffn_norm");
    m.moe_or_dense({.correction_bias = true});
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kDots1 = {.name = "dots1", .model_types = {"dots1"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
