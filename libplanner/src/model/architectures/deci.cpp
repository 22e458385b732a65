// DeciLM and Llama-Nemotron (Super, Ultra): Llama whose layers were searched for one by one. A layer may have fewer KV heads, a narrower
// feed-forward, a linear map instead of attention, or lack either half, norm included.
// Sources: configuration_decilm.py, modeling_decilm.py (nvidia/Llama-3_3-Nemotron-Super-49B-v1); src/models/deci.cpp, conversion/deci.py
// (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

/// Width of a feed-forward by its multiplier: two thirds of it, in steps of 256.
std::int64_t ffn_size_of(double multiplier, std::int64_t hidden_size) {
  constexpr std::int64_t kStep = 256;
  const auto size = static_cast<std::int64_t>(2 * multiplier * static_cast<double>(hidden_size) / 3);
  return (size + kStep - 1) / kStep * kStep;
}

/// Layers by the heads that they have: a layer without KV heads attends to nothing.
void set_kinds(Hyperparameters& hp) {
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  if (static_cast<std::int64_t>(hp.n_kv_heads_per_layer.size()) != hp.n_layers) return;
  for (std::size_t i = 0; i < hp.layer_kinds.size(); ++i) {
    if (hp.n_kv_heads_per_layer[i] == 0) hp.layer_kinds[i] = LayerKind::none;
  }
}

void read_block(const ConfigReader& config, const nlohmann::json& block, Hyperparameters& hp) {
  const ConfigReader reader(block, config.origin());
  const auto attention = reader.object("attention");
  const auto ffn = reader.object("ffn");
  if (!attention || !ffn) config.fail("block_configs", "has an entry without 'attention' or 'ffn'");

  const std::int64_t group = attention->integer_or({"n_heads_in_group"}, 0);
  const bool linear = attention->boolean_or({"replace_with_linear"}, false);
  if (group > hp.n_heads) config.fail("block_configs", "groups more heads than there are");
  hp.n_heads_per_layer.push_back(group > 0 || linear ? hp.n_heads : 0);
  hp.n_kv_heads_per_layer.push_back(group > 0 ? hp.n_heads / group : 0);

  constexpr double kMostMultiplier = 1024;
  const double multiplier = ffn->number_or({"ffn_mult"}, 0);
  if (!(multiplier >= 0 && multiplier <= kMostMultiplier)) config.fail("block_configs", "has an absurd ffn_mult");
  hp.ffn_per_layer.push_back(ffn_size_of(multiplier, hp.hidden_size));
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads"});
  hp.head_dim = hp.head_dim_v = hp.hidden_size / std::max<std::int64_t>(1, hp.n_heads);
  hp.rotary_dim = hp.head_dim;
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;
  if (const auto* blocks = config.find({"block_configs"}); blocks != nullptr) {
    if (!blocks->is_array() || static_cast<std::int64_t>(blocks->size()) != hp.n_layers) config.fail("block_configs", "does not list num_hidden_layers blocks");
    hp.ffn_per_layer.clear();
    for (const auto& block : *blocks) {
      if (!block.is_object()) config.fail("block_configs", "has an entry that is no object");
      read_block(config, block, hp);
    }
    hp.ffn_size = *std::max_element(hp.ffn_per_layer.begin(), hp.ffn_per_layer.end());
    hp.n_kv_heads = *std::max_element(hp.n_kv_heads_per_layer.begin(), hp.n_kv_heads_per_layer.end());
  } else {
    config.require({"intermediate_size"});
    hp.n_kv_heads_per_layer = config.integers({"num_key_value_heads_per_layer"});
    if (!hp.n_kv_heads_per_layer.empty() && static_cast<std::int64_t>(hp.n_kv_heads_per_layer.size()) != hp.n_layers) {
      config.fail("num_key_value_heads_per_layer", "does not list num_hidden_layers layers");
    }
  }
  set_kinds(hp);
}

void complete_gguf(Hyperparameters& hp) { set_kinds(hp); }

void build(ModelBuilder& m) {
  const auto& hp = m.hp;
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    m.begin_layer();
    const auto n = static_cast<std::size_t>(i);
    if (m.kind() != LayerKind::none) {
      m.norm("attn_norm");
      m.attention();
    } else if (n < hp.n_heads_per_layer.size() && hp.n_heads_per_layer[n] > 0) {
      m.norm("attn_norm");
      m.linear("attn_output", hp.hidden_size, hp.hidden_size);
    }
    if (n >= hp.ffn_per_layer.size() || hp.ffn_per_layer[n] > 0) {
      m.norm("ffn_norm");
      m.dense();
    }
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kDeci = {
    .name = "deci", .model_types = {"nemotron-nas", "deci"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
