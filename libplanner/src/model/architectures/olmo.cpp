// OLMo 1 (norms without weights), OLMo 2 and 3 (norms behind each half and on the whole of Q and K; OLMo 3 slides in three layers of four)
// and OLMoE (norms before each half, 64 experts).
// Sources: configuration_ and modeling_ olmo.py, olmo2.py, olmo3.py, olmoe.py (huggingface/transformers); src/models/olmo.cpp, olmo2.cpp,
// olmoe.cpp, conversion/olmo.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kOlmo3Period = 4;

void read_olmo(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;
}

void read_olmo2(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.attention_out_bias = hp.attention_bias;
  if (hp.model_type != "olmo3") {
    hp.sliding_window = 0;
    return;
  }
  hp.sliding_window = config.integer_or({"sliding_window"}, 4096);
  if (hp.layer_kinds.empty()) hp.layer_kinds = every_nth_full(hp.n_layers, kOlmo3Period, LayerKind::sliding_attention);
}

void complete_olmo2(Hyperparameters& hp) { imply_sliding_pattern(hp, kOlmo3Period); }

void read_olmoe(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size", "num_experts", "num_experts_per_tok"});
  hp.attention_out_bias = hp.attention_bias;
  hp.expert_ffn_size = hp.ffn_size;
}

void complete_olmoe(Hyperparameters& hp) { hp.expert_ffn_size = hp.ffn_size; }

void build_olmo(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.attention();
    m.dense();
  }
  m.output_head();
}

void build_olmo2(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.attention({.qk_norm = QkNorm::full});
    m.norm("post_attention_norm");
    m.dense();
    m.norm("post_ffw_norm");
  }
  m.output_norm();
  m.output_head();
}

void build_olmoe(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = QkNorm::full});
    m.norm("ffn_norm");
    m.moe();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kOlmo = {.name = "olmo", .model_types = {"olmo"}, .read_config = read_olmo, .build = build_olmo};
extern const Architecture kOlmo2 = {
    .name = "olmo2", .model_types = {"olmo2", "olmo3"}, .read_config = read_olmo2, .complete_gguf = complete_olmo2, .build = build_olmo2};
extern const Architecture kOlmoe = {
    .name = "olmoe", .model_types = {"olmoe"}, .read_config = read_olmoe, .complete_gguf = complete_olmoe, .build = build_olmoe};

}  // namespace planner
