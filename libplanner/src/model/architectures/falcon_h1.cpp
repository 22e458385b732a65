// Falcon-H1: attention and Mamba-2 side by side in every layer.
// Sources: configuration_falcon_h1.py, modeling_falcon_h1.py (huggingface/transformers); conversion/falcon_h1.py,
// src/models/falcon-h1.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads"});
  hp.ffn_size = config.integer({"intermediate_size"});
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;
  hp.ssm_state = config.integer_or({"mamba_d_state"}, 256);
  hp.ssm_conv = config.integer_or({"mamba_d_conv"}, 4);
  hp.ssm_heads = config.integer_or({"mamba_n_heads"}, 128);
  // The inner width is a number of its own, not expand times hidden_size; d_head may be "auto".
  const auto* head_dim = config.find({"mamba_d_head"});
  const bool stated = head_dim != nullptr && !head_dim->is_string();
  const std::int64_t expanded = config.integer_or({"mamba_expand"}, 2) * hp.hidden_size;
  hp.ssm_inner = config.integer_or({"mamba_d_ssm"}, stated ? hp.ssm_heads * config.integer({"mamba_d_head"}) : expanded);
  hp.ssm_groups = config.integer_or({"mamba_n_groups"}, 1);
  read_mamba_options(config, hp, "mamba_conv_bias", "mamba_proj_bias");
  // The norm inside the mixer is a choice of the model: the 7B has it.
  set_extra(hp, "mamba.norm", config.boolean_or({"mamba_rms_norm"}, false) ? 1 : 0);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.mamba2(mamba_options(m.hp));
    m.attention();
    m.tensor("ffn_norm", {m.hp.hidden_size});  // written without ".weight"
    m.dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kFalconH1 = {.name = "falcon-h1", .model_types = {"falcon_h1"}, .read_config = read_config, .build = build};

}  // namespace planner
