// MiniMax-Text-01 and MiniMax-M1: lightning attention with softmax attention in every eighth layer, every layer routes.
// Sources: modeling_minimax_m1.py (MiniMaxAI/MiniMax-M1-80k), modeling_minimax.py (huggingface/transformers); conversion/minimax.py,
// src/models/minimax-01.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kFullAttentionInterval = 8;

void take_linear_sizes(Hyperparameters& hp) {
  hp.linear_k_heads = hp.linear_v_heads = hp.n_heads;
  hp.linear_k_head_dim = hp.linear_v_head_dim = hp.head_dim;
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads"});
  hp.rotary_dim = config.integer_or({"rotary_dim"}, hp.head_dim);
  hp.sliding_window = 0;
  hp.n_experts = config.integer({"num_local_experts"});
  hp.n_experts_active = config.integer({"num_experts_per_tok"});
  hp.expert_ffn_size = config.integer({"intermediate_size"});
  hp.ffn_size = 0;
  hp.shared_ffn_size = config.integer_or({"shared_intermediate_size"}, 0);
  if (const auto types = config.integers({"attn_type_list"}); !types.empty()) {
    if (static_cast<std::int64_t>(types.size()) < hp.n_layers) {
      config.fail("attn_type_list", "has " + std::to_string(types.size()) + " entries for " + std::to_string(hp.n_layers) + " layers");
    }
    hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::linear_attention);
    for (std::size_t i = 0; i < hp.layer_kinds.size(); ++i) {
      if (types[i] == 1) hp.layer_kinds[i] = LayerKind::full_attention;
    }
  } else if (hp.layer_kinds.empty()) {
    hp.layer_kinds = every_nth_full(hp.n_layers, kFullAttentionInterval, LayerKind::linear_attention);
  }
  take_linear_sizes(hp);
}

void complete_gguf(Hyperparameters& hp) {
  hp.layer_kinds = every_nth_full(hp.n_layers, hp.extra_or("gguf.full_attention_interval", kFullAttentionInterval), LayerKind::linear_attention);
  if (hp.expert_ffn_size == 0) hp.expert_ffn_size = hp.ffn_size;
  hp.ffn_size = 0;
  take_linear_sizes(hp);
}

void lightning_attention(ModelBuilder& m) {
  LinearAttention a;
  a.kind = LinearAttentionKind::lightning;
  a.n_k_heads = m.hp.linear_k_heads;
  a.n_v_heads = m.hp.linear_v_heads;
  a.k_head_dim = m.hp.linear_k_head_dim;
  a.v_head_dim = m.hp.linear_v_head_dim;
  m.mixer(a);
  const std::int64_t width = a.n_v_heads * a.v_head_dim;
  m.norm("attn_norm_2", false, width);
  m.linear("attn_qkv", m.hp.hidden_size, 3 * width);
  m.linear("attn_gate", m.hp.hidden_size, width);
  m.linear("attn_output", width, m.hp.hidden_size);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::linear_attention ? lightning_attention(m) : m.attention();
    m.norm("ffn_norm");
    m.moe();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kMiniMax01 = {.name = "minimax-01",
                                        .model_types = {"minimax_m1", "minimax_text_01", "minimax"},
                                        .read_config = read_config,
                                        .complete_gguf = complete_gguf,
                                        .build = build};

}  // namespace planner
