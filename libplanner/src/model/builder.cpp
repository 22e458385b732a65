#include "model/builder.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

using text::contains;
using text::ends_with;

// No tensor of any model comes near; sums over all tensors of a model stay far from overflow.
constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

// Stored as F32 in every file: small, or read as F32 by the graph.
constexpr std::array kAlwaysF32 = {
    "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight", "token_types.weight", "ssm_conv1d",
    "shortconv.conv.weight", "time_mix_first.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight", "altup_correct_coef", "altup_predict_coef",
    "indexer.k_proj.weight", "indexer.q_proj.weight",
};

// Converted to 16 bit like any other weight, but the quantizer leaves them alone.
constexpr std::array kNeverQuantized = {
    "altup", "laurel", "per_layer_model_proj", "attn_rel_b.weight",
    "time_mix_w0.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight",
    "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight", ".position_embd", ".rel_pos",
    ".patch_embd", ".patch_merger",
};

}  // namespace

Storage storage_of(std::string_view name, std::int32_t n_dims) {
  if (contains(name, "ffn_gate_tid2eid")) return Storage::integer;
  if (n_dims < 2 || ends_with(name, "_norm.weight") || !ends_with(name, "weight")) return Storage::always_f32;
  if (std::any_of(kAlwaysF32.begin(), kAlwaysF32.end(), [&](const char* part) { return contains(name, part); })) return Storage::always_f32;
  if (std::any_of(kNeverQuantized.begin(), kNeverQuantized.end(), [&](const char* part) { return contains(name, part); })) return Storage::source;
  // That includes indexer.proj, which is F32 where nothing is quantized: 0.004 % of DeepSeek-V3.2's BF16 file.
  return Storage::quantized;
}

TensorRole role_of(std::string_view name) {
  if (name == "output.weight") return TensorRole::output;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") return TensorRole::token_embd;
  if (contains(name, "attn_qkv.weight")) return TensorRole::attn_qkv;
  if (contains(name, "attn_kv_b.weight")) return TensorRole::attn_kv_b;
  if (contains(name, "attn_v.weight")) return TensorRole::attn_v;
  if (contains(name, "attn_k.weight")) return TensorRole::attn_k;
  if (contains(name, "attn_q.weight")) return TensorRole::attn_q;
  if (contains(name, "attn_output.weight")) return TensorRole::attn_output;
  // Never quantized by the quantizer, whose category is ffn_gate; other ecosystems treat routers apart.
  if (contains(name, "ffn_gate_inp")) return TensorRole::router;
  if (contains(name, "ffn_up")) return TensorRole::ffn_up;
  if (contains(name, "ffn_gate")) return TensorRole::ffn_gate;
  if (contains(name, "ffn_down")) return TensorRole::ffn_down;
  return TensorRole::other;
}

ModelBuilder::ModelBuilder(const Hyperparameters& hyperparameters) : hp(hyperparameters) { model_.hyperparameters = hyperparameters; }

// --- outside the layers -----------------------------------------------------------------------------------------------

void ModelBuilder::token_embedding() { global_table("token_embd.weight", {hp.hidden_size, hp.vocab_size}); }

void ModelBuilder::output_norm(bool bias) {
  global_tensor("output_norm.weight", {hp.hidden_size});
  if (bias) global_tensor("output_norm.bias", {hp.hidden_size});
}

void ModelBuilder::output_head(bool bias) {
  if (!hp.tied_embeddings) global_tensor("output.weight", {hp.hidden_size, hp.vocab_size});
  if (bias) global_tensor("output.bias", {hp.vocab_size});
}

void ModelBuilder::rope_factors() {
  const std::int64_t half = (hp.rotary_dim > 0 ? hp.rotary_dim : hp.head_dim) / 2;
  if (hp.rope_scaling == RopeScaling::llama3) {
    global_tensor("rope_freqs.weight", {half});
  } else if (hp.rope_scaling == RopeScaling::longrope) {
    global_tensor("rope_factors_long.weight", {half});
    global_tensor("rope_factors_short.weight", {half});
  }
}

void ModelBuilder::global_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) {
  const auto outer = layer_;
  layer_ = -1;
  add(name, shape);
  layer_ = outer;
}

