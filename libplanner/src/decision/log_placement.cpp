#include "decision/log_placement.h"

#include <algorithm>
#include <cmath>

#include "planner/kv_cache.h"

namespace planner::decision {

bool is_host(std::string_view where) {
  return where.starts_with("CPU") || where == "Host" || where == "host" || where == "AMX" || where.starts_with("BLAS") || where.ends_with("_Host");
}

std::string base_of(std::string_view where) {
  if (where.ends_with("_Mapped")) where.remove_suffix(7);
  return std::string(where);
}

bool is_repacked(std::string_view where) { return where == "CPU_REPACK" || where == "CPU_AARCH64" || where == "AMX" || where == "CPU_HBM"; }

std::vector<std::string> accelerators_of(const EngineLog& log) {
  std::vector<std::string> names;
  for (const auto& b : log.buffers) {
    const auto name = base_of(b.where);
    if (is_host(name) || name == "ALL" || name.ends_with("_Split")) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  // Numbered ones by their number; others as they come.
  std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    const auto prefix = [](const std::string& s) { return s.substr(0, s.find_first_of("0123456789")); };
    if (prefix(a) != prefix(b) || a.starts_with("RPC")) return false;
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

int slot_of(const std::vector<std::string>& accelerators, const std::string& where) {
  const auto name = base_of(where);
  if (is_host(name)) return kHost;
  const auto it = std::find(accelerators.begin(), accelerators.end(), name);
  return it == accelerators.end() ? kAll : static_cast<int>(it - accelerators.begin());
}

bool cache_holds_states(const EngineLog& log) {
  const auto& buffers = log.buffers;
  if (std::any_of(buffers.begin(), buffers.end(), [](const LogBuffer& b) { return b.term == LogTerm::recurrent_state; })) return false;
  return log.engine == LogEngine::ik_llama_cpp || std::any_of(buffers.begin(), buffers.end(), [](const LogBuffer& b) { return b.detail == "with states"; });
}

bool follow_cache(Placement& p, const EngineLog& log, const std::vector<std::string>& accelerators, const Model& model, const Workload& w, bool with_mtp) {
  std::vector<double> cache(accelerators.size() + 1);  // the host last
  for (const auto& b : log.buffers) {
    if (b.term != LogTerm::kv) continue;
    const int slot = slot_of(accelerators, b.where);
    if (slot == kAll) return false;
    cache[slot == kHost ? accelerators.size() : static_cast<std::size_t>(slot)] += static_cast<double>(b.amount);
  }
  double sum = 0;
  for (const auto c : cache) sum += c;
  if (sum <= 0) return false;
  const bool with_states = cache_holds_states(log);
  std::vector<double> per_layer(with_mtp ? std::max(model.layers.size(), p.layer.size()) : p.layer.size());
  double all = 0;
  for (std::size_t i = 0; i < per_layer.size() && i < model.layers.size(); ++i) {
    for (const auto& mixer : model.layers[i].mixers) {
      const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v);
      for (const auto& part : needs.token_caches()) per_layer[i] += static_cast<double>(part.bytes(w.context * w.concurrency));
      if (with_states) per_layer[i] += static_cast<double>(w.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes));
    }
    all += per_layer[i];
  }
  if (all <= 0) return false;
  // Devices take runs of layers in order, the host the first ones; a border goes where the running sums meet best.
  const auto before = p;
  std::size_t layer = 0;
  double placed = 0;
  double target = 0;
  for (std::size_t k = 0; k <= accelerators.size(); ++k) {
    const std::size_t slot = k == 0 ? accelerators.size() : k - 1;
    target += cache[slot] / sum * all;
    const int device = slot == accelerators.size() ? kHost : static_cast<int>(slot);
    const bool last = k == accelerators.size();
    while (layer < per_layer.size() && (last || placed + per_layer[layer] / 2 < target)) {
      placed += per_layer[layer];
      if (layer < p.layer.size()) p.layer[layer] = device;
      ++layer;
    }
  }
  if (p.output != kHost) p.output = p.layer.back();
  return p.layer != before.layer;
}

bool follow_weights(Placement& p, const EngineLog& log, const std::vector<std::string>& accelerators, const Model& model, WeightMap& weights) {
  std::vector<double> printed(accelerators.size());
  double host = 0;
  bool is_mapped = false;
  for (const auto& b : log.buffers) {
    if (b.term != LogTerm::model || is_repacked(b.where)) continue;
    if (b.where.ends_with("_Split")) return false;
    const int slot = slot_of(accelerators, b.where);
    if (slot == kAll) return false;
    (slot == kHost ? host : printed[static_cast<std::size_t>(slot)]) += static_cast<double>(b.amount);
    is_mapped = is_mapped || (slot == kHost && b.where.ends_with("_Mapped"));
  }
  double devices = 0;
  for (const auto d : printed) devices += d;
  double experts = 0;
  for (const auto& l : weights.layers) experts += static_cast<double>(l.experts);
  if (devices <= 0 || experts <= 0) return false;
  const double dense = static_cast<double>(weights.total()) - experts;
  // Ranges mapped from the file overlap what went to the devices.
  double whole = log.model.tensor_bytes ? static_cast<double>(log.model.tensor_bytes->value) : is_mapped ? static_cast<double>(weights.total()) : host + devices;
  const double scale = std::max(0.0, (whole - dense) / experts);
  const double tables = static_cast<double>(weights.token_embedding + weights.other_tables);
  constexpr double kFarMore = 0.03;
  constexpr double kOtherMix = 2;  // the table may be of a larger format
  if (scale <= 0 || host - kOtherMix * tables < kFarMore * whole) return false;
  bool any = false;
  for (std::size_t d = 0; d < printed.size(); ++d) {
    double own = p.output == static_cast<int>(d) ? static_cast<double>(weights.output + (weights.tied ? weights.token_embedding : 0)) : 0;
    double of_experts = 0;
    std::vector<std::size_t> layers;
    for (std::size_t i = 0; i < p.layer.size() && i < weights.layers.size(); ++i) {
      if (p.layer[i] != static_cast<int>(d)) continue;
      own += static_cast<double>(weights.layers[i].dense);
      if (weights.layers[i].experts == 0) continue;
      layers.push_back(i);
      of_experts += scale * static_cast<double>(weights.layers[i].experts);
    }
    if (layers.empty()) continue;
    const double here = std::clamp((printed[d] - own) / of_experts, 0.0, 1.0);
    const auto kept = static_cast<std::size_t>(std::lround(here * static_cast<double>(layers.size())));
    for (std::size_t i = kept; i < layers.size(); ++i) {
      p.experts_on_host[layers[i]] = true;
      any = true;
    }
  }
  constexpr double kSameMix = 0.005;
  if (any && std::abs(scale - 1) > kSameMix) {
    for (auto& l : weights.layers) l.experts = std::llround(scale * static_cast<double>(l.experts));
    for (std::size_t i = 0; i < model.tensors.size() && i < weights.tensors.size(); ++i) {
      if (model.tensors[i].is_expert) weights.tensors[i] = std::llround(scale * static_cast<double>(weights.tensors[i]));
    }
  }
  return any;
}

}  // namespace planner::decision
