// Mixers that keep a state instead of a cache. Sources: src/models/mamba-base.cpp, delta-net-base.cpp, qwen3next.cpp, qwen35.cpp, build_rs in
// src/llama-graph.cpp (ggml-org/llama.cpp).
#include "engine/graph/builder.h"

namespace planner::engine::graph {

template <typename Read>
Id Builder::state_rows(std::int64_t elements, Read read) {
  const Id rows = read(sequences_main_);
  g_.expand(rows);
  // States of sequences that are not in the batch would be moved along: none when space is reserved.
  write({g_.op({elements, 0, 1, 1}, {sequences_extra_})});
  return rows;
}

Id Builder::state_rows(std::int64_t elements) {
  return state_rows(elements, [&](Id ids) { return g_.op({elements, seqs_, 1, 1}, {ids}); });
}

Id Builder::gated_norm(const LayerParts& p, Id a, const PartName& name, Id gate) {
  const Id normed = norm(a, p, name);
  return g_.elementwise({normed, g_.elementwise({gate})});
}

Id Builder::mamba1(const LayerParts& p, const Mamba& m, Id a) {
  const std::int64_t per = n_ / seqs_;
  const Id conv = g_.reshape(state_rows((m.conv_kernel - 1) * m.inner_size), {m.conv_kernel - 1, m.inner_size, seqs_, 1});
  const Id xz = linear(p, "ssm_in.weight", g_.reshape(a, {hidden_, per, seqs_, 1}));
  const auto half = [&] { return g_.view(xz, {m.inner_size, per, seqs_, 1}, g_.at(xz).strides); };
  Id x = half();
  const Id z = half();
  const Id window = g_.concat(conv, g_.transpose(x), 0);
  const auto last = [&] { return g_.view(window, {m.conv_kernel - 1, m.inner_size, seqs_, 1}, g_.at(window).strides); };
  write({last()});
  x = g_.op({m.inner_size, per, seqs_, 1}, {window});
  x = g_.elementwise({g_.elementwise({x})});

  const Id projected = linear(p, "ssm_x.weight", x);
  const auto& s = g_.at(projected).strides;
  const Shape wide{s[0], s[1], s[1], s[2]};
  Id dt = g_.view(projected, {m.dt_rank, per, seqs_, 1}, g_.at(projected).strides);
  Id b = g_.view(projected, {m.state_size, 1, per, seqs_}, wide);
  Id c = g_.view(projected, {m.state_size, 1, per, seqs_}, wide);
  const bool normed = p.has("ssm_dt_norm.weight");
  const auto plain_norm = [&](Id v, const PartName& name) { return p.has(name) ? norm(v) : g_.elementwise({v}); };
  if (normed || hp_.architecture == "falcon-mamba") {
    dt = plain_norm(dt, "ssm_dt_norm.weight");
    b = plain_norm(b, "ssm_b_norm.weight");
    c = plain_norm(c, "ssm_c_norm.weight");
  } else {
    dt = g_.contiguous(dt);
  }
  dt = g_.elementwise({linear(p, "ssm_dt.weight", dt)});
  const Id input = x;
  x = g_.reshape(x, {1, m.inner_size, per, seqs_});
  const std::int64_t state = m.state_size * m.inner_size;
  const Id scanned = state_rows(state, [&](Id ids) { return g_.op({m.inner_size * n_ + state * seqs_, 1, 1, 1}, {x, dt, b, c, ids}); });
  write({g_.view(scanned, {state * seqs_, 1, 1, 1}, g_.at(scanned).strides)});
  const std::int64_t row = m.inner_size * kF32;
  Id y = g_.view(scanned, {m.inner_size, per, seqs_, 1}, {kF32, row, row * per, row * n_});
  y = g_.elementwise({y, g_.elementwise({input})});
  y = g_.glu(g_.contiguous(z), y);
  return g_.reshape(linear(p, "ssm_out.weight", y), {hidden_, n_, 1, 1});
}

Id Builder::mamba2(const LayerParts& p, const Mamba& m, Id a) {
  const std::int64_t per = n_ / seqs_;
  const std::int64_t channels = m.inner_size + 2 * m.n_groups * m.state_size;
  const std::int64_t head = m.inner_size / m.n_heads;
  const Id conv = g_.reshape(state_rows((m.conv_kernel - 1) * channels), {m.conv_kernel - 1, channels, seqs_, 1});
  const Id all = g_.reshape(linear(p, "ssm_in.weight", a), {p.rows("ssm_in.weight"), per, seqs_, 1});
  const auto as = g_.at(all).strides;
  const Id z = g_.view(all, {head, m.n_heads, per, seqs_}, {kF32, head * kF32, as[1], as[2]});
  const Id dt_part = g_.view(all, {m.n_heads, per, seqs_, 1}, as);
  const Id window = g_.concat(conv, g_.transpose(g_.view(all, {channels, per, seqs_, 1}, as)), 0);
  write({g_.view(window, {m.conv_kernel - 1, channels, seqs_, 1}, g_.at(window).strides)});
  Id mixed = g_.op({channels, per, seqs_, 1}, {window});
  mixed = g_.elementwise({g_.elementwise({mixed})});

  const auto ms = g_.at(mixed).strides;
  const auto part = [&](std::int64_t width, std::int64_t n) { return g_.view(mixed, {width, n, per, seqs_}, {kF32, width * kF32, ms[1], ms[2]}); };
  const Id x = part(head, m.n_heads);
  const Id b = part(m.state_size, m.n_groups);
  const Id c = part(m.state_size, m.n_groups);
  const Id dt = g_.elementwise({g_.contiguous(dt_part)});
  const std::int64_t state = m.state_size * m.inner_size;
  const Id scanned = state_rows(state, [&](Id ids) { return g_.op({m.inner_size * n_ + state * seqs_, 1, 1, 1}, {x, dt, b, c, ids}); });
  write({g_.view(scanned, {state, seqs_, 1, 1}, {kF32, state * kF32, state * kF32 * seqs_, state * kF32 * seqs_})});
  const std::int64_t row = m.inner_size * kF32;
  Id y = g_.view(scanned, {head, m.n_heads, per, seqs_}, {kF32, head * kF32, row, row * per});
  y = g_.elementwise({y, g_.elementwise({x})});
  y = g_.glu(g_.contiguous(z), y);
  if (p.has("ssm_norm.weight")) y = norm(g_.reshape(y, {m.inner_size / m.n_groups, m.n_groups, per, seqs_}));
  return linear(p, "ssm_out.weight", g_.reshape(y, {m.inner_size, n_, 1, 1}));
}

Id Builder::delta_net(const LayerParts& p, const LinearAttention& m, Id a) {
  const std::int64_t per = n_ / seqs_;
  const std::int64_t k_width = m.n_k_heads * m.k_head_dim;
  const std::int64_t v_width = m.n_v_heads * m.v_head_dim;
  const std::int64_t channels = 2 * k_width + v_width;
  Id qkv = g_.reshape(linear(p, "attn_qkv.weight", a), {channels, per, seqs_, 1});
  const Id z = linear(p, "attn_gate.weight", a);

  Id alpha, beta;
  if (p.has("ssm_ba.weight")) {
    const std::int64_t group = m.n_v_heads / m.n_k_heads;
    const Id both = g_.reshape(linear(p, "ssm_ba.weight", a), {2 * group, m.n_k_heads, per, seqs_});
    const auto half = [&] { return g_.view(both, {group, m.n_k_heads, per, seqs_}, g_.at(both).strides); };
    beta = g_.reshape(g_.elementwise({g_.contiguous(half())}), {1, m.n_v_heads, per, seqs_});
    alpha = g_.contiguous(half(), {m.n_v_heads, per, seqs_, 1});
  } else {
    beta = g_.elementwise({g_.reshape(linear(p, "ssm_beta.weight", a), {1, m.n_v_heads, per, seqs_})});
    alpha = g_.reshape(linear(p, "ssm_alpha.weight", a), {m.n_v_heads, per, seqs_, 1});
  }
  const Id gate = g_.reshape(g_.elementwise({g_.elementwise({g_.elementwise({alpha})})}), {1, m.n_v_heads, per, seqs_});

  const Id conv = g_.reshape(state_rows((m.conv_kernel - 1) * channels), {m.conv_kernel - 1, channels, seqs_, 1});
  const Id window = g_.concat(conv, g_.transpose(qkv), 0);
  write({g_.view(window, {m.conv_kernel - 1, channels, seqs_, 1}, g_.at(window).strides)});
  const std::int64_t state_size = m.n_v_heads * m.k_head_dim * m.v_head_dim;
  const Id state = g_.reshape(state_rows(state_size), {m.v_head_dim, m.v_head_dim, m.n_v_heads, seqs_});
  const Id mixed = g_.elementwise({g_.op({channels, per, seqs_, 1}, {window})});
  const std::int64_t row = channels * kF32;
  const auto part = [&](std::int64_t dim, std::int64_t n) { return g_.view(mixed, {dim, n, per, seqs_}, {kF32, dim * kF32, row, row * per}); };
  const auto unit = [&](Id x) { return g_.elementwise({g_.elementwise({x})}); };
  Id q = unit(part(m.k_head_dim, m.n_k_heads));
  Id k = unit(part(m.k_head_dim, m.n_k_heads));
  const Id v = part(m.v_head_dim, m.n_v_heads);
  if (p.has("ssm_ba.weight") && m.n_k_heads != m.n_v_heads) {
    const auto repeated = [&](Id x) {
      const Id flat = g_.reshape(x, {m.k_head_dim, 1, m.n_k_heads, n_});
      return g_.reshape(g_.op({m.k_head_dim, m.n_v_heads / m.n_k_heads, m.n_k_heads, n_}, {flat}), {m.k_head_dim, m.n_v_heads, per, seqs_});
    };
    q = repeated(q);
    k = repeated(k);
  }
  const Id result = g_.op({v_width, n_ + m.v_head_dim * seqs_ * (1 + o_.draft_states), 1, 1}, {q, k, v, gate, beta, state});
  const std::int64_t plane = m.v_head_dim * m.v_head_dim * kF32;
  write({g_.view(result, {m.v_head_dim, m.v_head_dim, m.n_v_heads, seqs_}, {kF32, m.v_head_dim * kF32, plane, plane * m.n_v_heads})});
  const std::int64_t out_row = v_width * kF32;
  const Id out = g_.view(result, {m.v_head_dim, m.n_v_heads, per, seqs_}, {kF32, m.v_head_dim * kF32, out_row, out_row * per});
  const Id gated = gated_norm(p, out, "ssm_norm.weight", g_.reshape(z, {m.v_head_dim, m.n_v_heads, per, seqs_}));
  const Id y = linear(p, "ssm_out.weight", g_.reshape(gated, {v_width, per, seqs_, 1}));
  return g_.reshape(y, {hidden_, n_, 1, 1});
}

/// Kimi delta attention: three convolutions with parts of one state, gates of low rank. Source: src/models/kimi-linear.cpp.
Id Builder::kimi_delta(const LayerParts& p, const LinearAttention& m, Id a) {
  const std::int64_t per = n_ / seqs_;
  const std::int64_t dim = m.k_head_dim;
  const std::int64_t heads = m.n_v_heads;
  const std::int64_t inner = heads * dim;
  const std::int64_t taps = m.conv_kernel - 1;
  const Id states = state_rows(3 * taps * inner);
  const Shape in_state{kF32, taps * kF32, 3 * taps * inner * kF32, 3 * taps * inner * kF32 * seqs_};
  const auto convolved = [&](const PartName& projection) {
    const Id state = g_.view(states, {taps, inner, seqs_, 1}, in_state);
    const Id x = g_.reshape(linear(p, projection, a), {inner, per, seqs_, 1});
    const Id window = g_.concat(state, g_.transpose(x), 0);
    write({g_.view(window, {taps, inner, seqs_, 1}, g_.at(window).strides)});
    const Id out = g_.elementwise({g_.reshape(g_.op({inner, per, seqs_, 1}, {window}), {inner, n_, 1, 1})});
    return g_.reshape(out, {dim, heads, per, seqs_});
  };
  Id q = convolved("attn_q.weight");
  Id k = convolved("attn_k.weight");
  const Id v = convolved("attn_v.weight");
  Id decay = linear(p, "ssm_f_b.weight", linear(p, "ssm_f_a.weight", a));
  decay = g_.elementwise({g_.elementwise({decay})});
  decay = g_.reshape(g_.elementwise({g_.reshape(decay, {dim, heads, n_, 1})}), {dim, heads, per, seqs_});
  const Id beta = g_.elementwise({g_.reshape(linear(p, "ssm_beta.weight", a), {1, heads, per, seqs_})});
  const Id state = g_.reshape(state_rows(heads * dim * dim), {dim, dim, heads, seqs_});
  const auto unit = [&](Id x) { return g_.elementwise({g_.elementwise({x})}); };
  q = unit(q);
  k = unit(k);
  const Id result = g_.op({inner, n_ + dim * seqs_, 1, 1}, {q, k, v, decay, beta, state});
  const std::int64_t row = inner * kF32;
  const Id out = g_.contiguous(g_.view(result, {dim, heads, per, seqs_}, {kF32, dim * kF32, row, row * per}));
  const std::int64_t plane = dim * dim * kF32;
  write({g_.view(result, {dim, dim, heads, seqs_}, {kF32, dim * kF32, plane, plane * heads})});
  const Id flat = g_.reshape(g_.reshape(a, {hidden_, per, seqs_, 1}), {hidden_, n_, 1, 1});
  const Id gate = g_.reshape(linear(p, "ssm_g_b.weight", linear(p, "ssm_g_a.weight", flat)), {dim, heads, n_, 1});
  const Id normed = norm(g_.reshape(out, {dim, heads, n_, 1}));
  const Id gated = g_.contiguous(g_.elementwise({normed, g_.elementwise({gate})}), {inner, n_, 1, 1});
  return linear(p, "attn_output.weight", gated);
}

/// Lightning attention: decays by position inside the batch, a matrix state between batches. Source: src/models/minimax-01.cpp.
Id Builder::lightning(const LayerParts& p, const LinearAttention& m, Id a) {
  const std::int64_t per = n_ / seqs_;
  const std::int64_t dim = m.k_head_dim;
  const std::int64_t heads = m.n_v_heads;
  if (slopes_ == kNone) {
    slopes_ = g_.input(kF32, heads);
    q_decay_ = g_.input(kF32, 1, heads, per, seqs_);
    k_decay_ = g_.input(kF32, 1, heads, per, seqs_);
    diagonal_decay_ = g_.input(kF32, per, per, heads, seqs_);
  }
  g_.expand(state_rows(0));
  const auto unary = [&](Id x) { return g_.elementwise({x}); };
  a = g_.reshape(a, {hidden_, per, 1, seqs_});
  const Id all = g_.reshape(unary(linear(p, "attn_qkv.weight", a)), {3 * dim, heads, per, seqs_});
  const auto third = [&] { return g_.view(all, {dim, heads, per, seqs_}, g_.at(all).strides); };
  const Id q = third();
  const Id k = third();
  const Id v = third();
  const Id old = g_.reshape(state_rows(heads * dim * dim), {dim, dim, heads, seqs_});
  const Id q_decay = unary(unary(q_decay_));
  const Id k_decay = unary(unary(k_decay_));
  const Id diagonal = unary(unary(diagonal_decay_));
  const Id before = g_.op({dim, per, heads, seqs_}, {old, g_.permute(g_.elementwise({q, q_decay}), 0, 2, 1, 3)});
  Id scores = g_.op({per, per, heads, seqs_}, {g_.permute(k, 0, 2, 1, 3), g_.permute(q, 0, 2, 1, 3)});
  scores = g_.elementwise({scores, diagonal});
  const Id v_turned = g_.contiguous(g_.permute(v, 1, 2, 0, 3));
  const Id within = g_.op({dim, per, heads, seqs_}, {v_turned, scores});
  Id out = g_.elementwise({before, within});
  g_.expand(out);
  const Id block = g_.reshape(unary(unary(unary(slopes_))), {1, 1, heads, 1});
  const Id kept = g_.elementwise({old, block});
  const Id k_turned = g_.contiguous(g_.permute(g_.elementwise({k, k_decay}), 1, 2, 0, 3));
  const Id added = g_.op({dim, dim, heads, seqs_}, {k_turned, v_turned});
  write({g_.elementwise({kept, added})});
  out = g_.contiguous(g_.permute(out, 0, 2, 1, 3));
  out = norm(g_.reshape(out, {heads * dim, per, 1, seqs_}));
  const Id gate = unary(linear(p, "attn_gate.weight", a));
  out = g_.elementwise({gate, out});
  return g_.reshape(linear(p, "attn_output.weight", out), {hidden_, n_, 1, 1});
}

/// Gated short convolution. Source: src/models/lfm2.cpp.
Id Builder::short_conv(const LayerParts& p, const ShortConv& m, Id a) {
  const std::int64_t per = n_ / seqs_;
  const std::int64_t taps = m.kernel - 1;
  const Id all = linear(p, "shortconv.in_proj.weight", g_.reshape(a, {hidden_, per, seqs_, 1}));
  const auto third = [&] { return g_.view(all, {m.width, per, seqs_, 1}, g_.at(all).strides); };
  const Id b = third();
  const Id c = third();
  const Id x = third();
  const Id gated = g_.transpose(g_.elementwise({b, x}));
  const Id state = g_.reshape(state_rows(taps * m.width), {taps, m.width, seqs_, 1});
  const Id window = g_.concat(state, gated, 0);
  write({g_.view(window, {taps, m.width, seqs_, 1}, g_.at(window).strides)});
  const Id y = g_.elementwise({c, g_.op({m.width, per, seqs_, 1}, {window})});
  return g_.reshape(linear(p, "shortconv.out_proj.weight", y), {hidden_, n_, 1, 1});
}

}  // namespace planner::engine::graph
