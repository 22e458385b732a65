#include "planner/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
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

std::string model_name(const Subject& s) { return s.entry != nullptr && !s.entry->hf_id.empty() ? s.entry->hf_id : s.name; }

QuantizationSummary summarize(const Subject& subject, const Quantization& q, const Weights& w, const Catalog& catalog) {
  QuantizationSummary s;
  s.name = q.name;
  s.bits_per_weight = w.stored.bits_per_weight();
  s.tensor_bytes = w.stored.tensor_bytes;
  if (q.is_gguf()) s.file_size_bytes = gguf_file_size(*subject.model, w.stored, catalog.tokenizer_of(subject.model->hyperparameters, model_name(subject))).total_bytes;
  return s;
}

/// Verdict, what is missing, and which device and term it breaks on, for the placement with everything on the devices.
Fit judge(const Plan& plan, const Deployment& d) {
  Fit fit;
  fit.verdict = plan.verdict;
  fit.gpu_layers = plan.placement.gpu_layers;
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

void explain(Estimate& out, const Subject& subject, const Weights& weights, const Deployment& d) {
  const auto& m = *out.memory;
  const auto& hp = subject.model->hyperparameters;
  const auto add = [&](std::string term, std::string device, std::string formula, double value, std::string unit, double low, double high, std::string basis, std::string source) {
    out.explain.push_back({std::move(term), std::move(device), std::move(formula), value, std::move(unit), low, high, std::move(basis), std::move(source)});
  };
  const auto counts = out.model.parameters;
  const std::string geometry = subject.entry != nullptr && !subject.entry->sources.empty() ? subject.entry->sources.front().url : subject.name;
  add("parameters", "", fmt::format("sum over {} tensors of the geometry", subject.model->tensors.size()), static_cast<double>(counts.total), "parameters", static_cast<double>(counts.total), static_cast<double>(counts.total), "config", geometry);
  for (const auto& device : m.devices) {
    for (const auto& b : device.buffers) {
      std::string formula;
      switch (b.component) {
        case Component::weights: formula = fmt::format("sum of rows / block weights x block bytes over its tensors ({:.3f} bits per weight overall)", weights.stored.bits_per_weight()); break;
        case Component::kv: formula = fmt::format("{} layers x cells x (K row + V row), {} tokens x {} sequences", out.model.kv_layers, out.workload.context, out.workload.concurrency); break;
        case Component::recurrent_state: formula = fmt::format("convolution and recurrent state x {} sequences, F32", out.workload.concurrency); break;
        case Component::compute: formula = fmt::format("largest phase of the graph for {} tokens at once", std::min(out.workload.ubatch, out.workload.context)); break;
        case Component::output: formula = fmt::format("4 bytes x {} vocabulary x {} sequences", hp.vocab_size, out.workload.concurrency); break;
        case Component::overhead: formula = "the engine's context, libraries and work space"; break;
      }
      std::string source = b.component == Component::weights ? geometry : "docs/methods.md";
      if (b.component == Component::overhead) {
        for (const auto& o : d.engine->overheads) {
          if (o.backend == d.backend) source = o.source.empty() ? o.note : o.source;
        }
      }
      add(b.name, device.name, formula, static_cast<double>(b.bytes), "bytes", static_cast<double>(b.bytes - b.uncertainty_bytes), static_cast<double>(b.bytes + b.uncertainty_bytes), std::string(to_string(b.basis)), source);
    }
    if (device.capacity_bytes) {
      std::string source;
      for (const auto& instance : d.devices) {
        if (instance.name == device.name) source = instance.reserve_source;
      }
      add("usable memory", device.name, fmt::format("capacity {} - reserve", format_gib(*device.capacity_bytes)), static_cast<double>(*device.usable_bytes), "bytes", static_cast<double>(*device.usable_bytes), static_cast<double>(*device.capacity_bytes), "assumption", source);
    }
  }
  if (out.throughput) {
    for (const auto& term : out.throughput->terms) add("time per token: " + term.name, term.device, term.formula, term.seconds, "s", term.seconds, term.seconds, out.throughput->basis, term.source);
    add("decode", "", "1 / sum of the times per token", out.throughput->decode_tokens_per_s, "tokens/s", out.throughput->decode_low, out.throughput->decode_high, out.throughput->basis, "docs/methods.md");
  }
}

void rank_quantizations(Estimate& out, const Subject& subject, const Workload& w, const Deployment& d, const EstimateRequest& request, const Catalog& catalog, engine::ComputeMemo& memo) {
  for (const auto& q : catalog.quantizations_of(*d.engine)) {
    const auto weights = weigh(*subject.model, *q);
    const auto plan = make_plan(*subject.model, weights, w, d, {request.gpu_layers, request.n_cpu_moe}, memo);
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

void rank_devices(Estimate& out, const Subject& subject, const Weights& weights, const Workload& w, const EstimateRequest& request, const Catalog& catalog, engine::ComputeMemo& memo) {
  for (const auto* device : catalog.devices()) {
    if (!device->memory_bytes) continue;
    auto single = request;
    single.devices = {device->id};
    single.device_count = 1;
    std::vector<std::string> ignored;
    const auto d = resolve_deployment(single, catalog, ignored);
    const auto plan = make_plan(*subject.model, weights, w, d, {std::nullopt, request.n_cpu_moe}, memo);
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

}  // namespace

std::string_view to_string(Verdict verdict) { return kVerdicts[static_cast<std::size_t>(verdict)]; }

Estimate estimate(const EstimateRequest& request, const Catalog& catalog) {
  Estimate out;
  auto subject = resolve_subject(request.model, catalog);
  auto deployment = resolve_deployment(request, catalog, out.notes);
  const auto workload = resolve_workload(request, subject, *deployment.engine, out.notes);
  out.notes.insert(out.notes.end(), subject.notes.begin(), subject.notes.end());
  out.model = summarize(subject);
  out.workload = workload;
  out.engine = deployment.engine->name;
  const auto at = request.engine.find('@');
  out.engine_version = at == std::string::npos ? deployment.engine->version : request.engine.substr(at + 1);
  out.backend = deployment.backend;
  engine::ComputeMemo memo;

  std::unique_ptr<Quantization> made;
  const Quantization* quantization = nullptr;
  Quantization of_file;
  if (!request.quantization.empty()) {
    quantization = &catalog.resolve_quantization(request.quantization, made);
    if (subject.file_bytes) out.notes.push_back("the file brings its own quantization; what was asked for replaces it");
  }
  if (quantization == nullptr && !subject.file_bytes) {
    rank_quantizations(out, subject, workload, deployment, request, catalog, memo);
    if (request.devices.empty()) {
      const auto* usual = catalog.find_quantization("Q4_K_M");
      if (usual != nullptr) {
        rank_devices(out, subject, weigh(*subject.model, *usual), workload, request, catalog, memo);
        out.notes.push_back("the ranking of devices is for Q4_K_M");
      }
    }
    return out;
  }

  Weights weights;
  if (quantization != nullptr) {
    weights = weigh(*subject.model, *quantization);
    out.quantization = summarize(subject, *quantization, weights, catalog);
    const auto& loads = deployment.engine->ecosystems;
    if (!loads.empty() && std::find(loads.begin(), loads.end(), quantization->ecosystem) == loads.end()) {
      out.notes.push_back(fmt::format("{} is not known to load {} ({})", deployment.engine->name, quantization->name, quantization->ecosystem));
    }
  } else {
    weights.stored = *subject.file_bytes;
    weights.map = weight_map(*subject.model, weights.stored);
    weights.basis = Basis::file;
    out.quantization = QuantizationSummary{subject.file_quantization, weights.stored.bits_per_weight(), subject.file_size_bytes, weights.stored.tensor_bytes};
  }

  const PlanOptions options{request.gpu_layers, request.n_cpu_moe};
  auto plan = make_plan(*subject.model, weights, workload, deployment, options, memo);
  out.memory = plan.memory;
  out.fit = judge(plan, deployment);
  std::string reason;
  if (!request.devices.empty()) {
    out.throughput = estimate_throughput(*subject.model, weights.map, workload, deployment, plan.placement, catalog, reason);
    if (!reason.empty()) out.notes.push_back("no speed: " + reason);
    if (out.fit->verdict == Verdict::no && out.throughput) out.notes.push_back("it does not fit: the speed is what the device would reach if it did");
    if (request.solve) {
      solve(*out.fit, subject, weights, quantization, workload, deployment, options, out.throughput.has_value(), catalog, memo);
    }
  } else {
    rank_devices(out, subject, weights, workload, request, catalog, memo);
  }
  if (plan.verdict == Verdict::offload && !deployment.host.capacity_bytes) {
    out.notes.push_back(fmt::format("{} lie on the host, whose memory is not known", format_gib(out.memory->devices.back().total_bytes())));
  }
  if (request.explain) explain(out, subject, weights, deployment);
  return out;
}

}  // namespace planner
