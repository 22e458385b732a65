/// Where a model is to run: devices, host, engine, and what of the model goes where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/quantization.h"

namespace planner {

/// One memory that parts of the model can lie in.
struct DeploymentDevice {
  const Device* device = nullptr;          ///< null: the host, nothing known of it, or a device without a limit
  std::string name;
  DeviceKind kind = DeviceKind::gpu;
  std::optional<std::int64_t> capacity_bytes;  ///< absent: not known or without a limit
  std::int64_t reserve_bytes = 0;          ///< kept by driver, desktop, operating system
  std::string reserve_source;

  [[nodiscard]] std::optional<std::int64_t> usable_bytes() const {
    if (!capacity_bytes) return std::nullopt;
    return *capacity_bytes > reserve_bytes ? *capacity_bytes - reserve_bytes : 0;
  }
};

struct Deployment {
  std::vector<DeploymentDevice> devices;  ///< accelerators in order; empty: the host alone
  DeploymentDevice host;
  const Engine* engine = nullptr;
  std::string engine_version;             ///< where one was asked for: "b4748"; empty: the newest known
  std::string backend;                    ///< cuda, metal, rocm, vulkan, sycl, cpu
  double memory_fraction = 0;             ///< of each device that an engine with a pool may fill; 0: no pool
  bool unified_memory = false;            ///< host and (one) device share their memory: what lies on the host counts there
};

inline constexpr int kHost = -1;

/// What lies where. Indices are into Deployment::devices, kHost is the host.
struct Placement {
  std::vector<int> layer;           ///< device of each layer of the model proper
  std::vector<bool> experts_on_host;  ///< layers whose routed experts stay on the host
  int output = kHost;               ///< device of the output norm and head
  std::int64_t gpu_layers = 0;      ///< layers off the host, plus one for the output: llama.cpp's -ngl
};

/// Bytes of a stored model by the places that decide where they lie.
struct WeightMap {
  struct LayerBytes {
    std::int64_t dense = 0;    ///< everything of the layer but routed experts
    std::int64_t experts = 0;  ///< its stacks of routed experts
  };
  std::vector<LayerBytes> layers;     ///< model proper
  std::int64_t token_embedding = 0;   ///< the table
  std::int64_t other_tables = 0;      ///< position and per-layer embedding tables
  std::int64_t output = 0;            ///< output head (0 when tied), output norm, everything global that is multiplied
  std::int64_t mtp = 0;               ///< multi-token-prediction layers in the file
  bool tied = false;

  [[nodiscard]] std::int64_t total() const;
};
[[nodiscard]] WeightMap weight_map(const Model& model, const StoredModel& stored);

/// Layers filled onto the devices from the last backwards, as llama.cpp's -ngl does: the output goes last and counts as one, the first layers stay on the host
/// when `gpu_layers` is less than all. Devices take layers in proportion to `shares` (equal length as devices), their free memory as a rule.
/// Source: load_tensors in src/llama-model.cpp of ggml-org/llama.cpp.
[[nodiscard]] Placement place_layers(std::int64_t n_layers, std::int64_t gpu_layers, const std::vector<double>& shares);

}  // namespace planner
