#include "session/step.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace planner::runtime {
namespace {

void add_bias(float* x, const std::vector<float>& bias, const VectorKernels& kernels) {
  if (!bias.empty()) kernels.add(x, bias.data(), static_cast<std::int64_t>(bias.size()));
}

}  // namespace

Step::Widths::Widths(const Weights& weights) {
  pairs = weights.rope.dimensions / 2;
  for (const auto& layer : weights.layers) {
    query = std::max(query, layer.n_heads * layer.head_dim);
    attended = std::max(attended, layer.n_heads * layer.head_dim_v);
    values = std::max(values, layer.output.matrix.columns);
    heads = std::max(heads, layer.n_heads);
    if (const auto* a = std::get_if<AttentionWeights>(&layer.mixer)) {
      q = std::max(q, a->q.matrix.rows);
      k = std::max(k, a->k.matrix.rows);
      v = std::max(v, a->v.matrix.rows);
    } else {
      const auto& mla = std::get<MlaWeights>(layer.mixer);
      q = std::max(q, mla.q_b.matrix.rows);
      k = std::max(k, mla.kv_a.matrix.rows);
      rank = std::max(rank, mla.q_a.matrix.rows);
    }
    if (const auto* dense = std::get_if<DenseWeights>(&layer.ffn)) {
      ffn = std::max(ffn, dense->gate.matrix.rows);
    } else if (const auto& other = std::get<MoeWeights>(layer.ffn).shared) {
      ffn = std::max(ffn, other->gate.matrix.rows);
      shared = weights.hp.hidden_size;
    }
  }
}

Step::Step(const Weights& weights, std::int64_t context, std::int64_t ubatch, ThreadPool& pool, Path path)
    : w_(weights),
      pool_(pool),
      execution_{&pool, path},
      kernels_(vector_kernels(path)),
      widths_(weights),
      full_rope_(weights.rope.full(context)),
      sliding_rope_(weights.rope.sliding(*weights.traits, context)),
      attention_(weights, ubatch, pool.size()),
      experts_(weights, ubatch) {
  slides_ = std::any_of(weights.layers.begin(), weights.layers.end(), [](const auto& l) { return l.window > 0; });
  const auto hidden = weights.hp.hidden_size;
  const auto take = [&](std::vector<float>& buffer, std::int64_t width) { buffer.resize(static_cast<std::size_t>(ubatch * width)); };
  for (auto* buffer : {&x_, &normed_, &branch_}) take(*buffer, hidden);
  take(q_, widths_.q);
  take(k_, widths_.k);
  take(v_, widths_.v);
  const bool latent = w_.hp.kv_lora_rank > 0;
  if (latent) {
    take(query_, widths_.query);
    take(values_, widths_.values);
    take(rank_, widths_.rank);
    per_head_.resize(static_cast<std::size_t>(widths_.heads));
  }
  take(attended_, widths_.attended);
  take(gate_, widths_.ffn);
  take(up_, widths_.ffn);
  take(shared_, widths_.shared);
  for (auto* buffer : {&full_cosines_, &full_sines_, &sliding_cosines_, &sliding_sines_}) take(*buffer, widths_.pairs);
}

std::int64_t Step::bytes(const Weights& weights, std::int64_t ubatch, int n_threads) {
  const Widths w(weights);
  const bool latent = weights.hp.kv_lora_rank > 0;
  const auto values =
      3 * weights.hp.hidden_size + w.q + w.k + w.v + w.attended + 2 * w.ffn + w.shared + 4 * w.pairs + (latent ? w.query + w.values + w.rank : 0);
  return 4 * ubatch * values + AttentionRunner::bytes(weights, ubatch, n_threads) + Experts::bytes(weights, ubatch);
}

void Step::embed(std::span<const BatchToken> tokens) {
  const auto hidden = w_.hp.hidden_size;
  for_tokens([&](std::int64_t i) {
    const auto& token = tokens[static_cast<std::size_t>(i)];
    float* x = x_.data() + i * hidden;
    dequantize_row(w_.embedding, token.id, x);
    if (w_.embedding_scale != 1.0F) {
      for (std::int64_t j = 0; j < hidden; ++j) x[j] *= w_.embedding_scale;
    }
    if (widths_.pairs == 0) return;
    const auto at = i * widths_.pairs;
    full_rope_.angles(token.position, full_cosines_.data() + at, full_sines_.data() + at);
    if (slides_) sliding_rope_.angles(token.position, sliding_cosines_.data() + at, sliding_sines_.data() + at);
  });
}

