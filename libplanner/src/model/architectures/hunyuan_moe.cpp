// Hunyuan-A13B and Hunyuan-Large: every layer routes, beside a shared expert; norms per head on Q and K; a tied head. Hunyuan-Large shares
// K and V between neighbouring layers (cross-layer attention).
// Sources: configuration_hunyuan.py, hunyuan.py (Tencent-Hunyuan/Hunyuan-A13B); src/models/hunyuan-moe.cpp, conversion/hunyuan.py
// (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

/// The lists say the same for every layer in all released models, and GGUF has room for one number only.
void require_uniform(const ConfigReader& config, std::string_view key) {
  const auto* value = config.find({key});
  if (value == nullptr || !value->is_array()) return;
  const auto list = config.integers({key});
  const bool uniform = std::all_of(list.begin(), list.end(), [&](std::int64_t v) { return v == list.front(); });
  if (!uniform) config.fail(key, "differs from layer to layer");
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "num_experts", "moe_topk", "num_shared_expert"});
  for (const std::string_view key : {"moe_intermediate_size", "moe_topk", "num_shared_expert", "num_experts"}) require_uniform(config, key);
  hp.head_dim = config.integer_or({"attention_head_dim", "head_dim"}, hp.hidden_size / std::max<std::int64_t>(1, hp.n_heads));
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.head_dim;
  hp.attention_out_bias = hp.attention_bias;
  hp.qk_norm = config.boolean_or({"use_qk_norm"}, false);
  // The shared expert is as wide as intermediate_size (hunyuan.py, HunYuanMoE).
  hp.shared_ffn_size = hp.n_shared_experts * hp.ffn_size;
  if (config.boolean_or({"use_cla"}, false)) set_extra(hp, "cla_share_factor", config.integer_or({"cla_share_factor"}, 1));
}

void complete_gguf(Hyperparameters& hp) {
  hp.qk_norm = true;
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.ffn_size;
}

void build(ModelBuilder& m) {
  const std::int64_t share = std::max<std::int64_t>(1, m.hp.extra_or("cla_share_factor", 1));
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = m.hp.qk_norm ? QkNorm::per_head : QkNorm::none, .shares_kv_of = i % share == 0 ? -1 : i - i % share});
    m.norm("ffn_norm");
    m.moe();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kHunyuanMoe = {
    .name = "hunyuan-moe", .model_types = {"hunyuan", "hunyuan_v1_moe"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
