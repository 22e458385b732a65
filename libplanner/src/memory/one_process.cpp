// Everything in one process: MLX, ExLlama, transformers.
#include <algorithm>

#include "engine/allocation.h"
#include "memory/accountant.h"

namespace planner::memory {

void account_one_process(Accountant& a) {
  const auto& [model, weights, w, d, placement, weights_basis, memo] = a.question();
  const std::int64_t ranks = std::max<std::int64_t>(1, static_cast<std::int64_t>(d.devices.size()));
  const bool on_host = d.devices.empty();
  for (std::int64_t r = 0; r < ranks; ++r) a.add(on_host ? kHost : static_cast<int>(r), "weights", Component::weights, weights.total() / ranks, weights_basis);
  std::int64_t kv = 0;
  std::int64_t state = 0;
  for (const auto& layer : model.layers) {
    if (layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v, d.engine->id == "transformers" ? MlaCache::expanded : MlaCache::compressed);
      for (auto part : needs.token_caches()) {
        if (!windows_count(model, *d.engine)) part.window = 0;
        const std::int64_t padding = d.engine->kv_cell_padding;
        kv += w.concurrency * part.bytes((w.context + padding - 1) / padding * padding);
      }
      state += w.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes);
    }
  }
  const std::int64_t activations = engine::activation_peak_bytes(model, std::min(w.batch, w.context), w.concurrency, 1);
  for (std::int64_t r = 0; r < ranks; ++r) {
    const int device = on_host ? kHost : static_cast<int>(r);
    a.add(device, "KV", Component::kv, kv / ranks, Basis::rule);
    a.add(device, "recurrent state", Component::recurrent_state, state / ranks, Basis::rule);
    a.add(device, "activations", Component::compute, activations, Basis::assumption, activations / 2);
  }
  a.out().kv_capacity_tokens = w.context * w.concurrency;
  a.add_overheads(on_host ? 0 : ranks);
}

}  // namespace planner::memory
