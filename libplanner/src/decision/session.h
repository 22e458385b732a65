// One question in the making: names resolved, defaults filled, the model's bytes computed once and asked many times.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/compute_buffers.h"
#include "planner/estimate.h"
#include "planner/gguf_size.h"

namespace planner::decision {

/// The model that a request speaks of: from the catalog or from a file.
struct Subject {
  const ModelEntry* entry = nullptr;    ///< null: from a file
  const Model* model = nullptr;
  std::unique_ptr<Model> own_model;     ///< of a file
  std::optional<StoredModel> file_bytes;  ///< of a GGUF file: its own formats
  std::string file_quantization;
  std::int64_t file_size_bytes = 0;
  std::string name;
  std::vector<std::string> notes;
};
[[nodiscard]] Subject resolve_subject(const std::string& typed, const Catalog& catalog);

/// Devices, host, engine and back end of a request. `count` overrides request.device_count.
[[nodiscard]] Deployment resolve_deployment(const EstimateRequest& request, const Catalog& catalog, std::vector<std::string>& notes);
[[nodiscard]] Workload resolve_workload(const EstimateRequest& request, const Subject& subject, const Engine& engine, std::vector<std::string>& notes);

/// A quantized model ready to be placed.
struct Weights {
  StoredModel stored;
  WeightMap map;
  Basis basis = Basis::config;
};
[[nodiscard]] Weights weigh(const Model& model, const Quantization& quantization);

/// Placement that the engine would take: all on the devices where that fits, else as much as fits (routed experts leave first).
struct Plan {
  Placement placement;
  MemoryEstimate memory;        ///< of the placement
  MemoryEstimate full_memory;   ///< with everything on the devices
  Verdict verdict = Verdict::fits;
};
struct PlanOptions {
  std::optional<std::int64_t> gpu_layers;
  std::int64_t n_cpu_moe = 0;
};
[[nodiscard]] Plan make_plan(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
                             engine::ComputeMemo& memo);

/// Whether everything fits on the devices alone.
[[nodiscard]] bool fits_whole(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, std::int64_t n_cpu_moe,
                              engine::ComputeMemo& memo);

/// Fills the solved fields of `fit`: largest context and concurrency, best quantization, fewest devices, smallest change, knobs. Nothing where no device has a limit.
void solve(Fit& fit, const Subject& subject, const Weights& weights, const Quantization* quantization, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
           bool with_speed, const Catalog& catalog, engine::ComputeMemo& memo);

}  // namespace planner::decision
