#include "model/architecture.h"

#include <algorithm>
#include <array>

#include "planner/error.h"
#include "planner/model.h"

namespace planner {

#define PLANNER_ARCHITECTURE(object) extern const Architecture object;
#include "model/architectures/table.inc"
#undef PLANNER_ARCHITECTURE

namespace {

constexpr std::array kTable = {
#define PLANNER_ARCHITECTURE(object) &object,
#include "model/architectures/table.inc"
#undef PLANNER_ARCHITECTURE
};

LayerKind layer_kind_from_word(const ConfigReader& config, const std::string& word) {
  if (word == "full_attention" || word == "attention" || word == "global" || word == "global_attention") return LayerKind::full_attention;
  if (word == "sliding_attention" || word == "local" || word == "local_attention") return LayerKind::sliding_attention;
  // Sparse attention keeps every token, or a compressed row of it; the families' own keys say which.
  if (word == "deepseek_sparse_attention" || word == "compressed_sparse_attention" || word == "heavily_compressed_attention") return LayerKind::full_attention;
  if (word == "minimax_m3_sparse") return LayerKind::full_attention;
  if (word == "chunked_attention") return LayerKind::chunked_attention;
  if (word == "linear_attention") return LayerKind::linear_attention;
  if (word == "mamba" || word == "mamba2") return LayerKind::mamba;
  if (word == "conv") return LayerKind::short_conv;
  config.fail("layer_types", "has the entry '" + word + "', which is no known kind of layer");
}

}  // namespace

std::span<const Architecture* const> architecture_table() { return kTable; }

const Architecture* find_architecture(std::string_view name) {
  const auto* it = std::find_if(kTable.begin(), kTable.end(), [&](const Architecture* a) { return a->name == name; });
  return it == kTable.end() ? nullptr : *it;
}

const Architecture* find_architecture_of_model_type(std::string_view model_type) {
  const auto* it = std::find_if(kTable.begin(), kTable.end(), [&](const Architecture* a) {
    return std::find(a->model_types.begin(), a->model_types.end(), model_type) != a->model_types.end();
  });
  return it == kTable.end() ? nullptr : *it;
}

std::vector<ArchitectureInfo> architectures() {
  std::vector<ArchitectureInfo> out;
  for (const auto* a : kTable) out.push_back({a->name, a->model_types});
  return out;
}

void set_extra(Hyperparameters& hp, std::string_view key, std::int64_t value) {
  const auto it = std::find_if(hp.extras.begin(), hp.extras.end(), [&](const Hyperparameters::Extra& e) { return e.key == key; });
  if (it != hp.extras.end()) {
    it->value = value;
  } else {
    hp.extras.push_back({std::string(key), value});
  }
}

void set_extra_from_gguf(Hyperparameters& hp, std::string_view key, std::string_view gguf_key) {
  const std::string full = "gguf." + std::string(gguf_key);
  const auto it = std::find_if(hp.extras.begin(), hp.extras.end(), [&](const Hyperparameters::Extra& e) { return e.key == full; });
  if (it == hp.extras.end()) return;
  const std::int64_t value = it->value;  // set_extra may move the list
  set_extra(hp, key, value);
}

std::vector<LayerKind> uniform_layers(std::int64_t n_layers, LayerKind kind) { return std::vector<LayerKind>(static_cast<std::size_t>(n_layers), kind); }

std::vector<LayerKind> every_nth_full(std::int64_t n_layers, std::int64_t period, LayerKind other) {
  auto kinds = uniform_layers(n_layers, LayerKind::full_attention);
  if (period <= 1) return kinds;
  for (std::int64_t i = 0; i < n_layers; ++i) {
    if ((i + 1) % period != 0) kinds[static_cast<std::size_t>(i)] = other;
  }
  return kinds;
}

void imply_sliding_pattern(Hyperparameters& hp, std::int64_t period) {
  if (!hp.layer_kinds.empty() || hp.sliding_window == 0) return;
  hp.layer_kinds = every_nth_full(hp.n_layers, hp.extra_or("gguf.attention.sliding_window_pattern", period), LayerKind::sliding_attention);
}

void heads_by_kind(Hyperparameters& hp) {
  const auto fold = [&](std::vector<std::int64_t>& list, std::int64_t& full, std::int64_t& sliding) {
    if (list.size() < hp.layer_kinds.size() || hp.layer_kinds.empty()) return;
    std::int64_t of_full = 0;
    std::int64_t of_sliding = 0;
    for (std::size_t i = 0; i < hp.layer_kinds.size(); ++i) {
      auto& of_kind = hp.layer_kinds[i] == LayerKind::sliding_attention ? of_sliding : of_full;
      if (of_kind != 0 && of_kind != list[i]) return;
      of_kind = list[i];
    }
    if (of_full > 0) full = of_full;
    sliding = of_sliding;
    list.clear();
  };
  fold(hp.n_heads_per_layer, hp.n_heads, hp.n_heads_swa);
  fold(hp.n_kv_heads_per_layer, hp.n_kv_heads, hp.n_kv_heads_swa);
}

std::vector<LayerKind> layer_kinds_from_config(const ConfigReader& config, std::int64_t n_layers) {
  std::vector<LayerKind> kinds;
  const auto words = config.strings({"layer_types"});
  if (words.empty()) return kinds;
  // A model cut short keeps its list; one entry more may stand for the MTP layer.
  if (static_cast<std::int64_t>(words.size()) < n_layers) {
    config.fail("layer_types", "has " + std::to_string(words.size()) + " entries for " + std::to_string(n_layers) + " layers");
  }
  for (std::int64_t i = 0; i < n_layers; ++i) kinds.push_back(layer_kind_from_word(config, words[static_cast<std::size_t>(i)]));
  return kinds;
}

}  // namespace planner
