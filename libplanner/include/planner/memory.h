/// Bytes per device and term: what an engine allocates for a model, a workload and a placement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/deployment.h"
#include "planner/kv_cache.h"
#include "planner/workload.h"

namespace planner {

enum class Component : std::uint8_t { weights, kv, recurrent_state, compute, output, overhead };
[[nodiscard]] std::string_view to_string(Component component);

/// What a number rests on.
enum class Basis : std::uint8_t {
  file,        ///< read from a model file
  config,      ///< computed from the model's configuration and the quantizer's rules: exact
  rule,        ///< an allocation rule of the engine
  assumption,  ///< a stated assumption with a range
};
[[nodiscard]] std::string_view to_string(Basis basis);

/// One buffer as the engine would name it.
struct Buffer {
  std::string name;
  Component component = Component::weights;
  std::int64_t bytes = 0;
  Basis basis = Basis::rule;
  std::int64_t uncertainty_bytes = 0;  ///< the true value is expected within +- this
};

/// What a server's overhead is of, as the last words of a buffer's name: printed apart by some engines.
inline constexpr std::string_view kNonTorchBuffer = "non-torch", kCommunicationBuffer = "communication", kGraphsBuffer = "CUDA graphs", kContextBuffer = "context";

struct DeviceMemory {
  std::string name;
  DeviceKind kind = DeviceKind::gpu;
  std::optional<std::int64_t> capacity_bytes;
  std::optional<std::int64_t> usable_bytes;
  std::int64_t layers = 0;  ///< of the model proper that lie there
  std::int64_t unused_pool_bytes = 0;  ///< of the KV buffers, what the workload leaves free (engines that reserve a pool)
  std::vector<Buffer> buffers;

  [[nodiscard]] std::int64_t bytes(Component component) const;
  [[nodiscard]] std::int64_t total_bytes() const;
  /// Whether the total is within usable memory; true where that is not known.
  [[nodiscard]] bool fits() const;
  /// The largest term. Example: "kv"
  [[nodiscard]] Component largest_term() const;
};

struct MemoryEstimate {
  std::vector<DeviceMemory> devices;  ///< accelerators in deployment order, then the host where it holds anything
  std::optional<std::int64_t> kv_capacity_tokens;  ///< tokens that the cache holds in all; of engines with a pool as they print it
  std::optional<double> kv_capacity_requests;      ///< requests of the workload's context that a pool holds at once; absent: no pool

  [[nodiscard]] std::int64_t bytes(Component component) const;
  [[nodiscard]] std::int64_t total_bytes() const;
  [[nodiscard]] bool fits() const;
};

namespace engine {
class ComputeMemo;  // buffers laid out before, kept by searches (engine/compute_buffers.h)
}

/// Everything that is allocated. Devices sum to the total; a layer's weights and cache lie where the placement says.
[[nodiscard]] MemoryEstimate estimate_memory(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                             const Placement& placement, Basis weights_basis = Basis::config, engine::ComputeMemo* memo = nullptr);

}  // namespace planner
