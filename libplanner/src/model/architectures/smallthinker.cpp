// SmallThinker: every layer routes; one full attention layer, then three sliding ones.
// Sources: configuration_smallthinker.py (PowerInfer/SmallThinker-21BA3B-Instruct); src/models/smallthinker.cpp, conversion/smallthinker.py
// (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kPeriod = 4;

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require(
      {"num_attention_heads", "num_key_value_heads", "head_dim", "moe_num_primary_experts", "moe_num_active_primary_experts", "moe_ffn_hidden_size"});
  hp.n_experts = config.integer({"moe_num_primary_experts"});
  hp.n_experts_active = config.integer({"moe_num_active_primary_experts"});
  hp.expert_ffn_size = config.integer({"moe_ffn_hidden_size"});
  hp.ffn_size = hp.expert_ffn_size;
  const auto layout = config.integers({"sliding_window_layout"});
  if (!layout.empty() && static_cast<std::int64_t>(layout.size()) < hp.n_layers) config.fail("sliding_window_layout", "is shorter than num_hidden_layers");
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  for (std::size_t i = 0; i < layout.size() && i < hp.layer_kinds.size(); ++i) {
    if (layout[i] != 0) hp.layer_kinds[i] = LayerKind::sliding_attention;
  }
}

void complete_gguf(Hyperparameters& hp) {
  if (!hp.layer_kinds.empty() || hp.sliding_window == 0) return;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.layer_kinds.push_back(i % kPeriod == 0 ? LayerKind::full_attention : LayerKind::sliding_attention);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.moe();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kSmallThinker = {
    .name = "smallthinker", .model_types = {"smallthinker"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