void ModelBuilder::global_table(const std::string& name, std::initializer_list<std::int64_t> shape) {
  global_tensor(name, shape);
  model_.tensors.back().is_table = true;
}

// --- layers -----------------------------------------------------------------------------------------------------------

std::int64_t ModelBuilder::begin_layer() {
  assert(!in_mtp_);
  model_.layers.emplace_back();
  return layer_ = static_cast<std::int64_t>(model_.layers.size()) - 1;
}

std::int64_t ModelBuilder::begin_mtp_layer(LayerKind layer_kind) {
  in_mtp_ = true;
  mtp_kind_ = layer_kind;
  model_.layers.emplace_back().mtp = true;
  return layer_ = static_cast<std::int64_t>(model_.layers.size()) - 1;
}

LayerKind ModelBuilder::kind() const {
  if (in_mtp_) return mtp_kind_;
  if (layer_ < 0) return LayerKind::full_attention;
  return hp.layer_kinds[static_cast<std::size_t>(layer_)];
}

void ModelBuilder::norm(const std::string& name, bool bias, std::int64_t size) {
  const std::int64_t width = size > 0 ? size : hp.hidden_size;
  tensor(name + ".weight", {width});
  if (bias) tensor(name + ".bias", {width});
}

void ModelBuilder::tensor(const std::string& name, std::initializer_list<std::int64_t> shape) { add(in_layer(name), shape); }

void ModelBuilder::filler_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) {
  add(in_layer(name), shape).is_parameter = false;
}

void ModelBuilder::linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias) {
  tensor(name + ".weight", {in, out});
  if (bias) tensor(name + ".bias", {out});
}

std::int64_t ModelBuilder::n_heads_here() const {
  if (!in_mtp_ && !hp.n_heads_per_layer.empty()) return hp.n_heads_per_layer[static_cast<std::size_t>(layer_)];
  if (kind() == LayerKind::sliding_attention && hp.n_heads_swa > 0) return hp.n_heads_swa;
  return hp.n_heads;
}

std::int64_t ModelBuilder::n_kv_heads_here() const {
  if (!in_mtp_ && !hp.n_kv_heads_per_layer.empty()) return hp.n_kv_heads_per_layer[static_cast<std::size_t>(layer_)];
  if (kind() == LayerKind::sliding_attention && hp.n_kv_heads_swa > 0) return hp.n_kv_heads_swa;
  return hp.n_kv_heads;
}

void ModelBuilder::attention(const AttentionOptions& options) {
  const bool sliding = kind() == LayerKind::sliding_attention;
  const bool chunked = kind() == LayerKind::chunked_attention;
  Attention a;
  a.n_heads = n_heads_here();
  a.n_kv_heads = n_kv_heads_here();
  a.head_dim = sliding && hp.head_dim_swa > 0 ? hp.head_dim_swa : hp.head_dim;
  a.head_dim_v = sliding && hp.head_dim_v_swa > 0 ? hp.head_dim_v_swa
                 : sliding && hp.head_dim_swa > 0 ? hp.head_dim_swa
                                                  : hp.head_dim_v;
  a.window = sliding ? hp.sliding_window : chunked ? hp.attention_chunk : 0;
  a.chunked = chunked;
  a.shares_kv_of = options.shares_kv_of;
  a.v_is_k = options.v_is_k;
  a.sinks = options.sinks;
  a.gated = options.gated;
  a.cross_tokens = options.cross_tokens;
  a.indexer_head_dim = options.indexer_head_dim;
  if (options.cached) mixer(a);

  const std::int64_t q_rows = a.n_heads * a.head_dim;
  const std::int64_t k_rows = a.n_kv_heads * a.head_dim;
  const std::int64_t v_rows = a.n_kv_heads * a.head_dim_v;
  const bool own_kv = options.shares_kv_of < 0 || options.shared_kv_stored;
  if (options.fused_qkv) {
    linear("attn_qkv", hp.hidden_size, q_rows + k_rows + v_rows, hp.attention_bias);
  } else {
    linear("attn_q", hp.hidden_size, options.gated ? 2 * q_rows : q_rows, hp.attention_bias);
    if (own_kv) linear("attn_k", hp.hidden_size, k_rows, hp.attention_bias);
    if (own_kv && !options.v_is_k) linear("attn_v", hp.hidden_size, v_rows, hp.attention_bias);
  }
  const auto qk_norm = [&](const std::string& name, std::int64_t heads) {
    switch (options.qk_norm) {
      case QkNorm::none: return;
      case QkNorm::per_head: norm(name, options.norm_bias, a.head_dim); return;
      case QkNorm::full: norm(name, options.norm_bias, heads * a.head_dim); return;
      case QkNorm::each_head: tensor(name + ".weight", {a.head_dim, heads}); return;
    }
  };
  qk_norm("attn_q_norm", a.n_heads);
  if (own_kv) qk_norm("attn_k_norm", a.n_kv_heads);
  if (options.sinks) tensor("attn_sinks.weight", {a.n_heads});
  linear("attn_output", a.n_heads * a.head_dim_v, hp.hidden_size, hp.attention_out_bias);
}

