// What the engines' rules write their buffers into. One file per kind of engine holds the rules: llama_cpp.cpp, servers.cpp, one_process.cpp.
#pragma once

#include <string>
#include <string_view>

#include "planner/memory.h"

namespace planner::memory {

/// The question that estimate_memory was asked.
struct Question {
  const Model& model;
  const WeightMap& weights;
  const Workload& workload;
  const Deployment& deployment;
  const Placement& placement;
  Basis weights_basis;
  engine::ComputeMemo* memo;
};

class Accountant {
 public:
  explicit Accountant(const Question& question);

  [[nodiscard]] const Question& question() const { return q_; }
  [[nodiscard]] MemoryEstimate& out() { return out_; }
  /// The memory of a device, or of the host (kHost), which a unified device shares.
  [[nodiscard]] DeviceMemory& at(int index);
  /// Adds a buffer under the engine's name for the device; nothing when it is empty.
  void add(int device, std::string_view what, Component component, std::int64_t bytes, Basis basis, std::int64_t uncertainty = 0);
  /// Context, libraries and kernels of the first `used_devices`, and the process.
  void add_overheads(std::int64_t used_devices);
  /// The engine's figure for the deployment's back end; null: none.
  [[nodiscard]] const EngineOverhead* overhead() const;
  /// The estimate, the host left out where it holds nothing.
  [[nodiscard]] MemoryEstimate take();

 private:
  Question q_;
  MemoryEstimate out_;
};

/// Name of the i-th device's buffers as the engine prints it: "CUDA0", "Metal", "Vulkan1"; "CPU" for the host.
[[nodiscard]] std::string buffer_prefix(const Deployment& deployment, int index);

/// The context of multi-token-prediction layers that draft: weights, cache, graph.
void account_mtp(Accountant& a);
/// Layers and experts on devices or host by llama.cpp's rules.
void account_llama_cpp(Accountant& a);
/// Ranks with a KV pool in what a fraction of the device leaves: vLLM, SGLang, TensorRT-LLM.
void account_server(Accountant& a);
/// Everything in one process, the cache as long as the context: MLX, ExLlama, transformers.
void account_one_process(Accountant& a);

}  // namespace planner::memory
