// How a server's pool is cut into blocks.
//
// vLLM since its hybrid KV cache manager: layers that cache alike form groups of equally many layers, all groups draw blocks of one size in bytes from one
// pool, and a block id stands for one page in each layer of a group. Layers that need less per token have more tokens in a block; where layers keep a state,
// the block of attention layers grows until a state fits into a page.
// Source: get_kv_cache_groups and get_kv_cache_config_from_groups in vllm/v1/core/kv_cache_utils.py, max_memory_usage_bytes in vllm/v1/kv_cache_interface.py,
// HybridAttentionMambaModelConfig in vllm/model_executor/models/config.py (vllm-project/vllm).
#include "memory/server_pool.h"

#include <algorithm>
#include <limits>
#include <variant>

#include "planner/kv_cache.h"

namespace planner::memory {
namespace {

using namespace engine;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// What one layer caches on one rank.
struct LayerCache {
  std::int64_t layer = 0;
  std::int64_t token_bytes = 0;
  std::int64_t window = 0;       ///< 0: all tokens
  std::int64_t state_bytes = 0;  ///< > 0: a state of fixed size instead of tokens
};

/// A rank's share of the heads: at least one of K and V; a latent row is whole on every rank.
Mixer rank_share(const Mixer& mixer, std::int64_t ranks) {
  auto share = mixer;
  if (auto* a = std::get_if<Attention>(&share); a != nullptr && a->n_kv_heads > 0) a->n_kv_heads = std::max<std::int64_t>(1, ceil_div(a->n_kv_heads, ranks));
  return share;
}

std::vector<LayerCache> layer_caches(const Model& model, const Workload& w, const ServerRules& rules, bool windows, std::int64_t ranks) {
  constexpr std::int64_t kStateElement = 4;  // cache_needs counts states in F32
  std::vector<LayerCache> out;
  for (std::int64_t i = 0; i < model.hyperparameters.n_layers; ++i) {
    for (const auto& mixer : model.layers[static_cast<std::size_t>(i)].mixers) {
      const auto needs = cache_needs(rank_share(mixer, ranks), w.kv_type_k, w.kv_type_v);
      const auto* a = std::get_if<Attention>(&mixer);
      const bool whole = !windows || (a != nullptr && a->chunked && !rules.chunked_layers_slide);
      for (const auto& part : needs.token_caches()) {
        const std::int64_t bytes = std::max<std::int64_t>(1, (part.row_bytes_k + part.row_bytes_v) / part.tokens_per_row);
        out.push_back({i, bytes, whole ? 0 : part.window, 0});
      }
      const std::int64_t recurrent = std::holds_alternative<Mamba>(mixer) ? rules.mamba_state_bytes : rules.linear_state_bytes;
      const std::int64_t state = (needs.conv_state_bytes * rules.conv_state_bytes + needs.recurrent_state_bytes * recurrent) / kStateElement / ranks;
      if (state > 0) out.push_back({i, 0, 0, state});
    }
  }
  return out;
}

/// Layers that cache alike.
struct Kind {
  LayerCache like;
  std::vector<std::int64_t> layers;
};

std::vector<Kind> kinds_of(const std::vector<LayerCache>& caches) {
  std::vector<Kind> kinds;
  for (const auto& c : caches) {
    const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) {
      return k.like.token_bytes == c.token_bytes && k.like.window == c.window && k.like.state_bytes == c.state_bytes;
    });
    if (same == kinds.end()) kinds.push_back({c, {c.layer}});
    else same->layers.push_back(c.layer);
  }
  return kinds;
}

std::int64_t layers_in(const std::vector<std::int64_t>& layers, const Stage& stage) {
  return std::count_if(layers.begin(), layers.end(), [&](std::int64_t i) { return stage.holds(i); });
}

bool is_one_table(const std::vector<Kind>& kinds) {
  return std::all_of(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.like.state_bytes == 0 && k.like.window == kinds.front().like.window; });
}

/// Layers of a group: as many as the rarest kind has, or as the most frequent one where that is not much more.
std::int64_t group_size(const std::vector<Kind>& kinds) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t most = 0;
  for (const auto& k : kinds) {
    const auto n = static_cast<std::int64_t>(k.layers.size());
    least = std::min(least, n);
    most = std::max(most, n);
  }
  return 2 * most < 3 * least ? most : least;
}

}  // namespace

