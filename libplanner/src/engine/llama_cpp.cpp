// llama.cpp and what is built on it. Source: src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-context.cpp of ggml-org/llama.cpp.
#include <algorithm>

#include "engine/allocation.h"

namespace planner::engine {
namespace {

std::int64_t pad(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

struct Widths {
  std::int64_t q = 0, kv = 0, heads = 0, window = 0;
};

/// The widest attention of the model: its phases bound the buffer.
Widths widest(const Model& model) {
  Widths w;
  for (const auto& layer : model.layers) {
    for (const auto& mixer : layer.mixers) {
      if (const auto* a = std::get_if<Attention>(&mixer)) {
        w.q = std::max(w.q, a->n_heads * a->head_dim);
        w.kv = std::max(w.kv, a->n_kv_heads * a->head_dim);
        w.heads = std::max(w.heads, a->n_heads);
        if (a->window > 0 && !a->chunked) w.window = std::max(w.window, a->window);
      } else if (const auto* m = std::get_if<MlaAttention>(&mixer)) {
        // The absorbed form multiplies queries of the latent's width.
        w.q = std::max(w.q, m->n_heads * (m->kv_lora_rank + m->qk_rope_head_dim));
        w.kv = std::max(w.kv, m->kv_lora_rank + m->qk_rope_head_dim);
        w.heads = std::max(w.heads, m->n_heads);
      }
    }
  }
  return w;
}

/// Feed-forward intermediates per token: gate, up and their product, of all active experts.
std::int64_t ffn_elements(const Model& model) {
  std::int64_t most = 0;
  const std::int64_t hidden = model.hyperparameters.hidden_size;
  for (const auto& layer : model.layers) {
    std::int64_t here = 0;
    for (const auto& ffn : layer.ffns) {
      if (const auto* d = std::get_if<DenseFfn>(&ffn)) here = std::max(here, 3 * d->size);
      if (const auto* m = std::get_if<MoeFfn>(&ffn)) {
        std::int64_t experts = 3 * m->expert_size * m->n_active;
        if (hidden > 2 * m->expert_size) experts += hidden * m->n_active;
        here = std::max(here, experts);
      }
    }
    most = std::max(most, here);
  }
  return most;
}

}  // namespace

std::int64_t CacheCells::sliding(std::int64_t window, const Workload& w, std::int64_t padding) const {
  if (w.swa_full) return full;
  const std::int64_t sequences = w.kv_unified ? w.concurrency : 1;
  return pad(std::min(full, window * sequences + std::min(w.ubatch, w.context * w.concurrency)), padding);
}

CacheCells llama_cpp_cells(const Workload& w, std::int64_t padding) {
  const std::int64_t total = pad(w.context * w.concurrency, padding);
  if (w.kv_unified) return {total, 1};
  return {pad(total / w.concurrency, padding), w.concurrency};
}

std::int64_t llama_cpp_compute_bytes(const Model& model, const Workload& w, std::int64_t padding, bool flash_attention, bool has_output) {
  const auto& hp = model.hyperparameters;
  const auto cells = llama_cpp_cells(w, padding);
  const std::int64_t n = std::min(w.ubatch, w.context * w.concurrency);
  const auto width = widest(model);

  // The mask: one row per token of the micro-batch, F16 with flash attention, F32 without.
  const std::int64_t mask_bytes = flash_attention ? 2 : 4;
  std::int64_t mask = mask_bytes * n * cells.full;
  if (width.window > 0) mask += mask_bytes * n * cells.sliding(width.window, w, padding);

  // A server keeps logits of one token per slot.
  const std::int64_t outputs = std::min(n, w.concurrency);
  const std::int64_t logits = has_output ? 4 * outputs * hp.vocab_size + 8 * n * hp.hidden_size : 0;
  const std::int64_t ffn = 4 * n * (ffn_elements(model) + 3 * hp.hidden_size + width.q) + mask;
  std::int64_t attention = 4 * n * (3 * hp.hidden_size + 2 * width.q + 2 * width.kv) + mask;
  if (!flash_attention) attention += 4 * n * width.heads * cells.full;
  return std::max({logits, ffn, attention});
}

std::int64_t activation_peak_bytes(const Model& model, std::int64_t tokens, std::int64_t sequences, std::int64_t tensor_parallel) {
  const auto& hp = model.hyperparameters;
  constexpr std::int64_t kHalf = 2;
  const auto width = widest(model);
  const std::int64_t sharded = (ffn_elements(model) + 2 * width.q + 2 * width.kv) / std::max<std::int64_t>(1, tensor_parallel);
  return tokens * kHalf * (4 * hp.hidden_size + sharded) + 4 * sequences * hp.vocab_size;
}

}  // namespace planner::engine
