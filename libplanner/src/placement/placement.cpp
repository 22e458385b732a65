#include <algorithm>
#include <numeric>
#include <regex>

#include "planner/deployment.h"
#include "planner/error.h"

namespace planner {
namespace {

/// The buffer that overrides put a tensor in, by its name: the first pattern that is found in it counts.
/// Source: llama_model_loader::create_tensor in src/llama-model-loader.cpp of ggml-org/llama.cpp.
class Overrides {
 public:
  explicit Overrides(const std::vector<TensorOverride>& rules) {
    for (const auto& rule : rules) {
      try {
        rules_.push_back({std::regex(rule.pattern), rule.device});
      } catch (const std::regex_error& e) {
        throw Error(ErrorKind::usage, "override-tensor: '" + rule.pattern + "' is no regular expression: " + e.what());
      }
    }
  }
  [[nodiscard]] const int* find(const std::string& tensor) const {
    const auto it = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& r) { return std::regex_search(tensor, r.pattern); });
    return it == rules_.end() ? nullptr : &it->device;
  }

 private:
  struct Rule {
    std::regex pattern;
    int device;
  };
  std::vector<Rule> rules_;
};

WeightMap::Pinned& pinned_at(WeightMap& map, int layer, int device) {
  const auto it = std::find_if(map.pinned.begin(), map.pinned.end(), [&](const auto& p) { return p.layer == layer && p.device == device; });
  if (it != map.pinned.end()) return *it;
  auto& added = map.pinned.emplace_back();
  added.layer = layer;
  added.device = device;
  return added;
}

}  // namespace

std::int64_t WeightMap::total() const {
  std::int64_t sum = token_embedding + other_tables + output + mtp;
  for (const auto& layer : layers) sum += layer.dense + layer.experts;
  for (const auto& p : pinned) sum += p.dense + p.experts + p.tables;
  return sum;
}

WeightMap weight_map(const Model& model, const StoredModel& stored, const std::vector<TensorOverride>& rules) {
  const Overrides overrides(rules);
  WeightMap map;
  map.layers.resize(static_cast<std::size_t>(model.hyperparameters.n_layers));
  map.tied = model.hyperparameters.tied_embeddings;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    const std::int64_t bytes = stored.bytes[i];
    if (bytes == 0) continue;
    if (const int* device = rules.empty() ? nullptr : overrides.find(t.name)) {
      auto& p = pinned_at(map, t.part == ModelPart::mtp ? -1 : t.layer, *device);
      // A tied table is multiplied too, where it lies: the override holds for both uses.
      const bool looked_up = t.is_table && !(map.tied && t.name == "token_embd.weight");
      (t.is_expert ? p.experts : looked_up ? p.tables : p.dense) += bytes;
    } else if (t.part == ModelPart::mtp) map.mtp += bytes;
    else if (t.layer >= 0) (t.is_expert ? map.layers[static_cast<std::size_t>(t.layer)].experts : map.layers[static_cast<std::size_t>(t.layer)].dense) += bytes;
    else if (t.is_table) (t.name == "token_embd.weight" ? map.token_embedding : map.other_tables) += bytes;
    else map.output += bytes;
  }
  return map;
}

Placement place_layers(std::int64_t n_layers, std::int64_t gpu_layers, const std::vector<double>& shares) {
  Placement p;
  p.layer.assign(static_cast<std::size_t>(n_layers), kHost);
  p.experts_on_host.assign(static_cast<std::size_t>(n_layers), false);
  p.gpu_layers = std::clamp<std::int64_t>(gpu_layers, 0, n_layers + 1);
  if (p.gpu_layers == 0 || shares.empty()) return p;

  // Cumulative shares; a layer goes to the first device whose share lies beyond its position among the offloaded ones.
  std::vector<double> upper(shares.size());
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  double before = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    before += sum > 0 ? shares[i] / sum : 1.0 / static_cast<double>(shares.size());
    upper[i] = before;
  }
  const std::int64_t first = n_layers + 1 - p.gpu_layers;
  const auto device_of = [&](std::int64_t position) {
    const double at = static_cast<double>(position - first) / static_cast<double>(p.gpu_layers);
    const auto it = std::upper_bound(upper.begin(), upper.end(), at);
    return static_cast<int>(std::min<std::ptrdiff_t>(it - upper.begin(), static_cast<std::ptrdiff_t>(upper.size()) - 1));
  };
  for (std::int64_t i = std::max<std::int64_t>(first, 0); i < n_layers; ++i) p.layer[static_cast<std::size_t>(i)] = device_of(i);
  p.output = device_of(n_layers);
  return p;
}

}  // namespace planner
