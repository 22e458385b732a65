// RWKV-6 and RWKV-7: no attention, a matrix state per head; a time mix and a channel mix per layer.
// Sources: modeling_rwkv6.py (RWKV/rwkv-6-world), configuration_rwkv7.py, modeling_rwkv7.py (fla-org/flash-linear-attention);
// conversion/rwkv.py, src/models/rwkv6.cpp, rwkv7.cpp (ggml-org/llama.cpp).
#include <algorithm>
#include <cmath>

#include "model/architecture.h"
#include "model/builder.h"
#include "planner/error.h"

namespace planner {
namespace {

/// All layers keep a fixed state, and none has attention heads or a gated feed-forward.
void only_time_mix(Hyperparameters& hp) {
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::linear_attention);
  hp.n_heads = hp.n_kv_heads = hp.head_dim = hp.head_dim_v = hp.rotary_dim = 0;
}

/// The rank of a low-rank pair where the config leaves it open: a power of the width, in steps of 32.
std::int64_t low_rank(std::int64_t hidden_size, double exponent, double factor) {
  const double steps = std::nearbyint(std::pow(static_cast<double>(hidden_size), exponent) * factor / 32);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(steps)) * 32;
}

void read_rwkv6(const ConfigReader& config, Hyperparameters& hp) {
  // Width 3.5 * hidden_size in steps of 32; ranks by width (conversion/rwkv.py).
  hp.ffn_size = config.integer_or({"intermediate_size"}, hp.hidden_size * 7 / 2 / 32 * 32);
  const bool wide = hp.hidden_size == 4096;
  set_extra(hp, "head_size", config.integer_or({"head_size"}, 64));
  set_extra(hp, "time_mix_extra_dim", wide ? 64 : 32);
  set_extra(hp, "time_decay_extra_dim", wide ? 128 : 64);
  only_time_mix(hp);
}

void read_rwkv7(const ConfigReader& config, Hyperparameters& hp) {
  hp.ffn_size =
      config.integer_or({"intermediate_size"}, static_cast<std::int64_t>(config.number_or({"hidden_ratio"}, 4.0) * static_cast<double>(hp.hidden_size)));
  const std::int64_t h = hp.hidden_size;
  set_extra(hp, "head_size", config.integer_or({"head_size", "head_dim"}, 64));
  set_extra(hp, "decay_low_rank_dim", config.integer_or({"lora_rank_decay", "decay_low_rank_dim"}, low_rank(h, 0.5, 1.8)));
  set_extra(hp, "a_low_rank_dim", config.integer_or({"lora_rank_iclr", "a_low_rank_dim"}, low_rank(h, 0.5, 1.8)));
  set_extra(hp, "v_low_rank_dim", config.integer_or({"lora_rank_value_residual_mix", "v_low_rank_dim"}, low_rank(h, 0.5, 1.3)));
  set_extra(hp, "gate_low_rank_dim", config.integer_or({"lora_rank_gate", "gate_low_rank_dim"}, low_rank(h, 0.8, 0.6)));
  only_time_mix(hp);
}

void complete_rwkv6(Hyperparameters& hp) {
  set_extra_from_gguf(hp, "head_size", "wkv.head_size");
  set_extra_from_gguf(hp, "time_mix_extra_dim", "time_mix_extra_dim");
  set_extra_from_gguf(hp, "time_decay_extra_dim", "time_decay_extra_dim");
  only_time_mix(hp);
}

void complete_rwkv7(Hyperparameters& hp) {
  set_extra_from_gguf(hp, "head_size", "wkv.head_size");
  set_extra_from_gguf(hp, "decay_low_rank_dim", "attention.decay_lora_rank");
  set_extra_from_gguf(hp, "a_low_rank_dim", "attention.iclr_lora_rank");
  set_extra_from_gguf(hp, "v_low_rank_dim", "attention.value_residual_mix_lora_rank");
  set_extra_from_gguf(hp, "gate_low_rank_dim", "attention.gate_lora_rank");
  only_time_mix(hp);
}

/// Layer norms before both halves, and one behind the embedding.
void begin(ModelBuilder& m) {
  m.begin_layer();
  m.norm("attn_norm", true);
  m.norm("attn_norm_2", true);
  const std::int64_t head_size = m.hp.extra("head_size");
  if (head_size < 1 || m.hp.hidden_size % head_size != 0) {
    throw Error(ErrorKind::invalid_file, "the geometry is incomplete: hidden_size is no multiple of head_size");
  }
  m.mixer(Rwkv{m.hp.hidden_size / head_size, head_size});
}

