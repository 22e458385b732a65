#include "engine/graph/builder.h"

#include <algorithm>

namespace planner::engine::graph {
namespace {

bool is_quantized(FormatId format) { return tensor_format(format).block_weights > 1; }

/// Edge of the rotation that spreads outliers over a quantized key's row: the largest power of two from 64 that divides the head.
std::int64_t key_rotation(std::int64_t head_dim) {
  std::int64_t n = 64;
  while (head_dim % (2 * n) == 0) n *= 2;
  return n;
}

}  // namespace

// --- construction -------------------------------------------------------------------------------------------------------

Builder::Builder(Graph& graph, const Model& model, std::span<const LayerParts> layers, const GraphOptions& options, const Batch& batch,
                 const Division* division)
    : g_(graph), model_(model), hp_(model.hyperparameters), layers_(layers), o_(options), division_(division), style_(style_of(hp_)), n_(batch.tokens), seqs_(batch.sequences),
      n_out_(batch.outputs), hidden_(hp_.hidden_size) {
  g_.clear();
  old_ = options.generation == Generation::b4748;
}

void Builder::build() {
  if (hp_.architecture == "gemma3n") gemma3n();
  else transformer();
}

// --- places -------------------------------------------------------------------------------------------------------------

void Builder::enter(const LayerParts& p) {
  in_layer_ = true;
  if (division_ == nullptr) return;
  const auto& plan = division_->plan;
  const auto i = static_cast<std::size_t>(p.number);
  layer_place_ = static_cast<Place>(plan.layers[i]);
  expert_place_ = plan.experts_on_host[i] ? static_cast<Place>(plan.host()) : layer_place_;
  cache_place_ = plan.caches_on_host ? static_cast<Place>(plan.host()) : layer_place_;
  g_.weights_in(layer_place_);
}

void Builder::leave() {
  in_layer_ = false;
  if (division_ == nullptr) return;
  layer_place_ = static_cast<Place>(division_->plan.output);
  g_.weights_in(layer_place_);
}

Id Builder::stored(const planner::Tensor* t, Place where) {
  if (division_ == nullptr || t == nullptr || where != division_->plan.host()) return kNone;
  const auto i = static_cast<std::size_t>(t - model_.tensors.data());
  return i < division_->tensor_bytes.size() ? g_.stored(division_->tensor_bytes[i], where, true) : kNone;
}

void Builder::write(std::initializer_list<Id> sources) {
  const Id id = g_.sink(sources);
  g_.at(id).fixed = cache_place_;
  g_.expand(id);
}

// --- inputs -------------------------------------------------------------------------------------------------------------

Id Builder::embedded_tokens() {
  tokens_ = g_.input(kI32, n_);
  const Id embedded = g_.op({hidden_, n_, 1, 1}, {tokens_});
  // The table stays on the host, whatever the batch.
  if (division_ != nullptr) g_.reads_weights(embedded, static_cast<Place>(division_->plan.host()), 0);
  if (old_ || !o_.embeddings_input) return embedded;
  g_.expand(embedded);
  g_.expand(g_.input(kF32, hidden_, n_));
  return embedded;
}

Id Builder::positions() { return g_.input(kI32, n_ * style_.positions_per_token); }

Id Builder::mask_input(std::int64_t cells, std::int64_t tokens, std::int64_t streams) {
  const bool half = o_.flash_attention && !o_.mask_is_cast;
  const Id mask = g_.input(half ? kF16 : kF32, cells, tokens, 1, streams);
  return o_.flash_attention && !half ? g_.op(g_.at(mask).shape, {mask}, kF16) : mask;
}

Builder::CacheInput Builder::cache_input(std::int64_t cells, std::int64_t head_k, std::int64_t head_v, bool has_v, std::int64_t widest_v) {
  CacheInput in;
  in.cells = cells;
  in.has_v = has_v;
  if (old_) {
    // Whole blocks of tokens. Writes say where they go.
    constexpr std::int64_t kMaskBlock = 64;
    in.mask = mask_input(cells, (n_ + kMaskBlock - 1) / kMaskBlock * kMaskBlock, 1);
    return in;
  }
  if (o_.indexed_writes) {
    in.k_rows = g_.input(kI64, n_);
    // Without flash attention V is kept transposed: every element is a row of its own.
    if (has_v) in.v_rows = g_.input(kI64, o_.flash_attention ? n_ : n_ * widest_v);
  }
  in.mask = mask_input(cells, n_ / o_.streams, o_.streams);
  if (is_quantized(o_.kv_type_k) && head_k > 0 && head_k % 64 == 0) {
    const auto n = key_rotation(head_k);
    in.k_rotation = g_.input(kF32, n, n);
  }
  if (has_v && is_quantized(o_.kv_type_v) && head_v > 0 && head_v % 64 == 0) in.v_rotation = g_.input(kF32, 64, 64);
  return in;
}

void Builder::cache_inputs() {
  // Rotation needs heads of one width in the whole cache.
  struct Widths {
    std::int64_t k = 0, v = 0;
    void add(std::int64_t& width, std::int64_t w) { width = width == 0 || width == w ? w : -1; }
  } full, sliding;
  std::int64_t widest_v = 0;
  bool has_v = true;
  for (const auto& l : model_.layers) {
    if (l.mtp) continue;
    for (const auto& mixer : l.mixers) {
      if (const auto* a = std::get_if<Attention>(&mixer)) {
        auto& w = a->window > 0 && o_.sliding_cells > 0 ? sliding : full;
        if (a->window > 0 && o_.sliding_cells > 0) has_sliding_ = true;
        widest_v = std::max(widest_v, a->n_kv_heads * a->head_dim_v);
        if (a->shares_kv_of >= 0) continue;
        w.add(w.k, a->head_dim);
        w.add(w.v, a->head_dim_v);
      } else if (const auto* m = std::get_if<MlaAttention>(&mixer)) {
        const bool expanded = has_unsplit_kv_b() || o_.mla == MlaGraph::expanded;
        has_v = expanded || o_.mla_stores_v;
        if (expanded) {
          full.add(full.k, m->qk_nope_head_dim + m->qk_rope_head_dim);
          full.add(full.v, m->v_head_dim);
          widest_v = m->n_heads * m->v_head_dim;
        }
        if (m->indexer_heads > 0 && indexer_.mask == kNone) {
          indexer_.cells = o_.cells;
          indexer_.has_v = false;
          indexer_.k_rows = g_.input(kI64, n_);
          indexer_.mask = g_.input(kF16, o_.cells, n_ / o_.streams, 1, o_.streams);
          const auto n = key_rotation(m->indexer_head_dim);
          indexer_.k_rotation = g_.input(kF32, n, n);
        }
      }
    }
  }
  widest_v_ = widest_v;
  full_ = cache_input(o_.cells, full.k, full.v, has_v, widest_v);
  if (has_sliding_) sliding_ = cache_input(o_.sliding_cells, sliding.k, sliding.v, has_v, widest_v);
  sequences_ = g_.input(kI32, seqs_);
  sequences_main_ = g_.view(sequences_, {seqs_, 1, 1, 1}, {kI32, kI32 * seqs_, kI32 * seqs_, kI32 * seqs_});
  sequences_extra_ = g_.view(sequences_, {0, 1, 1, 1}, {kI32, 0, 0, 0});
}

bool Builder::has_unsplit_kv_b() const { return !layers_.empty() && layers_.front().has("attn_kv_b.weight"); }

// --- parts --------------------------------------------------------------------------------------------------------------

Id Builder::norm(Id a) {
  if (o_.fused_parts && style_.norm == Style::Norm::rms) {
    const Id n = g_.op(g_.at(a).shape, {a});
    g_.reads_weights(n, layer_place_, g_.extent(n, 1));
    return n;
  }
  Id n = g_.elementwise({a});
  // Only the root-mean-square form may overwrite what it reads.
  if (style_.norm == Style::Norm::layer) g_.at(n).in_place = false;
  if (in_layer_ && division_ != nullptr && division_->plan.pins_norms) g_.at(n).fixed = layer_place_;
  const Id weighted = g_.elementwise({n});
  g_.reads_weights(weighted, layer_place_, g_.extent(n, 1) * g_.extent(n, 2) * g_.extent(n, 3));
  return weighted;
}

Id Builder::norm(Id a, const LayerParts& p, const PartName& name) { return p.has(name) ? norm(a) : a; }

Id Builder::multiply(const planner::Tensor* t, Id a) { return g_.matmul(t == nullptr ? 0 : t->shape[1], a, stored(t, layer_place_)); }

Id Builder::linear(const LayerParts& p, const PartName& name, Id a) { return multiply(p.find(name), a); }

Id Builder::rotate(Id a, Id rotation) {
  if (rotation == kNone) return a;
  const auto shape = g_.at(a).shape;
  const auto n = g_.extent(rotation, 0);
  const Shape flat{n, n_elements(shape) / n, 1, 1};
  const bool contiguous = g_.at(a).strides == g_.at(g_.reshape(a, shape)).strides;
  const Id rows = contiguous ? g_.reshape(a, flat) : g_.contiguous(a, flat);
  return g_.reshape(g_.op(flat, {rotation, rows}), shape);
}

void Builder::write_k(const CacheInput& in, Id k) {
  if (old_) {
    write({k});
    return;
  }
  const auto t = g_.at(k);
  const Id rows = g_.view(k, {t.shape[0] * t.shape[1], t.shape[2], 1, 1}, {t.element_bytes, t.strides[2], t.strides[2] * t.shape[2], t.strides[2] * t.shape[2]});
  write({rows, in.k_rows});
}

void Builder::write_v(const CacheInput& in, Id v, const Heads& heads) {
  const auto shape = g_.at(v).shape;
  const auto width = shape[0] * shape[1];
  if (old_) {
    write({o_.flash_attention ? v : g_.transpose(v)});
    return;
  }
  if (o_.flash_attention) {
    const auto stride = g_.stride(v, 2);
    const Id rows = g_.view(v, {width, shape[2], 1, 1}, {g_.at(v).element_bytes, stride, stride * shape[2], stride * shape[2]});
    write({rows, in.v_rows});
    return;
  }
  const Shape flat{width, shape[2], 1, 1};
  Id rows = g_.stride(v, 2) == width * g_.at(v).element_bytes ? g_.reshape(v, flat) : g_.contiguous(v, flat);
  std::int64_t stored = width;
  if (heads.cached_v > width) {
    stored = heads.cached_v;
    rows = g_.op({stored, shape[2], 1, 1}, {rows});
  }
  write({g_.reshape(rows, {1, stored * shape[2], 1, 1}), in.v_rows});
}

Id Builder::attend(const CacheInput& in, Id q, Id k, Id v, const Heads& heads) {
  q = rotate(q, in.k_rotation);
  if (k != kNone) k = rotate(k, in.k_rotation);
  if (v != kNone) v = rotate(v, in.v_rotation);
  g_.expand(q);
  if (heads.q_k_v_order || old_) {
    if (k != kNone) g_.expand(k);
    if (v != kNone) g_.expand(v);
  } else {
    if (v != kNone) g_.expand(v);
    if (k != kNone) g_.expand(k);
  }
  if (k != kNone) write_k(in, k);
  if (v != kNone && in.has_v) write_v(in, v, heads);
  Id out = attention_product(in, q, heads, in.mask);
  return rotate(out, in.v_rotation);
}

Id Builder::attention_product(const CacheInput& in, Id q, const Heads& heads, Id mask) {
  const auto t = g_.at(q);
  const auto per_stream = t.shape[2] / o_.streams;
  const Id split = old_ ? q : g_.view(q, {t.shape[0], t.shape[1], per_stream, o_.streams}, {t.strides[0], t.strides[1], t.strides[2], t.strides[3] / o_.streams});
  const Id by_head = g_.permute(split, 0, 2, 1, 3);
  const std::int64_t product_v = heads.latent_v > 0 ? heads.latent_v : heads.dim_v;
  const auto rows_of_cache = [&](FormatId format, std::int64_t width) {
    const auto& f = tensor_format(format);
    return cached(in.cells * o_.streams * ((width + f.block_weights - 1) / f.block_weights) * f.block_bytes);
  };
  const Id cached_k = rows_of_cache(o_.kv_type_k, heads.kv * heads.dim_k);
  const Id cached_v = heads.latent_v > 0 || !in.has_v ? kNone : rows_of_cache(o_.kv_type_v, std::max(heads.cached_v, heads.kv * heads.dim_v));
  Id out;
  if (o_.flash_attention) {
    out = g_.op({product_v, heads.q, per_stream, o_.streams}, {by_head, cached_k, cached_v, mask});
    if (division_ != nullptr) g_.at(out).host_only = !division_->plan.quantized_attention;
    if (division_ != nullptr && o_.f16_cache_copies) {
      const auto copy = [&](FormatId format, std::int64_t width) { return is_quantized(format) ? kF16 * in.cells * o_.streams * width : 0; };
      g_.at(out).bytes += copy(o_.kv_type_k, heads.kv * heads.dim_k) + (heads.latent_v > 0 ? 0 : copy(o_.kv_type_v, heads.kv * heads.dim_v));
    }
    if (heads.latent_v > 0) {
      out = g_.permute(out, 0, 2, 1, 3);
      out = g_.matmul(heads.dim_v, out);
      out = g_.contiguous(g_.permute(out, 0, 2, 1, 3));
    }
    out = g_.reshape(out, {g_.extent(out, 0) * g_.extent(out, 1), g_.extent(out, 2) * g_.extent(out, 3), 1, 1});
  } else {
    Id scores = g_.op({in.cells, per_stream, heads.q, o_.streams}, {cached_k, by_head});
    scores = g_.elementwise({scores, mask});
    Id values = kNone;
    if (heads.latent_v > 0 && !o_.mla_stores_v) {
      // The latent rows are keys and values: as values they are copied, transposed.
      const auto& f = tensor_format(o_.kv_type_k);
      values = g_.op_of_bytes({in.cells, heads.latent_v, 1, o_.streams}, in.cells / f.block_weights * f.block_bytes * heads.latent_v * o_.streams, {cached_k});
    }
    out = g_.op({product_v, per_stream, heads.q, o_.streams}, {values != kNone ? values : cached_v, scores});
    if (heads.latent_v > 0) out = g_.matmul(heads.dim_v, out);
    out = g_.permute(out, 0, 2, 1, 3);
    out = g_.contiguous(out, {g_.extent(out, 0) * g_.extent(out, 1), g_.extent(out, 2) * g_.extent(out, 3), 1, 1});
  }
  // All between cache and output is computed beside the cache.
  if (division_ != nullptr && division_->plan.caches_on_host && g_.at(out).view_of == kNone) g_.at(out).fixed = cache_place_;
  g_.expand(out);
  return out;
}

Id Builder::qk_norm(const LayerParts& p, const PartName& name, Id a, std::int64_t heads, std::int64_t dim) {
  const auto* weight = p.find(name);
  if (weight == nullptr) return rope(a);
  if (style_.rope_before_norm) return norm(rope(a));
  if (weight->n_dims == 1 && weight->shape[0] == heads * dim && heads > 1) {
    // One norm over all heads, before they are told apart.
    const Id flat = g_.at(a).view_of != kNone && g_.at(g_.at(a).view_of).shape[0] == heads * dim ? g_.at(a).view_of : g_.reshape(a, {heads * dim, n_, 1, 1});
    return rope(g_.reshape(norm(flat), {dim, heads, n_, 1}));
  }
  return rope(norm(a));
}

// --- attention ----------------------------------------------------------------------------------------------------------

Id Builder::attention(const LayerParts& p, const Attention& m, Id a) {
  if (p.has("attn_kv_a_mqa.weight")) {
    // Latent attention whose file caches full heads.
    return mla(p, {m.n_heads, hp_.q_lora_rank, hp_.kv_lora_rank, hp_.qk_nope_head_dim, hp_.qk_rope_head_dim, hp_.v_head_dim}, a);
  }
  const auto& in = cache_of(m);
  Heads heads{m.n_heads, m.n_kv_heads, m.head_dim, m.head_dim_v};
  heads.q_k_v_order = has_sliding_;
  heads.cached_v = widest_v_;
  Id q, k = kNone, v = kNone, gate = kNone;
  if (p.has("attn_qkv.weight")) {
    const Id all = linear(p, "attn_qkv.weight", a);
    const auto row = g_.stride(all, 1);
    const auto part = [&](std::int64_t dim, std::int64_t n) {
      if (!old_) return g_.view(all, {dim, n, n_, 1}, {kF32, dim * kF32, row, row * n_});
      return g_.reshape(g_.contiguous(g_.view(all, {dim * n, n_, 1, 1}, {kF32, row, row * n_, row * n_})), {dim, n, n_, 1});
    };
    q = part(m.head_dim, m.n_heads);
    k = part(m.head_dim, m.n_kv_heads);
    v = part(m.head_dim_v, m.n_kv_heads);
  } else {
    if (m.gated) {
      // Query and gate of a head lie side by side.
      const Id both = g_.reshape(linear(p, "attn_q.weight", a), {2 * m.head_dim, m.n_heads, n_, 1});
      const auto half = [&] { return g_.view(both, {m.head_dim, m.n_heads, n_, 1}, g_.at(both).strides); };
      q = half();
      gate = half();
    } else {
      q = g_.reshape(linear(p, "attn_q.weight", a), {m.head_dim, m.n_heads, n_, 1});
    }
    k = g_.reshape(linear(p, "attn_k.weight", a), {m.head_dim, m.n_kv_heads, n_, 1});
    v = linear(p, "attn_v.weight", a);
    if (!old_) v = g_.reshape(v, {m.head_dim_v, m.n_kv_heads, n_, 1});
  }
  q = qk_norm(p, "attn_q_norm.weight", q, m.n_heads, m.head_dim);
  k = qk_norm(p, "attn_k_norm.weight", k, m.n_kv_heads, m.head_dim);
  if (style_.scaled_queries) q = g_.elementwise({q});
  if (style_.tempered_queries && !rotates_) {
    // Llama 4 scales queries by their position where they do not rotate.
    if (temperature_ == kNone) temperature_ = g_.input(kF32, 1, 1, n_);
    q = g_.elementwise({q, temperature_});
  }
  Id out = attend(in, q, k, v, heads);
  if (gate != kNone) out = g_.elementwise({out, g_.elementwise({g_.contiguous(gate, {m.head_dim * m.n_heads, n_, 1, 1})})});
  if (const auto rows = p.rows("attn_gate.weight"); rows > 0) {
    Id opened = g_.elementwise({linear(p, "attn_gate.weight", a)});
    if (rows == m.n_heads) {
      // One gate a head (Step 3.5).
      opened = g_.reshape(opened, {1, m.n_heads, n_, 1});
      out = g_.reshape(g_.elementwise({g_.reshape(out, {m.head_dim_v, m.n_heads, n_, 1}), opened}), {m.head_dim_v * m.n_heads, n_, 1, 1});
    } else {
      out = g_.elementwise({out, opened});
    }
  }
  return linear(p, "attn_output.weight", out);
}

Id Builder::mix(const LayerParts& p, const Mixer& mixer, Id a) {
  if (const auto* m = std::get_if<Attention>(&mixer)) return attention(p, *m, a);
  if (const auto* m = std::get_if<MlaAttention>(&mixer)) return mla(p, *m, a);
  if (const auto* m = std::get_if<Mamba>(&mixer)) return m->n_heads > 0 ? mamba2(p, *m, a) : mamba1(p, *m, a);
  if (const auto* m = std::get_if<LinearAttention>(&mixer)) {
    if (m->kind == LinearAttentionKind::kimi_delta) return kimi_delta(p, *m, a);
    return m->kind == LinearAttentionKind::lightning ? lightning(p, *m, a) : delta_net(p, *m, a);
  }
  if (const auto* m = std::get_if<ShortConv>(&mixer)) return short_conv(p, *m, a);
  return a;
}

// --- feed-forwards --------------------------------------------------------------------------------------------------------

Id Builder::dense(const LayerParts& p, Id a, const DenseNames& names) {
  const auto up_rows = p.rows(names.up);
  const auto gate_rows = p.rows(names.gate);
  const auto* down = p.find(names.down);
  if (down == nullptr) return a;
  const auto width = down->shape[0];
  Id x;
  if (gate_rows > 0) {
    const Id up = linear(p, names.up, a);
    const Id gate = linear(p, names.gate, a);
    x = old_ && !o_.fused_parts ? g_.elementwise({g_.elementwise({gate}), up}) : g_.glu(gate, up);
  } else {
    x = linear(p, names.up, a);
    // Gate and up in one projection, or none: an activation in place.
    const bool fused = up_rows == 2 * width;
    const auto half = [&] { return g_.contiguous(g_.view(x, {width, g_.extent(x, 1), 1, 1}, g_.at(x).strides)); };
    if (fused && old_) {
      const Id gate = g_.elementwise({half()});
      x = g_.elementwise({gate, half()});
    } else {
      x = fused ? g_.op({width, g_.extent(x, 1), 1, 1}, {x}) : g_.elementwise({x});
    }
  }
  return multiply(down, x);
}

Id Builder::experts(const LayerParts& p, const MoeFfn& m, Id a, Id logits) {
  const auto n = g_.extent(a, 1);
  const bool late_softmax = p.has("ffn_gate_inp.bias");
  if (logits == kNone) logits = g_.matmul(m.n_experts, a);
  if (late_softmax) logits = g_.elementwise({logits});
  const Id probabilities = late_softmax ? logits : g_.elementwise({logits});
  // Llama 4 chooses by the plain logits.
  const Id selection = style_.weighted_input ? logits : p.has("exp_probs_b.bias") ? g_.elementwise({probabilities}) : probabilities;
  const Id sorted = g_.op({m.n_experts, n, 1, 1}, {selection}, kI32);
  const Id chosen = g_.view(sorted, {m.n_active, n, 1, 1}, g_.at(sorted).strides);
  Id weights = g_.get_rows(g_.reshape(probabilities, {1, m.n_experts, n, 1}), chosen);
  const Shape flat{m.n_active, n, 1, 1};
  const Shape stacked{1, m.n_active, n, 1};
  if (late_softmax) {
    weights = g_.reshape(g_.elementwise({g_.reshape(weights, flat)}), stacked);
  } else if (style_.normed_weights) {
    const Id rows = g_.reshape(weights, flat);
    Id sum = g_.op({1, n, 1, 1}, {rows});
    if (!old_) sum = g_.elementwise({sum});
    weights = g_.reshape(g_.elementwise({rows, sum}), stacked);
  }
  if (!old_) g_.expand(weights);

  Id in = g_.reshape(a, {g_.extent(a, 0), 1, n, 1});
  if (style_.weighted_input) in = g_.elementwise({g_.op({g_.extent(a, 0), m.n_active, n, 1}, {in}), weights});
  const std::int64_t share = o_.moves_by_expert ? m.n_active : m.n_experts;  // tokens of a batch that an expert is moved for
  const auto product = [&](std::int64_t rows, const PartName& weight, Id x) {
    const Id id = g_.op({rows, m.n_active, n, 1}, {stored(p.find(weight), expert_place_), x, chosen});
    g_.reads_weights(id, expert_place_, n * share / m.n_experts);
    g_.at(id).is_product = true;
    return id;
  };
  Id x;
  if (p.has("ffn_gate_up_exps.weight")) {
    const Id both = product(2 * m.expert_size, "ffn_gate_up_exps.weight", in);
    const auto half = [&] { return g_.view(both, {m.expert_size, m.n_active, n, 1}, g_.at(both).strides); };
    const Id gate = half();
    const Id up = half();
    x = g_.glu(gate, up);
  } else if (o_.fused_experts && p.has("ffn_gate_exps.weight")) {
    x = g_.op({m.expert_size, m.n_active, n, 1}, {stored(p.find("ffn_up_exps.weight"), expert_place_), stored(p.find("ffn_gate_exps.weight"), expert_place_), in, chosen});
    g_.reads_weights(x, expert_place_, o_.moves_fused_experts ? n * share / m.n_experts : 0);
    g_.at(x).is_product = true;
  } else {
    const Id up = product(m.expert_size, "ffn_up_exps.weight", in);
    if (p.has("ffn_gate_exps.weight")) {
      const Id gate = product(m.expert_size, "ffn_gate_exps.weight", in);
      x = old_ && !o_.fused_parts ? g_.elementwise({up, g_.elementwise({gate})}) : g_.glu(gate, up);
    } else {
      x = g_.elementwise({up});
    }
  }
  const auto* down = p.find("ffn_down_exps.weight");
  const auto width = down != nullptr ? down->shape[1] : hidden_;
  x = product(width, "ffn_down_exps.weight", x);
  if (!style_.weighted_input) x = g_.elementwise({x, weights});
  const auto expand = [&](Id id) {
    if (!old_) g_.expand(id);
  };
  expand(x);

  if (o_.fused_parts) {
    const Id first = g_.view(x, {width, n, 1, 1}, {kF32, g_.stride(x, 2), g_.stride(x, 2) * n, g_.stride(x, 2) * n});
    return g_.op({width, n, 1, 1}, {first});
  }
  const auto one = [&] { return g_.view(x, {width, n, 1, 1}, {kF32, g_.stride(x, 2), g_.stride(x, 2) * n, g_.stride(x, 2) * n}); };
  std::vector<Id> each;
  for (std::int64_t i = 0; i < m.n_active; ++i) {
    each.push_back(one());
    expand(each.back());
  }
  Id sum = each.front();
  for (std::size_t i = 1; i < each.size(); ++i) {
    sum = g_.elementwise({sum, each[i]});
    expand(sum);
  }
  return each.size() == 1 ? g_.contiguous(sum) : sum;
}

Id Builder::feed_forward(const LayerParts& p, Id a, Id router) {
  for (const auto& ffn : p.layer->ffns) {
    if (const auto* m = std::get_if<MoeFfn>(&ffn)) {
      Id out;
      if (p.has("ffn_latent_down.weight")) {
        // Experts of a narrower stream of their own; the router reads the wide one (Nemotron 3).
        out = experts(p, *m, linear(p, "ffn_latent_down.weight", a), g_.matmul(m->n_experts, a));
        out = linear(p, "ffn_latent_up.weight", out);
      } else {
        out = experts(p, *m, a, router);
      }
      if (p.has("ffn_down_shexp.weight")) {
        Id shared = dense(p, a, kSharedExpert);
        if (p.has("ffn_gate_inp_shexp.weight")) shared = g_.elementwise({shared, g_.elementwise({g_.matmul(1, a)})});
        out = g_.elementwise({out, shared});
      } else if (p.has("ffn_down.weight")) {
        // A dense feed-forward beside the experts (Grok).
        out = g_.elementwise({g_.elementwise({dense(p, a), out})});
      }
      return out;
    }
  }
  return dense(p, a);
}

// --- whole models -----------------------------------------------------------------------------------------------------------

bool Builder::rotates(const LayerParts& p) const {
  constexpr std::int64_t kFourth = 4;
  switch (style_.rope) {
    case Style::Rope::all: return true;
    case Style::Rope::none: return false;
    case Style::Rope::not_every_fourth: return (p.number + 1) % kFourth != 0;
    case Style::Rope::sliding: break;
  }
  if (!has_sliding_) return true;
  return std::any_of(p.layer->mixers.begin(), p.layer->mixers.end(), [](const Mixer& m) {
    const auto* a = std::get_if<Attention>(&m);
    return a != nullptr && a->window > 0;
  });
}

Id Builder::layer(const LayerParts& p, Id in, bool last) {
  using Joined = Style::Joined;
  enter(p);
  rotates_ = rotates(p);
  if (hp_.architecture == "gemma4") return gemma4_layer(p, in);
  const bool choose = last && style_.output_rows == Style::OutputRows::last_layer;
  const auto chosen = [&](Id& a) {
    if (choose && a != kNone) a = output_rows(a);
  };
  const auto norm_here = [&](Id a, const PartName& name) { return style_.unweighted_norms ? g_.op(g_.at(a).shape, {a}) : norm(a, p, name); };
  Id residual = in;
  const Id normed = norm_here(in, "attn_norm.weight");
  if (style_.norm_first) g_.expand(normed);
  if (style_.norm_is_residual) {
    Id x = mix(p, p.layer->mixers.front(), normed);
    Id start = normed;
    chosen(x);
    chosen(start);
    x = norm(g_.elementwise({x, g_.elementwise({start})}), p, "ffn_norm.weight");
    return g_.elementwise({feed_forward(p, x), g_.elementwise({x})});
  }
  if (p.layer->mixers.empty() || p.layer->ffns.empty()) {
    // A layer of one half (Nemotron-H, Mamba, pruned ones), or of none.
    if (p.layer->mixers.empty() && p.layer->ffns.empty()) return in;
    Id x = p.layer->mixers.empty() ? feed_forward(p, p.has("attn_norm.weight") ? normed : norm(in, p, "ffn_norm.weight")) : mix(p, p.layer->mixers.front(), normed);
    chosen(x);
    chosen(residual);
    return g_.elementwise({x, residual});
  }
  Id router = style_.router_first && p.has("ffn_gate_inp.weight") ? linear(p, "ffn_gate_inp.weight", in) : kNone;

  if (p.layer->mixers.size() > 1) {
    // Attention, then a second mixer beside it behind a norm of its own with the same weights (Falcon-H1).
    const auto& mixers = p.layer->mixers;
    const bool attention_first = std::holds_alternative<Attention>(mixers.front());
    const Id attended = mix(p, attention_first ? mixers.front() : mixers.back(), normed);
    Id middle = g_.elementwise({g_.elementwise({attended, mix(p, attention_first ? mixers.back() : mixers.front(), norm(in))}), residual});
    chosen(middle);
    return g_.elementwise({feed_forward(p, norm(middle, p, "ffn_norm.weight")), middle});
  }
  Id x = mix(p, p.layer->mixers.front(), p.has("attn_norm_2.weight") ? norm(in) : normed);
  Id ffn_in = normed;
  const bool post_norm = !p.has("attn_norm.weight") && !style_.unweighted_norms;  // norms behind both halves alone (OLMo 2, EXAONE 4)
  const bool own_norm = p.has("ffn_norm.weight");
  if (post_norm || own_norm) {
    // Where the rows are chosen before or behind this norm makes no difference to what is alive.
    chosen(x);
    x = norm(x, p, "post_attention_norm.weight");
  } else {
    chosen(x);
  }
  chosen(residual);
  chosen(router);

  const bool side_by_side = style_.joined != Joined::one_after_the_other && style_.joined != Joined::shared_norm;
  if (side_by_side) {
    // GPT-NeoX normalizes the layer's input a second time, with other weights.
    Id in_again = own_norm ? norm(residual) : ffn_in;
    if (!own_norm) chosen(in_again);
    const Id fed = feed_forward(p, in_again);
    switch (style_.joined) {
      case Joined::feed_forward_residual_mixer: return g_.elementwise({g_.elementwise({fed, residual}), x});
      case Joined::feed_forward_mixer_residual: return g_.elementwise({g_.elementwise({fed, x}), residual});
      default: return g_.elementwise({g_.elementwise({x, fed}), residual});
    }
  }
  const Id middle = style_.mixer_residual_first ? g_.elementwise({residual, x}) : g_.elementwise({x, residual});
  if (p.has("ffn_norm_exps.weight")) {
    // Experts beside a dense feed-forward, with a norm of the layer's input (Arctic).
    const Id dense_out = g_.elementwise({dense(p, norm(middle)), middle});
    const auto& m = std::get<MoeFfn>(p.layer->ffns.back());
    return g_.elementwise({experts(p, m, norm(residual)), dense_out});
  }
  if (style_.joined == Joined::shared_norm && !own_norm) {
    chosen(ffn_in);
    x = ffn_in;
  } else if (post_norm) {
    x = middle;
  } else {
    constexpr PartName kOwn = "ffn_norm.weight", kOfMixer = "attn_output_norm.weight", kPost = "post_attention_norm.weight";
    x = norm_here(middle, own_norm ? kOwn : p.has(kOfMixer) ? kOfMixer : kPost);
  }
  x = feed_forward(p, x, router);
  x = norm(x, p, "post_ffw_norm.weight");
  x = norm(x, p, "layer_output_norm.weight");
  return style_.residual_first ? g_.elementwise({middle, x}) : g_.elementwise({x, middle});
}

const planner::Tensor* Builder::head_weight() const {
  const planner::Tensor* table = nullptr;
  for (const auto& t : model_.tensors) {
    if (t.layer >= 0) continue;
    if (t.name == "output.weight") return &t;
    if (t.name == "token_embd.weight") table = &t;
  }
  return table;
}

void Builder::head(Id a) {
  leave();
  if (style_.output_rows == Style::OutputRows::before_norm) {
    if (style_.hidden_kept) g_.mark_output(a);
    a = output_rows(a);
  }
  a = style_.unweighted_norms ? g_.op(g_.at(a).shape, {a}) : norm(a);
  if (style_.output_rows == Style::OutputRows::after_norm) {
    if (style_.hidden_kept) g_.mark_output(a);
    a = output_rows(a);
  }
  if (!old_) g_.mark_output(a);
  if (style_.scaled_head) a = g_.elementwise({a});
  Id logits = g_.matmul(file_vocabulary(hp_), a, division_ != nullptr ? stored(head_weight(), layer_place_) : kNone);
  if (style_.final_softcap) logits = g_.elementwise({g_.elementwise({g_.elementwise({logits})})});
  g_.mark_output(logits);
  g_.expand(logits);
}

void Builder::transformer() {
  Id x = embedded_tokens();
  pos_ = positions();
  if (style_.added_positions) x = g_.elementwise({x, g_.op({hidden_, n_, 1, 1}, {pos_})});
  if (hp_.architecture == "bloom") x = norm(x);
  cache_inputs();
  out_ids_ = g_.input(kI32, n_out_);
  if (!layers_.empty() && layers_.front().has("inp_gate.weight")) per_layer_ = per_layer_embeddings(x);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    g_.cut();
    x = layer(layers_[i], x, i + 1 == layers_.size());
  }
  head(x);
}

}  // namespace planner::engine::graph
