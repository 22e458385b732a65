// Qwen 2 and 3, dense and mixture of experts. Qwen 2 has biases on Q, K, V; Qwen 3 has norms per head instead.
// Sources: modeling_qwen2.py, modeling_qwen2_moe.py, modeling_qwen3.py, modeling_qwen3_moe.py (huggingface/transformers);
// src/models/qwen2.cpp, qwen2moe.cpp, qwen3.cpp, qwen3moe.cpp (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

/// Layers from max_window_layers on slide where use_sliding_window is set (configuration_qwen2.py); it never is in a released config,
/// and GGUF files have no such layers.
void ignore_window(Hyperparameters& hp) {
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
}

void read_qwen2(const ConfigReader& config, Hyperparameters& hp) {
  hp.attention_bias = config.boolean_or({"qkv_bias", "attention_bias"}, true);
  ignore_window(hp);
}

void read_qwen3(const ConfigReader&, Hyperparameters& hp) { ignore_window(hp); }

/// Layers that route: all but mlp_only_layers, every decoder_sparse_step-th (configuration_qwen2_moe.py).
void read_moe_layers(const ConfigReader& config, Hyperparameters& hp) {
  const auto dense = config.integers({"mlp_only_layers"});
  const std::int64_t step = config.integer_or({"decoder_sparse_step"}, 1);
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    const bool listed = std::find(dense.begin(), dense.end(), i) != dense.end();
    hp.moe_layers.push_back(!listed && step > 0 && (i + 1) % step == 0);
  }
}

void read_qwen2_moe(const ConfigReader& config, Hyperparameters& hp) {
  read_qwen2(config, hp);
  read_moe_layers(config, hp);
}

void read_qwen3_moe(const ConfigReader& config, Hyperparameters& hp) {
  read_qwen3(config, hp);
  read_moe_layers(config, hp);
}

void build_with(ModelBuilder& m, const AttentionOptions& attention, const MoeOptions& moe) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention(attention);
    m.norm("ffn_norm");
    m.moe_or_dense(moe);
  }
  m.output_norm();
  m.output_head();
}

void build_qwen2(ModelBuilder& m) { build_with(m, {}, {.shared_gate = true}); }
void build_qwen3(ModelBuilder& m) { build_with(m, {.qk_norm = QkNorm::per_head}, {}); }

}  // namespace

extern const Architecture kQwen2 = {.name = "qwen2", .model_types = {"qwen2"}, .read_config = read_qwen2, .build = build_qwen2};
extern const Architecture kQwen2Moe = {.name = "qwen2moe", .model_types = {"qwen2_moe"}, .read_config = read_qwen2_moe, .build = build_qwen2};
extern const Architecture kQwen3 = {.name = "qwen3", .model_types = {"qwen3"}, .read_config = read_qwen3, .build = build_qwen3};
extern const Architecture kQwen3Moe = {.name = "qwen3moe", .model_types = {"qwen3_moe"}, .read_config = read_qwen3_moe, .build = build_qwen3};

}  // namespace planner