void time_mix_projections(ModelBuilder& m) {
  const std::int64_t h = m.hp.hidden_size;
  for (const char* name : {"time_mix_key", "time_mix_value", "time_mix_receptance"}) m.linear(name, h, h);
  m.norm("time_mix_ln", true);
  m.linear("time_mix_output", h, h);
}

void frame(ModelBuilder& m, void (*layer)(ModelBuilder& m)) {
  m.token_embedding();
  m.global_tensor("token_embd_norm.weight", {m.hp.hidden_size});
  m.global_tensor("token_embd_norm.bias", {m.hp.hidden_size});
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    begin(m);
    layer(m);
    m.feed_forward(DenseFfn{m.hp.ffn_size, false});
    m.linear("channel_mix_key", m.hp.hidden_size, m.hp.ffn_size);
    m.linear("channel_mix_value", m.hp.ffn_size, m.hp.hidden_size);
  }
  m.output_norm(true);
  m.output_head();
}

void rwkv6_layer(ModelBuilder& m) {
  const std::int64_t h = m.hp.hidden_size;
  const std::int64_t head_size = m.hp.extra("head_size");
  const std::int64_t mix = m.hp.extra("time_mix_extra_dim");
  const std::int64_t decay = m.hp.extra("time_decay_extra_dim");
  m.tensor("time_mix_lerp_x.weight", {h});
  m.tensor("time_mix_lerp_fused.weight", {h, 1, 1, 5});
  m.tensor("time_mix_w1.weight", {h, 5 * mix});
  m.tensor("time_mix_w2.weight", {mix, h, 5});
  m.tensor("time_mix_first.weight", {head_size, h / head_size});
  m.tensor("time_mix_decay.weight", {h});
  m.tensor("time_mix_decay_w1.weight", {h, decay});
  m.tensor("time_mix_decay_w2.weight", {decay, h});
  time_mix_projections(m);
  m.linear("time_mix_gate", h, h);
  m.tensor("channel_mix_lerp_k.weight", {h});
  m.tensor("channel_mix_lerp_r.weight", {h});
  m.linear("channel_mix_receptance", h, h);
}

void rwkv7_layer(ModelBuilder& m) {
  const std::int64_t h = m.hp.hidden_size;
  const auto low_rank_pair = [&](const std::string& letter, std::int64_t rank, bool offset) {
    if (offset) m.tensor("time_mix_" + letter + "0.weight", {h});
    m.tensor("time_mix_" + letter + "1.weight", {h, rank});
    m.tensor("time_mix_" + letter + "2.weight", {rank, h});
  };
  m.tensor("time_mix_lerp_fused.weight", {h, 1, 1, 6});
  low_rank_pair("w", m.hp.extra("decay_low_rank_dim"), true);
  low_rank_pair("a", m.hp.extra("a_low_rank_dim"), true);
  if (m.layer() == 0) {
    // The first layer has no value residual to mix in; the converter stores its "a" in the place.
    const std::int64_t rank = m.hp.extra("a_low_rank_dim");
    m.filler_tensor("time_mix_v0.weight", {h});
    m.filler_tensor("time_mix_v1.weight", {h, rank});
    m.filler_tensor("time_mix_v2.weight", {rank, h});
  } else {
    low_rank_pair("v", m.hp.extra("v_low_rank_dim"), true);
  }
  low_rank_pair("g", m.hp.extra("gate_low_rank_dim"), false);
  for (const char* name : {"time_mix_k_k.weight", "time_mix_k_a.weight", "time_mix_r_k.weight", "channel_mix_lerp_k.weight"}) m.tensor(name, {h});
  time_mix_projections(m);
}

void build_rwkv6(ModelBuilder& m) { frame(m, rwkv6_layer); }
void build_rwkv7(ModelBuilder& m) { frame(m, rwkv7_layer); }

}  // namespace

extern const Architecture kRwkv6 = {
    .name = "rwkv6", .model_types = {"rwkv6"}, .read_config = read_rwkv6, .complete_gguf = complete_rwkv6, .build = build_rwkv6};
extern const Architecture kRwkv7 = {
    .name = "rwkv7", .model_types = {"rwkv7"}, .read_config = read_rwkv7, .complete_gguf = complete_rwkv7, .build = build_rwkv7};

}  // namespace planner
