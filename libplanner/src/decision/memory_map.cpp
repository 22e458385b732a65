#include "planner/memory_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/text.h"
#include "decision/session.h"
#include "planner/error.h"
#include "planner/kv_cache.h"

namespace planner {
namespace {

using namespace decision;

constexpr std::string_view kExperts = "ffn_.*_exps";

std::string layer_prefix(std::size_t layer) { return fmt::format("blk\\.{}\\.", layer); }

bool is_rule_of(const std::string& rule, std::size_t layer, bool experts) {
  return rule.starts_with(layer_prefix(layer)) && (rule.find(fmt::format("{}=", kExperts)) != std::string::npos) == experts;
}

/// Puts a rule in the place of the one of the same layer and kind; empty: takes that away. The first rule that matches counts, so those of experts go first.
void set_rule(std::vector<std::string>& rules, std::size_t layer, bool experts, const std::string& rule) {
  std::erase_if(rules, [&](const std::string& r) { return is_rule_of(r, layer, experts); });
  if (!rule.empty()) rules.insert(experts ? rules.begin() : rules.end(), rule);
}

const std::string& buffer_of(const MemoryMap& map, int device) {
  static const std::string host = "CPU";
  if (device == kHost) return host;
  if (device < 0 || static_cast<std::size_t>(device) >= map.buffers.size())
    throw Error(ErrorKind::usage, fmt::format("there is no device {} ({} devices)", device, map.buffers.size()));
  return map.buffers[static_cast<std::size_t>(device)];
}

void check_layer(const MemoryMap& map, std::size_t layer) {
  if (layer >= map.layers.size()) throw Error(ErrorKind::usage, fmt::format("there is no layer {} ({} layers)", layer, map.layers.size()));
}

std::int64_t cache_bytes(const Layer& layer, const Model& model, const Workload& w, const Engine& engine) {
  std::int64_t bytes = 0;
  for (const auto& mixer : layer.mixers) {
    const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v);
    for (auto part : needs.token_caches()) {
      if (w.swa_full || !windows_count(model, engine)) part.window = 0;
      bytes += part.bytes(w.context);
    }
    bytes += needs.conv_state_bytes + needs.recurrent_state_bytes;
  }
  return bytes * w.concurrency;
}

/// The place with most of the bytes.
int fullest(const std::map<int, std::int64_t>& by_device, int otherwise) {
  int best = otherwise;
  std::int64_t most = 0;
  for (const auto& [device, bytes] : by_device) {
    if (bytes > most) most = bytes, best = device;
  }
  return best;
}

}  // namespace

MemoryMap memory_map(const EstimateRequest& request, const Catalog& catalog) {
  MemoryMap map;
  map.request = request;
  auto plain = request;
  plain.solve = plain.explain = false;
  const auto before = estimate(plain, catalog);
  if (!before.fit || !before.memory) throw Error(ErrorKind::usage, "a memory map needs a quantization");
  std::vector<std::string> ignored;
  const auto subject = resolve_subject(request.model, catalog);
  auto deployment = resolve_deployment(request, catalog, ignored);
  if (!is_llama_cpp(*deployment.engine)) throw Error(ErrorKind::usage, fmt::format("{} does not place by layers; llama.cpp does", deployment.engine->name));
  if (deployment.devices.empty() || request.devices.empty()) throw Error(ErrorKind::usage, "a memory map needs a device");
  map.request.gpu_layers = request.gpu_layers.value_or(before.fit->gpu_layers);
  map.request.n_cpu_moe = std::max(request.n_cpu_moe, before.fit->n_cpu_moe);
  map.request.solve = map.request.explain = false;
  map.answer = estimate(map.request, catalog);

  for (std::size_t i = 0; i < deployment.devices.size(); ++i) {
    map.devices.push_back(deployment.devices[i].name);
    const auto& buffers = map.answer.memory->devices[i].buffers;
    map.buffers.push_back(buffers.empty() ? fmt::format("CUDA{}", i) : buffers.front().name.substr(0, buffers.front().name.find(' ')));
  }
  const auto& model = *subject.model;
  const auto workload = resolve_workload(map.request, subject, *deployment.engine, ignored);
  WeightMap weights;
  if (subject.file_bytes && request.quantization.empty()) {
    weights = weight_map(model, *subject.file_bytes, deployment.overrides);
  } else {
    std::unique_ptr<Quantization> made;
    weights = weigh(model, catalog.resolve_quantization(request.quantization, made), deployment.overrides).map;
  }
  const auto placement = placement_for(model, deployment, *map.request.gpu_layers, map.request.n_cpu_moe);
  const auto n = static_cast<std::size_t>(model.hyperparameters.n_layers);
  for (std::size_t i = 0; i < n; ++i) {
    MapLayer layer;
    const int home = placement.layer[i];
    const bool experts_away = placement.experts_on_host[i];
    map.split.push_back(home);
    map.split_experts_on_host.push_back(experts_away);
    layer.cache_device = workload.kv_offload ? home : kHost;
    std::map<int, std::int64_t> dense, experts;
    dense[home] += weights.layers[i].dense;
    experts[experts_away ? kHost : home] += weights.layers[i].experts;
    for (const auto& p : weights.pinned) {
      if (p.layer != static_cast<int>(i)) continue;
      dense[p.device] += p.dense;
      experts[p.device] += p.experts;
    }
    for (const auto& [device, bytes] : dense) layer.dense_bytes += bytes;
    for (const auto& [device, bytes] : experts) layer.expert_bytes += bytes;
    layer.device = fullest(dense, home);
    layer.experts_device = layer.expert_bytes > 0 ? fullest(experts, layer.device) : layer.device;
    layer.cache_bytes = cache_bytes(model.layers[i], model, workload, *deployment.engine);
    map.layers.push_back(layer);
  }
  return map;
}

EstimateRequest with_layer_on(const MemoryMap& map, std::size_t layer, int device) {
  check_layer(map, layer);
  auto next = map.request;
  const auto& buffer = buffer_of(map, device);
  const auto& now = map.layers[layer];
  const bool leave_experts = now.expert_bytes > 0;
  // Experts have a rule of their own, or stay where the split has them.
  const std::string rule =
      leave_experts ? fmt::format("{}(?!{})={}", layer_prefix(layer), kExperts, buffer) : fmt::format("{}={}", layer_prefix(layer), buffer);
  set_rule(next.override_tensors, layer, false, device == map.split[layer] ? std::string() : rule);
  return next;
}

EstimateRequest with_experts_on(const MemoryMap& map, std::size_t layer, int device) {
  check_layer(map, layer);
  if (map.layers[layer].expert_bytes == 0) throw Error(ErrorKind::usage, fmt::format("layer {} has no routed experts", layer));
  auto next = map.request;
  const auto& buffer = buffer_of(map, device);
  const int home = map.split_experts_on_host[layer] ? kHost : map.split[layer];
  set_rule(next.override_tensors, layer, true, device == home ? std::string() : fmt::format("{}{}={}", layer_prefix(layer), kExperts, buffer));
  return next;
}

}  // namespace planner
