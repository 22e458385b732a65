// Encoders for embeddings: BERT and XLM-RoBERTa (bge, e5, MiniLM ...), Nomic Embed (dense and with experts), ModernBERT. They read a text
// at once, in both directions, and keep no cache; there is no head. Sources: modeling_bert.py, modeling_xlm_roberta.py,
// modeling_modernbert.py (huggingface/transformers), modeling_hf_nomic_bert.py (nomic-ai); src/models/bert.cpp, nomic-bert.cpp,
// nomic-bert-moe.cpp, modern-bert.cpp, conversion/bert.py (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_encoder(Hyperparameters& hp, bool bias) {
  hp.tied_embeddings = true;
  hp.n_kv_heads = hp.n_heads;
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = bias;
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
}

void read_bert(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size", "max_position_embeddings"});
  read_encoder(hp, true);
  // RoBERTa's positions start behind the padding id; the converter cuts off the rows before.
  if (hp.model_type != "bert") hp.context_length = std::max<std::int64_t>(0, hp.context_length - 1 - config.integer_or({"pad_token_id"}, 1));
  set_extra(hp, "type_vocab_size", config.integer_or({"type_vocab_size"}, 2));
}

void read_nomic(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"n_head", "n_inner"});
  const std::int64_t every = config.integer_or({"moe_every_n_layers"}, 0);
  read_encoder(hp, every > 0);
  set_extra(hp, "type_vocab_size", config.integer_or({"type_vocab_size"}, 2));
  if (every == 0) return;
  hp.architecture = "nomic-bert-moe";
  set_extra(hp, "moe_every_n_layers", every);
  hp.n_experts = config.integer({"num_experts"});
  hp.n_experts_active = config.integer_or({"moe_top_k"}, 1);
  hp.expert_ffn_size = hp.ffn_size;
}

void read_modern_bert(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  read_encoder(hp, false);
  hp.attention_bias = hp.attention_out_bias = config.boolean_or({"attention_bias"}, false);
}

void complete_encoder(Hyperparameters& hp) {
  hp.tied_embeddings = true;
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  hp.expert_ffn_size = hp.n_experts > 0 ? hp.ffn_size : 0;
  set_extra_from_gguf(hp, "moe_every_n_layers", "moe_every_n_layers");
}

void complete_bert(Hyperparameters& hp) {
  complete_encoder(hp);
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = true;
}

void embeddings(ModelBuilder& m, bool positions) {
  m.token_embedding();
  m.global_table("token_types.weight", {m.hp.hidden_size, m.hp.extra_or("type_vocab_size", 2)});
  if (positions) m.global_table("position_embd.weight", {m.hp.hidden_size, m.hp.context_length});
  m.global_tensor("token_embd_norm.weight", {m.hp.hidden_size});
  m.global_tensor("token_embd_norm.bias", {m.hp.hidden_size});
}

void build_bert(ModelBuilder& m) {
  embeddings(m, true);
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.attention({.cached = false});
    m.norm("attn_output_norm", true);
    m.dense({.gated = false});
    m.norm("layer_output_norm", true);
  }
}

void build_nomic(ModelBuilder& m) {
  embeddings(m, false);
  const std::int64_t every = m.hp.extra_or("moe_every_n_layers", 0);
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.attention({.fused_qkv = true, .cached = false});
    m.norm("attn_output_norm", true);
    // Every second layer of the mixture routes, from the second on, without gates in its experts (src/models/nomic-bert-moe.cpp).
    if (every > 0 && i % every == 1) {
      m.moe({.gated = false});
    } else {
      m.dense({.gated = every == 0});
    }
    m.norm("layer_output_norm", true);
  }
}

void build_modern_bert(ModelBuilder& m) {
  m.token_embedding();
  m.global_tensor("token_embd_norm.weight", {m.hp.hidden_size});
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    // The first layer starts on the norm behind the embedding.
    if (i > 0) m.norm("attn_norm");
    m.attention({.fused_qkv = true, .cached = false});
    m.norm("ffn_norm");
    m.dense({.fused_gate_up = true});
  }
  m.output_norm();
}

}  // namespace

extern const Architecture kBert = {.name = "bert",
                                   .model_types = {"bert", "xlm-roberta", "roberta", "camembert"},
                                   .read_config = read_bert,
                                   .complete_gguf = complete_bert,
                                   .build = build_bert};
extern const Architecture kNomicBert = {
    .name = "nomic-bert", .model_types = {"nomic_bert"}, .read_config = read_nomic, .complete_gguf = complete_encoder, .build = build_nomic};
extern const Architecture kNomicBertMoe = {
    .name = "nomic-bert-moe", .model_types = {}, .read_config = read_nomic, .complete_gguf = complete_bert, .build = build_nomic};
extern const Architecture kModernBert = {
    .name = "modern-bert", .model_types = {"modernbert"}, .read_config = read_modern_bert, .complete_gguf = complete_encoder, .build = build_modern_bert};

}  // namespace planner
