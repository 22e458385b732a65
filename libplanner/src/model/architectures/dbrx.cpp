// DBRX: fused Q, K, V, a norm after the attention in place of one before the experts; sixteen experts, four active.
// Sources: configuration_dbrx.py, modeling_dbrx.py (huggingface/transformers); src/models/dbrx.cpp, conversion/dbrx.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"n_heads", "attn_config", "ffn_config"});
  const auto attention = config.object("attn_config");
  const auto ffn = config.object("ffn_config");
  if (!attention) config.fail("attn_config", "is null");
  if (!ffn) config.fail("ffn_config", "is null");
  hp.n_kv_heads = attention->integer_or({"kv_n_heads"}, 1);
  hp.ffn_size = ffn->integer({"ffn_hidden_size"});
  hp.expert_ffn_size = hp.ffn_size;
  hp.n_experts = ffn->integer({"moe_num_experts"});
  hp.n_experts_active = ffn->integer({"moe_top_k"});
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.fused_qkv = true});
    m.norm("attn_output_norm");
    m.moe();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kDbrx = {.name = "dbrx", .model_types = {"dbrx"}, .read_config = read_config, .build = build};

}  // namespace planner
