// One pass of a batch of tokens through the model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/matrix.h"
#include "session/attention.h"
#include "session/experts.h"
#include "session/kv_cache.h"
#include "transformer/weights.h"
#include "vector/vector.h"

namespace planner::runtime {

class Step {
 public:
  Step(const Weights& weights, std::int64_t context, std::int64_t ubatch, ThreadPool& pool, Path path);
  /// Of all buffers.
  [[nodiscard]] static std::int64_t bytes(const Weights& weights, std::int64_t ubatch, int n_threads);
  [[nodiscard]] int n_threads() const { return pool_.size(); }

  /// Writes keys and values of `tokens` to the cache and the logits of those whose index is in `wanted` to `logits`. At most ubatch tokens,
  /// those of a sequence in order.
  void run(std::span<const BatchToken> tokens, std::span<const std::int64_t> wanted, KvCache& cache, float* logits);

 private:
  /// Values per token of the buffers.
  struct Widths {
    explicit Widths(const Weights& weights);
    std::int64_t q = 0, k = 0, v = 0;  // as projected
    std::int64_t query = 0;            // as attended with: MLA's are wider
    std::int64_t attended = 0;         // as attention leaves them
    std::int64_t values = 0;           // as the output projection takes them
    std::int64_t ffn = 0, shared = 0, rank = 0, pairs = 0, heads = 0;
  };

  /// fn(token) for every token of the batch, on all threads where that pays.
  template <class Fn>
  void for_tokens(Fn&& fn) {
    if (n_ < 4) {
      for (std::int64_t i = 0; i < n_; ++i) fn(i);
      return;
    }
    pool_.parallel_for(0, n_, 2, [&](std::int64_t from, std::int64_t to, int) {
      for (auto i = from; i < to; ++i) fn(i);
    });
  }

  void embed(std::span<const BatchToken> tokens);
  void normalize(const float* x, const NormWeights& weight, float* y, std::int64_t width);
  void attend(const LayerWeights& layer, std::size_t index, std::span<const BatchToken> tokens, KvCache& cache, Activations& input);
  void project(const LayerWeights& layer, const AttentionWeights& w, std::size_t index, std::span<const BatchToken> tokens, KvCache& cache, Activations& input);
  void project(const LayerWeights& layer, const MlaWeights& w, std::size_t index, std::span<const BatchToken> tokens, KvCache& cache, Activations& input);
  void values_of(const LayerWeights& layer, const MlaWeights& w);
  void norm_heads(float* x, const NormWeights& weight, QkNorm kind, std::int64_t n_heads, std::int64_t dim) const;
  void rotate(const LayerWeights& layer, float* head, std::int64_t token) const;
  void dense(const DenseWeights& w, Activations& input, float* y);
  void feed_forward(const LayerWeights& layer, Activations& input, const float* x);
  void head(std::span<const std::int64_t> wanted, float* logits);

  const Weights& w_;
  ThreadPool& pool_;
  Execution execution_;
  const VectorKernels& kernels_;
  Widths widths_;
  Rope full_rope_, sliding_rope_;
  bool slides_ = false;  // some layer has a window
  AttentionRunner attention_;
  Experts experts_;

  std::int64_t n_ = 0;  // tokens of the batch
  std::vector<float> x_, normed_, branch_, q_, k_, v_, query_, attended_, values_, gate_, up_, rank_, shared_;
  std::vector<float> full_cosines_, full_sines_, sliding_cosines_, sliding_sines_;
  Activations input_, second_, third_;
  std::vector<Activations> per_head_;
  std::vector<Product> products_;
};

}  // namespace planner::runtime
