// The GPT-2 line: LayerNorms with biases, one matrix for Q, K and V, a feed-forward without gate. GPT-2 and StarCoder add a table of
// positions; BLOOM and MPT bend the attention instead (ALiBi); GPT-NeoX (Pythia) and GPT-J rotate.
// Sources: configuration_ and modeling_ gpt2.py, gpt_bigcode.py, gpt_neox.py, gptj.py, bloom.py, mpt.py (huggingface/transformers);
// src/models/gpt2.cpp, starcoder.cpp, gptneox.cpp, bloom.cpp, mpt.cpp, conversion/gpt2.py, starcoder.py, bloom.py, mpt.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

/// Biases everywhere, a feed-forward of four times the width unless the config says otherwise.
void read_classic(const ConfigReader& config, Hyperparameters& hp, bool tied) {
  if (hp.n_heads == 0) config.require({"num_attention_heads"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, tied);
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = true;
  hp.sliding_window = 0;
  if (hp.ffn_size == 0) hp.ffn_size = 4 * hp.hidden_size;
}

void read_gpt2(const ConfigReader& config, Hyperparameters& hp) {
  read_classic(config, hp, true);
  hp.n_kv_heads = hp.n_heads;
  // The table of positions is as long as the context, which GPT2Config sets to 1024 where the config is silent.
  hp.context_length = config.integer_or({"n_positions", "max_position_embeddings", "n_ctx"}, 1024);
}

void read_bigcode(const ConfigReader& config, Hyperparameters& hp) {
  read_classic(config, hp, true);
  hp.n_kv_heads = config.boolean_or({"multi_query"}, true) ? 1 : hp.n_heads;
  hp.context_length = config.integer_or({"n_positions", "max_position_embeddings"}, 1024);
}

void read_gpt_neox(const ConfigReader& config, Hyperparameters& hp) {
  read_classic(config, hp, false);
  hp.attention_bias = hp.attention_out_bias = config.boolean_or({"attention_bias"}, true);
  hp.n_kv_heads = hp.n_heads;
}

void read_gptj(const ConfigReader& config, Hyperparameters& hp) {
  read_classic(config, hp, false);
  hp.attention_bias = hp.attention_out_bias = false;
  hp.n_kv_heads = hp.n_heads;
  hp.rotary_dim = config.integer_or({"rotary_dim"}, hp.head_dim);
}

void read_bloom(const ConfigReader& config, Hyperparameters& hp) {
  read_classic(config, hp, true);
  hp.n_kv_heads = hp.n_heads;
}

void read_mpt(const ConfigReader& config, Hyperparameters& hp) {
  read_classic(config, hp, true);
  hp.ffn_size = config.integer_or({"expansion_ratio"}, 4) * hp.hidden_size;
  const bool bias = !config.boolean_or({"no_bias"}, true);
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = bias;
  hp.n_kv_heads = hp.n_heads;
  bool alibi = true;
  if (const auto attention = config.object("attn_config")) {
    hp.n_kv_heads = attention->integer_or({"kv_n_heads"}, attention->string_or({"attn_type"}, "") == "multiquery_attention" ? 1 : hp.n_heads);
    hp.qk_norm = attention->boolean_or({"qk_ln"}, false);
    alibi = attention->boolean_or({"alibi"}, true);
  }
  set_extra(hp, "position_table", !alibi && config.boolean_or({"learned_pos_emb"}, true) ? 1 : 0);
  set_extra(hp, "norm_bias", bias ? 1 : 0);
}

void complete_mpt(Hyperparameters& hp) { set_extra(hp, "norm_bias", hp.mlp_bias ? 1 : 0); }

struct Shape {
  bool positions = false;   ///< a learned table of positions
  bool embed_norm = false;  ///< a norm behind the embedding (BLOOM)
  bool norm_bias = true;
  QkNorm qk_norm = QkNorm::none;
};

void build_with(ModelBuilder& m, const Shape& shape) {
  m.token_embedding();
  if (shape.positions) m.global_table("position_embd.weight", {m.hp.hidden_size, m.hp.context_length});
  if (shape.embed_norm) {
    m.global_tensor("token_embd_norm.weight", {m.hp.hidden_size});
    m.global_tensor("token_embd_norm.bias", {m.hp.hidden_size});
  }
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", shape.norm_bias);
    m.attention({.qk_norm = shape.qk_norm, .norm_bias = shape.norm_bias, .fused_qkv = true});
    m.norm("ffn_norm", shape.norm_bias);
    m.dense({.gated = false});
  }
  m.output_norm(shape.norm_bias);
  m.output_head();
}

void build_gpt2(ModelBuilder& m) { build_with(m, {.positions = true}); }
void build_gpt_neox(ModelBuilder& m) { build_with(m, {}); }
void build_bloom(ModelBuilder& m) { build_with(m, {.embed_norm = true}); }
void build_mpt(ModelBuilder& m) {
  build_with(m, {.positions = m.hp.extra_or("position_table", 0) != 0,
                 .norm_bias = m.hp.extra_or("norm_bias", 0) != 0,
                 .qk_norm = m.hp.qk_norm ? QkNorm::full : QkNorm::none});
}

/// GPT-J: attention and feed-forward side by side behind one norm, no attention biases, a bias on the head.
void build_gptj(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    m.attention();
    m.dense({.gated = false});
  }
  m.output_norm(true);
  m.output_head(true);
}

}  // namespace

extern const Architecture kGpt2 = {.name = "gpt2", .model_types = {"gpt2"}, .read_config = read_gpt2, .build = build_gpt2};
extern const Architecture kStarcoder = {.name = "starcoder", .model_types = {"gpt_bigcode"}, .read_config = read_bigcode, .build = build_gpt2};
extern const Architecture kGptNeox = {.name = "gptneox", .model_types = {"gpt_neox"}, .read_config = read_gpt_neox, .build = build_gpt_neox};
extern const Architecture kGptJ = {.name = "gptj", .model_types = {"gptj"}, .read_config = read_gptj, .build = build_gptj};
extern const Architecture kBloom = {.name = "bloom", .model_types = {"bloom"}, .read_config = read_bloom, .build = build_bloom};
extern const Architecture kMpt = {.name = "mpt", .model_types = {"mpt"}, .read_config = read_mpt, .complete_gguf = complete_mpt, .build = build_mpt};

}  // namespace planner
