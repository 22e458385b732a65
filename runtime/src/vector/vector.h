// Everything of a layer that is no matrix product: norms, activations, rotation, attention over the cache. Plain functions over plain
// pointers, one set per instruction set (runtime/src/vector/*.cpp, the same source each) and one in double precision as the truth.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/matrix.h"

namespace planner::runtime {

/// How a row of the KV cache is stored.
enum class CacheType : std::uint8_t { f32, f16, q8_0 };

/// Rows of one KV head in the cache of one sequence, of position p at slot p % capacity.
struct CacheRows {
  const std::byte* data = nullptr;
  std::int64_t stride = 0;  ///< bytes between slots
  CacheType type = CacheType::f16;
};

/// Attention of some queries of one KV head to a range of positions; what several such ranges give is merged by merge_attention().
struct AttentionBlock {
  const float* queries = nullptr;  ///< [n_queries][head_dim], already scaled
  std::int64_t query_stride = 0;   ///< values between the queries of one token
  std::int64_t token_stride = 0;   ///< values between tokens
  std::int64_t n_tokens = 0;       ///< at positions first_position, first_position + 1 ...
  std::int64_t group = 0;          ///< query heads that share the KV head; n_queries = n_tokens * group
  std::int64_t first_position = 0;
  std::int64_t head_dim = 0, head_dim_v = 0;
  std::int64_t begin = 0, end = 0;  ///< positions of this block; begin < end
  std::int64_t window = 0;          ///< positions that a query sees, its own included; 0: all
  std::int64_t capacity = 0;        ///< slots
  float softcap = 0;                ///< 0: none; else softcap * tanh(score / softcap)
  CacheRows keys, values;           ///< values may be the begin of the keys' rows (MLA)
  float* scratch = nullptr;         ///< attention_scratch() values of this thread's own
  // Out, per query: the largest score, the sum of exp(score - largest), and the sum of exp(score - largest) * value.
  float* largest = nullptr;  ///< -infinity where the query sees none of the range
  float* sum = nullptr;
  float* weighted = nullptr;  ///< [n_queries][head_dim_v]
};

inline constexpr std::int64_t kAttentionChunk = 32;   // positions at a time
inline constexpr std::int64_t kAttentionTokens = 16;  // tokens of a block at most

inline constexpr std::int64_t kAttentionPadding = 16;  // rows are padded to a multiple of so many values

/// Values of scratch memory that attend() needs: a chunk of rows, and as many queries.
[[nodiscard]] constexpr std::int64_t attention_scratch(std::int64_t head_dim, std::int64_t head_dim_v) {
  const std::int64_t widest = head_dim > head_dim_v ? head_dim : head_dim_v;
  return 2 * kAttentionChunk * ((widest + kAttentionPadding - 1) / kAttentionPadding * kAttentionPadding);
}

struct VectorKernels {
  /// y = x / sqrt(mean(x^2) + epsilon) * weight; x and y may be the same.
  void (*rms_norm)(const float* x, const float* weight, std::int64_t n, float epsilon, float* y);
  /// y = (x - mean) / sqrt(variance + epsilon) * weight
  void (*layer_norm)(const float* x, const float* weight, std::int64_t n, float epsilon, float* y);
  // gate = activation(gate) * up
  void (*silu)(float* gate, const float* up, std::int64_t n);
  void (*gelu)(float* gate, const float* up, std::int64_t n);        ///< the tanh form
  void (*swiglu_oai)(float* gate, const float* up, std::int64_t n);  ///< gpt-oss: clamped, x * sigmoid(1.702 x) * (up + 1)
  void (*add)(float* x, const float* y, std::int64_t n);             ///< x += y
  void (*add_scaled)(float* x, const float* y, float scale, std::int64_t n);
  void (*softcap)(float* x, float cap, std::int64_t n);  ///< cap * tanh(x / cap)
  // Rotates n pairs by angles whose (scaled) cosines and sines are given: neighbours, or values half a rotated vector apart.
  void (*rotate_neighbours)(float* x, const float* cosines, const float* sines, std::int64_t n);
  void (*rotate_halves)(float* x, const float* cosines, const float* sines, std::int64_t n);
  /// Values to a row of the cache. q8_0: n is a multiple of 32.
  void (*store)(CacheType type, const float* values, std::byte* row, std::int64_t n);
  void (*attend)(const AttentionBlock& block);
};

/// The set for a path of the matrix products.
[[nodiscard]] const VectorKernels& vector_kernels(Path path);

/// Bytes of a row of the cache.
[[nodiscard]] constexpr std::int64_t cache_row_bytes(CacheType type, std::int64_t n) {
  return type == CacheType::f32 ? 4 * n : type == CacheType::f16 ? 2 * n : n / 32 * 34;
}

extern const VectorKernels kReferenceVectors;
extern const VectorKernels kPortableVectors;
#ifdef PLANNER_HAS_X86_VECTORS
extern const VectorKernels kAvx2Vectors;
extern const VectorKernels kAvx512Vectors;
#endif

}  // namespace planner::runtime
