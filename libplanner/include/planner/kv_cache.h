/// What a model keeps per token and per sequence: KV cache and recurrent state, mixer by mixer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "planner/catalog.h"
#include "planner/model.h"
#include "planner/tensor_format.h"

namespace planner {

/// One growing part of a layer's cache: a row per `tokens_per_row` tokens, at most for the last `window` tokens.
struct TokenCache {
  std::int64_t row_bytes_k = 0;
  std::int64_t row_bytes_v = 0;
  std::int64_t window = 0;          ///< 0: all tokens of the sequence
  std::int64_t tokens_per_row = 1;  ///< more than one where rows stand for groups of tokens (DeepSeek-V4)

  /// Bytes for a sequence of `tokens` tokens.
  [[nodiscard]] std::int64_t bytes(std::int64_t tokens) const;
};

/// What one mixer keeps: parts that grow with the sequence, and a state that does not.
struct CacheNeeds {
  std::array<TokenCache, 2> parts;
  std::size_t n_parts = 0;
  std::int64_t conv_state_bytes = 0;       ///< of one sequence, F32
  std::int64_t recurrent_state_bytes = 0;  ///< of one sequence, F32

  [[nodiscard]] std::span<const TokenCache> token_caches() const& { return {parts.data(), n_parts}; }
  std::span<const TokenCache> token_caches() const&& = delete;  // the parts would be gone
};

/// Whether an engine's cache follows sliding windows: not where it caches whole contexts anyway, nor where llama.cpp's loader ignores the family's window.
[[nodiscard]] bool windows_count(const Model& model, const Engine& engine);

/// How an engine stores multi-head latent attention.
enum class MlaCache : std::uint8_t {
  compressed,  ///< one row of kv_lora_rank + qk_rope_head_dim, no V (llama.cpp since 2026, vLLM, SGLang, MLX)
  compressed_with_v,  ///< the same, and its first kv_lora_rank elements again as V (llama.cpp from April 2025 to January 2026)
  expanded,    ///< full keys and values of every head (transformers, older llama.cpp)
};

/// What one mixer keeps.
///   attention:  n_kv_heads * (row(head_dim, K) + row(head_dim_v, V)) per token, at most `window` tokens
///   MLA:        row(kv_lora_rank + qk_rope_head_dim, K) per token; expanded: n_heads * (row(nope + rope, K) + row(v_head_dim, V))
///   indexer:    row(indexer_head_dim, K) more per token
///   Mamba:      4 * ((conv - 1) * (inner + 2 * groups * state) + state * inner) per sequence
///   linear:     4 * ((conv - 1) * (2 * k_heads * k_dim + v_heads * v_dim) + v_heads * k_dim * v_dim) per sequence
/// Layers that read another layer's cache keep nothing. Sources: docs/methods.md.
/// Example: 8 KV heads of 128 in f16 -> 4096 bytes per token (kv_cache_test.cpp)
[[nodiscard]] CacheNeeds cache_needs(const Mixer& mixer, FormatId kv_type_k, FormatId kv_type_v, MlaCache mla = MlaCache::compressed);

/// Bytes of KV cache of one sequence that holds `tokens` tokens, all layers of the model proper; sliding layers hold at most their window.
/// Paging slack and padding belong to the engine. Example: 32 layers, 8 KV heads of 128, f16, 8192 tokens -> 1 GiB (kv_cache_test.cpp)
[[nodiscard]] std::int64_t kv_cache_bytes(const Model& model, std::int64_t tokens, FormatId kv_type_k, FormatId kv_type_v, MlaCache mla = MlaCache::compressed);

/// Bytes of recurrent state of one sequence, all layers.
[[nodiscard]] std::int64_t recurrent_state_bytes(const Model& model);

}  // namespace planner
