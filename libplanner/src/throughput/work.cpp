#include "throughput/work.h"

#include <algorithm>
#include <cmath>

namespace planner::throughput {
namespace {

// Operations of a layer's graph beside those that its tensors are: rotations of Q and K, writes of K and V, attention, the residual; the activation and
// the residual; softmax, choice, gather, scaling and sum of the experts; convolution, gates, scan and norms of recurrent mixers.
// Counted in src/models/ and src/llama-graph.cpp (ggml-org/llama.cpp). A norm or bias is half an operation: back ends fuse them with their neighbour.
constexpr double kAttentionLaunches = 5;
constexpr double kFfnLaunches = 2;
constexpr double kExpertLaunches = 10;
constexpr double kRecurrentLaunches = 12;
constexpr double kVectorLaunch = 0.5;
/// DeepSeek-V4's hyper-connections normalise a small matrix by rows and columns twenty times, before and after each half of a layer: two blocks of 20 x 4
/// operations. Source: arXiv 2512.24880 (manifold-constrained hyper-connections, Sinkhorn-Knopp).
constexpr double kStreamLaunches = 160;

struct Span {
  double queries_width = 0;  ///< heads x (key + value width)
  double heads = 0;
  double window = 0;         ///< 0: none
};

/// Softmax attention of a mixer; width 0 for recurrent ones.
Span span_of(const Mixer& mixer, double tokens) {
  if (const auto* a = std::get_if<Attention>(&mixer)) {
    return {static_cast<double>(a->n_heads * (a->head_dim + a->head_dim_v)), static_cast<double>(a->n_heads), static_cast<double>(a->window)};
  }
  if (const auto* m = std::get_if<MlaAttention>(&mixer)) {
    return {static_cast<double>(m->n_heads * (2 * m->kv_lora_rank + m->qk_rope_head_dim)), static_cast<double>(m->n_heads), 0};
  }
  if (const auto* c = std::get_if<CompressedAttention>(&mixer)) {
    // The indexer scores all compressed rows; what it picks is masked, not skipped.
    const double rows = c->compress_ratio > 0 ? tokens / static_cast<double>(c->compress_ratio) : 0;
    const auto indexer = static_cast<double>(c->indexer_heads * c->indexer_head_dim);
    return {static_cast<double>(2 * c->n_heads * c->head_dim) + indexer, static_cast<double>(c->n_heads), static_cast<double>(c->window) + rows};
  }
  return {};
}

void add(ByClass& to, const std::array<std::int64_t, kWeightClasses>& from) {
  for (std::size_t i = 0; i < kWeightClasses; ++i) to[i] += static_cast<double>(from[i]);
}

/// Bytes that attention reads of a cache which is another layer's.
double shared_cache_bytes(const Attention& a, const Workload& w) {
  const auto row = [](FormatId type, std::int64_t n) { return tensor_format(type).bits_per_weight() / 8 * static_cast<double>(n); };
  const double seen = a.window > 0 ? std::min(static_cast<double>(a.window), static_cast<double>(w.depth)) : static_cast<double>(w.depth);
  return static_cast<double>(a.n_kv_heads) * (row(w.kv_type_k, a.head_dim) + row(w.kv_type_v, a.head_dim_v)) * seen;
}

void count_mixer(Work& work, Work& cache, const Mixer& mixer, const Workload& w, bool windows) {
  const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v);
  for (auto part : needs.token_caches()) {
    if (!windows) part.window = 0;
    cache.kv_bytes += static_cast<double>(part.bytes(w.depth));
  }
  constexpr double kReadAndWritten = 2;
  cache.state_bytes += kReadAndWritten * static_cast<double>(needs.conv_state_bytes + needs.recurrent_state_bytes);
  const auto n = static_cast<double>(std::max<std::int64_t>(1, w.prompt - w.cached_prompt));
  const double depth = static_cast<double>(w.depth);
  const double cached = static_cast<double>(w.cached_prompt);
  const Span span = span_of(mixer, depth);
  const bool compressed = std::holds_alternative<CompressedAttention>(mixer);
  if (span.queries_width == 0) {
    work.recurrent_launches += kRecurrentLaunches;
    work.recurrent_layers += 1;
    return;
  }
  work.launches += kAttentionLaunches;
  if (const auto* a = std::get_if<Attention>(&mixer); a != nullptr && a->shares_kv_of >= 0) cache.kv_bytes += shared_cache_bytes(*a, w);
  const auto seen = [&](double tokens) { return span.window > 0 ? std::min(tokens, span.window) : tokens; };
  cache.attention_ops += 2 * span.queries_width * seen(depth);
  const double on_average = compressed ? std::min(cached + n / 2, span_of(mixer, cached + n / 2).window) : seen(cached + n / 2);
  work.prompt_attention_ops += 2 * span.queries_width * on_average * n;
  work.prompt_scores += span.heads * on_average * n;
}

}  // namespace

