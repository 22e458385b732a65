#include "calibration/observations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "planner/error.h"

namespace planner::calibration {

/// A quantized model, weighed once for all of its rows.
struct Observations::Prepared {
  const Model* model = nullptr;
  WeightMap weights;
  double bytes = 0;
};

int Observations::index_of(const std::string& group) {
  const auto [it, fresh] = indices_.try_emplace(group, static_cast<int>(names_.size()));
  if (fresh) names_.push_back(group);
  return it->second;
}

const Observations::Prepared* Observations::prepare(const Measurement& m, const Catalog& catalog, std::string& reason) {
  auto& slot = prepared_[m.model + '\n' + m.quantization];
  if (slot) return slot.get();
  try {
    const auto* entry = catalog.find_model(m.model);
    if (entry == nullptr) entry = &catalog.resolve_model(m.model);
    std::unique_ptr<Quantization> made;
    const auto& q = catalog.resolve_quantization(m.quantization, made);
    auto p = std::make_shared<Prepared>();
    p->model = &entry->model();
    const auto stored = store(*p->model, q);
    p->weights = weight_map(*p->model, stored);
    p->bytes = static_cast<double>(stored.tensor_bytes);
    slot = std::move(p);
  } catch (const Error& e) {
    reason = e.what();
    return nullptr;
  }
  return slot.get();
}

bool Observations::add(const Measurement& m, std::size_t row, const Catalog& catalog, std::string& reason) {
  const auto* device = catalog.find_device(m.device);
  if (device == nullptr) {
    reason = "the device '" + m.device + "' is not known";
    return false;
  }
  if (!device->bandwidth) {
    reason = "the bandwidth of " + device->name + " is not known";
    return false;
  }
  const auto* prepared = prepare(m, catalog, reason);
  if (prepared == nullptr) return false;

  // Where the uploader's mix differs from the stock one, the file's size tells by how much.
  constexpr double kMostScale = 1.5;
  constexpr double kGiBytes = 0x1p30;
  double scale = m.size_gib > 0 ? m.size_gib * kGiBytes / prepared->bytes : 1;
  if (scale > kMostScale || scale < 1 / kMostScale) {
    reason = fmt::format("the file of {:.2f} GiB is no {} of this model ({:.2f} GiB)", m.size_gib, m.quantization, prepared->bytes / kGiBytes);
    return false;
  }

  constexpr double kUsualTokens = 128, kUsualPrompt = 512, kUbatch = 512, kBatch = 2048;
  const bool prefill = m.test == MeasuredTest::prefill;
  const double tokens = m.tokens > 0 ? m.tokens : prefill ? kUsualPrompt : kUsualTokens;
  Workload w;
  w.depth = static_cast<std::int64_t>(prefill ? m.depth : m.depth + tokens / 2);
  w.prompt = static_cast<std::int64_t>(m.depth + tokens);
  w.cached_prompt = static_cast<std::int64_t>(m.depth);
  Placement placement;
  const auto n_layers = prepared->weights.layers.size();
  placement.layer.assign(n_layers, 0);
  placement.experts_on_host.assign(n_layers, false);
  placement.output = 0;
  const bool windows = !prepared->model->llama_cpp_ignores_window;
  auto work = throughput::count_work(*prepared->model, prepared->weights, w, placement, 1, windows).front();
  for (std::size_t c = 0; c < kWeightClasses; ++c) work.bytes[c] *= scale, work.expert_bytes[c] *= scale;

  const auto traits = throughput::traits_of(*prepared->model);
  const auto rates = throughput::rates_of(*device);
  const bool flash = m.flash_attention.value_or(true);
  throughput::Terms terms;
  Observation o;
  if (prefill) {
    const double ubatch = m.ubatch > 0 ? m.ubatch : kUbatch;
    throughput::prefill_terms(terms, work, traits, rates, {tokens, ubatch, flash});
    if (m.devices > 1 && m.split == "layer" && m.engine == "llama.cpp") terms.scale(throughput::pipeline_share(tokens, kBatch, ubatch, static_cast<double>(m.devices)));
    throughput::prompt_terms(terms);
    o.tokens = tokens;
  } else {
    throughput::decode_terms(terms, work, traits, rates, 1, 1, flash);
    throughput::step_terms(terms, static_cast<double>(m.devices - 1));
  }
  o.terms.assign(terms.begin(), terms.end());
  o.row = row;
  o.log_seconds = std::log(o.tokens / m.tokens_per_s);
  constexpr double kMostYears = 3.5;
  o.years = m.year > 0 ? std::clamp(kSpeedYear - m.year, 0.0, kMostYears) : 0;
  o.routed = traits.expert_share > 0;
  o.architecture = prepared->model->hyperparameters.architecture;
  o.vendor = device->kind == DeviceKind::cpu || m.backend == "cpu" ? "CPU" : device->vendor;
  o.generation = device->generation.empty() ? device->vendor : device->vendor + " " + device->generation;
  for (const auto& g : speed_groups_of(device, m.backend, m.backend == "cpu", m.engine)) {
    if (g.level != SpeedLevel::local) o.groups.push_back({index_of(g.id), g.level});
  }
  all_.push_back(std::move(o));
  return true;
}

void Observations::balance(const std::vector<Measurement>& rows) {
  std::map<std::string, int> counts;
  const auto key = [&](const Observation& o) {
    const auto& m = rows[o.row];
    return fmt::format("{}|{}|{}|{}|{}", static_cast<int>(m.test), m.backend, m.device, m.model, m.source);
  };
  for (const auto& o : all_) ++counts[key(o)];
  for (auto& o : all_) o.weight = 1 / std::sqrt(static_cast<double>(counts[key(o)]));
}

}  // namespace planner::calibration
