#include "session/attention.h"

#include <algorithm>
#include <cmath>

namespace planner::runtime {
namespace {

constexpr std::int64_t kTasksPerThread = 8;
constexpr std::int64_t kLeastRange = 256;  // positions below which a range is not cut

struct Sizes {
  std::int64_t queries = 0;   // of all tasks of a layer
  std::int64_t weighted = 0;  // values of their sums
  std::int64_t scratch = 0;   // values per thread
};

/// Tasks are cut as long as there are fewer than kTasksPerThread for each thread, so parts add at most those tasks' queries.
Sizes sizes(const Weights& weights, std::int64_t ubatch, int n_threads) {
  Sizes s;
  for (const auto& layer : weights.layers) {
    const auto group = layer.n_heads / layer.n_kv_heads;
    const auto queries = ubatch * layer.n_heads + (kTasksPerThread * n_threads + layer.n_kv_heads) * std::min(ubatch, kAttentionTokens) * group;
    s.queries = std::max(s.queries, queries);
    s.weighted = std::max(s.weighted, queries * layer.head_dim_v);
    s.scratch = std::max(s.scratch, attention_scratch(layer.head_dim, layer.head_dim_v));
  }
  return s;
}

}  // namespace

AttentionRunner::AttentionRunner(const Weights& weights, std::int64_t ubatch, int n_threads) : n_threads_(n_threads) {
  const auto s = sizes(weights, ubatch, n_threads);
  scratch_size_ = (s.scratch + 15) / 16 * 16;
  scratch_.resize(static_cast<std::size_t>(scratch_size_ * n_threads));
  largest_.resize(static_cast<std::size_t>(s.queries));
  sum_.resize(static_cast<std::size_t>(s.queries));
  weighted_.resize(static_cast<std::size_t>(s.weighted));
}

std::int64_t AttentionRunner::bytes(const Weights& weights, std::int64_t ubatch, int n_threads) {
  const auto s = sizes(weights, ubatch, n_threads);
  return 4 * ((s.scratch + 15) / 16 * 16 * n_threads + 2 * s.queries + s.weighted);
}

void AttentionRunner::cut(const LayerWeights& layer, std::span<const BatchToken> tokens) {
  tasks_.clear();
  struct Block {
    std::size_t first;
    std::int64_t n;
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool goes_on = i > 0 && tokens[i].sequence == tokens[i - 1].sequence && tokens[i].position == tokens[i - 1].position + 1;
    if (goes_on && blocks.back().n < kAttentionTokens) {
      ++blocks.back().n;
    } else {
      blocks.push_back({i, 1});
    }
  }
  const auto whole = static_cast<std::int64_t>(blocks.size()) * layer.n_kv_heads;
  const auto most_parts = std::max<std::int64_t>(1, kTasksPerThread * n_threads_ / whole);
  std::size_t at = 0;
  for (const auto& block : blocks) {
    const auto position = tokens[block.first].position;
    const auto begin = layer.window > 0 ? std::max<std::int64_t>(0, position - layer.window + 1) : 0;
    const auto end = position + block.n;
    const auto n_parts = n_threads_ == 1 ? 1 : std::clamp<std::int64_t>((end - begin) / kLeastRange, 1, most_parts);
    const auto length = ((end - begin + n_parts - 1) / n_parts + kAttentionChunk - 1) / kAttentionChunk * kAttentionChunk;
    const auto n_ranges = (end - begin + length - 1) / length;
    for (std::int64_t head = 0; head < layer.n_kv_heads; ++head) {
      for (std::int64_t part = 0; part < n_ranges; ++part) {
        const auto from = begin + part * length;
        tasks_.push_back({block.first, block.n, head, from, std::min(end, from + length), part, n_ranges, at});
        at += static_cast<std::size_t>(block.n * (layer.n_heads / layer.n_kv_heads));
      }
    }
  }
}

/// Merges the parts of a task that begin with `first` and divides: softmax's weights sum to 1, the head's sink included.
void AttentionRunner::finish(const LayerWeights& layer, const Task& first, float* out) const {
  const auto group = layer.n_heads / layer.n_kv_heads;
  const auto dim = layer.head_dim_v;
  const auto n_queries = static_cast<std::size_t>(first.n_tokens * group);
  for (std::size_t i = 0; i < n_queries; ++i) {
    const auto head = first.head * group + static_cast<std::int64_t>(i) % group;
    const auto token = static_cast<std::int64_t>(first.first_token) + static_cast<std::int64_t>(i) / group;
    float* y = out + (token * layer.n_heads + head) * dim;
    const bool has_sink = !layer.sinks.empty();
    const float sink = has_sink ? layer.sinks[static_cast<std::size_t>(head)] : 0;
    float largest = has_sink ? sink : -INFINITY;
    for (std::size_t part = 0; part < static_cast<std::size_t>(first.n_parts); ++part) largest = std::max(largest, largest_[first.at + part * n_queries + i]);
    float sum = has_sink ? std::exp(sink - largest) : 0;
    for (std::size_t part = 0; part < static_cast<std::size_t>(first.n_parts); ++part) {
      const auto q = first.at + part * n_queries + i;
      sum += sum_[q] * std::exp(largest_[q] - largest);
    }
    for (std::size_t part = 0; part < static_cast<std::size_t>(first.n_parts); ++part) {
      const auto q = first.at + part * n_queries + i;
      const float scale = std::exp(largest_[q] - largest) / sum;
      const float* x = weighted_.data() + static_cast<std::int64_t>(q) * dim;
      for (std::int64_t j = 0; j < dim; ++j) y[j] = (part == 0 ? 0.0F : y[j]) + scale * x[j];
    }
  }
}

void AttentionRunner::run(const LayerWeights& layer, std::size_t index, float softcap, std::span<const BatchToken> tokens, const KvCache& cache,
                          const float* queries, float* out, ThreadPool& pool, const VectorKernels& kernels) {
  cut(layer, tokens);
  const auto group = layer.n_heads / layer.n_kv_heads;
  pool.parallel_for(0, static_cast<std::int64_t>(tasks_.size()), 1, [&](std::int64_t from, std::int64_t to, int thread) {
    for (auto t = from; t < to; ++t) {
      const auto& task = tasks_[static_cast<std::size_t>(t)];
      const auto& token = tokens[task.first_token];
      AttentionBlock block;
      block.query_stride = layer.head_dim;
      block.token_stride = layer.n_heads * layer.head_dim;
      block.queries = queries + static_cast<std::int64_t>(task.first_token) * block.token_stride + task.head * group * layer.head_dim;
      block.n_tokens = task.n_tokens;
      block.group = group;
      block.first_position = token.position;
      block.head_dim = layer.head_dim;
      block.head_dim_v = layer.head_dim_v;
      block.begin = task.begin;
      block.end = task.end;
      block.window = layer.window;
      block.capacity = cache.capacity(index);
      block.softcap = softcap;
      block.keys = cache.keys(index, token.sequence, task.head);
      block.values = cache.values(index, token.sequence, task.head);
      block.scratch = scratch_.data() + thread * scratch_size_;
      block.largest = largest_.data() + task.at;
      block.sum = sum_.data() + task.at;
      block.weighted = weighted_.data() + static_cast<std::int64_t>(task.at) * layer.head_dim_v;
      kernels.attend(block);
      if (task.n_parts == 1) finish(layer, task, out);
    }
  });
  for (const auto& task : tasks_) {
    if (task.n_parts > 1 && task.part == 0) finish(layer, task, out);
  }
}

}  // namespace planner::runtime
