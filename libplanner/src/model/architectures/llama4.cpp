// Llama 4: three layers of chunked attention to one that sees everything, routed layers in turn with dense ones (Maverick) or throughout
// (Scout), one shared expert.
// Sources: configuration_llama4.py, modeling_llama4.py (huggingface/transformers); src/models/llama4.cpp, conversion/llama.py
// (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

constexpr std::int64_t kFullEvery = 4;
constexpr std::int64_t kChunk = 8192;

void set_moe_layers(Hyperparameters& hp, std::int64_t every) {
  hp.n_dense_leading = 0;
  hp.moe_layers.clear();
  for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers.push_back(every > 0 && (i + 1) % every == 0);
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "num_local_experts", "num_experts_per_tok", "intermediate_size", "intermediate_size_mlp"});
  // intermediate_size is an expert's width, the shared one's too; dense layers have a key of their own.
  hp.expert_ffn_size = config.integer({"intermediate_size"});
  hp.n_shared_experts = 1;
  hp.shared_ffn_size = hp.expert_ffn_size;
  hp.ffn_size = config.integer({"intermediate_size_mlp"});
  hp.attention_out_bias = hp.attention_bias;
  hp.head_dim = config.integer_or({"head_dim"}, 128);
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.head_dim;
  hp.sliding_window = 0;
  hp.attention_chunk = config.integer_or({"attention_chunk_size"}, kChunk);

  read_vision_tower(config, hp, VisionTower::llama4);

  set_moe_layers(hp, config.integer_or({"interleave_moe_layer_step"}, 1));
  if (const auto listed = config.integers({"moe_layers"}); !listed.empty()) {
    for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers[static_cast<std::size_t>(i)] = std::find(listed.begin(), listed.end(), i) != listed.end();
  }
  // Layers without rotary embeddings see everything: 0 in no_rope_layers, or every fourth.
  if (!hp.layer_kinds.empty()) return;
  const auto rotary = config.integers({"no_rope_layers"});
  if (rotary.empty()) {
    hp.layer_kinds = every_nth_full(hp.n_layers, config.integer_or({"no_rope_layer_interval"}, kFullEvery), LayerKind::chunked_attention);
    return;
  }
  if (static_cast<std::int64_t>(rotary.size()) < hp.n_layers) config.fail("no_rope_layers", "is shorter than num_hidden_layers");
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    hp.layer_kinds.push_back(rotary[static_cast<std::size_t>(i)] != 0 ? LayerKind::chunked_attention : LayerKind::full_attention);
  }
}

void complete_gguf(Hyperparameters& hp) {
  set_moe_layers(hp, hp.extra_or("gguf.interleave_moe_layer_step", 1));
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.expert_ffn_size;
  // The chunk is implied; a sliding window of 0 says that there is none.
  const bool full = hp.extra_or("gguf.attention.sliding_window", kChunk) == 0;
  hp.sliding_window = 0;
  hp.attention_chunk = full ? 0 : kChunk;
  hp.layer_kinds = full ? uniform_layers(hp.n_layers, LayerKind::full_attention) : every_nth_full(hp.n_layers, kFullEvery, LayerKind::chunked_attention);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kLlama4 = {
    .name = "llama4", .model_types = {"llama4", "llama4_text"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
