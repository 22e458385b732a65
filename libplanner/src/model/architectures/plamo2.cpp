// PLaMo 2: a Mamba variant (heads as in Mamba-2, projections as in Mamba-1) and attention in turn, norms before and after each half.
// Sources: modeling_plamo.py (pfnet/plamo-2-8b); conversion/plamo.py, src/models/plamo2.cpp (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.n_heads = config.integer_or({"num_attention_heads"}, 32);
  hp.n_kv_heads = config.integer_or({"num_key_value_heads"}, 4);
  hp.head_dim = config.integer_or({"hidden_size_per_head"}, 128);
  hp.head_dim_v = hp.rotary_dim = hp.head_dim;
  hp.ffn_size = config.integer_or({"intermediate_size"}, 13312);
  hp.ssm_heads = config.integer_or({"mamba_num_heads"}, 64);
  hp.ssm_inner = hp.ssm_heads * hp.head_dim;
  hp.ssm_state = config.integer_or({"mamba_d_state"}, 64);
  hp.ssm_conv = config.integer_or({"mamba_d_conv"}, 4);
  const std::int64_t step = config.integer_or({"mamba_step"}, 2);
  if (step < 1) config.fail("mamba_step", "is 0");
  hp.sliding_window = 0;  // attention_window_size is a training limit; engines keep every token
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  if (!config.boolean_or({"mamba_enabled"}, true)) return;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    const bool mamba = hp.n_layers <= step / 2 ? i != hp.n_layers - 1 : i % step != step / 2;
    if (mamba) hp.layer_kinds[static_cast<std::size_t>(i)] = LayerKind::mamba;
  }
}

void complete_gguf(Hyperparameters& hp) {
  take_kv_pattern(hp, LayerKind::mamba);
  if (!hp.n_heads_per_layer.empty()) {
    hp.n_heads = *std::max_element(hp.n_heads_per_layer.begin(), hp.n_heads_per_layer.end());
    hp.n_heads_per_layer.clear();
  }
  if (hp.ssm_heads == 0) hp.ssm_heads = hp.ssm_dt_rank;
  hp.ssm_dt_rank = hp.ssm_groups = 0;
}

void mamba(ModelBuilder& m) {
  Mamba s;
  s.inner_size = m.hp.ssm_inner;
  s.state_size = m.hp.ssm_state;
  s.conv_kernel = m.hp.ssm_conv;
  s.n_heads = m.hp.ssm_heads;
  m.mixer(s);
  const std::int64_t rank = std::max<std::int64_t>(64, m.hp.hidden_size / 16);
  m.linear("ssm_in", m.hp.hidden_size, 2 * s.inner_size);
  m.tensor("ssm_conv1d.weight", {s.conv_kernel, s.inner_size});
  m.linear("ssm_x", s.inner_size, rank + 2 * s.state_size);
  m.linear("ssm_dt", rank, s.n_heads, true);
  m.tensor("ssm_a", {s.n_heads});
  m.tensor("ssm_d", {s.n_heads});
  // These norms are written without ".weight".
  m.tensor("ssm_dt_norm", {rank});
  m.tensor("ssm_b_norm", {s.state_size});
  m.tensor("ssm_c_norm", {s.state_size});
  m.linear("ssm_out", s.inner_size, m.hp.hidden_size);
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::mamba ? mamba(m) : m.attention({.qk_norm = QkNorm::each_head, .fused_qkv = true});
    m.tensor("post_attention_norm", {m.hp.hidden_size});
    m.norm("ffn_norm");
    m.dense({.fused_gate_up = true});
    m.tensor("post_ffw_norm", {m.hp.hidden_size});
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kPlamo2 = {.name = "plamo2", .model_types = {"plamo2"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