void Step::normalize(const float* x, const NormWeights& weight, float* y, std::int64_t width) {
  const auto norm = w_.traits->norm == NormKind::rms ? kernels_.rms_norm : kernels_.layer_norm;
  for_tokens([&](std::int64_t i) { norm(x + i * width, weight.data(), width, w_.epsilon, y + i * width); });
}

void Step::norm_heads(float* x, const NormWeights& weight, QkNorm kind, std::int64_t n_heads, std::int64_t dim) const {
  const auto norm = w_.traits->norm == NormKind::rms ? kernels_.rms_norm : kernels_.layer_norm;
  if (kind == QkNorm::none) return;
  if (kind == QkNorm::full) return norm(x, weight.data(), n_heads * dim, w_.epsilon, x);
  for (std::int64_t h = 0; h < n_heads; ++h) {
    norm(x + h * dim, weight.data() + (kind == QkNorm::each_head ? h * dim : 0), dim, w_.epsilon, x + h * dim);
  }
}

/// The first (or only) values of a head.
void Step::rotate(const LayerWeights& layer, float* head, std::int64_t token) const {
  if (!layer.rotates || widths_.pairs == 0) return;
  const bool sliding = layer.window > 0;
  const auto at = token * widths_.pairs;
  const float* cosines = (sliding ? sliding_cosines_ : full_cosines_).data() + at;
  const float* sines = (sliding ? sliding_sines_ : full_sines_).data() + at;
  (w_.traits->rope == RopePairs::neighbours ? kernels_.rotate_neighbours : kernels_.rotate_halves)(head, cosines, sines, widths_.pairs);
}

void Step::project(const LayerWeights& layer, const AttentionWeights& w, std::size_t index, std::span<const BatchToken> tokens, KvCache& cache,
                   Activations& input) {
  products_.assign({{w.q.matrix, &input, q_.data(), 0}, {w.k.matrix, &input, k_.data(), 0}, {w.v.matrix, &input, v_.data(), 0}});
  multiply(products_, execution_);
  for_tokens([&](std::int64_t i) {
    const auto& token = tokens[static_cast<std::size_t>(i)];
    float* q = q_.data() + i * w.q.matrix.rows;
    float* k = k_.data() + i * w.k.matrix.rows;
    float* v = v_.data() + i * w.v.matrix.rows;
    add_bias(q, w.q.bias, kernels_);
    add_bias(k, w.k.bias, kernels_);
    add_bias(v, w.v.bias, kernels_);
    norm_heads(q, w.q_norm, w.qk_norm, layer.n_heads, layer.head_dim);
    norm_heads(k, w.k_norm, w.qk_norm, layer.n_kv_heads, layer.head_dim);
    for (std::int64_t h = 0; h < layer.n_heads; ++h) rotate(layer, q + h * layer.head_dim, i);
    for (std::int64_t j = 0; j < w.q.matrix.rows; ++j) q[j] *= layer.score_scale;
    for (std::int64_t h = 0; h < layer.n_kv_heads; ++h) {
      rotate(layer, k + h * layer.head_dim, i);
      kernels_.store(cache.key_type(), k + h * layer.head_dim, cache.key_row(index, token.sequence, h, token.position), layer.head_dim);
      kernels_.store(cache.value_type(), v + h * layer.head_dim_v, cache.value_row(index, token.sequence, h, token.position), layer.head_dim_v);
    }
  });
}

