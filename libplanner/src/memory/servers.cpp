// Servers with a KV pool: vLLM, SGLang, TensorRT-LLM.
#include <algorithm>

#include "engine/allocation.h"
#include "memory/accountant.h"

namespace planner::memory {

void account_server(Accountant& a) {
  const auto& [model, weights, w, d, placement, weights_basis, memo] = a.question();
  const std::int64_t ranks = std::max<std::int64_t>(1, static_cast<std::int64_t>(d.devices.size()));
  const std::int64_t tokens = std::max<std::int64_t>(w.batch, w.concurrency);
  const bool on_host = d.devices.empty();
  const std::int64_t activations = engine::activation_peak_bytes(model, tokens, w.concurrency, ranks);
  std::int64_t needed = 0;
  std::int64_t per_token = 0;
  for (const auto& layer : model.layers) {
    if (layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v);
      for (auto part : needs.token_caches()) {
        if (!windows_count(model, *d.engine)) part.window = 0;
        // Blocks of whole tokens; a sliding layer keeps its window.
        const std::int64_t block = std::max<std::int64_t>(1, d.engine->block_size);
        const std::int64_t sequence = (w.context + block - 1) / block * block;
        needed += w.concurrency * part.bytes(sequence);
        if (part.window == 0) per_token += (part.row_bytes_k + part.row_bytes_v) / part.tokens_per_row;
      }
      const auto state = w.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes);
      for (std::int64_t r = 0; r < ranks; ++r) a.add(on_host ? kHost : static_cast<int>(r), "recurrent state", Component::recurrent_state, state / ranks, Basis::rule);
    }
  }
  std::int64_t pool_total = 0;
  const auto* o = a.overhead();
  for (std::int64_t r = 0; r < ranks; ++r) {
    const int device = on_host ? kHost : static_cast<int>(r);
    a.add(device, "weights", Component::weights, weights.total() / ranks, weights_basis);
    a.add(device, "activations", Component::compute, activations, Basis::assumption, activations / 2);
    if (o != nullptr) a.add(device, "non-torch", Component::overhead, o->bytes, o->measured ? Basis::rule : Basis::assumption, std::max(o->bytes - o->low, o->high - o->bytes));
    const std::int64_t share = needed / ranks;
    std::int64_t pool = share;
    if (const auto capacity = a.at(device).capacity_bytes) {
      const auto budget = static_cast<std::int64_t>(d.memory_fraction * static_cast<double>(*capacity)) - a.at(device).total_bytes();
      pool = std::max(budget, share);
      // The pool stops at the fraction: what does not fit into it does not fit.
      a.at(device).usable_bytes = std::min(a.at(device).usable_bytes.value_or(*capacity), static_cast<std::int64_t>(d.memory_fraction * static_cast<double>(*capacity)));
    }
    a.add(device, "KV pool", Component::kv, pool, Basis::rule);
    a.at(device).unused_pool_bytes = pool - share;
    pool_total += pool;
  }
  if (per_token > 0) a.out().kv_capacity_tokens = pool_total / per_token;
}

}  // namespace planner::memory
