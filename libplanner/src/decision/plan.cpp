#include <algorithm>
#include <limits>

#include "decision/companions.h"
#include "decision/search.h"
#include "decision/session.h"

namespace planner::decision {
namespace {

/// Less than this share of usable memory to spare is tight.
constexpr double kTightShare = 0.05;

bool is_tight(const MemoryEstimate& m) {
  return std::any_of(m.devices.begin(), m.devices.end(), [](const DeviceMemory& d) {
    return d.usable_bytes && static_cast<double>(*d.usable_bytes - d.total_bytes() + d.unused_pool_bytes) < kTightShare * static_cast<double>(*d.usable_bytes);
  });
}

/// Weights of the piece that moves to a device next, after `gpu_layers`: the output first, then layers from the last on.
std::int64_t next_bytes(const Model& model, const WeightMap& map, std::int64_t gpu_layers) {
  if (gpu_layers == 0) return map.output;
  const std::int64_t next = all_layers(model) - 1 - gpu_layers;
  return next >= 0 && next < static_cast<std::int64_t>(map.layers.size()) ? map.layers[static_cast<std::size_t>(next)].dense : 0;
}

/// Whether any device could still take so many bytes.
bool has_room(const MemoryEstimate& m, const Deployment& d, std::int64_t bytes) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(m.devices.size(), d.devices.size()));
  return std::any_of(m.devices.begin(), m.devices.begin() + n, [&](const DeviceMemory& device) { return !device.usable_bytes || device.total_bytes() + bytes <= *device.usable_bytes; });
}

/// Largest n in [low, high] whose memory fits, and that memory; low - 1: none. `next` is what one more adds to a device at least. Narrowed down with compute buffers
/// of similar placements, then counted exactly.
template <typename MemoryWith, typename Next>
std::int64_t most_that_fits(std::int64_t low, std::int64_t high, const Deployment& d, engine::ComputeMemo& memo, MemoryWith memory_with, Next next, MemoryEstimate& memory) {
  memo.similar_will_do = true;
  std::int64_t n = std::max(low, largest(low, high, [&](std::int64_t at) { return memory_with(at).fits(); }));
  memo.similar_will_do = false;
  memory = memory_with(n);
  if (!memory.fits()) {
    n = largest(low, n - 1, [&](std::int64_t at) { return memory_with(at).fits(); });
    if (n >= low) memory = memory_with(n);
    return n;
  }
  while (n < high && has_room(memory, d, next(n))) {
    auto more = memory_with(n + 1);
    if (!more.fits()) break;
    memory = std::move(more);
    ++n;
  }
  return n;
}

}  // namespace

Weights weigh(const Model& model, const Quantization& quantization, const std::vector<TensorOverride>& overrides) {
  Weights w;
  w.stored = store(model, quantization);
  w.map = weight_map(model, w.stored, overrides);
  return w;
}

std::int64_t all_layers(const Model& model) { return model.hyperparameters.n_layers + (model.file_holds_mtp ? model.hyperparameters.n_mtp_layers : 0) + 1; }

Placement placement_for(const Model& model, const Deployment& d, std::int64_t gpu_layers, std::int64_t n_cpu_moe) {
  const std::int64_t n = model.hyperparameters.n_layers;
  auto p = place_layers(n, d.devices.empty() ? 0 : gpu_layers, device_shares(d), all_layers(model) - 1 - n);
  for (std::int64_t i = 0; i < std::min(n, n_cpu_moe); ++i) p.experts_on_host[static_cast<std::size_t>(i)] = true;
  return p;
}

MemoryEstimate memory_of(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const Placement& placement, const PlanOptions& options,
                         engine::ComputeMemo& memo) {
  auto memory = estimate_memory(model, weights.map, workload, deployment, placement, weights.basis, &memo);
  if (options.companions != nullptr) options.companions->add_to(memory, workload, deployment);
  return memory;
}

bool fits_whole(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options, engine::ComputeMemo& memo) {
  return memory_of(model, weights, workload, deployment, placement_for(model, deployment, all_layers(model), options.n_cpu_moe), options, memo).fits();
}