/// Queries of the latent space: the unrotated part goes through the head's key matrix, the rotated part stands behind it.
/// Source: DeepSeek-V2 (arXiv 2405.04434), section 2.1.2 and appendix B; the absorption is remarked on below equation 19.
void Step::project(const LayerWeights& layer, const MlaWeights& w, std::size_t index, std::span<const BatchToken> tokens, KvCache& cache, Activations& input) {
  auto* queries_in = &input;
  if (w.q_a.matrix.rows > 0) {
    products_.assign({{w.q_a.matrix, &input, rank_.data(), 0}, {w.kv_a.matrix, &input, k_.data(), 0}});
    multiply(products_, execution_);
    for_tokens([&](std::int64_t i) { add_bias(rank_.data() + i * w.q_a.matrix.rows, w.q_a.bias, kernels_); });
    normalize(rank_.data(), w.q_a_norm, rank_.data(), w.q_a.matrix.rows);
    second_.assign(rank_.data(), w.q_a.matrix.rows, n_);
    queries_in = &second_;
    multiply(w.q_b.matrix, *queries_in, q_.data(), execution_);
  } else {
    products_.assign({{w.q_b.matrix, &input, q_.data(), 0}, {w.kv_a.matrix, &input, k_.data(), 0}});
    multiply(products_, execution_);
  }
  const auto plain = w.unrotated + w.rotated;
  products_.clear();
  for (std::int64_t h = 0; h < layer.n_heads; ++h) {
    auto& x = per_head_[static_cast<std::size_t>(h)];
    x.assign(q_.data() + h * plain, w.unrotated, n_, layer.n_heads * plain);
    products_.push_back({w.k_b[static_cast<std::size_t>(h)], &x, query_.data() + h * layer.head_dim, layer.n_heads * layer.head_dim});
  }
  multiply(products_, execution_);
  for_tokens([&](std::int64_t i) {
    const auto& token = tokens[static_cast<std::size_t>(i)];
    const float* q = q_.data() + i * layer.n_heads * plain;
    float* query = query_.data() + i * layer.n_heads * layer.head_dim;
    for (std::int64_t h = 0; h < layer.n_heads; ++h) {
      float* rotated = query + h * layer.head_dim + w.latent;
      std::memcpy(rotated, q + h * plain + w.unrotated, static_cast<std::size_t>(w.rotated) * sizeof(float));
      rotate(layer, rotated, i);
    }
    for (std::int64_t j = 0; j < layer.n_heads * layer.head_dim; ++j) query[j] *= layer.score_scale;
    float* row = k_.data() + i * layer.head_dim;
    kernels_.rms_norm(row, w.kv_a_norm.data(), w.latent, w_.epsilon, row);
    rotate(layer, row + w.latent, i);
    kernels_.store(cache.key_type(), row, cache.key_row(index, token.sequence, 0, token.position), layer.head_dim);
  });
}

/// What attention gathered in the latent space, through each head's value matrix.
void Step::values_of(const LayerWeights& layer, const MlaWeights& w) {
  products_.clear();
  for (std::int64_t h = 0; h < layer.n_heads; ++h) {
    auto& x = per_head_[static_cast<std::size_t>(h)];
    x.assign(attended_.data() + h * w.latent, w.latent, n_, layer.n_heads * w.latent);
    products_.push_back({w.v_b[static_cast<std::size_t>(h)], &x, values_.data() + h * w.value, layer.n_heads * w.value});
  }
  multiply(products_, execution_);
}

/// branch_ = attention of the layer's input.
void Step::attend(const LayerWeights& layer, std::size_t index, std::span<const BatchToken> tokens, KvCache& cache, Activations& input) {
  const auto* mla = std::get_if<MlaWeights>(&layer.mixer);
  if (mla != nullptr) {
    project(layer, *mla, index, tokens, cache, input);
  } else {
    project(layer, std::get<AttentionWeights>(layer.mixer), index, tokens, cache, input);
  }
  const float* queries = mla != nullptr ? query_.data() : q_.data();
  attention_.run(layer, index, w_.attention_softcap, tokens, cache, queries, attended_.data(), pool_, kernels_);
  const float* gathered = attended_.data();
  if (mla != nullptr) {
    values_of(layer, *mla);
    gathered = values_.data();
  }
  third_.assign(gathered, layer.output.matrix.columns, n_);
  multiply(layer.output.matrix, third_, branch_.data(), execution_);
  const auto hidden = w_.hp.hidden_size;
  for_tokens([&](std::int64_t i) { add_bias(branch_.data() + i * hidden, layer.output.bias, kernels_); });
}

void Step::dense(const DenseWeights& w, Activations& input, float* y) {
  const auto size = w.gate.matrix.rows;
  products_.assign({{w.gate.matrix, &input, gate_.data(), 0}, {w.up.matrix, &input, up_.data(), 0}});
  multiply(products_, execution_);
  for_tokens([&](std::int64_t i) {
    float* gate = gate_.data() + i * size;
    float* up = up_.data() + i * size;
    add_bias(gate, w.gate.bias, kernels_);
    add_bias(up, w.up.bias, kernels_);
    activate(w_.traits->activation, gate, up, size, kernels_);
  });
  second_.assign(gate_.data(), size, n_);
  multiply(w.down.matrix, second_, y, execution_);
  const auto hidden = w_.hp.hidden_size;
  for_tokens([&](std::int64_t i) { add_bias(y + i * hidden, w.down.bias, kernels_); });
}