void ModelBuilder::mla(const MlaOptions& options) {
  MlaAttention a;
  a.n_heads = hp.n_heads;
  a.q_lora_rank = hp.q_lora_rank;
  a.kv_lora_rank = hp.kv_lora_rank;
  a.qk_nope_head_dim = hp.qk_nope_head_dim;
  a.qk_rope_head_dim = hp.qk_rope_head_dim;
  a.v_head_dim = hp.v_head_dim;
  a.indexer_heads = options.indexer ? hp.indexer_heads : 0;
  a.indexer_head_dim = options.indexer ? hp.indexer_head_dim : 0;
  if (options.unsplit_kv_b) {
    // Without the split the latent row cannot be attended to directly: keys and values are unpacked and cached whole.
    Attention whole;
    whole.n_heads = a.n_heads;
    whole.n_kv_heads = a.n_heads;
    whole.head_dim = a.qk_nope_head_dim + a.qk_rope_head_dim;
    whole.head_dim_v = a.v_head_dim;
    mixer(whole);
  } else {
    mixer(a);
  }

  const std::int64_t q_rows = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  if (a.q_lora_rank > 0) {
    norm("attn_q_a_norm", false, a.q_lora_rank);
    linear("attn_q_a", hp.hidden_size, a.q_lora_rank);
    linear("attn_q_b", a.q_lora_rank, q_rows);
  } else {
    linear("attn_q", hp.hidden_size, q_rows);
  }
  norm("attn_kv_a_norm", false, a.kv_lora_rank);
  linear("attn_kv_a_mqa", hp.hidden_size, a.kv_lora_rank + a.qk_rope_head_dim);
  if (options.unsplit_kv_b) {
    linear("attn_kv_b", a.kv_lora_rank, a.n_heads * (a.qk_nope_head_dim + a.v_head_dim));
  } else {
    tensor("attn_k_b.weight", {a.qk_nope_head_dim, a.kv_lora_rank, a.n_heads});
    tensor("attn_v_b.weight", {a.kv_lora_rank, a.v_head_dim, a.n_heads});
  }
  linear("attn_output", a.n_heads * a.v_head_dim, hp.hidden_size);
  if (a.indexer_heads > 0) {
    tensor("indexer.k_norm.weight", {a.indexer_head_dim});
    tensor("indexer.k_norm.bias", {a.indexer_head_dim});
    tensor("indexer.proj.weight", {hp.hidden_size, a.indexer_heads});
    tensor("indexer.attn_k.weight", {hp.hidden_size, a.indexer_head_dim});
    tensor("indexer.attn_q_b.weight", {a.q_lora_rank, a.indexer_heads * a.indexer_head_dim});
  }
}

void ModelBuilder::nextn(const NextnOptions& options) {
  linear("nextn.eh_proj", 2 * hp.hidden_size, hp.hidden_size);
  norm("nextn.enorm");
  norm("nextn.hnorm");
  if (options.embed_tokens) {
    tensor("nextn.embed_tokens.weight", {hp.hidden_size, hp.vocab_size});
    model_.tensors.back().is_table = true;
  }
  if (options.head) tensor("nextn.shared_head_head.weight", {hp.hidden_size, hp.vocab_size});
  if (options.head_norm) norm("nextn.shared_head_norm");
}

