// StableLM 3B, StableLM 2 1.6B and 12B: LayerNorms, partly rotated heads. The 12B has norms on Q and K, a vector per head, and runs
// attention and feed-forward side by side behind one norm. Sources: configuration_stablelm.py, modeling_stablelm.py
// (huggingface/transformers); src/models/stablelm.cpp, conversion/stablelm.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kLayersOf12B = 40;

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.attention_bias = config.boolean_or({"use_qkv_bias"}, false);
  hp.qk_norm = config.boolean_or({"qk_layernorm"}, false);
  set_extra(hp, "parallel", config.boolean_or({"use_parallel_residual"}, false) ? 1 : 0);
  hp.sliding_window = 0;
}

/// Files say use_parallel_residual: true of models that are not (conversion/stablelm.py); the depth tells the 12B.
void complete_gguf(Hyperparameters& hp) {
  hp.qk_norm = hp.n_layers == kLayersOf12B;
  set_extra(hp, "parallel", hp.qk_norm ? 1 : 0);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm", true);
    m.attention({.qk_norm = m.hp.qk_norm ? QkNorm::each_head : QkNorm::none});
    if (m.hp.extra_or("parallel", 0) == 0) m.norm("ffn_norm", true);
    m.dense();
  }
  m.output_norm(true);
  m.output_head();
}

}  // namespace

extern const Architecture kStablelm = {
    .name = "stablelm", .model_types = {"stablelm", "stablelm_epoch"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
