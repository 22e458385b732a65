#include "planner/kv_cache.h"

#include <algorithm>
#include <variant>

namespace planner {
namespace {

constexpr std::int64_t kF32 = 4;

/// Bytes of `n` elements in a cache format; engines pad a row that is no multiple of the block to whole blocks.
std::int64_t row(FormatId format, std::int64_t n) {
  const auto& f = tensor_format(format);
  return (n + f.block_weights - 1) / f.block_weights * f.block_bytes;
}

struct Needs {
  FormatId k, v;
  MlaCache mla;

  CacheNeeds operator()(const Attention& a) const {
    CacheNeeds needs;
    if (a.shares_kv_of >= 0 || a.n_kv_heads == 0) return needs;
    TokenCache cache{row(k, a.n_kv_heads * a.head_dim), row(v, a.n_kv_heads * a.head_dim_v), a.window};
    if (a.indexer_head_dim > 0) cache.row_bytes_k += row(k, a.indexer_head_dim);
    // Image tokens are a fixed number, whatever the text's length.
    if (a.cross_tokens > 0) cache.window = a.cross_tokens;
    needs.parts[needs.n_parts++] = cache;
    return needs;
  }
  CacheNeeds operator()(const MlaAttention& a) const {
    CacheNeeds needs;
    TokenCache cache;
    if (mla != MlaCache::expanded) {
      cache.row_bytes_k = row(k, a.kv_lora_rank + a.qk_rope_head_dim);
      if (mla == MlaCache::compressed_with_v) cache.row_bytes_v = row(v, a.kv_lora_rank);
    } else {
      cache.row_bytes_k = row(k, a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim));
      cache.row_bytes_v = row(v, a.n_heads * a.v_head_dim);
    }
    if (a.indexer_heads > 0) cache.row_bytes_k += row(k, a.indexer_head_dim);
    needs.parts[needs.n_parts++] = cache;
    return needs;
  }
  CacheNeeds operator()(const CompressedAttention& a) const {
    CacheNeeds needs;
    needs.parts[needs.n_parts++] = {row(k, a.head_dim), 0, a.window};
    if (a.compress_ratio > 0) needs.parts[needs.n_parts++] = {row(k, a.head_dim + a.indexer_head_dim), 0, 0, a.compress_ratio};
    needs.recurrent_state_bytes = kF32 * a.state_elements();
    return needs;
  }
  CacheNeeds operator()(const Mamba& m) const {
    CacheNeeds needs;
    needs.conv_state_bytes = kF32 * (m.conv_kernel - 1) * (m.inner_size + 2 * m.n_groups * m.state_size);
    needs.recurrent_state_bytes = kF32 * m.state_size * m.inner_size;
    return needs;
  }
  CacheNeeds operator()(const LinearAttention& a) const {
    CacheNeeds needs;
    if (a.conv_kernel > 0) needs.conv_state_bytes = kF32 * (a.conv_kernel - 1) * (2 * a.n_k_heads * a.k_head_dim + a.n_v_heads * a.v_head_dim);
    needs.recurrent_state_bytes = kF32 * a.n_v_heads * a.k_head_dim * a.v_head_dim;
    return needs;
  }
  CacheNeeds operator()(const ShortConv& c) const {
    CacheNeeds needs;
    needs.conv_state_bytes = kF32 * (c.kernel - 1) * c.width;
    return needs;
  }
  CacheNeeds operator()(const Rwkv& r) const {
    CacheNeeds needs;
    needs.conv_state_bytes = kF32 * 2 * r.n_heads * r.head_dim;
    needs.recurrent_state_bytes = kF32 * r.n_heads * r.head_dim * r.head_dim;
    return needs;
  }
};

}  // namespace

std::int64_t TokenCache::bytes(std::int64_t tokens) const {
  const std::int64_t kept = window > 0 ? std::min(tokens, window) : tokens;
  return (row_bytes_k + row_bytes_v) * (kept / tokens_per_row);
}

bool windows_count(const Model& model, const Engine& engine) {
  const bool is_llama_cpp = engine.offload_layers && !engine.kv_pool;
  return engine.sliding_window != "full" && !(is_llama_cpp && model.llama_cpp_ignores_window);
}

CacheNeeds cache_needs(const Mixer& mixer, FormatId kv_type_k, FormatId kv_type_v, MlaCache mla) { return std::visit(Needs{kv_type_k, kv_type_v, mla}, mixer); }

std::int64_t kv_cache_bytes(const Model& model, std::int64_t tokens, FormatId kv_type_k, FormatId kv_type_v, MlaCache mla) {
  std::int64_t total = 0;
  for (const auto& layer : model.layers) {
    if (layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      const auto needs = cache_needs(mixer, kv_type_k, kv_type_v, mla);
      for (const auto& cache : needs.token_caches()) total += cache.bytes(tokens);
    }
  }
  return total;
}

std::int64_t recurrent_state_bytes(const Model& model) {
  std::int64_t total = 0;
  for (const auto& layer : model.layers) {
    if (layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      const auto needs = cache_needs(mixer, FormatId::f16, FormatId::f16);
      total += needs.conv_state_bytes + needs.recurrent_state_bytes;
    }
  }
  return total;
}

}  // namespace planner
