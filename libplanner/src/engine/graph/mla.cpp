// Multi-head latent attention: in the absorbed form, where the heads share one cached row and V is a part of it, and with full heads as files with
// attn_kv_b in one piece make it. Sources: src/models/deepseek2.cpp, deepseek32.cpp, build_attn in src/llama-graph.cpp (ggml-org/llama.cpp).
#include <algorithm>

#include "engine/graph/builder.h"

namespace planner::engine::graph {

Id Builder::mla(const LayerParts& p, const MlaAttention& m, Id a) {
  const std::int64_t head = m.qk_nope_head_dim + m.qk_rope_head_dim;
  const std::int64_t row = m.kv_lora_rank + m.qk_rope_head_dim;
  Id compressed_q = kNone;
  Id q;
  if (p.has("attn_q_a.weight")) {
    compressed_q = norm(linear(p, "attn_q_a.weight", a), p, "attn_q_a_norm.weight");
    if (m.indexer_heads > 0 && p.has("indexer.attn_q_b.weight")) chosen_ = indexer(p, m, compressed_q, a);
    q = linear(p, "attn_q_b.weight", compressed_q);
  } else {
    q = linear(p, "attn_q.weight", a);
  }
  q = g_.reshape(q, {head, m.n_heads, n_, 1});
  const auto part_of_q = [&](std::int64_t width) { return g_.view(q, {width, m.n_heads, n_, 1}, g_.at(q).strides); };

  const Id kv = linear(p, "attn_kv_a_mqa.weight", a);
  const std::int64_t stride = row * kF32;
  // The older generation copies parts before it works on them.
  const auto copied = [&](Id part) { return old_ ? g_.contiguous(part) : part; };
  const Id k_rope = rope(copied(g_.view(kv, {m.qk_rope_head_dim, 1, n_, 1}, {kF32, stride, stride, stride * n_})));
  Id latent = norm(copied(g_.view(kv, {m.kv_lora_rank, n_, 1, 1}, {kF32, stride, stride * n_, stride * n_})));

  if (o_.fused_parts && o_.mla != MlaGraph::expanded) return ik_mla(p, m, part_of_q(m.qk_nope_head_dim), rope(part_of_q(m.qk_rope_head_dim)), k_rope, latent);
  if (p.has("attn_kv_b.weight") || o_.mla == MlaGraph::expanded) {
    const std::int64_t both = m.qk_nope_head_dim + m.v_head_dim;
    const Id expanded = g_.matmul(both * m.n_heads, latent);
    const auto part = [&](std::int64_t width) { return g_.view(expanded, {width, m.n_heads, n_, 1}, {kF32, both * kF32, both * kF32 * m.n_heads, both * kF32 * m.n_heads * n_}); };
    const Id k_plain = part(m.qk_nope_head_dim);
    const Id v = g_.contiguous(part(m.v_head_dim));
    const Id q_all = old_ ? g_.concat(part_of_q(m.qk_nope_head_dim), rope(copied(part_of_q(m.qk_rope_head_dim))), 0) : rope(q);
    const Id k_all = g_.concat(k_plain, g_.op({m.qk_rope_head_dim, m.n_heads, n_, 1}, {k_rope}), 0);
    Heads heads{m.n_heads, m.n_heads, head, m.v_head_dim};
    heads.cached_v = m.n_heads * m.v_head_dim;
    return linear(p, "attn_output.weight", attend(full_, q_all, k_all, v, heads));
  }

  const Id q_plain = part_of_q(m.qk_nope_head_dim);
  const Id q_rope = rope(part_of_q(m.qk_rope_head_dim));
  const Id absorbed = g_.permute(g_.matmul(m.kv_lora_rank, g_.permute(q_plain, 0, 2, 1, 3)), 0, 2, 1, 3);
  const Id q_all = g_.concat(absorbed, q_rope, 0);
  latent = g_.reshape(latent, {m.kv_lora_rank, 1, n_, 1});
  const Id k_all = g_.concat(latent, k_rope, 0);
  g_.expand(q_all);
  g_.expand(latent);
  g_.expand(k_all);
  write_k(full_, k_all);
  if (o_.mla_stores_v) write_v(full_, latent, {m.n_heads, 1, row, m.kv_lora_rank});
  Heads heads{m.n_heads, 1, row, m.v_head_dim};
  heads.latent_v = m.kv_lora_rank;
  const Id mask = chosen_ != kNone ? choose_cells(chosen_) : full_.mask;
  return linear(p, "attn_output.weight", attention_product(full_, q_all, heads, mask));
}

/// ik_llama.cpp: the latent is written first. With flash attention full heads are computed from the whole cache, as many at once as the limit lets; without,
/// the heads share the cached rows, a few at a time. Source: build_deepseek2 (ikawrakow/ik_llama.cpp).
Id Builder::ik_mla(const LayerParts& p, const MlaAttention& m, Id q_plain, Id q_rope, Id k_rope, Id latent) {
  constexpr std::int64_t kMiB = 1 << 20;
  constexpr std::int64_t kManyTokens = 128;
  const std::int64_t head = m.qk_nope_head_dim + m.qk_rope_head_dim;
  const std::int64_t row = m.kv_lora_rank + m.qk_rope_head_dim;
  const std::int64_t both = m.qk_nope_head_dim + m.v_head_dim;
  const std::int64_t cells = full_.cells;
  const auto& f = tensor_format(o_.kv_type_k);
  write({g_.concat(latent, g_.reshape(k_rope, {m.qk_rope_head_dim, n_, 1, 1}), 0)});
  const auto cache = [&](std::int64_t width) { return cached(cells * ((width + f.block_weights - 1) / f.block_weights) * f.block_bytes); };
  const auto keep_within = [&](std::int64_t bytes) { return o_.attention_max_mib <= 0 || bytes / kMiB <= o_.attention_max_mib; };

  if (o_.mla == MlaGraph::unpacked && n_ >= kManyTokens && o_.unpacks_in_f32 && division_ != nullptr) {
    const Id rows = g_.op({row, cells, 1, 1}, {cache(row)});
    const auto rs = g_.at(rows).strides;
    Id unpacked = g_.op({both * m.n_heads, cells, 1, 1}, {g_.view(rows, {m.kv_lora_rank, cells, 1, 1}, rs)});
    g_.reads_weights(unpacked, layer_place_, cells);
    const auto part = [&](std::int64_t width) { return g_.view(unpacked, {width, cells, m.n_heads, 1}, {kF32, both * kF32 * m.n_heads, both * kF32, both * kF32 * m.n_heads * cells}); };
    const Id repeated = g_.op({m.qk_rope_head_dim, m.n_heads, cells, 1}, {g_.view(rows, {m.qk_rope_head_dim, 1, cells, 1}, {rs[0], rs[1], rs[1], rs[2]})});
    const Id k_f32 = g_.op({head, cells, m.n_heads, 1}, {part(m.qk_nope_head_dim), g_.permute(repeated, 0, 2, 1, 3)});
    const auto as_cached = [&](std::int64_t width, Id from) {
      const std::int64_t bytes = (width + f.block_weights - 1) / f.block_weights * f.block_bytes;
      return g_.op_of_bytes({bytes, cells, m.n_heads, 1}, bytes * cells * m.n_heads, {from});
    };
    const Id k = as_cached(head, k_f32);
    const Id v = as_cached(m.v_head_dim, part(m.v_head_dim));
    const Id q = g_.permute(g_.concat(q_plain, q_rope, 0), 0, 2, 1, 3);
    g_.expand(q);
    const Id attended = g_.op({m.v_head_dim, m.n_heads, n_, 1}, {q, k, v, full_.mask});
    return linear(p, "attn_output.weight", g_.reshape(attended, {m.v_head_dim * m.n_heads, n_, 1, 1}));
  }
  if (o_.mla == MlaGraph::unpacked && n_ >= kManyTokens) {
    std::int64_t at_once = m.n_heads;
    while (at_once % 2 == 0 && !keep_within(kF32 * both * at_once * cells)) at_once /= 2;
    // The host alone keeps the cache's format; with a device in play the copies are in F16.
    const auto& copied = division_ != nullptr ? tensor_format(FormatId::f16) : f;
    const auto in_format = [&](std::int64_t width, std::initializer_list<Id> from) {
      const std::int64_t bytes = (width + copied.block_weights - 1) / copied.block_weights * copied.block_bytes;
      return g_.op_of_bytes({bytes, cells, at_once, 1}, bytes * cells * at_once, from);
    };
    const Id rope_part = cache(m.qk_rope_head_dim);
    Id rope_rows = rope_part;
    if (division_ != nullptr && o_.kv_type_k != FormatId::f16) rope_rows = g_.op({m.qk_rope_head_dim, cells, 1, 1}, {rope_part}, kF16);
    const Id k_rope_all = in_format(m.qk_rope_head_dim, {rope_rows});
    const Id q = g_.permute(g_.concat(q_plain, q_rope, 0), 0, 2, 1, 3);
    g_.expand(q);
    Id out = kNone;
    for (std::int64_t first = 0; first < m.n_heads; first += at_once) {
      Id unpacked = g_.op({both * at_once, cells, 1, 1}, {cache(m.kv_lora_rank)});
      g_.reads_weights(unpacked, layer_place_, cells);
      const auto part = [&](std::int64_t width) { return g_.view(unpacked, {width, cells, at_once, 1}, {kF32, both * kF32 * at_once, both * kF32, both * kF32 * at_once * cells}); };
      const Id v = in_format(m.v_head_dim, {part(m.v_head_dim)});
      const Id k_plain = in_format(m.qk_nope_head_dim, {part(m.qk_nope_head_dim)});
      g_.expand(k_plain);
      g_.expand(v);
      const Id k = in_format(head, {k_plain, k_rope_all});
      g_.expand(k);
      const Id some = g_.view(q, {head, n_, at_once, 1}, g_.at(q).strides);
      const Id attended = g_.reshape(g_.op({m.v_head_dim, at_once, n_, 1}, {some, k, v, full_.mask}), {m.v_head_dim * at_once, n_, 1, 1});
      out = out == kNone ? attended : g_.concat(out, attended, 0);
    }
    return linear(p, "attn_output.weight", out);
  }

  const Id absorbed = g_.matmul(m.kv_lora_rank, g_.permute(q_plain, 0, 2, 1, 3));
  const Id q = g_.concat(absorbed, g_.permute(q_rope, 0, 2, 1, 3), 0);
  Id mixed = kNone;
  if (o_.flash_attention) {
    mixed = g_.permute(g_.op({m.kv_lora_rank, m.n_heads, n_, 1}, {q, cache(row), full_.mask}), 0, 2, 1, 3);
  } else {
    const Id turned = g_.op_of_bytes({cells, m.kv_lora_rank, 1, 1}, cells * ((m.kv_lora_rank + f.block_weights - 1) / f.block_weights) * f.block_bytes,
                                     {cache(m.kv_lora_rank)});
    const std::int64_t scores_bytes = kF32 * cells * n_ * m.n_heads;
    const std::int64_t steps = keep_within(scores_bytes) ? 1 : std::min(m.n_heads, (scores_bytes / kMiB + o_.attention_max_mib - 1) / o_.attention_max_mib);
    const std::int64_t per_step = (m.n_heads + steps - 1) / steps;
    for (std::int64_t first = 0; first < m.n_heads; first += per_step) {
      const std::int64_t heads = std::min(per_step, m.n_heads - first);
      const Id some = steps == 1 ? q : g_.view(q, {row, n_, heads, 1}, g_.at(q).strides);
      Id scores = g_.op({cells, n_, heads, 1}, {cache(row), some});
      scores = g_.elementwise({scores, full_.mask});
      const Id here = g_.op({m.kv_lora_rank, n_, heads, 1}, {turned, scores});
      mixed = mixed == kNone ? here : g_.concat(mixed, here, 2);
    }
  }
  // Out of the latent space head by head, the heads side by side again.
  const Id by_head = g_.permute(g_.matmul(m.v_head_dim, mixed), 0, 2, 1, 3);
  const Id out = g_.contiguous(by_head, {m.n_heads * m.v_head_dim, n_, 1, 1});
  return linear(p, "attn_output.weight", out);
}

/// Scores every cell for every token and takes the best.
Id Builder::indexer(const LayerParts& p, const MlaAttention& m, Id compressed_q, Id a) {
  const std::int64_t dim = m.indexer_head_dim;
  Id q = rope(g_.reshape(linear(p, "indexer.attn_q_b.weight", compressed_q), {dim, m.indexer_heads, n_, 1}));
  Id k = linear(p, "indexer.attn_k.weight", a);
  // A norm with mean and bias: never in place.
  k = g_.op(g_.at(k).shape, {k});
  k = g_.elementwise({g_.elementwise({k})});
  k = rope(g_.reshape(k, {dim, 1, n_, 1}));
  const auto rotated = [&](Id x) { return g_.op(g_.at(x).shape, {indexer_.k_rotation, x}); };
  q = rotated(q);
  k = rotated(k);
  write_k(indexer_, k);
  const std::int64_t per_stream = n_ / o_.streams;
  Id weights = linear(p, "indexer.proj.weight", a);
  const auto qs = g_.at(q).strides;
  q = g_.view(q, {dim, m.indexer_heads, per_stream, o_.streams}, {qs[0], qs[1], qs[2], qs[3] / o_.streams});
  const auto ws = g_.at(weights).strides;
  weights = g_.elementwise({g_.view(weights, {m.indexer_heads, per_stream, 1, o_.streams}, {ws[0], ws[1], ws[2] / o_.streams, ws[3] / o_.streams})});
  const Id scores = g_.op({o_.cells, per_stream, 1, o_.streams}, {q, weights, indexer_.mask});
  const std::int64_t top = std::min(o_.cells, hp_.indexer_top_k);
  return g_.contiguous(g_.op({top, per_stream, 1, o_.streams}, {scores}, kI32));
}

/// A mask that shows the chosen cells alone, and of those what the plain mask shows.
Id Builder::choose_cells(Id chosen) {
  const std::int64_t top = g_.extent(chosen, 0);
  const std::int64_t per_stream = n_ / o_.streams;
  const Id hidden = g_.elementwise({full_.mask});
  const auto s = g_.at(hidden).strides;
  const Id cells = g_.view(hidden, {1, o_.cells, per_stream, o_.streams}, {s[0], s[0], s[1], s[2]});
  const Id ids = g_.view(chosen, {top, per_stream, o_.streams, 1}, g_.at(chosen).strides);
  // Not an input by name, but there from the start all the same.
  const Id zeros = g_.elementwise({g_.input(kF32, 1, top, per_stream, o_.streams)});
  const Id shown = g_.write_rows(cells, {zeros, ids});
  return g_.elementwise({g_.view(shown, {o_.cells, per_stream, 1, o_.streams}, g_.at(full_.mask).strides), full_.mask});
}

}  // namespace planner::engine::graph
