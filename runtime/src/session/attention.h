// Attention of a batch of tokens to the cache: cut into pieces that threads take in turn, so that one long sequence keeps all of them busy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/thread_pool.h"
#include "session/kv_cache.h"
#include "transformer/weights.h"
#include "vector/vector.h"

namespace planner::runtime {

/// A token on its way through the model.
struct BatchToken {
  std::int64_t sequence = 0;
  std::int64_t position = 0;
  std::int32_t id = 0;
};

class AttentionRunner {
 public:
  AttentionRunner(const Weights& weights, std::int64_t ubatch, int n_threads);

  /// queries [n][n_heads][head_dim] (already scaled), out [n][n_heads][head_dim_v].
  void run(const LayerWeights& layer, std::size_t index, float softcap, std::span<const BatchToken> tokens, const KvCache& cache, const float* queries,
           float* out, ThreadPool& pool, const VectorKernels& kernels);

  [[nodiscard]] static std::int64_t bytes(const Weights& weights, std::int64_t ubatch, int n_threads);

 private:
  /// Some tokens in a row, one KV head, a range of positions.
  struct Task {
    std::size_t first_token = 0;
    std::int64_t n_tokens = 0;
    std::int64_t head = 0;
    std::int64_t begin = 0, end = 0;
    std::int64_t part = 0, n_parts = 1;
    std::size_t at = 0;  // queries in the buffers before this task's
  };
  void cut(const LayerWeights& layer, std::span<const BatchToken> tokens);
  void finish(const LayerWeights& layer, const Task& first, float* out) const;

  int n_threads_;
  std::vector<Task> tasks_;
  std::vector<float> scratch_, largest_, sum_, weighted_;
  std::int64_t scratch_size_ = 0;
};

}  // namespace planner::runtime