ServerPool::ServerPool(const Model& model, const Workload& workload, const ServerRules& rules, bool windows, const Ranks& ranks, const StepLimits& limits,
                       const std::vector<Stage>& stages)
    : rules_(rules), step_tokens_(limits.tokens), block_bytes_(stages.size()), state_bytes_(stages.size()), linear_(stages.size()) {
  const auto& hp = model.hyperparameters;
  block_tokens_ = workload.block_size > 0 ? workload.block_size : hp.kv_lora_rank > 0 && rules.block_size_mla > 0 ? rules.block_size_mla : std::max<std::int64_t>(1, rules.block_size);
  auto caches = layer_caches(model, workload, rules, windows, ranks.tensor);
  if (rules.pool != PoolKind::shared_pages) {
    // States lie beside the pool.
    for (const auto& c : caches) {
      for (std::size_t s = 0; s < stages.size(); ++s) state_bytes_[s] += stages[s].holds(c.layer) ? c.state_bytes : 0;
    }
    std::erase_if(caches, [](const LayerCache& c) { return c.state_bytes > 0; });
  }
  if (rules.pool == PoolKind::uniform) {
    for (auto& c : caches) c.window = 0;
  }
  if (rules.pool == PoolKind::per_kind) {
    for (std::size_t s = 0; s < stages.size(); ++s) {
      for (const auto& k : kinds_of(caches)) {
        if (const auto n = layers_in(k.layers, stages[s]); n > 0) linear_[s].push_back({n * k.like.token_bytes, k.like.window});
      }
    }
  }
  const auto kinds = kinds_of(caches);
  if (kinds.empty()) return;
  if (rules.pool != PoolKind::shared_pages || is_one_table(kinds)) {
    Group g{block_tokens_, rules.pool == PoolKind::shared_pages ? kinds.front().like.window : 0, {}};
    for (std::size_t s = 0; s < stages.size(); ++s) {
      for (const auto& k : kinds) block_bytes_[s] += layers_in(k.layers, stages[s]) * k.like.token_bytes * block_tokens_;
    }
    groups_.push_back(std::move(g));
    return;
  }
  std::int64_t widest = 0;
  std::int64_t state = 0;
  for (const auto& k : kinds) {
    widest = std::max(widest, k.like.token_bytes);
    state = std::max(state, k.like.state_bytes);
  }
  if (state > 0 && widest > 0) {
    constexpr std::int64_t kKernelTokens = 16;
    block_tokens_ = std::max(block_tokens_, kKernelTokens * ceil_div(state, kKernelTokens * widest));
  }
  const std::int64_t page = std::max(block_tokens_ * widest, state);
  const std::int64_t size = group_size(kinds);
  for (const auto& k : kinds) {
    const std::int64_t n = ceil_div(static_cast<std::int64_t>(k.layers.size()), size);
    for (std::int64_t i = 0; i < n; ++i) {
      Group g{k.like.state_bytes > 0 ? 0 : page / k.like.token_bytes, k.like.window, std::vector<std::int64_t>(stages.size())};
      for (auto at = static_cast<std::size_t>(i); at < k.layers.size(); at += static_cast<std::size_t>(n)) {
        for (std::size_t s = 0; s < stages.size(); ++s) g.layers_of_stage[s] += stages[s].holds(k.layers[at]) ? 1 : 0;
      }
      groups_.push_back(std::move(g));
    }
  }
  for (std::size_t s = 0; s < stages.size(); ++s) {
    std::int64_t most = 0;
    for (const auto& g : groups_) most = std::max(most, g.layers_of_stage[s]);
    block_bytes_[s] = most * page;
  }
}

std::int64_t ServerPool::request_blocks(std::int64_t context) const {
  std::int64_t blocks = 0;
  for (const auto& g : groups_) {
    if (g.block_tokens == 0) blocks += rules_.state_pages;
    else if (g.window > 0) blocks += ceil_div(std::min(g.window - 1 + step_tokens_, context), g.block_tokens) + 1;
    else blocks += ceil_div(context, g.block_tokens);
  }
  return blocks;
}

std::int64_t ServerPool::needed_bytes(std::size_t stage, std::int64_t sequences, std::int64_t context) const {
  if (rules_.pool != PoolKind::per_kind) return sequences * request_blocks(context) * block_bytes_[stage];
  const std::int64_t tokens = ceil_div(context, block_tokens_) * block_tokens_;
  std::int64_t bytes = 0;
  for (const auto& l : linear_[stage]) {
    if (l.window == 0) bytes += tokens * l.token_bytes;
    else if (rules_.sliding_ratio > 0) bytes += static_cast<std::int64_t>(rules_.sliding_ratio * static_cast<double>(tokens * l.token_bytes));
    else bytes += std::min(tokens, ceil_div(l.window + step_tokens_, block_tokens_) * block_tokens_) * l.token_bytes;
  }
  return sequences * bytes;
}

std::int64_t ServerPool::state_bytes(std::size_t stage, std::int64_t sequences) const { return sequences * state_bytes_[stage]; }

ServerPool::Capacity ServerPool::capacity(const std::vector<std::int64_t>& bytes, std::int64_t context) const {
  Capacity c;
  if (groups_.empty()) return c;
  if (rules_.pool == PoolKind::per_kind) {
    c.requests = std::numeric_limits<double>::max();
    for (std::size_t s = 0; s < bytes.size(); ++s) {
      const auto one = needed_bytes(s, 1, context);
      if (one > 0) c.requests = std::min(c.requests, static_cast<double>(bytes[s]) / static_cast<double>(one));
    }
    c.tokens = static_cast<std::int64_t>(c.requests * static_cast<double>(context)) / block_tokens_ * block_tokens_;
    return c;
  }
  std::int64_t blocks = std::numeric_limits<std::int64_t>::max();
  for (std::size_t s = 0; s < bytes.size(); ++s) {
    if (block_bytes_[s] > 0) blocks = std::min(blocks, bytes[s] / block_bytes_[s]);
  }
  const auto per_request = request_blocks(context);
  c.requests = per_request > 0 ? static_cast<double>(blocks) / static_cast<double>(per_request) : 0;
  std::int64_t smallest = 0;
  for (const auto& g : groups_) {
    if (g.block_tokens > 0 && (smallest == 0 || g.block_tokens < smallest)) smallest = g.block_tokens;
  }
  if (rules_.tokens_printed == TokensPrinted::context || smallest == 0) c.tokens = static_cast<std::int64_t>(c.requests * static_cast<double>(context));
  else c.tokens = blocks / static_cast<std::int64_t>(groups_.size()) * smallest;
  return c;
}

}  // namespace planner::memory
