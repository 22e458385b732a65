/// What front ends show of the catalog: filtered lists, one entry by any of its names, and a model's geometry in words. The JSON forms of all of it:
/// "planner.models/1", "planner.gpus/1", "planner.quants/1", "planner.engines/1", "planner.show/1".
///
/// Everything here is read off the catalog and computed when asked; nothing is kept. Thread-safe. JSON is one line; unknown facts are null.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/model.h"
#include "planner/quantization.h"
#include "planner/tensor_format.h"

namespace planner {

enum class EntryKind : std::uint8_t { model, device, quantization, engine };
/// "model", "device", "quantization", "engine"
[[nodiscard]] std::string_view to_string(EntryKind kind);

// ---------------------------------------------------------------------------------------------------------------------
// Lists
// ---------------------------------------------------------------------------------------------------------------------

// Entries in which every word of the filter occurs, in any case; no words: all, in the catalog's order. A word may have spaces in it: it then is several
// words. A word that begins with a digit begins a number ("7b" is not in "27b"); letters and digits match across hyphens ("rtx4090" is in "rtx-4090",
// "qwen3" is not in "qwen-32b").

/// Looks at id, name, Hugging Face id, aliases, publisher, family, architecture, license and modality.
[[nodiscard]] std::vector<const ModelEntry*> filtered_models(const Catalog& catalog, std::span<const std::string> words);
/// Looks at id, name, vendor, family, generation, market, kind and memory ("24gb", "HBM3").
[[nodiscard]] std::vector<const Device*> filtered_devices(const Catalog& catalog, std::span<const std::string> words);
/// Looks at name, aliases and ecosystem.
[[nodiscard]] std::vector<const Quantization*> filtered_quantizations(const Catalog& catalog, std::span<const std::string> words);
/// Looks at id, name, account, aliases and the names of own mixes.
[[nodiscard]] std::vector<const Publisher*> filtered_publishers(const Catalog& catalog, std::span<const std::string> words);
/// Looks at id, name, aliases, ecosystems and backends.
[[nodiscard]] std::vector<const Engine*> filtered_engines(const Catalog& catalog, std::span<const std::string> words);
/// Looks at the name.
[[nodiscard]] std::vector<const TensorFormat*> filtered_formats(std::span<const std::string> words);

/// The Error (unknown_name) for a filter that leaves nothing: which word nothing has, and what may have been meant.
[[nodiscard]] Error no_match(EntryKind kind, std::span<const std::string> words, const Catalog& catalog);

// ---------------------------------------------------------------------------------------------------------------------
// One entry
// ---------------------------------------------------------------------------------------------------------------------

/// One entry of any kind: the pointer of its kind is set, the others are null.
struct CatalogEntry {
  EntryKind kind = EntryKind::model;
  const ModelEntry* model = nullptr;
  DeviceMatch device;
  const Quantization* quantization = nullptr;
  std::unique_ptr<Quantization> own_quantization;  ///< what `quantization` points to, where it was made for the name ("EXL2-4.25")
  const Engine* engine = nullptr;
};

/// The entry that somebody who typed `typed` means. Where several kinds have one, a name letter for letter wins over one in other case, a name or id over an
/// alias, an alias over a part of a name.
/// Throws Error (unknown_name): no entry, several of one kind, or entries of several kinds that fit equally well.
[[nodiscard]] CatalogEntry resolve_entry(const Catalog& catalog, std::string_view typed, std::optional<EntryKind> kind = std::nullopt);

// ---------------------------------------------------------------------------------------------------------------------
// Models in words
// ---------------------------------------------------------------------------------------------------------------------

/// Layers of a model that are alike.
struct LayerGroup {
  std::vector<std::int64_t> layers;  ///< their numbers, ascending
  bool mtp = false;                  ///< multi-token-prediction layers
  std::string mixers;                ///< "full attention, 12 heads over 2 KV heads of 128"; empty: none
  std::string feed_forwards;         ///< "dense feed-forward 8960"; empty: none
};
/// The groups in order of their first layer.
[[nodiscard]] std::vector<LayerGroup> layer_groups(const Model& model);
/// Where a group's layers are: "all", "0 to 2", "every 6th from 5", "0, 4, 9".
[[nodiscard]] std::string layers_in_words(const LayerGroup& group, const Model& model);

/// "RMSNorm" or "LayerNorm": with biases it is LayerNorm, without them RMSNorm but for the few architectures whose LayerNorms have none.
/// Source: the norms of src/models/ in ggml-org/llama.cpp.
[[nodiscard]] std::string_view normalization_of(const Model& model);

/// The feed-forward's activation as transformers names it: what the config says, else the default of the architecture's class there
/// (configuration_*.py); empty: neither is known. Example: "silu", "gelu_pytorch_tanh", "relu2"
[[nodiscard]] std::string activation_of(const Model& model);

/// How a model knows the order of tokens.
struct PositionEncoding {
  enum class Kind : std::uint8_t {
    unknown,
    rope,     ///< rotary embeddings
    alibi,    ///< a bias on the scores that grows with the distance
    learned,  ///< a table of positions
    none,     ///< recurrent layers alone know it
  };
  Kind kind = Kind::unknown;
  std::optional<double> base;           ///< rope_theta; absent: the config does not say
  std::optional<double> sliding_base;   ///< of sliding layers, where it is another
  std::optional<std::int64_t> rotated;  ///< rotated part of a head, where it is not the whole head
  RopeScaling scaling = RopeScaling::none;
  std::optional<double> factor;                  ///< of the scaling
  std::optional<std::int64_t> original_context;  ///< tokens before the scaling
};
/// By the tensors, the architecture (llama_model_rope_type and max_alibi_bias in ggml-org/llama.cpp) and the keys of the config.
/// Unknown where the config leaves it open, or the geometry is not known.
[[nodiscard]] PositionEncoding position_encoding(const ModelEntry& entry);
/// "rope", "alibi", "learned", "none"; empty: unknown.
[[nodiscard]] std::string_view to_string(PositionEncoding::Kind kind);
/// "none", "linear", "dynamic", "llama3", "yarn", "longrope"
[[nodiscard]] std::string_view to_string(RopeScaling scaling);
/// "RoPE, base 1,000,000, yarn scaling x 4 over 32,768"; empty: unknown.
[[nodiscard]] std::string in_words(const PositionEncoding& positions);

/// Models whose base_model names this one, in the catalog's order.
[[nodiscard]] std::vector<const ModelEntry*> derivatives_of(const ModelEntry& entry, const Catalog& catalog);

/// What one sequence keeps, keys and values in F16. MLA is compressed, sliding layers hold at most their window.
struct CacheSummary {
  struct At {
    std::int64_t tokens = 0;
    std::int64_t bytes = 0;
  };
  std::int64_t bytes_per_token = 0;                 ///< while no window is full
  std::int64_t bytes_per_token_beyond_windows = 0;  ///< of layers that keep every token
  std::int64_t recurrent_state_bytes = 0;
  std::array<At, 3> at{};  ///< at 8192, 32768 and 131072 tokens
};
/// Example: 28 layers, 2 KV heads of 128 -> 28,672 bytes per token, 3.5 GiB at 131,072.
[[nodiscard]] CacheSummary cache_summary(const Model& model);

// ---------------------------------------------------------------------------------------------------------------------
// Quantizations
// ---------------------------------------------------------------------------------------------------------------------

/// Bits per weight of the matrices that follow the quantization's base: the format's block layout, or bits plus the group's share of scale and zero
/// point. Nothing where the bits are chosen by name (EXL2). A whole model has other bits: that is what store() is for.
/// Example: Q4_K_M -> 4.5; W4A16 in groups of 128 with 16-bit scales -> 4.125
[[nodiscard]] std::optional<double> base_bits_per_weight(const Quantization& quantization);

/// What is different in a publisher's files: "with an importance matrix since 2024-05; own mixes Q6_K_L; ...".
[[nodiscard]] std::string publisher_in_words(const Publisher& publisher);

/// The model on which most quantizations were measured; empty: none was.
[[nodiscard]] std::string reference_model(const Catalog& catalog);
/// The KL divergence to quote: measured on `model`, with an importance matrix where the mix is usually made with one. Null where there is none.
[[nodiscard]] const QualityMeasurement* find_measurement(const Quantization& quantization, std::string_view model);

// ---------------------------------------------------------------------------------------------------------------------
// Quantities as text
// ---------------------------------------------------------------------------------------------------------------------

/// "1,008 GB/s", "44.8 GB/s"
[[nodiscard]] std::string format_bandwidth(BytesPerSecond rate);
/// "82.6 TFLOP/s"; `unit` is "TOP/s" for integers.
[[nodiscard]] std::string format_ops(OpsPerSecond rate, std::string_view unit = "TFLOP/s");
/// A count of tokens: 131072 -> "128k", 1048576 -> "1M", 1000 -> "1,000"
[[nodiscard]] std::string format_tokens(std::int64_t tokens);

// ---------------------------------------------------------------------------------------------------------------------
// JSON
// ---------------------------------------------------------------------------------------------------------------------

/// "planner.models/1": {"schema", "models": [...]}
[[nodiscard]] std::string to_json(std::span<const ModelEntry* const> models, const Catalog& catalog);
/// "planner.gpus/1": {"schema", "gpus": [...]}
[[nodiscard]] std::string to_json(std::span<const Device* const> devices, const Catalog& catalog);
/// "planner.quants/1": {"schema", "quants": [...], "formats": [...], "publishers": [...]}
[[nodiscard]] std::string to_json(std::span<const Quantization* const> quantizations, std::span<const TensorFormat* const> formats,
                                  std::span<const Publisher* const> publishers, const Catalog& catalog);
/// "planner.engines/1": {"schema", "engines": [...]}
[[nodiscard]] std::string to_json(std::span<const Engine* const> engines);
/// The list of a kind's entries in which every word of the filter occurs, maybe none: "planner.models/1" ... "planner.engines/1".
[[nodiscard]] std::string list_json(EntryKind kind, std::span<const std::string> words, const Catalog& catalog);
/// "planner.show/1": {"schema", "kind", and the entry under its kind's name, as in the lists}
[[nodiscard]] std::string to_json(const CatalogEntry& entry, const Catalog& catalog);

}  // namespace planner
