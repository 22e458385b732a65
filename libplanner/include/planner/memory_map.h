/// Where every layer lies: its weights, its experts, its cache; and the requests that put them elsewhere.
///
///     auto map = planner::memory_map(request, catalog);
///     auto next = planner::memory_map(planner::with_experts_on(map, 12, planner::kHost), catalog);   // the experts of layer 12 go to the host
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/estimate.h"

namespace planner {

/// One layer. Places are indices of devices; kHost (deployment.h) is the host.
struct MapLayer {
  int device = -1;               ///< of its weights but the experts
  int experts_device = -1;       ///< of its routed experts; as `device` where it has none
  int cache_device = -1;         ///< of its cache and recurrent state: where the layer is by the engine's split, whatever its weights do
  std::int64_t dense_bytes = 0;  ///< weights but routed experts
  std::int64_t expert_bytes = 0;
  std::int64_t cache_bytes = 0;  ///< of all sequences at the context, without the engine's padding
};

struct MemoryMap {
  EstimateRequest request;           ///< with the split fixed (gpu_layers, n_cpu_moe), so that a move changes nothing else
  Estimate answer;                   ///< to that request
  std::vector<std::string> devices;  ///< names, in order
  std::vector<std::string> buffers;  ///< the engine's names for their memory: "CUDA0"
  std::vector<MapLayer> layers;      ///< of the model proper

  /// A layer's place by the split alone.
  std::vector<int> split;
  std::vector<bool> split_experts_on_host;
};

/// Throws Error as estimate() does; usage: an engine that does not place by layers, or no device.
[[nodiscard]] MemoryMap memory_map(const EstimateRequest& request, const Catalog& catalog);

/// The map's request with the weights of one layer on a device (kHost: the host), by a rule of --override-tensor. Experts that lie elsewhere stay there.
/// Back where the split has it, the rule goes. Throws Error (usage): no such layer or device.
[[nodiscard]] EstimateRequest with_layer_on(const MemoryMap& map, std::size_t layer, int device);
/// The same for the routed experts of a layer. Throws Error (usage) also where it has none.
[[nodiscard]] EstimateRequest with_experts_on(const MemoryMap& map, std::size_t layer, int device);

}  // namespace planner