Plan make_plan(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options, engine::ComputeMemo& memo) {
  const std::int64_t all = all_layers(model);
  const auto memory_with = [&](std::int64_t gpu_layers, std::int64_t n_cpu_moe) {
    return memory_of(model, weights, workload, deployment, placement_for(model, deployment, gpu_layers, n_cpu_moe), options, memo);
  };

  Plan plan;
  plan.n_cpu_moe = options.n_cpu_moe;
  plan.placement = placement_for(model, deployment, options.gpu_layers.value_or(all), options.n_cpu_moe);
  plan.memory = memory_of(model, weights, workload, deployment, plan.placement, options, memo);
  const bool wanted_whole = options.gpu_layers.value_or(all) >= all && options.n_cpu_moe == 0;
  plan.full_memory = wanted_whole ? plan.memory : memory_with(all, 0);
  if (plan.memory.fits()) {
    plan.verdict = !wanted_whole && !deployment.devices.empty() ? Verdict::offload : is_tight(plan.memory) ? Verdict::tight : Verdict::fits;
    return plan;
  }
  plan.verdict = Verdict::no;
  const bool may_offload = !options.gpu_layers && !deployment.devices.empty() && !deployment.unified_memory;
  if (!may_offload) return plan;
  const auto take = [&](std::int64_t gpu_layers, std::int64_t n_cpu_moe, MemoryEstimate memory) {
    plan.placement = placement_for(model, deployment, gpu_layers, n_cpu_moe);
    plan.n_cpu_moe = n_cpu_moe;
    plan.memory = std::move(memory);
    plan.verdict = Verdict::offload;
  };

  // Routed experts are most of a mixture's bytes and little of its work per token: they leave first.
  std::int64_t n_cpu_moe = options.n_cpu_moe;
  if (deployment.engine->offload_experts && model.hyperparameters.n_experts > 0) {
    const std::int64_t n = model.hyperparameters.n_layers;
    const auto with_kept = [&](std::int64_t keep) { return memory_with(all, n - keep); };
    const auto next = [&](std::int64_t keep) { return weights.map.layers[static_cast<std::size_t>(n - keep) - 1].experts; };
    MemoryEstimate memory;
    const std::int64_t kept = most_that_fits(0, n - options.n_cpu_moe, deployment, memo, with_kept, next, memory);
    if (kept >= 0) {
      take(all, n - kept, std::move(memory));
      return plan;
    }
    n_cpu_moe = n;
  }
  if (!deployment.engine->offload_layers) return plan;
  MemoryEstimate memory;
  const std::int64_t layers = most_that_fits(
      1, all - 1, deployment, memo, [&](std::int64_t n) { return memory_with(n, n_cpu_moe); }, [&](std::int64_t n) { return next_bytes(model, weights.map, n); }, memory);
  if (layers >= 1) take(layers, n_cpu_moe, std::move(memory));
  return plan;
}

std::int64_t margin_of(const MemoryEstimate& m) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& d : m.devices) {
    if (d.usable_bytes) least = std::min(least, *d.usable_bytes - d.total_bytes() + (d.fits() ? d.unused_pool_bytes : 0));
  }
  return least;
}

std::int64_t offload_margin(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options, engine::ComputeMemo& memo) {
  const bool may_offload = !options.gpu_layers && !deployment.devices.empty() && !deployment.unified_memory && deployment.engine->offload_layers;
  // A host without a limit takes all that the devices do not.
  if (!may_offload || deployment.host.capacity_bytes) return make_plan(model, weights, workload, deployment, options, memo).verdict != Verdict::no ? 1 : -1;
  const bool experts_leave = deployment.engine->offload_experts && model.hyperparameters.n_experts > 0;
  const auto p = placement_for(model, deployment, 1, experts_leave ? model.hyperparameters.n_layers : options.n_cpu_moe);
  return margin_of(memory_of(model, weights, workload, deployment, p, options, memo));
}

}  // namespace planner::decision
