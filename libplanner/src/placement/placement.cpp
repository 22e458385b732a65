#include <algorithm>
#include <regex>

#include "planner/deployment.h"
#include "planner/error.h"
#include "placement/matrices.h"

namespace planner {
namespace {

/// The buffer that overrides put a tensor in, by its name: the first pattern that is found in it counts.
/// Source: llama_model_loader::create_tensor in src/llama-model-loader.cpp of ggml-org/llama.cpp.
class Overrides {
 public:
  explicit Overrides(const std::vector<TensorOverride>& rules) {
    constexpr std::size_t kLongest = 512;  // the library's parser goes down a call for every parenthesis
#ifdef __GLIBCXX__
    constexpr auto kSyntax = std::regex_constants::ECMAScript | std::regex_constants::__polynomial;  // no pattern takes for ever
#else
    constexpr auto kSyntax = std::regex_constants::ECMAScript;
#endif
    for (const auto& rule : rules) {
      if (rule.pattern.size() > kLongest) throw Error(ErrorKind::usage, "override-tensor: a pattern has more than 512 characters");
      try {
        rules_.push_back({std::regex(rule.pattern, kSyntax), rule.device});
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

/// Class of a stored tensor. The formats of grouped weights are not in the table: their bits tell.
WeightClass class_of(std::int64_t bytes, std::int64_t weights, FormatId format) {
  switch (format) {
    case FormatId::bf16:
      if (8 * bytes >= 15 * weights) return WeightClass::bfloat;
      return 8 * bytes >= 7 * weights ? WeightClass::byte : WeightClass::nibble;
    case FormatId::f16:
    case FormatId::f32:
    case FormatId::f64: return WeightClass::half;
    case FormatId::q8_0:
    case FormatId::q8_1:
    case FormatId::q8_k:
    case FormatId::i8:
    case FormatId::fp8: return WeightClass::byte;
    case FormatId::q4_0:
    case FormatId::q4_1:
    case FormatId::q5_0:
    case FormatId::q5_1:
    case FormatId::iq4_nl:
    case FormatId::iq4_xs:
    case FormatId::mxfp4:
    case FormatId::nvfp4: return WeightClass::nibble;
    case FormatId::q2_k:
    case FormatId::q3_k:
    case FormatId::q4_k:
    case FormatId::q5_k:
    case FormatId::q6_k: return WeightClass::super;
    default: return 8 * bytes >= 7 * weights ? WeightClass::half : WeightClass::codebook;
  }
}

/// Multiplied tensors by class of format, and how many there are of each layer.
void count_classes(WeightMap& map, const Model& model, const StoredModel& stored, const Overrides* overrides) {
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    const std::int64_t bytes = stored.bytes[i];
    if (bytes == 0 || t.part == ModelPart::mtp) continue;
    const bool tied_table = map.tied && t.name == "token_embd.weight";
    if (t.is_table && !tied_table) continue;
    ClassBytes* classes = &map.output_classes;
    if (const int* device = overrides != nullptr ? overrides->find(t.name) : nullptr) {
      auto& pinned = pinned_at(map, t.layer, *device);
      classes = t.is_expert ? &pinned.expert_classes : &pinned.dense_classes;
    } else if (t.layer >= 0) {
      auto& layer = map.layers[static_cast<std::size_t>(t.layer)];
      classes = t.is_expert ? &layer.expert_classes : &layer.dense_classes;
    }
    classes->add(class_of(bytes, t.n_elements(), stored.formats[i]), bytes, t.n_elements());
    if (t.layer < 0) continue;
    auto& layer = map.layers[static_cast<std::size_t>(t.layer)];
    ++(t.n_dims > 1 ? layer.matrices : layer.vectors);
  }
}

}  // namespace

std::string_view to_string(WeightClass c) {
  constexpr std::array<std::string_view, kWeightClasses> kNames = {"half", "bfloat", "byte", "nibble", "super", "codebook"};
  return kNames[static_cast<std::size_t>(c)];
}

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
  map.tensors = stored.bytes;
  count_classes(map, model, stored, rules.empty() ? nullptr : &overrides);
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    const std::int64_t bytes = stored.bytes[i];
    if (bytes == 0) continue;
    if (t.part == ModelPart::mtp) {
      map.mtp += bytes;
    } else if (const int* device = rules.empty() ? nullptr : overrides.find(t.name)) {
      auto& p = pinned_at(map, t.layer, *device);
      // A tied table is multiplied too, where it lies: the override holds for both uses.
      const bool looked_up = t.is_table && !(map.tied && t.name == "token_embd.weight");
      (t.is_expert ? p.experts : looked_up ? p.tables : p.dense) += bytes;
    } else if (t.layer >= 0) {
      auto& layer = map.layers[static_cast<std::size_t>(t.layer)];
      (t.is_expert ? layer.experts : layer.dense) += bytes;
    } else if (t.is_table) {
      (t.name == "token_embd.weight" ? map.token_embedding : map.other_tables) += bytes;
    } else {
      map.output += bytes;
    }
  }
  placement::add_matrices(model, stored, map);
  return map;
}

Placement place_layers(std::int64_t n_layers, std::int64_t gpu_layers, const std::vector<double>& shares, std::int64_t n_behind) {
  Placement p;
  const std::int64_t all = n_layers + n_behind + 1;
  p.layer.assign(static_cast<std::size_t>(n_layers), kHost);
  p.experts_on_host.assign(static_cast<std::size_t>(n_layers), false);
  p.gpu_layers = std::clamp<std::int64_t>(gpu_layers, 0, all);
  if (p.gpu_layers == 0 || shares.empty()) return p;

  // Cumulative shares, in single precision as the engine has them; a layer goes to the first device whose share lies beyond its position among the offloaded ones.
  std::vector<float> upper(shares.size());
  float sum = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) upper[i] = sum += static_cast<float>(shares[i]);
  for (std::size_t i = 0; i < shares.size(); ++i) upper[i] = sum > 0 ? upper[i] / sum : static_cast<float>(i + 1) / static_cast<float>(shares.size());
  const std::int64_t first = all - p.gpu_layers;
  const auto device_of = [&](std::int64_t position) {
    const float at = static_cast<float>(position - first) / static_cast<float>(p.gpu_layers);
    const auto it = std::upper_bound(upper.begin(), upper.end(), at);
    return static_cast<int>(std::min<std::ptrdiff_t>(it - upper.begin(), static_cast<std::ptrdiff_t>(upper.size()) - 1));
  };
  for (std::int64_t i = first; i < n_layers; ++i) p.layer[static_cast<std::size_t>(i)] = device_of(i);
  p.output = device_of(all - 1);
  return p;
}

std::vector<double> device_shares(const Deployment& deployment) {
  if (!deployment.tensor_split.empty()) return deployment.tensor_split;
  std::vector<double> shares;
  const bool known = std::all_of(deployment.devices.begin(), deployment.devices.end(), [](const auto& d) { return d.usable_bytes().has_value(); });
  for (const auto& device : deployment.devices) shares.push_back(known ? static_cast<double>(*device.usable_bytes()) : 1.0);
  return shares;
}

RepackedBytes repacked_bytes(const Model& model, const StoredModel& stored, const CpuFeatures& cpu) {
  struct Layout {
    FormatId format;
    std::int64_t x86_rows, arm_rows;  ///< rows that are interleaved; 0: left as they are
    bool needs_avx512 = false;
  };
  constexpr Layout kLayouts[] = {{FormatId::q4_0, 8, 4}, {FormatId::q4_k, 8, 8},   {FormatId::q2_k, 8, 0, true}, {FormatId::q5_k, 0, 8}, {FormatId::q6_k, 0, 8},
                                 {FormatId::iq4_nl, 8, 4}, {FormatId::mxfp4, 8, 4}, {FormatId::q8_0, 0, 4},       {FormatId::q1_0, 0, 4}};
  const auto is_repacked = [&](const Tensor& t, FormatId format) {
    const auto* it = std::find_if(std::begin(kLayouts), std::end(kLayouts), [&](const Layout& l) { return l.format == format; });
    if (it == std::end(kLayouts)) return false;
    const std::int64_t rows = cpu.arm ? it->arm_rows : it->needs_avx512 && !cpu.avx512 ? 0 : it->x86_rows;
    return rows > 0 && t.shape[1] % rows == 0;
  };
  RepackedBytes out;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const auto& t = model.tensors[i];
    if (stored.bytes[i] == 0 || t.part == ModelPart::mtp || t.n_dims < 2 || !is_repacked(t, stored.formats[i])) continue;
    const bool tied_table = model.hyperparameters.tied_embeddings && t.name == "token_embd.weight";
    if (t.is_table && !tied_table) continue;
    // Matrices of a plain product have two dimensions, stacks of experts three.
    if (t.is_expert != (t.n_dims == 3)) continue;
    out.matrices += stored.bytes[i];
    if (tied_table) out.tied_copy += stored.bytes[i];
  }
  return out;
}

}  // namespace planner