void ModelBuilder::mamba1(const MambaOptions& options) {
  Mamba m;
  m.inner_size = hp.ssm_inner;
  m.state_size = hp.ssm_state;
  m.conv_kernel = hp.ssm_conv;
  m.dt_rank = hp.ssm_dt_rank;
  mixer(m);
  linear("ssm_in", hp.hidden_size, 2 * m.inner_size, options.proj_bias);
  tensor("ssm_conv1d.weight", {m.conv_kernel, m.inner_size});
  if (options.conv_bias) tensor("ssm_conv1d.bias", {m.inner_size});
  linear("ssm_x", m.inner_size, m.dt_rank + 2 * m.state_size);
  if (options.inner_norms) {
    norm("ssm_dt_norm", false, m.dt_rank);
    norm("ssm_b_norm", false, m.state_size);
    norm("ssm_c_norm", false, m.state_size);
  }
  linear("ssm_dt", m.dt_rank, m.inner_size, true);
  tensor("ssm_a", {m.state_size, m.inner_size});
  tensor("ssm_d", {m.inner_size});
  linear("ssm_out", m.inner_size, hp.hidden_size, options.proj_bias);
}

void ModelBuilder::mamba2(const MambaOptions& options) {
  Mamba m;
  m.inner_size = hp.ssm_inner;
  m.state_size = hp.ssm_state;
  m.conv_kernel = hp.ssm_conv;
  m.n_heads = hp.ssm_heads;
  m.n_groups = hp.ssm_groups;
  mixer(m);
  const std::int64_t conv_width = m.inner_size + 2 * m.n_groups * m.state_size;
  linear("ssm_in", hp.hidden_size, m.inner_size + conv_width + m.n_heads, options.proj_bias);
  tensor("ssm_conv1d.weight", {m.conv_kernel, conv_width});
  if (options.conv_bias) tensor("ssm_conv1d.bias", {conv_width});
  tensor("ssm_dt.bias", {m.n_heads});
  tensor("ssm_a", {1, m.n_heads});
  tensor("ssm_d", {1, m.n_heads});
  if (options.norm) tensor("ssm_norm.weight", {m.inner_size / std::max<std::int64_t>(1, m.n_groups), m.n_groups});
  linear("ssm_out", m.inner_size, hp.hidden_size, options.proj_bias);
}

void ModelBuilder::mixer(const Mixer& m) { model_.layers.back().mixers.push_back(m); }

void ModelBuilder::feed_forward(const FeedForward& f) { model_.layers.back().ffns.push_back(f); }

void ModelBuilder::dense(const DenseOptions& options) {
  std::int64_t size = options.size;
  if (size == 0) size = !in_mtp_ && !hp.ffn_per_layer.empty() ? hp.ffn_per_layer[static_cast<std::size_t>(layer_)] : hp.ffn_size;
  feed_forward(DenseFfn{size, options.gated});
  if (options.fused_gate_up) {
    linear("ffn_up", hp.hidden_size, 2 * size, hp.mlp_bias);
  } else {
    if (options.gated) linear("ffn_gate", hp.hidden_size, size, hp.mlp_bias);
    linear("ffn_up", hp.hidden_size, size, hp.mlp_bias);
  }
  linear("ffn_down", size, hp.hidden_size, hp.mlp_bias);
}

void ModelBuilder::expert_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) {
  add(in_layer(name), shape).is_expert = true;
}

