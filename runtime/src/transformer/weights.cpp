#include "transformer/weights.h"

#include <algorithm>
#include <cmath>

#include "planner/error.h"

namespace planner::runtime {
namespace {

class Reader {
 public:
  Reader(const ModelFile& file, const Model& description) : file_(file), description_(description) {}

  Weights read() {
    w_.hp = description_.hyperparameters;
    w_.traits = find_traits(w_.hp.architecture);
    if (w_.traits == nullptr) {
      std::string known;
      for (const auto& t : architecture_traits()) known += (known.empty() ? "" : ", ") + std::string(t.name);
      fail("architecture '" + w_.hp.architecture + "' is not supported, expected one of " + known);
    }
    read_numbers();
    w_.embedding = matrix("token_embd.weight", w_.hp.hidden_size, w_.hp.vocab_size);
    w_.output_norm = norm("output_norm", w_.hp.hidden_size);
    w_.head = file_.find("output.weight") != nullptr ? matrix("output.weight", w_.hp.hidden_size, w_.hp.vocab_size) : w_.embedding;
    w_.head_bias = optional_vector("output.bias", w_.hp.vocab_size);
    if (static_cast<std::int64_t>(description_.layers.size()) < w_.hp.n_layers) fail("its layers cannot be told");
    for (std::int64_t i = 0; i < w_.hp.n_layers; ++i) {
      layer_ = i;
      w_.layers.push_back(read_layer(description_.layers[static_cast<std::size_t>(i)]));
    }
    return std::move(w_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw Error(ErrorKind::invalid_file, file_.header().path.string() + ": " + problem); }

  // --- Numbers ---------------------------------------------------------------------------------------------------------

  [[nodiscard]] std::string key(std::string_view name) const { return w_.hp.architecture + "." + std::string(name); }

  [[nodiscard]] float number(std::string_view name, double otherwise) const {
    const double value = file_.header().find_number(key(name)).value_or(otherwise);
    if (!std::isfinite(value)) fail("key '" + key(name) + "' is no finite number");
    return static_cast<float>(value);
  }

  void read_numbers() {
    const auto& t = *w_.traits;
    const bool rms = t.norm == NormKind::rms;
    w_.epsilon = number(rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", 1e-5);
    w_.embedding_scale = t.scales_embedding ? std::sqrt(static_cast<float>(w_.hp.hidden_size)) : 1.0F;
    w_.attention_softcap = number("attn_logit_softcapping", t.attention_softcap);
    w_.final_softcap = number("final_logit_softcapping", t.final_softcap);
    w_.logit_scale = number("logit_scale", 1);
    w_.rope = read_rope(file_.header(), w_.hp.architecture, w_.hp.kv_lora_rank > 0 ? w_.hp.qk_rope_head_dim : w_.hp.rotary_dim, w_.hp.context_length);
    const auto pairs = w_.rope.dimensions / 2;
    w_.rope.factors = optional_vector("rope_freqs.weight", pairs);
    w_.rope.long_factors = optional_vector("rope_factors_long.weight", pairs);
    w_.rope.short_factors = optional_vector("rope_factors_short.weight", pairs);
    if (w_.rope.long_factors.size() != w_.rope.short_factors.size()) fail("holds one of rope_factors_long.weight and rope_factors_short.weight, expected both");
    for (const auto* factors : {&w_.rope.factors, &w_.rope.long_factors, &w_.rope.short_factors}) {
      if (std::any_of(factors->begin(), factors->end(), [](float f) { return !(std::isfinite(f) && f > 0); })) fail("a rope factor is no number above 0");
    }
  }

  // --- Tensors ---------------------------------------------------------------------------------------------------------

  [[nodiscard]] std::string in_layer(std::string_view name) const { return "blk." + std::to_string(layer_) + "." + std::string(name); }

  /// Of `columns` by `rows` (all further dimensions together).
  [[nodiscard]] Matrix matrix(const std::string& name, std::int64_t columns, std::int64_t rows) const {
    const auto* tensor = file_.find(name);
    if (tensor == nullptr) fail("tensor '" + name + "' is missing");
    auto m = file_.matrix(*tensor);
    if (m.columns != columns || m.rows != rows) {
      fail("tensor '" + name + "' has rows of " + std::to_string(m.columns) + " and " + std::to_string(m.rows) + " of them, expected " +
           std::to_string(columns) + " and " + std::to_string(rows));
    }
    return m;
  }

  [[nodiscard]] std::vector<float> optional_vector(const std::string& name, std::int64_t n) const {
    const auto* tensor = file_.find(name);
    if (tensor == nullptr) return {};
    if (tensor->n_elements() != n) {
      fail("tensor '" + name + "' has " + std::to_string(tensor->n_elements()) + " numbers, expected " + std::to_string(n));
    }
    const auto m = file_.matrix(*tensor);
    std::vector<float> values(static_cast<std::size_t>(n));
    m.format->dequantize(m.data, values.data(), n);
    return values;
  }

  [[nodiscard]] std::vector<float> vector(const std::string& name, std::int64_t n) const {
    auto values = optional_vector(name, n);
    if (values.empty()) fail("tensor '" + name + "' is missing");
    return values;
  }

  [[nodiscard]] NormWeights norm(const std::string& name, std::int64_t n) const {
    if (file_.find(name + ".bias") != nullptr) fail("tensor '" + name + ".bias' is not supported: a norm with a bias");
    return vector(name + ".weight", n);
  }
  [[nodiscard]] NormWeights layer_norm(std::string_view name, std::int64_t n) const { return name.empty() ? NormWeights() : norm(in_layer(name), n); }

  [[nodiscard]] Linear linear(std::string_view name, std::int64_t in, std::int64_t out) const {
    const auto base = in_layer(name);
    return {matrix(base + ".weight", in, out), optional_vector(base + ".bias", out)};
  }

  /// Rows first .. first + n - 1 of a matrix that holds several.
  [[nodiscard]] static Linear part(const Linear& whole, std::int64_t first, std::int64_t n) {
    Linear out{whole.matrix.slice(first, n), {}};
    if (!whole.bias.empty()) out.bias.assign(whole.bias.begin() + first, whole.bias.begin() + first + n);
    return out;
  }

  // --- Layers ----------------------------------------------------------------------------------------------------------

  LayerWeights read_layer(const Layer& layer) {
    const auto& t = *w_.traits;
    const auto hidden = w_.hp.hidden_size;
    if (layer.mixers.size() != 1 || layer.ffns.size() != 1)
      fail("layer " + std::to_string(layer_) + " is not one mixer and one feed-forward, which is all that is supported");
    LayerWeights out;
    if (file_.find(in_layer("attn_norm.weight")) != nullptr || t.attention_out_norm.empty()) out.attention_norm = layer_norm("attn_norm", hidden);
    out.attention_out_norm = layer_norm(t.attention_out_norm, hidden);
    out.ffn_norm = layer_norm(t.ffn_norm, hidden);
    out.ffn_out_norm = layer_norm(t.ffn_out_norm, hidden);
    const auto* attention = std::get_if<Attention>(&layer.mixers[0]);
    const auto* mla = std::get_if<MlaAttention>(&layer.mixers[0]);
    if (mla != nullptr) {
      read_mla(*mla, out);
    } else if (attention != nullptr && w_.hp.kv_lora_rank > 0) {
      read_mla(unpacked_mla(), out);
    } else if (attention != nullptr) {
      read_attention(*attention, out);
    } else {
      fail("layer " + std::to_string(layer_) + " is no attention layer, which is all that is supported");
    }
    if (const auto* dense = std::get_if<DenseFfn>(&layer.ffns[0])) {
      if (!dense->gated) fail("layer " + std::to_string(layer_) + " has a feed-forward without gate, which is not supported");
      out.ffn = read_dense("ffn_gate", "ffn_up", "ffn_down", dense->size);
    } else {
      out.ffn = read_moe(std::get<MoeFfn>(layer.ffns[0]));
    }
    return out;
  }

  void read_attention(const Attention& a, LayerWeights& out) {
    if (a.gated || a.v_is_k || a.shares_kv_of >= 0 || a.chunked || a.cross_tokens > 0 || a.indexer_head_dim > 0) {
      fail("layer " + std::to_string(layer_) + " has a kind of attention that is not supported");
    }
    if (a.n_heads < 1 || a.n_kv_heads < 1 || a.n_heads % a.n_kv_heads != 0 || a.head_dim < 1 || a.head_dim_v < 1) {
      fail("layer " + std::to_string(layer_) + " has " + std::to_string(a.n_heads) + " heads over " + std::to_string(a.n_kv_heads) + " KV heads");
    }
    const auto hidden = w_.hp.hidden_size;
    const auto q_rows = a.n_heads * a.head_dim, k_rows = a.n_kv_heads * a.head_dim, v_rows = a.n_kv_heads * a.head_dim_v;
    AttentionWeights w;
    if (file_.find(in_layer("attn_qkv.weight")) != nullptr) {
      const auto whole = linear("attn_qkv", hidden, q_rows + k_rows + v_rows);
      w.q = part(whole, 0, q_rows);
      w.k = part(whole, q_rows, k_rows);
      w.v = part(whole, q_rows + k_rows, v_rows);
    } else {
      w.q = linear("attn_q", hidden, q_rows);
      w.k = linear("attn_k", hidden, k_rows);
      w.v = linear("attn_v", hidden, v_rows);
    }
    read_qk_norm(a, w);
    out.mixer = std::move(w);
    out.output = linear("attn_output", a.n_heads * a.head_dim_v, hidden);
    if (a.sinks) out.sinks = vector(in_layer("attn_sinks.weight"), a.n_heads);
    out.n_heads = a.n_heads;
    out.n_kv_heads = a.n_kv_heads;
    out.head_dim = a.head_dim;
    out.head_dim_v = a.head_dim_v;
    // The engine that converted these files attends to everything; so do the published figures.
    out.window = description_.llama_cpp_ignores_window ? 0 : a.window;
    out.rotates = w_.traits->full_layers_rotate || out.window > 0;
    if (out.rotates && w_.rope.dimensions > a.head_dim)
      fail("rotates " + std::to_string(w_.rope.dimensions) + " of " + std::to_string(a.head_dim) + " values of a head");
    const bool by_width = w_.traits->width_scaled_layers == w_.hp.n_layers;
    out.score_scale = 1.0F / std::sqrt(static_cast<float>(by_width ? w_.hp.hidden_size / a.n_heads : a.head_dim));
    if (const auto scale = number("attention.scale", 0); scale > 0) out.score_scale = scale;
  }

  /// The norm's length tells its kind: one vector for all heads, one per head, or one over all of them.
  void read_qk_norm(const Attention& a, AttentionWeights& w) const {
    const auto* q = file_.find(in_layer("attn_q_norm.weight"));
    if (q == nullptr) return;
    const bool per_head = q->n_elements() == a.head_dim;
    w.q_norm = norm(in_layer("attn_q_norm"), per_head ? a.head_dim : a.n_heads * a.head_dim);
    w.k_norm = norm(in_layer("attn_k_norm"), per_head ? a.head_dim : a.n_kv_heads * a.head_dim);
    w.qk_norm = per_head ? QkNorm::per_head : q->n_dims > 1 ? QkNorm::each_head : QkNorm::full;
  }

  /// Of files that hold attn_kv_b in one piece: the library describes what their engine caches, whole heads; here they are absorbed as well.
  [[nodiscard]] MlaAttention unpacked_mla() const {
    MlaAttention a;
    a.n_heads = w_.hp.n_heads;
    a.q_lora_rank = w_.hp.q_lora_rank;
    a.kv_lora_rank = w_.hp.kv_lora_rank;
    a.qk_nope_head_dim = w_.hp.qk_nope_head_dim;
    a.qk_rope_head_dim = w_.hp.qk_rope_head_dim;
    a.v_head_dim = w_.hp.v_head_dim;
    return a;
  }

  void read_mla(const MlaAttention& a, LayerWeights& out) {
    if (a.indexer_heads > 0) fail("layer " + std::to_string(layer_) + " has a sparse-attention indexer, which is not supported");
    if (a.n_heads < 1 || a.kv_lora_rank < 1 || a.qk_nope_head_dim < 1 || a.qk_rope_head_dim < 0 || a.v_head_dim < 1) {
      fail("layer " + std::to_string(layer_) + ": the sizes of its latent attention are not all given");
    }
    const auto hidden = w_.hp.hidden_size;
    const auto q_rows = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
    MlaWeights w;
    w.latent = a.kv_lora_rank;
    w.unrotated = a.qk_nope_head_dim;
    w.rotated = a.qk_rope_head_dim;
    w.value = a.v_head_dim;
    if (a.q_lora_rank > 0) {
      w.q_a = linear("attn_q_a", hidden, a.q_lora_rank);
      w.q_a_norm = layer_norm("attn_q_a_norm", a.q_lora_rank);
      w.q_b = linear("attn_q_b", a.q_lora_rank, q_rows);
    } else {
      w.q_b = linear("attn_q", hidden, q_rows);
    }
    w.kv_a = linear("attn_kv_a_mqa", hidden, w.latent + w.rotated);
    w.kv_a_norm = layer_norm("attn_kv_a_norm", w.latent);
    if (file_.find(in_layer("attn_k_b.weight")) != nullptr) {
      const auto k = matrix(in_layer("attn_k_b.weight"), w.unrotated, w.latent * a.n_heads);
      const auto v = matrix(in_layer("attn_v_b.weight"), w.latent, w.value * a.n_heads);
      for (std::int64_t h = 0; h < a.n_heads; ++h) {
        w.k_b.push_back(k.slice(h * w.latent, w.latent));
        w.v_b.push_back(v.slice(h * w.value, w.value));
      }
    } else {
      split_kv_b(a, w);
    }
    out.mixer = std::move(w);
    out.output = linear("attn_output", a.n_heads * a.v_head_dim, hidden);
    out.n_heads = a.n_heads;
    out.n_kv_heads = 1;
    out.head_dim = a.kv_lora_rank + a.qk_rope_head_dim;
    out.head_dim_v = a.kv_lora_rank;
    out.values_in_keys = true;
    out.score_scale = static_cast<float>(w_.rope.mla_scale() / std::sqrt(static_cast<double>(a.qk_nope_head_dim + a.qk_rope_head_dim)));
  }

  /// Files from before April 2025 hold one attn_kv_b: per head the rows of the key part, then those of the value part. The key part is needed
  /// the other way round.
  void split_kv_b(const MlaAttention& a, MlaWeights& w) const {
    const auto whole = matrix(in_layer("attn_kv_b.weight"), w.latent, a.n_heads * (w.unrotated + w.value));
    w.k_b_values.resize(static_cast<std::size_t>(a.n_heads * w.latent * w.unrotated));
    std::vector<float> row(static_cast<std::size_t>(w.latent));
    for (std::int64_t h = 0; h < a.n_heads; ++h) {
      const auto first = h * (w.unrotated + w.value);
      float* transposed = w.k_b_values.data() + h * w.latent * w.unrotated;
      for (std::int64_t i = 0; i < w.unrotated; ++i) {
        dequantize_row(whole, first + i, row.data());
        for (std::int64_t j = 0; j < w.latent; ++j) transposed[j * w.unrotated + i] = row[static_cast<std::size_t>(j)];
      }
      w.k_b.push_back({find_format(FormatId::f32), reinterpret_cast<const std::byte*>(transposed), w.latent, w.unrotated});
      w.v_b.push_back(whole.slice(first + w.unrotated, w.value));
    }
  }

  DenseWeights read_dense(std::string_view gate, std::string_view up, std::string_view down, std::int64_t size) const {
    const auto hidden = w_.hp.hidden_size;
    DenseWeights w;
    if (file_.find(in_layer(std::string(gate) + ".weight")) != nullptr) {
      w.gate = linear(gate, hidden, size);
      w.up = linear(up, hidden, size);
    } else {  // both in one, the gate first
      const auto whole = linear(up, hidden, 2 * size);
      w.gate = part(whole, 0, size);
      w.up = part(whole, size, size);
    }
    w.down = linear(down, size, hidden);
    return w;
  }

  MoeWeights read_moe(const MoeFfn& f) const {
    if (!f.gated) fail("layer " + std::to_string(layer_) + " has experts without gate, which is not supported");
    if (f.n_experts < 1 || f.n_active < 1 || f.n_active > f.n_experts) {
      fail("layer " + std::to_string(layer_) + " uses " + std::to_string(f.n_active) + " of " + std::to_string(f.n_experts) + " experts");
    }
    const auto hidden = w_.hp.hidden_size;
    MoeWeights w;
    w.n_experts = f.n_experts;
    w.n_active = f.n_active;
    w.size = f.expert_size;
    w.router = linear("ffn_gate_inp", hidden, f.n_experts);
    w.selection_bias = optional_vector(in_layer("exp_probs_b.bias"), f.n_experts);
    if (file_.find(in_layer("ffn_gate_up_exps.weight")) != nullptr)
      fail("tensor '" + in_layer("ffn_gate_up_exps.weight") + "' is not supported: gate and up of the experts in one");
    w.gate = linear("ffn_gate_exps", hidden, f.expert_size * f.n_experts);
    w.up = linear("ffn_up_exps", hidden, f.expert_size * f.n_experts);
    w.down = linear("ffn_down_exps", f.expert_size, hidden * f.n_experts);
    const auto gating = file_.header().find_integer(key("expert_gating_func")).value_or(0);
    if (gating < 0 || gating > 3) fail("key '" + key("expert_gating_func") + "' is " + std::to_string(gating) + ", which is not supported");
    w.routing = gating == 0 ? w_.traits->routing : static_cast<Routing>(gating);
    w.normalizes = file_.header().find_bool(key("expert_weights_norm")).value_or(w_.traits->normalizes_experts);
    w.scale = number("expert_weights_scale", 1);
    if (w.scale == 0) w.scale = 1;
    w.n_groups = std::max<std::int64_t>(1, file_.header().find_integer(key("expert_group_count")).value_or(1));
    w.n_active_groups = std::max<std::int64_t>(1, file_.header().find_integer(key("expert_group_used_count")).value_or(w.n_groups));
    if (w.n_groups > f.n_experts || f.n_experts % w.n_groups != 0 || w.n_active_groups > w.n_groups ||
        w.n_active_groups * (f.n_experts / w.n_groups) < f.n_active) {
      fail("layer " + std::to_string(layer_) + ": " + std::to_string(w.n_active_groups) + " of " + std::to_string(w.n_groups) +
           " groups of experts make no sense");
    }
    if (f.shared_size > 0) {
      if (file_.find(in_layer("ffn_gate_inp_shexp.weight")) != nullptr)
        fail("tensor '" + in_layer("ffn_gate_inp_shexp.weight") + "' is not supported: a gated shared expert");
      w.shared = read_dense("ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp", f.shared_size);
    }
    return w;
  }

  const ModelFile& file_;
  const Model& description_;
  Weights w_;
  std::int64_t layer_ = -1;
};

}  // namespace

Weights read_weights(const ModelFile& file, const Model& description) { return Reader(file, description).read(); }

}  // namespace planner::runtime
