#include <algorithm>

#include "decision/search.h"
#include "decision/session.h"

namespace planner::decision {
namespace {

/// Less than this share of usable memory to spare is tight.
constexpr double kTightShare = 0.05;

std::vector<double> shares_of(const Deployment& d) {
  std::vector<double> shares;
  for (const auto& device : d.devices) shares.push_back(static_cast<double>(device.usable_bytes().value_or(1)));
  return shares;
}

Placement placement_for(const Model& model, const Deployment& d, std::int64_t gpu_layers, std::int64_t n_cpu_moe) {
  const std::int64_t n = model.hyperparameters.n_layers;
  auto p = place_layers(n, d.devices.empty() ? 0 : gpu_layers, shares_of(d));
  for (std::int64_t i = 0; i < std::min(n, n_cpu_moe); ++i) p.experts_on_host[static_cast<std::size_t>(i)] = true;
  return p;
}

bool is_tight(const MemoryEstimate& m) {
  return std::any_of(m.devices.begin(), m.devices.end(), [](const DeviceMemory& d) {
    return d.usable_bytes && static_cast<double>(*d.usable_bytes - d.total_bytes() + d.unused_pool_bytes) < kTightShare * static_cast<double>(*d.usable_bytes);
  });
}

/// Weights of the piece that moves to a device next, after `gpu_layers`: the output first, then layers from the last on.
std::int64_t next_bytes(const WeightMap& map, std::int64_t gpu_layers) {
  if (gpu_layers == 0) return map.output;
  return map.layers[map.layers.size() - static_cast<std::size_t>(gpu_layers)].dense;
}

/// Whether any device could still take so many bytes.
bool has_room(const MemoryEstimate& m, const Deployment& d, std::int64_t bytes) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(m.devices.size(), d.devices.size()));
  return std::any_of(m.devices.begin(), m.devices.begin() + n, [&](const DeviceMemory& device) { return !device.usable_bytes || device.total_bytes() + bytes <= *device.usable_bytes; });
}

}  // namespace

Weights weigh(const Model& model, const Quantization& quantization) {
  Weights w;
  w.stored = store(model, quantization);
  w.map = weight_map(model, w.stored);
  return w;
}

bool fits_whole(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, std::int64_t n_cpu_moe, engine::ComputeMemo& memo) {
  const auto placement = placement_for(model, deployment, model.hyperparameters.n_layers + 1, n_cpu_moe);
  return estimate_memory(model, weights.map, workload, deployment, placement, weights.basis, &memo).fits();
}

Plan make_plan(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options, engine::ComputeMemo& memo) {
  const std::int64_t all = model.hyperparameters.n_layers + 1;
  const auto memory_of = [&](const Placement& p) { return estimate_memory(model, weights.map, workload, deployment, p, weights.basis, &memo); };

  Plan plan;
  plan.placement = placement_for(model, deployment, options.gpu_layers.value_or(all), options.n_cpu_moe);
  plan.memory = memory_of(plan.placement);
  const bool wanted_whole = options.gpu_layers.value_or(all) >= all && options.n_cpu_moe == 0;
  plan.full_memory = wanted_whole ? plan.memory : memory_of(placement_for(model, deployment, all, 0));
  if (plan.memory.fits()) {
    plan.verdict = !wanted_whole && !deployment.devices.empty() ? Verdict::offload : is_tight(plan.memory) ? Verdict::tight : Verdict::fits;
    return plan;
  }
  plan.verdict = Verdict::no;
  const bool may_offload = !options.gpu_layers && !deployment.devices.empty() && !deployment.unified_memory;
  if (!may_offload) return plan;

  // Routed experts are most of a mixture's bytes and little of its work per token: they leave first.
  if (deployment.engine->offload_experts && model.hyperparameters.n_experts > 0) {
    const std::int64_t n = model.hyperparameters.n_layers;
    const std::int64_t kept = largest(0, n - options.n_cpu_moe, [&](std::int64_t keep) { return memory_of(placement_for(model, deployment, all, n - keep)).fits(); });
    if (kept >= 0) {
      plan.placement = placement_for(model, deployment, all, n - kept);
      plan.memory = memory_of(plan.placement);
      plan.verdict = Verdict::offload;
      return plan;
    }
  }
  if (!deployment.engine->offload_layers) return plan;
  const auto memory_with = [&](std::int64_t n) { return memory_of(placement_for(model, deployment, n, options.n_cpu_moe)); };
  std::int64_t layers = largest(1, all - 1, [&](std::int64_t n) { return memory_with(n).fits(); });
  auto memory = memory_with(layers);
  while (layers + 1 < all && has_room(memory, deployment, next_bytes(weights.map, layers))) {
    auto more = memory_with(layers + 1);
    if (!more.fits()) break;
    memory = std::move(more);
    ++layers;
  }
  if (layers < 1) return plan;
  plan.placement = placement_for(model, deployment, layers, options.n_cpu_moe);
  plan.memory = std::move(memory);
  plan.verdict = Verdict::offload;
  return plan;
}

}  // namespace planner::decision
