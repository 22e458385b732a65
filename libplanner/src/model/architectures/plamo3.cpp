// PLaMo 3: norms around each half, norms per head on Q and K, fused matrices, seven sliding layers to one full.
// Sources: modeling_plamo.py (pfnet/plamo-3-nict-2b-base); src/models/plamo3.cpp, conversion/plamo.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kPeriod = 8;

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.n_kv_heads = config.integer_or({"num_key_value_heads"}, 4);
  hp.head_dim = hp.head_dim_v = hp.rotary_dim = config.integer_or({"head_dim"}, 128);
  hp.sliding_window = config.integer_or({"window_size"}, 2048);
  hp.layer_kinds = every_nth_full(hp.n_layers, config.integer_or({"sliding_window_pattern"}, kPeriod), LayerKind::sliding_attention);
}

void complete_gguf(Hyperparameters& hp) { imply_sliding_pattern(hp, kPeriod); }

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = QkNorm::per_head, .fused_qkv = true});
    // The norms behind each half are written without ".weight" (gguf-py/gguf/tensor_mapping.py).
    m.tensor("post_attention_norm", {m.hp.hidden_size});
    m.norm("ffn_norm");
    m.dense({.fused_gate_up = true});
    m.tensor("post_ffw_norm", {m.hp.hidden_size});
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kPlamo3 = {.name = "plamo3", .model_types = {"plamo3"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
