// Falcon 7B, 40B, 180B and Falcon 2 11B: LayerNorms, one matrix for Q, K and V, a feed-forward without gate beside the attention. The 7B
// has one KV head and one norm per layer, the later decoder a group of KV heads and a norm for each half; Falcon-RW has biases and ALiBi.
// Sources: configuration_falcon.py, modeling_falcon.py (huggingface/transformers); src/models/falcon.cpp, conversion/falcon.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  if (hp.n_heads == 0) config.require({"num_attention_heads"});
  // FalconConfig would tie, but the released checkpoints have a head of their own, which conversion keeps.
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, false);
  const bool bias = config.boolean_or({"bias"}, false);
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = bias;
  if (hp.ffn_size == 0) hp.ffn_size = 4 * hp.hidden_size;
  // A config without the key that groups its heads is of the later decoder. 7B configs may say num_kv_heads: 71, which counts for nothing
  // under multi_query.
  const bool grouped = hp.n_kv_heads > 1 && hp.n_kv_heads < hp.n_heads;
  const bool later = config.boolean_or({"new_decoder_architecture"}, grouped);
  if (!later) hp.n_kv_heads = config.boolean_or({"multi_query"}, true) ? 1 : hp.n_heads;
  set_extra(hp, "norms", later && config.integer_or({"num_ln_in_parallel_attn"}, 2) == 2 ? 2 : 1);
  set_extra(hp, "ffn_norm", !later && !config.boolean_or({"parallel_attn"}, true) ? 1 : 0);
  hp.context_length = config.integer_or({"max_position_embeddings"}, 2048);
}

void complete_gguf(Hyperparameters& hp) { set_extra(hp, "norms", hp.n_kv_heads > 1 ? 2 : 1); }

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    if (m.hp.extra_or("norms", 1) == 2) m.norm("attn_norm_2", true);
    m.attention({.fused_qkv = true});
    if (m.hp.extra_or("ffn_norm", 0) != 0) m.norm("ffn_norm", true);
    m.dense({.gated = false});
  }
  m.output_norm(true);
  m.output_head();
}

}  // namespace

extern const Architecture kFalcon = {
    .name = "falcon", .model_types = {"falcon", "RefinedWeb", "RefinedWebModel"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
