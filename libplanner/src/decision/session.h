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

class Companions;

/// Whether an engine places layers by llama.cpp's rules.
[[nodiscard]] bool is_llama_cpp(const Engine& engine);

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
/// For drafts by multi-token-prediction layers: takes them into the model's file, with a note, where converted files leave them out.
void take_prediction_layers(Subject& subject);
/// The context that the model is made for; 0: not known.
[[nodiscard]] std::int64_t context_limit(const Subject& subject);

/// The tensors that files of `quantization` hold: another checkpoint where its publisher converts one, a head of its own where they store one.
void take_as_stored(Subject& subject, const Quantization& quantization, const Catalog& catalog);
/// Bytes of the GGUF file of `model`, the subject's or another layout of it.
[[nodiscard]] std::int64_t gguf_bytes(const Subject& subject, const Model& model, const StoredModel& stored, const Catalog& catalog);
/// What is to say of published files: publishers whose file of this name differs by more than 1 %, and how sure a publisher's recipe is.
void add_publisher_notes(std::vector<std::string>& notes, const Subject& subject, const Quantization& quantization, const StoredModel& stored, const Catalog& catalog);

/// Devices, host, engine and back end of a request.
[[nodiscard]] Deployment resolve_deployment(const EstimateRequest& request, const Catalog& catalog, std::vector<std::string>& notes);
[[nodiscard]] Workload resolve_workload(const EstimateRequest& request, const Subject& subject, const Engine& engine, std::vector<std::string>& notes);

/// A quantized model ready to be placed.
struct Weights {
  StoredModel stored;
  WeightMap map;
  Basis basis = Basis::config;
};
[[nodiscard]] Weights weigh(const Model& model, const Quantization& quantization, const std::vector<TensorOverride>& overrides = {});

/// Placement that the engine would take: all on the devices where that fits, else as much as fits (routed experts leave first).
struct Plan {
  Placement placement;
  std::int64_t n_cpu_moe = 0;   ///< layers, from the first on, whose experts lie on the host
  MemoryEstimate memory;        ///< of the placement
  MemoryEstimate full_memory;   ///< with everything on the devices
  Verdict verdict = Verdict::fits;
};
struct PlanOptions {
  std::optional<std::int64_t> gpu_layers;
  std::int64_t n_cpu_moe = 0;
  const Companions* companions = nullptr;  ///< loaded beside the model; null: nothing
};
/// Layers that can lie on devices, the output and prediction layers behind the model proper included: llama.cpp's -ngl of everything.
[[nodiscard]] std::int64_t all_layers(const Model& model);
[[nodiscard]] Placement placement_for(const Model& model, const Deployment& deployment, std::int64_t gpu_layers, std::int64_t n_cpu_moe);
/// Memory of a placement, companions included.
[[nodiscard]] MemoryEstimate memory_of(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const Placement& placement,
                                       const PlanOptions& options, engine::ComputeMemo& memo);
[[nodiscard]] Plan make_plan(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
                             engine::ComputeMemo& memo);

/// Bytes that the fullest place has left, what a pool does not need included; negative: what is missing there.
[[nodiscard]] std::int64_t margin_of(const MemoryEstimate& memory);
/// What is left with as little as possible on the devices; negative where make_plan would find no placement that fits.
[[nodiscard]] std::int64_t offload_margin(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
                                          engine::ComputeMemo& memo);

/// Whether everything fits on the devices alone.
[[nodiscard]] bool fits_whole(const Model& model, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
                              engine::ComputeMemo& memo);

/// Fills the solved fields of `fit`: largest context and concurrency, best quantization, fewest devices, smallest change, knobs. Nothing where no device has a limit.
void solve(Fit& fit, const Subject& subject, const Weights& weights, const Quantization* quantization, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
           const Plan& plan, const std::optional<Throughput>& speed, const Catalog& catalog, engine::ComputeMemo& memo);

/// Points along one axis of the workload.
[[nodiscard]] std::vector<SweepPoint> sweep(const std::string& axis, const Subject& subject, const Weights& weights, const Workload& workload, const Deployment& deployment,
                                            const PlanOptions& options, const Catalog& catalog, engine::ComputeMemo& memo);

/// The same question to every engine.
[[nodiscard]] Estimate compare_engines(const EstimateRequest& request, const Catalog& catalog);

/// What dominates the memory and what to change first, in one line.
[[nodiscard]] std::string advice(const Estimate& answer);

/// Fills Estimate::explain.
void explain(Estimate& out, const Subject& subject, const Weights& weights, const Deployment& deployment);

}  // namespace planner::decision