/// branch_ = the feed-forward of x [n][hidden], which `input` holds.
void Step::feed_forward(const LayerWeights& layer, Activations& input, const float* x) {
  if (const auto* w = std::get_if<DenseWeights>(&layer.ffn)) return dense(*w, input, branch_.data());
  const auto& moe = std::get<MoeWeights>(layer.ffn);
  const auto hidden = w_.hp.hidden_size;
  experts_.run(moe, x, input, n_, hidden, w_.traits->activation, branch_.data(), execution_, kernels_);
  if (!moe.shared) return;
  dense(*moe.shared, input, shared_.data());
  for_tokens([&](std::int64_t i) { kernels_.add(branch_.data() + i * hidden, shared_.data() + i * hidden, hidden); });
}

void Step::head(std::span<const std::int64_t> wanted, float* logits) {
  if (wanted.empty()) return;
  const auto hidden = w_.hp.hidden_size;
  const auto vocab = w_.hp.vocab_size;
  const auto rows = static_cast<std::int64_t>(wanted.size());
  for (std::int64_t i = 0; i < rows; ++i) {
    const float* x = x_.data() + wanted[static_cast<std::size_t>(i)] * hidden;
    const auto norm = w_.traits->norm == NormKind::rms ? kernels_.rms_norm : kernels_.layer_norm;
    norm(x, w_.output_norm.data(), hidden, w_.epsilon, normed_.data() + i * hidden);
  }
  input_.assign(normed_.data(), hidden, rows);
  multiply(w_.head, input_, logits, execution_);
  constexpr std::int64_t kGrain = 4096;
  const bool scales = w_.logit_scale != 1.0F && w_.logit_scale != 0.0F;
  if (!scales && w_.final_softcap <= 0 && w_.head_bias.empty()) return;
  pool_.parallel_for(0, rows * vocab, kGrain, [&](std::int64_t from, std::int64_t to, int) {
    for (std::int64_t i = from; i < to && !w_.head_bias.empty(); ++i) logits[i] += w_.head_bias[static_cast<std::size_t>(i % vocab)];
    for (std::int64_t i = from; i < to && scales; ++i) logits[i] *= w_.logit_scale;
    if (w_.final_softcap > 0) kernels_.softcap(logits + from, w_.final_softcap, to - from);
  });
}

void Step::run(std::span<const BatchToken> tokens, std::span<const std::int64_t> wanted, KvCache& cache, float* logits) {
  n_ = static_cast<std::int64_t>(tokens.size());
  const auto hidden = w_.hp.hidden_size;
  embed(tokens);
  const auto add_branch = [&](const NormWeights& norm) {
    if (!norm.empty()) normalize(branch_.data(), norm, branch_.data(), hidden);
    for_tokens([&](std::int64_t i) { kernels_.add(x_.data() + i * hidden, branch_.data() + i * hidden, hidden); });
  };
  for (std::size_t index = 0; index < w_.layers.size(); ++index) {
    const auto& layer = w_.layers[index];
    const float* in = x_.data();
    if (!layer.attention_norm.empty()) {
      normalize(x_.data(), layer.attention_norm, normed_.data(), hidden);
      in = normed_.data();
    }
    input_.assign(in, hidden, n_);
    attend(layer, index, tokens, cache, input_);
    if (w_.traits->parallel) {
      add_branch({});
      feed_forward(layer, input_, in);  // of the same input: x_ is not, normed_ is what it was
      add_branch({});
      continue;
    }
    add_branch(layer.attention_out_norm);
    in = x_.data();
    if (!layer.ffn_norm.empty()) {
      normalize(x_.data(), layer.ffn_norm, normed_.data(), hidden);
      in = normed_.data();
    }
    input_.assign(in, hidden, n_);
    feed_forward(layer, input_, in);
    add_branch(layer.ffn_out_norm);
  }
  head(wanted, logits);
}

}  // namespace planner::runtime
