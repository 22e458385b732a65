// ERNIE 4.5 with experts: dense layers at the start, then routed ones with shared experts in between or to the end; a tied head.
// Sources: configuration_ernie4_5_moe.py, modeling_ernie4_5_moe.py (huggingface/transformers); src/models/ernie4-5.cpp, conversion/ernie.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

/// Layers route from `first` to `last`, every `every`-th.
void set_moe_layers(Hyperparameters& hp, std::int64_t first, std::int64_t last, std::int64_t every) {
  hp.n_dense_leading = first;
  hp.moe_layers.clear();
  for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers.push_back(i >= first && i <= last && every > 0 && (i + 1) % every == 0);
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "moe_num_experts", "moe_intermediate_size", "moe_k"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  const bool bias = config.boolean_or({"use_bias"}, false);
  hp.attention_bias = bias;
  hp.attention_out_bias = bias;
  hp.mlp_bias = bias;
  hp.n_shared_experts = config.integer_or({"moe_num_shared_experts"}, 2);
  hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
  // An end of -1 means the last layer; the reader refuses negative numbers, so the key is looked at by hand.
  const auto* end = config.find({"moe_layer_end_index"});
  const bool to_the_end = end == nullptr || (end->is_number_integer() && end->get<std::int64_t>() < 0);
  set_moe_layers(hp, config.integer_or({"moe_layer_start_index"}, 1), to_the_end ? hp.n_layers - 1 : config.integer({"moe_layer_end_index"}),
                 config.integer_or({"moe_layer_interval"}, 1));
  // The converter drops the MTP block that some checkpoints have; its shape is in no config.
  hp.n_mtp_layers = 0;
}

void complete_gguf(Hyperparameters& hp) {
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
  set_moe_layers(hp, hp.n_dense_leading, hp.n_layers - 1, hp.extra_or("gguf.interleave_moe_layer_step", 1));
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
    // The correction bias is a matrix of one row in the checkpoint, and stays one.
    if (m.routes(i)) m.tensor("exp_probs_b.bias", {m.hp.n_experts, 1});
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kErnie45Moe = {
    .name = "ernie4_5-moe", .model_types = {"ernie4_5_moe"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