void ModelBuilder::moe(const MoeOptions& options) {
  const std::int64_t n = hp.n_experts;
  const std::int64_t size = hp.expert_ffn_size;
  const std::int64_t in = options.expert_input > 0 ? options.expert_input : hp.hidden_size;
  feed_forward(MoeFfn{n, hp.n_experts_active, size, hp.shared_ffn_size, options.gated});
  linear("ffn_gate_inp", hp.hidden_size, n, options.expert_bias);
  if (options.correction_bias) options.correction_is_buffer ? filler_tensor("exp_probs_b.bias", {n}) : tensor("exp_probs_b.bias", {n});
  if (options.fused_gate_up) {
    expert_tensor("ffn_gate_up_exps.weight", {in, 2 * size, n});
  } else {
    if (options.gated) expert_tensor("ffn_gate_exps.weight", {in, size, n});
    expert_tensor("ffn_up_exps.weight", {in, size, n});
  }
  expert_tensor("ffn_down_exps.weight", {size, in, n});
  if (options.expert_bias) {
    if (options.gated) expert_tensor("ffn_gate_exps.bias", {size, n});
    expert_tensor("ffn_up_exps.bias", {size, n});
    expert_tensor("ffn_down_exps.bias", {in, n});
  }
  if (hp.shared_ffn_size > 0) {
    if (options.shared_gate) tensor("ffn_gate_inp_shexp.weight", {hp.hidden_size});
    if (options.gated) linear("ffn_gate_shexp", hp.hidden_size, hp.shared_ffn_size);
    linear("ffn_up_shexp", hp.hidden_size, hp.shared_ffn_size);
    linear("ffn_down_shexp", hp.shared_ffn_size, hp.hidden_size);
  }
}

bool ModelBuilder::routes(std::int64_t i) const {
  if (hp.n_experts == 0) return false;
  if (!hp.moe_layers.empty() && i < static_cast<std::int64_t>(hp.moe_layers.size())) return hp.moe_layers[static_cast<std::size_t>(i)];
  return i >= hp.n_dense_leading;
}

void ModelBuilder::moe_or_dense(const MoeOptions& options, const DenseOptions& dense_options) {
  routes(layer_) ? moe(options) : dense(dense_options);
}

// --- towers -----------------------------------------------------------------------------------------------------------

void ModelBuilder::tower_tensor(ModelPart part, const std::string& name, std::initializer_list<std::int64_t> shape, bool is_parameter) {
  const auto outer = layer_;
  layer_ = -1;
  auto& t = add(name, shape);
  t.part = part;
  t.is_parameter = is_parameter;
  layer_ = outer;
}

// --- tensors ----------------------------------------------------------------------------------------------------------

std::string ModelBuilder::in_layer(const std::string& name) const { return "blk." + std::to_string(layer_) + "." + name; }

ModelBuilder::NameTraits ModelBuilder::traits_of(const Tensor& t) {
  const NameTraits unknown{TensorRole::other, Storage::quantized, -1};
  if (!t.name.starts_with("blk.")) return {role_of(t.name), storage_of(t.name, t.n_dims), t.n_dims};
  const std::string_view own_name = std::string_view(t.name).substr(t.name.find('.', 4));
  auto known = block_traits_.find(own_name);
  if (known == block_traits_.end()) known = block_traits_.emplace(own_name, unknown).first;
  if (known->second.n_dims != t.n_dims) known->second = {role_of(t.name), storage_of(t.name, t.n_dims), t.n_dims};
  return known->second;
}

Tensor& ModelBuilder::add(const std::string& name, std::initializer_list<std::int64_t> shape) {
  assert(shape.size() >= 1 && shape.size() <= 4);
  Tensor t;
  t.name = name;
  t.n_dims = static_cast<std::int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape.begin());
  std::int64_t elements = 1;
  for (const auto extent : shape) {
    // A description never asks for an empty tensor: a hyperparameter that it needs is missing.
    if (extent <= 0) throw Error(ErrorKind::invalid_file, "the geometry is incomplete: tensor '" + name + "' of architecture '" + hp.architecture + "' would have an empty dimension");
    if (extent > kMostElements / elements) throw Error(ErrorKind::invalid_file, "the geometry is absurd: tensor '" + name + "' would have more than 2^48 elements");
    elements *= extent;
  }
  t.layer = static_cast<std::int32_t>(layer_);
  const auto traits = traits_of(t);
  t.role = traits.role;
  t.storage = traits.storage;
  t.part = in_mtp_ ? ModelPart::mtp : ModelPart::text;
  t.is_parameter = !contains(name, "rope_f") && t.storage != Storage::integer;
  return model_.tensors.emplace_back(std::move(t));
}

Model ModelBuilder::finish() { return std::move(model_); }

}  // namespace planner
