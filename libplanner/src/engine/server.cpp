#include "engine/server.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <variant>

#include "core/text.h"
#include "engine/torch_allocator.h"

namespace planner::engine {
namespace {

constexpr std::int64_t kHalf = 2;

/// Numbers of "v0.11.2", "0.6.4.post2": {0, 11, 2}; empty: not a version.
std::vector<std::int64_t> version_numbers(std::string_view version) {
  std::vector<std::int64_t> out;
  if (!version.empty() && (version.front() == 'v' || version.front() == 'V')) version.remove_prefix(1);
  while (!version.empty()) {
    std::size_t digits = 0;
    while (digits < version.size() && digits < 9 && version[digits] >= '0' && version[digits] <= '9') ++digits;
    if (digits == 0) break;
    out.push_back(*text::parse_int(version.substr(0, digits)));
    version.remove_prefix(digits);
    if (version.empty() || version.front() != '.') break;
    version.remove_prefix(1);
  }
  return out;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Elements that a token needs of a mixer while it is computed, on one of `ranks`: projections in, attention out.
struct MixerWidth {
  std::int64_t ranks;
  std::int64_t operator()(const Attention& a) const {
    const std::int64_t kv = std::max<std::int64_t>(ceil_div(a.n_kv_heads, ranks), a.n_kv_heads > 0 ? 1 : 0);
    return a.n_heads * (a.head_dim + a.head_dim_v) / ranks + kv * (a.head_dim + a.head_dim_v);
  }
  std::int64_t operator()(const MlaAttention& a) const {
    const std::int64_t heads = ceil_div(a.n_heads, ranks);
    return heads * (2 * (a.qk_nope_head_dim + a.qk_rope_head_dim) + 2 * a.v_head_dim) + a.q_lora_rank + a.kv_lora_rank;
  }
  std::int64_t operator()(const CompressedAttention& a) const { return 2 * ceil_div(a.n_heads, ranks) * a.head_dim; }
  std::int64_t operator()(const Mamba& m) const { return 4 * m.inner_size / ranks; }
  std::int64_t operator()(const LinearAttention& a) const { return (2 * a.n_k_heads * a.k_head_dim + 4 * a.n_v_heads * a.v_head_dim) / ranks; }
  std::int64_t operator()(const ShortConv& c) const { return 3 * c.width / ranks; }
  std::int64_t operator()(const Rwkv& r) const { return 5 * r.n_heads * r.head_dim / ranks; }
};

/// The same of a feed-forward: gate, up and their product; of experts, those of each chosen one, and its output.
struct FfnWidth {
  std::int64_t ranks;
  std::int64_t hidden;
  std::int64_t operator()(const DenseFfn& f) const { return (f.gated ? 3 : 2) * ceil_div(f.size, ranks); }
  std::int64_t operator()(const MoeFfn& f) const {
    const std::int64_t size = ceil_div(f.expert_size, ranks);
    const std::int64_t routed = f.n_active * (std::max((f.gated ? 2 : 1) * size, hidden) + size);
    return std::max(routed, 3 * ceil_div(f.shared_size, ranks)) + hidden;
  }
};

std::int64_t rotary_width(const Hyperparameters& hp) {
  if (hp.kv_lora_rank > 0) return hp.qk_rope_head_dim;
  return hp.rotary_dim;
}

/// Rotary tables that the model's layers ask for: local and global ones differ in their base.
std::int64_t rotary_tables(const Model& model) {
  bool local = false;
  bool global = false;
  for (const auto& layer : model.layers) {
    for (const auto& mixer : layer.mixers) {
      if (const auto* a = std::get_if<Attention>(&mixer)) (a->window > 0 && !a->chunked ? local : global) = true;
      if (std::holds_alternative<MlaAttention>(mixer)) global = true;
    }
  }
  const bool two_bases = model.hyperparameters.architecture.starts_with("gemma3") || model.hyperparameters.architecture.starts_with("gemma4");
  return local && global && two_bases ? 2 : local || global ? 1 : 0;
}

}  // namespace

const ServerRules& server_rules(const Deployment& deployment) {
  const auto& all = deployment.engine->server;
  const auto asked = version_numbers(deployment.engine_version);
  if (asked.empty()) return all.back();
  const auto later = std::find_if(all.begin(), all.end(), [&](const ServerRules& r) { return version_numbers(r.since) > asked; });
  return later == all.begin() ? all.front() : *std::prev(later);
}

Ranks ranks_of(const Model& model, const Deployment& deployment) {
  const auto n = std::max<std::int64_t>(1, static_cast<std::int64_t>(deployment.devices.size()));
  Ranks r{deployment.tensor_parallel, deployment.pipeline_parallel};
  if (r.tensor <= 0) {
    const std::int64_t available = r.pipeline > 0 ? std::max<std::int64_t>(1, n / r.pipeline) : n;
    const std::int64_t heads = model.hyperparameters.n_heads;
    r.tensor = available;
    while (r.tensor > 1 && (available % r.tensor != 0 || (heads > 0 && heads % r.tensor != 0))) --r.tensor;
  }
  if (r.pipeline <= 0) r.pipeline = std::max<std::int64_t>(1, n / r.tensor);
  // More ranks than devices cannot be placed: a request for them is refused before it comes here.
  r.tensor = std::min(r.tensor, n);
  r.pipeline = std::clamp<std::int64_t>(r.pipeline, 1, std::max<std::int64_t>(1, std::min(n / r.tensor, model.hyperparameters.n_layers)));
  return r;
}

std::vector<Stage> stages_of(std::int64_t n_layers, std::int64_t pipeline, bool last_takes_rest) {
  std::vector<Stage> out(static_cast<std::size_t>(pipeline));
  const std::int64_t over = n_layers % pipeline;
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < pipeline; ++i) {
    // The last stage has the head to bear: it takes one more only when all do.
    const bool is_last = i == pipeline - 1;
    const bool one_more = !is_last && pipeline - 1 - i <= over;
    const std::int64_t more = last_takes_rest ? (is_last ? over : 0) : one_more ? 1 : 0;
    auto& s = out[static_cast<std::size_t>(i)];
    s = {first, n_layers / pipeline + more, i == 0, is_last};
    first += s.n_layers;
  }
  return out;
}

StepLimits step_limits(const ServerRules& rules, const Workload& workload, const DeploymentDevice* device, const Ranks& ranks) {
  const StepDefaults* found = rules.steps.empty() ? nullptr : &rules.steps.front();
  const std::int64_t memory = device != nullptr ? device->usable_bytes().value_or(0) : 0;
  const std::string_view name = device == nullptr ? std::string_view() : device->device != nullptr ? std::string_view(device->device->name) : std::string_view(device->name);
  for (const auto& s : rules.steps) {
    const bool excepted = !s.except.empty() && text::contains(name, s.except);
    if (memory >= s.memory_from && !excepted) found = &s;
  }
  StepLimits l;
  l.tokens = workload.max_batched_tokens > 0 ? workload.max_batched_tokens : found != nullptr ? found->tokens : workload.batch;
  l.sequences = workload.max_num_seqs > 0 ? workload.max_num_seqs : std::max(found != nullptr ? found->sequences : 1, workload.concurrency);
  if (rules.step_holds_context && workload.max_batched_tokens == 0) l.tokens = std::max(l.tokens, workload.context);
  l.graph_sequences = found != nullptr ? found->graph_sequences : 0;
  constexpr std::int64_t kManyRanks = 4;
  if (found != nullptr && found->graph_sequences_tp4 > 0 && ranks.tensor >= kManyRanks) l.graph_sequences = found->graph_sequences_tp4;
  if (l.graph_sequences == 0) l.graph_sequences = rules.graphs.per_sequence * l.sequences;
  return l;
}

double default_fraction(const ServerRules& rules, const StepLimits& limits, const Ranks& ranks, std::int64_t memory) {
  if (rules.fraction > 0 || !rules.reserve || memory <= 0) return rules.fraction;
  const auto& r = *rules.reserve;
  constexpr std::int64_t kRanks = 8;
  std::int64_t reserve = r.base + r.per_token * std::max(limits.tokens, r.least_tokens) + r.per_graph_sequence * limits.graph_sequences + r.per_8_ranks * ranks.total() / kRanks;
  if (memory > r.large_from) reserve = std::max(reserve, r.large_least);
  return std::max(0.0, static_cast<double>(memory - reserve) / static_cast<double>(memory));
}

RankWeights rank_weights(const Model& model, const WeightMap& weights, const Engine& engine, const ServerRules& rules, const Ranks& ranks, const Stage& stage) {
  using Matrix = WeightMap::Matrix;
  std::vector<std::int64_t> tensors;
  tensors.reserve(weights.matrices.size() + 2);
  std::array<std::size_t, 4> merged{};  // of the layer at hand: where each group lies in `tensors`, from 1
  int layer = -1;
  for (const auto& m : weights.matrices) {
    const bool tied_head = weights.tied && m.place == Matrix::Place::embedding && stage.is_last && m.vocabulary > 0;
    const bool here = m.place == Matrix::Place::embedding ? stage.is_first || tied_head : m.place == Matrix::Place::head ? stage.is_last : stage.holds(m.layer);
    if (!here) continue;
    if (m.layer != layer) merged = {}, layer = m.layer;
    const std::int64_t bytes = m.rank_bytes(ranks.tensor, rules.vocabulary_multiple);
    auto& at = merged[static_cast<std::size_t>(m.group)];
    if (engine.merges_matrices && m.group != Matrix::Group::none) {
      if (at > 0) {
        tensors[at - 1] += bytes;
        continue;
      }
      at = tensors.size() + 1;
    }
    tensors.push_back(bytes);
  }
  RankWeights out;
  out.matrices = std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0});
  const auto& hp = model.hyperparameters;
  if (rules.rope_bytes > 0) out.tables = rules.rope_bytes * hp.context_length * rotary_width(hp) * rotary_tables(model);
  if (engine.torch_allocator) {
    tensors.push_back(out.tables);
    out.slack = torch_allocated_bytes(tensors) - out.matrices - out.tables;
  }
  if (engine.loads_towers && stage.is_first) out.matrices += weights.towers / ranks.tensor;
  if (rules.absorbed_mla && hp.kv_lora_rank > 0) {
    // Products are kept in the weights' own width, the rotated part of Q in 16 bit.
    const std::int64_t element = 2 * weights.total() > 3 * model.parameters().total ? kHalf : 1;
    for (std::int64_t i = stage.first; i < stage.first + stage.n_layers; ++i) {
      for (const auto& mixer : model.layers[static_cast<std::size_t>(i)].mixers) {
        const auto* a = std::get_if<MlaAttention>(&mixer);
        if (a == nullptr) continue;
        const std::int64_t heads = ceil_div(a->n_heads, ranks.tensor);
        const std::int64_t query = a->q_lora_rank > 0 ? a->q_lora_rank : hp.hidden_size;
        out.absorbed += heads * (element * a->kv_lora_rank * (query + hp.hidden_size) + kHalf * query * a->qk_rope_head_dim);
      }
    }
  }
  return out;
}

