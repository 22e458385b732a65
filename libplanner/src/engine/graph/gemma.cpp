// Gemma 3n and Gemma 4: embeddings per layer, caches shared between layers, alternating streams (3n), experts beside a dense feed-forward (4).
// Sources: src/models/gemma3n.cpp, gemma4.cpp (ggml-org/llama.cpp).
#include <algorithm>

#include "engine/graph/builder.h"

namespace planner::engine::graph {

Id Builder::slice(Id a, std::int64_t) {
  const auto t = g_.at(a);
  return g_.view(a, {t.shape[0], t.shape[1], 1, 1}, {t.strides[0], t.strides[1], t.strides[2], t.strides[2]});
}

Id Builder::per_layer_embeddings(Id embedded) {
  const auto n_layers = hp_.n_layers;
  const std::int64_t width = layers_.front().rows("inp_gate.weight");
  Id looked_up = g_.op({width * n_layers, n_, 1, 1}, {g_.input(kI32, n_)});
  if (division_ != nullptr) g_.reads_weights(looked_up, static_cast<Place>(division_->plan.host()), 0);
  looked_up = g_.elementwise({g_.reshape(looked_up, {width, n_layers, n_, 1})});
  g_.expand(looked_up);
  Id projected = g_.elementwise({g_.matmul(width * n_layers, embedded)});
  projected = norm(g_.reshape(projected, {width, n_layers, n_, 1}));
  const Id sum = g_.elementwise({g_.elementwise({projected, looked_up})});
  return g_.contiguous(g_.permute(sum, 0, 2, 1, 3));
}

// --- Gemma 4 ------------------------------------------------------------------------------------------------------------

Id Builder::gemma4_feed_forward(const LayerParts& p, Id a) {
  const auto routed = std::find_if(p.layer->ffns.begin(), p.layer->ffns.end(), [](const auto& f) { return std::holds_alternative<MoeFfn>(f); });
  const Id plain = dense(p, norm(a, p, "ffn_norm.weight"));
  if (routed == p.layer->ffns.end()) return plain;
  const auto& m = std::get<MoeFfn>(*routed);
  const Id beside = norm(plain, p, "post_ffw_norm_1.weight");
  const Id in = norm(a, p, "pre_ffw_norm_2.weight");
  const Id router_in = g_.elementwise({g_.elementwise({g_.elementwise({a})})});
  const Id out = experts(p, m, in, g_.matmul(m.n_experts, router_in));
  return g_.elementwise({beside, norm(out, p, "post_ffw_norm_2.weight")});
}

Id Builder::gemma4_layer(const LayerParts& p, Id in) {
  const auto& m = std::get<Attention>(p.layer->mixers.front());
  const Id a = norm(in, p, "attn_norm.weight");
  Heads heads{m.n_heads, m.n_kv_heads, m.head_dim, m.head_dim_v};
  heads.q_k_v_order = true;
  heads.cached_v = widest_v_;
  const Id q = rope(norm(g_.reshape(linear(p, "attn_q.weight", a), {m.head_dim, m.n_heads, n_, 1})));
  Id k = kNone;
  Id v = kNone;
  if (m.shares_kv_of < 0) {
    const Id k_plain = linear(p, "attn_k.weight", a);
    const Id v_plain = p.has("attn_v.weight") ? linear(p, "attn_v.weight", a) : k_plain;
    k = rope(norm(g_.reshape(k_plain, {m.head_dim, m.n_kv_heads, n_, 1})));
    v = g_.elementwise({g_.reshape(v_plain, {m.head_dim, m.n_kv_heads, n_, 1})});
  }
  Id x = linear(p, "attn_output.weight", attend(cache_of(m), q, k, v, heads));
  x = norm(x, p, "post_attention_norm.weight");
  const Id middle = g_.elementwise({x, in});
  x = norm(gemma4_feed_forward(p, middle), p, "post_ffw_norm.weight");
  x = g_.elementwise({x, middle});
  if (per_layer_ != kNone) {
    Id own = g_.elementwise({linear(p, "inp_gate.weight", x)});
    own = g_.elementwise({own, slice(per_layer_, p.number)});
    own = norm(linear(p, "proj.weight", own), p, "post_norm.weight");
    x = g_.elementwise({x, own});
  }
  return p.has("layer_output_scale.weight") ? g_.elementwise({x}) : x;
}

// --- Gemma 3n -----------------------------------------------------------------------------------------------------------

void Builder::gemma3n() {
  constexpr std::int64_t kSparseLayers = 10;
  const std::int64_t streams = layers_.front().rows("altup_router.weight");
  const auto unary = [&](Id a) { return g_.elementwise({a}); };
  const auto magnitude = [&](Id a) {
    auto shape = g_.at(a).shape;
    shape[0] = 1;
    return unary(g_.op(shape, {unary(a)}));
  };
  const auto rest_of = [&](Id a) {
    const auto s = g_.at(a).strides;
    return g_.view(a, {hidden_, n_, streams - 1, 1}, {s[0], s[1], s[2], s[2] * (streams - 1)});
  };

  Id x = unary(embedded_tokens());
  pos_ = positions();
  cache_inputs();
  per_layer_ = per_layer_embeddings(x);
  {
    const Id target = magnitude(x);
    const Id added = g_.matmul(hidden_, g_.op({hidden_, n_, streams - 1, 1}, {x}));
    const Id now = magnitude(added);
    x = g_.concat(x, g_.elementwise({g_.elementwise({added, target}), now}), 2);
  }
  for (const auto& p : layers_) {
    g_.cut();
    enter(p);
    const auto& m = std::get<Attention>(p.layer->mixers.front());
    const auto modalities = [&](Id a) { return unary(g_.matmul(streams, unary(norm(a)))); };
    // Predict all streams from the active one.
    Id coefficients = g_.reshape(g_.matmul(streams * streams, modalities(slice(x, 0))), {streams, streams, n_, 1});
    const Id turned = g_.contiguous(g_.permute(x, 1, 2, 0, 3));
    Id predictions = g_.op({hidden_, streams, n_, 1}, {turned, coefficients});
    predictions = g_.elementwise({g_.contiguous(g_.permute(predictions, 0, 2, 1, 3)), x});
    const Id active = slice(predictions, 0);
    const Id a = norm(active, p, "attn_norm.weight");
    const Id laurel = g_.elementwise({norm(linear(p, "laurel_r.weight", linear(p, "laurel_l.weight", a))), a});

    Heads heads{m.n_heads, m.n_kv_heads, m.head_dim, m.head_dim_v};
    heads.q_k_v_order = true;
    heads.cached_v = widest_v_;
    const Id q = rope(norm(g_.reshape(linear(p, "attn_q.weight", a), {m.head_dim, m.n_heads, n_, 1})));
    Id k = kNone;
    Id v = kNone;
    if (m.shares_kv_of < 0) {
      k = rope(norm(g_.reshape(linear(p, "attn_k.weight", a), {m.head_dim, m.n_kv_heads, n_, 1})));
      v = unary(g_.reshape(linear(p, "attn_v.weight", a), {m.head_dim, m.n_kv_heads, n_, 1}));
    }
    Id y = norm(linear(p, "attn_output.weight", attend(cache_of(m), q, k, v, heads)), p, "post_attention_norm.weight");
    y = g_.elementwise({y, active});
    const Id middle = unary(g_.elementwise({y, laurel}));
    y = norm(middle, p, "ffn_norm.weight");
    const Id up = linear(p, "ffn_up.weight", y);
    Id gate = linear(p, "ffn_gate.weight", y);
    if (p.number < kSparseLayers) {
      // Keeps what lies above a quantile of a normal distribution.
      const Id mean = g_.op({1, n_, 1, 1}, {gate});
      const Id deviation = unary(unary(g_.op({1, n_, 1, 1}, {unary(g_.elementwise({gate, mean}))})));
      gate = unary(g_.elementwise({gate, g_.elementwise({mean, unary(deviation)})}));
    }
    y = linear(p, "ffn_down.weight", g_.elementwise({up, unary(gate)}));
    const Id activated = g_.elementwise({norm(y, p, "post_ffw_norm.weight"), middle});

    // Correct all streams by what the active one became.
    const Id correcting = modalities(activated);
    const Id innovation = g_.elementwise({activated, slice(predictions, 0)});
    Id weights = unary(g_.matmul(streams, correcting));
    weights = g_.contiguous(g_.transpose(weights), {1, n_, streams, 1});
    Id corrected = g_.elementwise({g_.elementwise({g_.op({hidden_, n_, streams, 1}, {innovation}), weights}), predictions});
    Id first = unary(slice(corrected, 0));
    first = unary(linear(p, "inp_gate.weight", first));
    first = g_.elementwise({first, slice(per_layer_, p.number)});
    first = norm(linear(p, "proj.weight", first), p, "post_norm.weight");
    x = g_.concat(slice(corrected, 0), g_.elementwise({rest_of(corrected), first}), 2);
  }
  {
    const Id target = magnitude(slice(x, 0));
    const Id unembedded = g_.matmul(hidden_, rest_of(x));
    const Id now = magnitude(unembedded);
    const Id scaled = g_.elementwise({g_.elementwise({unembedded, target}), now});
    x = slice(x, 0);
    for (std::int64_t i = 0; i + 1 < streams; ++i) x = g_.elementwise({x, slice(scaled, i)});
    x = unary(x);
  }
  out_ids_ = g_.input(kI32, n_out_);
  head(x);
}

}  // namespace planner::engine::graph
