// Ling and Ring: Ling-lite and -plus (bailingmoe), Ling 2.0 (bailingmoe2), both under the model_type "bailing_moe". Experts with shared
// ones; Ling 2.0 adds norms per head, a correction bias, leading dense layers and sometimes MTP layers. Sources: modeling_bailing_moe.py
// (inclusionAI/Ling), modeling_bailing_moe_v2.py (inclusionAI/Ling-V2); src/models/bailingmoe.cpp, bailingmoe2.cpp,
// conversion/bailingmoe.py (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

bool is_second_generation(const ConfigReader& config) {
  const auto classes = config.strings({"architectures"});
  if (!classes.empty()) return std::find(classes.begin(), classes.end(), "BailingMoeForCausalLM") == classes.end();
  return config.boolean_or({"use_qk_norm"}, false);
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "num_experts", "num_experts_per_tok", "num_shared_experts", "moe_intermediate_size",
                  "first_k_dense_replace"});
  hp.attention_bias = config.boolean_or({"use_qkv_bias"}, false);
  hp.attention_out_bias = config.boolean_or({"use_bias"}, false);
  if (is_second_generation(config)) {
    hp.architecture = "bailingmoe2";
  } else {
    hp.n_dense_leading = 0;  // the class ignores first_k_dense_replace, and so do GGUF files
    hp.n_mtp_layers = 0;
  }
}

void complete_gguf(Hyperparameters& hp) {
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

void complete_bailing_moe(Hyperparameters& hp) {
  complete_gguf(hp);
  hp.n_dense_leading = 0;
}

void layer(ModelBuilder& m, bool second) {
  m.norm("attn_norm");
  m.attention({.qk_norm = second ? QkNorm::per_head : QkNorm::none, .fused_qkv = second});
  m.norm("ffn_norm");
  m.moe_or_dense({.correction_bias = second});
}

void build_with(ModelBuilder& m, bool second) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m, second);
  }
  m.output_norm();
  m.output_head();
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    layer(m, second);
    m.nextn({.embed_tokens = false, .head = false, .head_norm = false});
    m.norm("layer_output_norm");
  }
}

void build_bailing_moe(ModelBuilder& m) { build_with(m, false); }
void build_bailing_moe2(ModelBuilder& m) { build_with(m, true); }

}  // namespace

extern const Architecture kBailingMoe = {
    .name = "bailingmoe", .model_types = {"bailing_moe"}, .read_config = read_config, .complete_gguf = complete_bailing_moe, .build = build_bailing_moe};
extern const Architecture kBailingMoe2 = {.name = "bailingmoe2",
                                          .model_types = {"bailing_moe_v2"},
                                          .read_config = read_config,
                                          .complete_gguf = complete_gguf,
                                          .build = build_bailing_moe2,
                                          .gguf_holds_mtp = true};

}  // namespace planner
