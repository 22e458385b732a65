// GLM-4.5, 4.6 and 4.7: grouped-query attention with biases, leading dense layers, then experts with a shared one; an MTP layer. Solar Open
// has the same shape without biases and MTP. Sources: modeling_glm4_moe.py (huggingface/transformers); src/models/glm4-moe.cpp, conversion/glm.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

// Extra: 0 where the MTP layer comes without copies of embeddings and head (GLM-4.6). No key of the published configs tells: the catalog's own.
constexpr const char* kMtpCopies = "mtp_copies";

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "n_routed_experts", "moe_intermediate_size", "num_experts_per_tok", "n_shared_experts",
                  "first_k_dense_replace"});
  // The heads are wider than hidden_size / num_attention_heads; configuration_glm4_moe.py gives 128 where the config is silent.
  hp.head_dim = config.integer_or({"head_dim"}, 128);
  hp.head_dim_v = hp.head_dim;
  hp.qk_norm = config.boolean_or({"use_qk_norm"}, false);
  set_extra(hp, kMtpCopies, config.boolean_or({kMtpCopies}, true) ? 1 : 0);
}

void complete_gguf(Hyperparameters& hp) {
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

void layer(ModelBuilder& m) {
  m.norm("attn_norm");
  m.attention({.qk_norm = m.hp.qk_norm ? QkNorm::per_head : QkNorm::none});
  m.norm("post_attention_norm");
  m.moe_or_dense({.correction_bias = true});
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m);
  }
  m.output_norm();
  m.output_head();
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    layer(m);
    const bool copies = m.hp.extra_or(kMtpCopies, 1) != 0;
    m.nextn({.embed_tokens = copies, .head = copies});
  }
}

}  // namespace

extern const Architecture kGlm4Moe = {.name = "glm4moe",
                                      .model_types = {"glm4_moe", "glm4v_moe", "glm4v_moe_text", "solar_open"},
                                      .read_config = read_config,
                                      .complete_gguf = complete_gguf,
                                      .build = build,
                                      .gguf_holds_mtp = true};

}  // namespace planner
