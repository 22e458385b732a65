// Command R, Command R+, Aya (cohere) and Command R7B, Command A, Tiny Aya (cohere2): attention and feed-forward side by side behind one
// norm, a tied head. cohere2 has three sliding layers to one full.
// Sources: configuration_cohere.py, modeling_cohere.py, configuration_cohere2.py (huggingface/transformers); src/models/command-r.cpp,
// cohere2.cpp, conversion/command_r.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kCohere2Period = 4;
// From this depth on models of the first family have norms on Q and K (src/models/command-r.cpp): Command R+ and its successor.
constexpr std::int64_t kLayersWithQkNorm = 64;

void read_cohere(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.attention_out_bias = hp.attention_bias;
  hp.qk_norm = config.boolean_or({"use_qk_norm"}, hp.n_layers >= kLayersWithQkNorm);
  hp.sliding_window = 0;
  // max_position_embeddings is 8192 in models trained on 128k tokens; model_max_length tells (conversion/command_r.py).
  hp.context_length = config.integer_or({"model_max_length", "max_position_embeddings"}, 0);
}

void complete_cohere(Hyperparameters& hp) { hp.qk_norm = hp.n_layers >= kLayersWithQkNorm; }

void read_cohere2(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = config.integer_or({"sliding_window"}, 4096);
  if (hp.layer_kinds.empty()) {
    hp.layer_kinds =
        every_nth_full(hp.n_layers, config.integer_or({"sliding_window_pattern", "_sliding_window_pattern"}, kCohere2Period), LayerKind::sliding_attention);
  }
}

void complete_cohere2(Hyperparameters& hp) { imply_sliding_pattern(hp, kCohere2Period); }

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = m.hp.qk_norm ? QkNorm::each_head : QkNorm::none});
    m.dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kCommandR = {
    .name = "command-r", .model_types = {"cohere"}, .read_config = read_cohere, .complete_gguf = complete_cohere, .build = build};
extern const Architecture kCohere2 = {
    .name = "cohere2", .model_types = {"cohere2"}, .read_config = read_cohere2, .complete_gguf = complete_cohere2, .build = build};

}  // namespace planner
