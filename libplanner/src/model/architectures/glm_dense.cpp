// ChatGLM 2 and 3, GLM-4-9B (glm) and GLM-4-0414, GLM-Z1 (glm4): biases on Q, K and V, gate and up of the feed-forward in one matrix, half
// of each head rotated. glm4 has norms behind each half as well. Sources: configuration_glm.py, modeling_glm.py, modeling_glm4.py
// (huggingface/transformers), configuration_chatglm.py (THUDM); src/models/chatglm.cpp, glm4.cpp, conversion/chatglm.py, glm.py
// (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_glm(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size"});
  hp.head_dim = hp.head_dim_v = config.integer_or({"head_dim"}, 128);
  hp.rotary_dim = hp.head_dim / 2;
  hp.attention_bias = config.boolean_or({"attention_bias"}, hp.model_type == "glm");
}

/// The original ChatGLM files, whose keys and fused Q, K, V are their own.
void read_chatglm(const ConfigReader& config, Hyperparameters& hp) {
  if (hp.model_type != "chatglm") return read_glm(config, hp);
  config.require({"num_attention_heads", "ffn_hidden_size"});
  hp.vocab_size = config.integer({"padded_vocab_size", "vocab_size"});
  hp.n_kv_heads = config.boolean_or({"multi_query_attention"}, false) ? config.integer({"multi_query_group_num"}) : hp.n_heads;
  hp.head_dim = hp.head_dim_v = config.integer_or({"kv_channels"}, hp.hidden_size / std::max<std::int64_t>(1, hp.n_heads));
  hp.rotary_dim = hp.head_dim / 2;
  hp.mlp_bias = hp.attention_out_bias = config.boolean_or({"add_bias_linear"}, false);
  hp.attention_bias = config.boolean_or({"add_qkv_bias"}, false) || hp.mlp_bias;
  set_extra(hp, "fused_qkv", 1);
}

void build_chatglm(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.fused_qkv = m.hp.extra_or("fused_qkv", 0) != 0});
    m.norm("ffn_norm");
    m.dense({.fused_gate_up = true});
  }
  m.output_norm();
  m.output_head();
}

void layer4(ModelBuilder& m) {
  m.norm("attn_norm");
  m.attention();
  m.norm("post_attention_norm");
  m.norm("ffn_norm");
  m.dense({.fused_gate_up = true});
  m.norm("post_ffw_norm");
}

void build_glm4(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer4(m);
  }
  m.output_norm();
  m.output_head();
  // GLM-OCR has an MTP layer.
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    layer4(m);
    m.nextn();
  }
}

}  // namespace

extern const Architecture kChatglm = {.name = "chatglm", .model_types = {"glm", "chatglm"}, .read_config = read_chatglm, .build = build_chatglm};
extern const Architecture kGlm4 = {.name = "glm4",
                                   .model_types = {"glm4", "glm4v", "glm4v_text", "glm_ocr", "glm_ocr_text"},
                                   .read_config = read_glm,
                                   .build = build_glm4,
                                   .gguf_holds_mtp = true};

}  // namespace planner