std::int64_t step_activation_bytes(const Model& model, const ServerRules& rules, const StepLimits& limits, const Ranks& ranks, const Stage& stage) {
  const auto& hp = model.hyperparameters;
  std::int64_t widest = 0;
  for (std::int64_t i = stage.first; i < stage.first + stage.n_layers; ++i) {
    const auto& layer = model.layers[static_cast<std::size_t>(i)];
    for (const auto& mixer : layer.mixers) widest = std::max(widest, std::visit(MixerWidth{ranks.tensor}, mixer));
    for (const auto& ffn : layer.ffns) widest = std::max(widest, std::visit(FfnWidth{ranks.tensor, hp.hidden_size}, ffn));
  }
  const std::int64_t forward = kHalf * limits.tokens * (2 * hp.hidden_size + widest);
  if (!stage.is_last) return forward;
  const std::int64_t logits = kHalf * limits.tokens * hp.hidden_size + std::min(limits.sequences, limits.tokens) * hp.vocab_size * rules.logit_bytes;
  return std::max(forward, logits);
}

std::int64_t captured_graphs(const GraphCapture& capture, const StepLimits& limits) {
  constexpr std::int64_t kDenseUpTo = 256;
  constexpr std::int64_t kDenseStep = 8;
  const auto count = [&](std::int64_t largest) {
    std::int64_t n = 0;
    for (const std::int64_t size : {1, 2, 4}) n += size <= largest ? 1 : 0;
    n += std::min(largest, kDenseUpTo) / kDenseStep;
    if (largest > kDenseUpTo) n += (largest - kDenseUpTo) / std::max<std::int64_t>(1, capture.step_beyond);
    return n;
  };
  const std::int64_t largest = std::min(capture.largest, limits.graph_sequences);
  if (largest <= 0) return 0;
  return count(largest) + (capture.decode_too ? count(std::min(largest, limits.sequences)) : 0);
}

}  // namespace planner::engine
