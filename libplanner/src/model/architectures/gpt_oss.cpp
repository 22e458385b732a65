// gpt-oss: sliding and full attention in turn with a learned sink per head, every layer routed, biases everywhere.
// Sources: configuration_gpt_oss.py, modeling_gpt_oss.py (huggingface/transformers); src/models/openai-moe.cpp, conversion/gpt_oss.py
// (ggml-org/llama.cpp). The experts are published in MXFP4 and stay so in GGUF files.
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void imply(Hyperparameters& hp) {
  hp.attention_bias = true;
  hp.attention_out_bias = true;
  if (hp.sliding_window > 0 && hp.layer_kinds.empty()) hp.layer_kinds = every_nth_full(hp.n_layers, 2, LayerKind::sliding_attention);
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "num_local_experts", "intermediate_size"});
  hp.n_experts_active = config.integer({"num_experts_per_tok", "experts_per_token"});
  hp.head_dim = config.integer_or({"head_dim"}, 64);
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.head_dim;
  hp.sliding_window = config.integer_or({"sliding_window"}, 128);
  imply(hp);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.sinks = true});
    m.norm("post_attention_norm");
    m.moe({.expert_bias = true});
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kGptOss = {.name = "gpt-oss", .model_types = {"gpt_oss"}, .read_config = read_config, .complete_gguf = imply, .build = build};

}  // namespace planner
