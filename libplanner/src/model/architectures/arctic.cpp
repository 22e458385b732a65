// Snowflake Arctic: a dense feed-forward as wide as the model, and beside it 128 experts behind a norm of their own.
// Sources: modeling_arctic.py (Snowflake/snowflake-arctic-instruct); src/models/arctic.cpp, conversion/arctic.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters&) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "num_local_experts", "num_experts_per_tok"});
  // The released model has both halves in every layer; GGUF knows nothing else.
  if (config.integer_or({"moe_layer_frequency"}, 1) != 1) config.fail("moe_layer_frequency", "is not 1");
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.dense({.size = m.hp.hidden_size});
    m.norm("ffn_norm_exps");
    m.moe();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kArctic = {.name = "arctic", .model_types = {"arctic"}, .read_config = read_config, .build = build};

}  // namespace planner