bool Work::used() const { return total_bytes() + kv_bytes + state_bytes > 0; }

double Work::total_bytes() const {
  double sum = 0;
  for (std::size_t i = 0; i < kWeightClasses; ++i) sum += bytes[i] + expert_bytes[i];
  return sum;
}

Work& Work::operator+=(const Work& o) {
  for (std::size_t i = 0; i < kWeightClasses; ++i) {
    bytes[i] += o.bytes[i], weights[i] += o.weights[i];
    expert_bytes[i] += o.expert_bytes[i], expert_weights[i] += o.expert_weights[i];
  }
  head_weights += o.head_weights, kv_bytes += o.kv_bytes, state_bytes += o.state_bytes, attention_ops += o.attention_ops;
  prompt_attention_ops += o.prompt_attention_ops, prompt_scores += o.prompt_scores;
  launches += o.launches, expert_launches += o.expert_launches, recurrent_launches += o.recurrent_launches, stream_launches += o.stream_launches;
  matrices += o.matrices, recurrent_layers += o.recurrent_layers, layers += o.layers;
  return *this;
}

ModelTraits traits_of(const Model& model) {
  const auto& hp = model.hyperparameters;
  ModelTraits t;
  t.hidden = static_cast<double>(hp.hidden_size);
  if (hp.n_experts > 0) t.expert_share = static_cast<double>(hp.n_experts_active) / static_cast<double>(hp.n_experts);
  return t;
}

double expert_coverage(double share, double tokens) {
  if (share <= 0) return 0;
  return tokens == 1 ? share : 1.0 - std::pow(1.0 - share, tokens);
}

double step_coverage(double share, double tokens) {
  // Tokens of one step choose alike: they reach as many experts as this power of them would if they chose freely. Taken, with kGatheredExperts (terms.cpp),
  // from the llama-batched-bench rows of data/measurements/serving.csv; docs/methods.md says so.
  constexpr double kIndependent = 0.55;
  return expert_coverage(share, tokens > 1 ? std::pow(tokens, kIndependent) : 1);
}

std::vector<Work> count_work(const Model& model, const WeightMap& weights, const Workload& workload, const Placement& placement, std::size_t n_devices,
                             bool windows) {
  std::vector<Work> places(n_devices + 1);
  const auto at = [&](int index) -> Work& { return index == kHost ? places.back() : places[static_cast<std::size_t>(index)]; };
  const bool streams = model.hyperparameters.extra_or("hc_mult", 0) > 0;
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const auto& layer = weights.layers[i];
    Work& here = at(placement.layer[i]);
    Work& experts = at(placement.experts_on_host[i] ? kHost : placement.layer[i]);
    Work& cache = at(workload.kv_offload ? placement.layer[i] : kHost);
    add(here.bytes, layer.dense_classes.bytes), add(here.weights, layer.dense_classes.weights);
    add(experts.expert_bytes, layer.expert_classes.bytes), add(experts.expert_weights, layer.expert_classes.weights);
    here.matrices += layer.matrices;
    here.launches += layer.matrices + kVectorLaunch * layer.vectors;
    if (streams) here.stream_launches += kStreamLaunches;
    ++here.layers;
    for (const auto& mixer : model.layers[i].mixers) count_mixer(here, cache, mixer, workload, windows);
    for (const auto& ffn : model.layers[i].ffns) {
      if (std::holds_alternative<MoeFfn>(ffn)) experts.expert_launches += kExpertLaunches;
      else here.launches += kFfnLaunches;
    }
  }
  Work& out = at(placement.output);
  add(out.bytes, weights.output_classes.bytes), add(out.weights, weights.output_classes.weights);
  for (const auto n : weights.output_classes.weights) out.head_weights += static_cast<double>(n);
  for (const auto& p : weights.pinned) {
    Work& there = at(p.device);
    add(there.bytes, p.dense_classes.bytes), add(there.weights, p.dense_classes.weights);
    add(there.expert_bytes, p.expert_classes.bytes), add(there.expert_weights, p.expert_classes.weights);
  }
  return places;
}

}  // namespace planner::throughput
