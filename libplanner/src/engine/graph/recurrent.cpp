// Mixers that keep a state instead of a cache. Sources: src/models/mamba-base.cpp, delta-net-base.cpp, qwen3next.cpp, qwen35.cpp, build_rs in
// src/llama-graph.cpp (ggml-org/llama.cpp).
#include "engine/graph/builder.h"

namespace planner::engine::graph {

template <typename Read>
Id Builder::state_rows(std::int64_t elements, Read read) {
  const Id rows = read(sequences_main_);
  g_.expand(rows);
  // States of sequences that are not in the batch would be moved along: none when space is reserved.
  g_.expand(g_.sink({g_.op({elements, 0, 1, 1}, {sequences_extra_})}));
  return rows;
}

Id Builder::state_rows(std::int64_t elements) {
  return state_rows(elements, [&](Id ids) { return g_.op({elements, seqs_, 1, 1}, {ids}); });
}

Id Builder::gated_norm(const LayerParts& p, Id a, std::string_view name, Id gate) {
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
  g_.expand(g_.sink({last()}));
  x = g_.op({m.inner_size, per, seqs_, 1}, {window});
  x = g_.elementwise({g_.elementwise({x})});

  const Id projected = linear(p, "ssm_x.weight", x);
  const auto& s = g_.at(projected).strides;
  const Shape wide{s[0], s[1], s[1], s[2]};
  Id dt = g_.view(projected, {m.dt_rank, per, seqs_, 1}, g_.at(projected).strides);
  Id b = g_.view(projected, {m.state_size, 1, per, seqs_}, wide);
  Id c = g_.view(projected, {m.state_size, 1, per, seqs_}, wide);
  const bool normed = p.has("ssm_dt_norm.weight");
  const auto plain_norm = [&](Id v, std::string_view name) { return p.has(name) ? norm(v) : g_.elementwise({v}); };
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
  g_.expand(g_.sink({g_.view(scanned, {state * seqs_, 1, 1, 1}, g_.at(scanned).strides)}));
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
  g_.expand(g_.sink({g_.view(window, {m.conv_kernel - 1, channels, seqs_, 1}, g_.at(window).strides)}));
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
  g_.expand(g_.sink({g_.view(scanned, {state, seqs_, 1, 1}, {kF32, state * kF32, state * kF32 * seqs_, state * kF32 * seqs_})}));
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
  g_.expand(g_.sink({g_.view(window, {m.conv_kernel - 1, channels, seqs_, 1}, g_.at(window).strides)}));
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
  const Id result = g_.op({v_width, n_ + m.v_head_dim * seqs_, 1, 1}, {q, k, v, gate, beta, state});
  const std::int64_t plane = m.v_head_dim * m.v_head_dim * kF32;
  g_.expand(g_.sink({g_.view(result, {m.v_head_dim, m.v_head_dim, m.n_v_heads, seqs_}, {kF32, m.v_head_dim * kF32, plane, plane * m.n_v_heads})}));
  const std::int64_t out_row = v_width * kF32;
  const Id out = g_.view(result, {m.v_head_dim, m.n_v_heads, per, seqs_}, {kF32, m.v_head_dim * kF32, out_row, out_row * per});
  const Id gated = gated_norm(p, out, "ssm_norm.weight", g_.reshape(z, {m.v_head_dim, m.n_v_heads, per, seqs_}));
  const Id y = linear(p, "ssm_out.weight", g_.reshape(gated, {v_width, per, seqs_, 1}));
  return g_.reshape(y, {hidden_, n_, 1, 1});
}

}  // namespace planner::engine::graph
