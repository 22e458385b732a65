#include "planner/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "decision/companions.h"
#include "decision/session.h"
#include "planner/error.h"

namespace planner {
namespace {

using namespace decision;

constexpr std::array<std::string_view, 4> kVerdicts = {"fits", "tight", "offload", "no"};

ModelSummary summarize(const Subject& s) {
  ModelSummary m;
  if (s.entry != nullptr) {
    m.id = s.entry->id;
    m.hf_id = s.entry->hf_id;
    m.context_max = s.entry->context;
  }
  m.name = s.name;
  m.architecture = s.model->hyperparameters.architecture;
  m.parameters = s.model->parameters();
  m.layers = s.model->hyperparameters.n_layers;
  m.kv_layers = s.model->kv_layers();
  if (!m.context_max && s.model->hyperparameters.context_length > 0) m.context_max = s.model->hyperparameters.context_length;
  return m;
}

QuantizationSummary summarize(const Subject& subject, const Quantization& q, const Weights& w, const Catalog& catalog) {
  QuantizationSummary s;
  s.name = q.name;
  s.bits_per_weight = w.stored.bits_per_weight();
  s.tensor_bytes = w.stored.tensor_bytes;
  if (q.is_gguf()) s.file_size_bytes = gguf_bytes(subject, *subject.model, w.stored, catalog);
  return s;
}

/// Verdict, what is missing, and which device and term it breaks on, for the placement with everything on the devices.
Fit judge(const Plan& plan, const Deployment& d) {
  Fit fit;
  fit.verdict = plan.verdict;
  fit.gpu_layers = plan.placement.gpu_layers;
  fit.n_cpu_moe = plan.n_cpu_moe;
  const std::size_t considered = d.devices.empty() ? plan.full_memory.devices.size() : std::min(plan.full_memory.devices.size(), d.devices.size());
  for (std::size_t i = 0; i < considered; ++i) {
    const auto& device = plan.full_memory.devices[i];
    if (!device.usable_bytes) continue;
    const std::int64_t missing = device.total_bytes() - *device.usable_bytes;
    if (missing > fit.shortfall_bytes) {
      fit.shortfall_bytes = missing;
      fit.limiting_device = device.name;
      fit.limiting_term = to_string(device.largest_term());
    }
  }
  return fit;
}

void rank_quantizations(Estimate& out, const Subject& subject, const Workload& w, const Deployment& d, const PlanOptions& options, const Catalog& catalog, engine::ComputeMemo& memo) {
  for (const auto& q : catalog.quantizations_of(*d.engine)) {
    const auto weights = weigh(*subject.model, *q, d.overrides);
    const auto plan = make_plan(*subject.model, weights, w, d, options, memo);
    QuantizationRow row;
    row.quantization = summarize(subject, *q, weights, catalog);
    row.total_bytes = plan.full_memory.total_bytes();
    row.verdict = plan.verdict;
    row.quality = q->quality;
    row.ecosystem = q->ecosystem;
    for (const auto& m : q->measurements) {
      if (m.kl_divergence && (!row.kl_divergence || m.imatrix)) row.kl_divergence = m.kl_divergence, row.quality_model = m.model;
    }
    std::string reason;
    if (const auto t = estimate_throughput(*subject.model, weights.map, w, d, plan.placement, catalog, reason); t && plan.verdict != Verdict::no) row.decode_tokens_per_s = t->decode_tokens_per_s;
    out.quantizations.push_back(std::move(row));
  }
  std::stable_sort(out.quantizations.begin(), out.quantizations.end(), [](const auto& a, const auto& b) { return a.quantization.bits_per_weight < b.quantization.bits_per_weight; });
}

void rank_devices(Estimate& out, const Subject& subject, const Weights& weights, const Workload& w, const EstimateRequest& request, const Deployment& deployment, const Companions& companions,
                  const Catalog& catalog, engine::ComputeMemo& memo) {
  for (const auto* device : catalog.devices()) {
    if (!device->memory_bytes) continue;
    auto single = request;
    single.devices = {device->id};
    single.device_count = 1;
    single.tensor_split.clear();
    single.override_tensors.clear();
    std::vector<std::string> ignored;
    auto d = resolve_deployment(single, catalog, ignored);
    if (!d.devices.empty()) d.overrides = deployment.overrides;
    const auto plan = make_plan(*subject.model, weights, w, d, {std::nullopt, request.n_cpu_moe, &companions}, memo);
    DeviceRow row{device->id, device->name, device->vendor, std::string(to_string(device->kind)), {}, device->memory_bytes, plan.full_memory.total_bytes(), std::nullopt, std::nullopt};
    if (device->price) row.price_usd = device->price->value();
    // More than a third to spare leaves room for a longer context or another model beside it.
    constexpr double kComfortable = 2.0 / 3.0;
    bool comfortable = plan.verdict == Verdict::fits;
    for (const auto& m : plan.memory.devices) comfortable = comfortable && (!m.usable_bytes || static_cast<double>(m.total_bytes() - m.unused_pool_bytes) <= kComfortable * static_cast<double>(*m.usable_bytes));
    row.tier = comfortable ? "comfortable" : std::string(to_string(plan.verdict));
    std::string reason;
    if (plan.verdict != Verdict::no) {
      if (const auto t = estimate_throughput(*subject.model, weights.map, w, d, plan.placement, catalog, reason)) row.decode_tokens_per_s = t->decode_tokens_per_s;
    }
    out.devices_ranked.push_back(std::move(row));
  }
  const auto order = [](const std::string& tier) { return tier == "comfortable" ? 0 : tier == "fits" ? 1 : tier == "tight" ? 2 : tier == "offload" ? 3 : 4; };
  std::stable_sort(out.devices_ranked.begin(), out.devices_ranked.end(), [&](const auto& a, const auto& b) {
    if (a.tier != b.tier) return order(a.tier) < order(b.tier);
    return a.decode_tokens_per_s.value_or(0) > b.decode_tokens_per_s.value_or(0);
  });
}

/// The host's part of the weights under the engine's names: mapped from the file, read into memory, or in the order of a CPU kernel.
void name_host_weights(MemoryEstimate& memory, const Subject& subject, const Weights& weights, const Deployment& d) {
  if (!is_llama_cpp(*d.engine) || d.unified_memory || memory.devices.empty()) return;
  auto& buffers = memory.devices.back().buffers;
  const auto it = std::find_if(buffers.begin(), buffers.end(), [](const Buffer& b) { return b.name == "CPU model"; });
  if (it == buffers.end()) return;
  // A back end that has pinned memory keeps the host's part there; matrices then stay in the file's order.
  const bool pinned = !d.devices.empty() && (d.backend == "cuda" || d.backend == "rocm" || d.backend == "vulkan" || d.backend == "sycl");
  if (d.mmap) it->name = "CPU_Mapped model";
  else if (pinned) it->name = d.backend == "cuda" ? "CUDA_Host model" : d.backend == "rocm" ? "ROCm_Host model" : d.backend == "vulkan" ? "Vulkan_Host model" : "SYCL_Host model";
  if (!d.repack || !d.devices.empty()) return;
  constexpr std::array<std::string_view, 6> kArm = {"Ampere", "Apple", "AWS", "CIX", "Qualcomm", "Raspberry Pi"};
  const auto* cpu = d.host.device;
  const bool arm = cpu != nullptr && std::find(kArm.begin(), kArm.end(), cpu->vendor) != kArm.end();
  const auto repacked = repacked_bytes(*subject.model, weights.stored, {arm, cpu != nullptr && !arm && cpu->market == "datacenter"});
  if (repacked.matrices <= 0) return;
  it->bytes -= repacked.matrices - repacked.tied_copy;
  const Buffer matrices{"CPU_REPACK model", Component::weights, repacked.matrices, it->basis, 0};
  const auto at = it - buffers.begin();
  if (it->bytes <= 0) buffers.erase(it);
  buffers.insert(buffers.begin() + at, matrices);
}

}  // namespace

std::string_view to_string(Verdict verdict) { return kVerdicts[static_cast<std::size_t>(verdict)]; }

Estimate estimate(const EstimateRequest& request, const Catalog& catalog) {
  if (text::equal_ignoring_case(request.engine, "all")) return compare_engines(request, catalog);
  Estimate out;
  auto subject = resolve_subject(request.model, catalog);
  out.model = summarize(subject);
  std::unique_ptr<Quantization> made;
  const Quantization* quantization = nullptr;
  if (!request.quantization.empty()) {
    quantization = &catalog.resolve_quantization(request.quantization, made);
    if (subject.file_bytes) out.notes.emplace_back("the file brings its own quantization; what was asked for replaces it");
  }
  // Without a quantization the whole table is asked for: its usual line stands for what all files hold.
  if (const auto* usual = quantization != nullptr ? quantization : catalog.find_quantization("Q4_K_M")) take_as_stored(subject, *usual, catalog);
  if (text::equal_ignoring_case(request.draft, "mtp")) take_prediction_layers(subject);
  auto deployment = resolve_deployment(request, catalog, out.notes);
  const auto workload = resolve_workload(request, subject, *deployment.engine, out.notes);
  out.notes.insert(out.notes.end(), subject.notes.begin(), subject.notes.end());
  out.workload = workload;
  out.engine = deployment.engine->name;
  const auto at = request.engine.find('@');
  out.engine_version = at == std::string::npos ? deployment.engine->version : request.engine.substr(at + 1);
  out.backend = deployment.backend;
  out.machine = deployment.machine;
  engine::ComputeMemo memo;

  const Companions companions(request, subject, quantization, deployment, catalog, out.notes);
  out.draft = companions.draft_name();
  out.projector = companions.projector_name();
  const PlanOptions options{request.gpu_layers, request.n_cpu_moe, companions.empty() ? nullptr : &companions};

  if (quantization == nullptr && !subject.file_bytes) {
    if (!request.sweep.empty()) throw Error(ErrorKind::usage, "a sweep needs a quantization");
    rank_quantizations(out, subject, workload, deployment, options, catalog, memo);
    if (request.devices.empty() && request.machine.empty()) {
      const auto* usual = catalog.find_quantization("Q4_K_M");
      if (usual != nullptr) {
        rank_devices(out, subject, weigh(*subject.model, *usual, deployment.overrides), workload, request, deployment, companions, catalog, memo);
        out.notes.emplace_back("the ranking of devices is for Q4_K_M");
      }
    }
    return out;
  }

  Weights weights;
  if (quantization != nullptr) {
    weights = weigh(*subject.model, *quantization, deployment.overrides);
    out.quantization = summarize(subject, *quantization, weights, catalog);
    if (request.solve) add_publisher_notes(out.notes, subject, *quantization, weights.stored, catalog);
    const auto& loads = deployment.engine->ecosystems;
    if (!loads.empty() && std::find(loads.begin(), loads.end(), quantization->ecosystem) == loads.end()) {
      out.notes.push_back(fmt::format("{} is not known to load {} ({})", deployment.engine->name, quantization->name, quantization->ecosystem));
    }
  } else {
    weights.stored = *subject.file_bytes;
    weights.map = weight_map(*subject.model, weights.stored, deployment.overrides);
    weights.basis = Basis::file;
    out.quantization = QuantizationSummary{subject.file_quantization, weights.stored.bits_per_weight(), subject.file_size_bytes, weights.stored.tensor_bytes};
  }

  auto plan = make_plan(*subject.model, weights, workload, deployment, options, memo);
  out.memory = plan.memory;
  out.fit = judge(plan, deployment);
  std::string reason;
  if (!request.devices.empty() || !request.machine.empty()) {
    out.throughput = estimate_throughput(*subject.model, weights.map, workload, deployment, plan.placement, catalog, reason, request.explain);
    if (!reason.empty()) out.notes.push_back("no speed: " + reason);
    if (out.fit->verdict == Verdict::no && out.throughput) out.notes.emplace_back("it does not fit: the speed is what the device would reach if it did");
    if (request.solve) solve(*out.fit, subject, weights, quantization, workload, deployment, options, plan, out.throughput, catalog, memo);
  } else if (request.sweep.empty()) {
    rank_devices(out, subject, weights, workload, request, deployment, companions, catalog, memo);
  }
  if (!request.sweep.empty()) {
    out.sweep = sweep(request.sweep, subject, weights, workload, deployment, options, catalog, memo);
    out.sweep_axis = request.sweep;
  }
  if (plan.verdict == Verdict::offload && !deployment.host.capacity_bytes) {
    out.notes.push_back(fmt::format("{} lie on the host, whose memory is not known", format_gib(out.memory->devices.back().total_bytes())));
  }
  name_host_weights(*out.memory, subject, weights, deployment);
  out.advice = advice(out);
  if (request.explain) explain(out, subject, weights, deployment);
  return out;
}

}  // namespace planner
