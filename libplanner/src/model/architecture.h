// What one architecture description consists of. An architecture is one file in architectures/ and one line in
// architectures/table.inc; nothing else knows its name.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "model/config_reader.h"
#include "planner/hyperparameters.h"

namespace planner {

class ModelBuilder;

struct Architecture {
  std::string_view name;  ///< GGUF's general.architecture; where GGUF has none, the model_type
  std::vector<std::string_view> model_types;  ///< model_type values of config.json (text_config's too) that it serves

  /// Reads what the common keys (read_common_config in hyperparameters.cpp) do not cover, and sets what the family
  /// implies without saying: biases, norms, layer patterns. Null when the common keys say it all.
  void (*read_config)(const ConfigReader& config, Hyperparameters& hp) = nullptr;

  /// The same for GGUF metadata: `hp` holds the common keys; sets what this family's GGUF files leave implied, a sliding
  /// pattern above all. Null when nothing is implied.
  void (*complete_gguf)(Hyperparameters& hp) = nullptr;

  /// Lays out layers and tensors.
  void (*build)(ModelBuilder& m) = nullptr;

  /// Whether converted GGUF files keep the multi-token-prediction layers (a converter's habit, per family).
  bool gguf_holds_mtp = false;

  /// Whether llama.cpp attends to the whole context in every layer although the config says that layers slide: its loader ignores the
  /// window of these families, so it caches everything. Source: load_arch_hparams of their files in src/models (ggml-org/llama.cpp).
  bool llama_cpp_ignores_window = false;
};

/// The table, in table.inc's order.
[[nodiscard]] std::span<const Architecture* const> architecture_table();
/// By GGUF name; null when there is none.
[[nodiscard]] const Architecture* find_architecture(std::string_view name);
/// By model_type of a config.json; null when there is none.
[[nodiscard]] const Architecture* find_architecture_of_model_type(std::string_view model_type);

// Layer patterns that descriptions share. All return n_layers kinds.

/// Every layer the same.
[[nodiscard]] std::vector<LayerKind> uniform_layers(std::int64_t n_layers, LayerKind kind);
/// Every `period`-th layer (i + 1 divisible by it) is full attention, the others are `other`. period <= 1: all full.
[[nodiscard]] std::vector<LayerKind> every_nth_full(std::int64_t n_layers, std::int64_t period, LayerKind other);
/// `layer_types` of a config.json, entry by entry; empty when the key is absent. Throws on an unknown word or a wrong length.
[[nodiscard]] std::vector<LayerKind> layer_kinds_from_config(const ConfigReader& config, std::int64_t n_layers);
/// For complete_gguf: gives layers the family's pattern (every_nth_full, sliding) where the file names a window but no layer's kind. A
/// number under attention.sliding_window_pattern is a period that overrides `period` (load_swa_pattern in llama.cpp's src/llama-model.cpp).
void imply_sliding_pattern(Hyperparameters& hp, std::int64_t period);

// Family-only numbers (Hyperparameters::extras).

/// Adds a family's own number, or replaces it.
void set_extra(Hyperparameters& hp, std::string_view key, std::int64_t value);
/// The same from GGUF metadata, where the file has `gguf_key` (written there behind the architecture's name).
void set_extra_from_gguf(Hyperparameters& hp, std::string_view key, std::string_view gguf_key);

/// GGUF gives head counts layer by layer; where they depend on the layer's kind alone, says so instead: n_heads and n_kv_heads for layers that
/// see everything, n_heads_swa and n_kv_heads_swa for sliding ones. MTP layers, which the lists may cover too, then follow their kind.
/// Needs hp.layer_kinds; leaves lists that say more as they are.
void heads_by_kind(Hyperparameters& hp);

}  // namespace planner
