// Grok-1 and Grok-2: norms before and after each half of a layer, eight wide experts; Grok-2 has a dense feed-forward beside them.
// Sources: modeling_grok1.py (hpcai-tech/grok-1), grok.py (sgl-project/sglang); src/models/grok.cpp, conversion/grok.py
// (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr const char* kResidual = "residual_moe";  // 1: a dense feed-forward runs beside the experts

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  // Grok-2 calls itself "git", a name that an image captioner has too.
  const auto classes = config.strings({"architectures"});
  const bool is_grok = std::any_of(classes.begin(), classes.end(), [](const std::string& c) { return c.rfind("Grok", 0) == 0; });
  if (hp.model_type == "git" && !is_grok) config.fail("model_type", "is 'git', which is described for Grok-2 alone");
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "num_experts_per_tok"});
  hp.n_experts = config.integer({"num_local_experts", "num_experts"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, hp.model_type != "git");
  set_extra(hp, kResidual, config.boolean_or({"residual_moe"}, false) ? 1 : 0);
}

// Files of Grok-1 give one width, those of Grok-2 two.
void complete_gguf(Hyperparameters& hp) { set_extra(hp, kResidual, hp.expert_ffn_size != hp.ffn_size ? 1 : 0); }

void build(ModelBuilder& m) {
  const bool residual = m.hp.extra_or(kResidual, 0) != 0;
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("attn_output_norm");
    m.norm("ffn_norm");
    if (residual) m.dense();
    m.moe();
    m.norm(residual ? "post_ffw_norm" : "layer_output_norm");
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kGrok = {
    .name = "grok", .model_types = {"grok-1", "git"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
