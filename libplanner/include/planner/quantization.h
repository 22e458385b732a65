/// Quantizations: what format each tensor of a model is stored in, and how many bytes that makes.
///
/// GGUF mixes (Q4_K_M) are recipes of rules over tensors, as llama.cpp's quantizer applies them. The other ecosystems (AWQ, GPTQ, FP8,
/// NF4, EXL2, MLX ...) store groups of weights with a shared scale. Both end in the same place: bytes per tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "planner/model.h"
#include "planner/tensor_format.h"

namespace planner {

// ---------------------------------------------------------------------------------------------------------------------
// GGUF recipes
// ---------------------------------------------------------------------------------------------------------------------

/// A condition of a recipe's rule; data/quantizations/gguf.yaml says what each means.
enum class RuleCondition : std::uint8_t {
  gqa_at_least, gqa_below, experts_at_least, experts_below, experts_equal, experts_not_equal, imatrix, no_imatrix, arch, not_arch, is_70b,
  made_from, made_before, stored_head,
  stacked, ragged, not_ragged, mtp, more_bits, first, first_part, counted_part, middle, more_bits_of_name, outer_of_name,
};

struct RecipeRule {
  struct Condition {
    RuleCondition kind;
    std::int64_t number = 0;  ///< the N of conditions that have one
    std::string word;         ///< the architecture of arch and not_arch; the date of made_from and made_before
  };
  std::uint32_t roles = 0;         ///< bit set over TensorRole
  std::vector<std::string> names;  ///< what the tensor's name ends in, without ".weight"; empty: any
  std::vector<Condition> when;     ///< all must hold
  std::vector<FormatId> from;     ///< empty: whatever the format so far
  FormatId to = FormatId::f16;
};

enum class Imatrix : std::uint8_t {
  none,      ///< usually made without an importance matrix
  usual,     ///< usually made with one
  required,  ///< cannot be made without one
};

struct GgufRecipe {
  FormatId base = FormatId::f16;  ///< format of every quantized tensor that no rule touches
  FormatId unquantized = FormatId::f16;  ///< 16-bit format of tensors that the quantizer leaves alone
  std::int32_t file_type = -1;    ///< general.file_type in the file
  Imatrix imatrix = Imatrix::none;
  std::string imatrix_since;      ///< files made from this date on have one, those before have not; empty: as `imatrix` says
  std::string made;               ///< date of the files meant ("2026-03"); empty: when the model was released, today where that is not known
  std::vector<RecipeRule> rules;  ///< in order; a later match replaces an earlier one
  /// The file of a model that ties its head stores the head a second time where all conditions of one of these hold.
  std::vector<std::vector<RecipeRule::Condition>> head_copies;
};

// ---------------------------------------------------------------------------------------------------------------------
// Grouped weights of the other ecosystems
// ---------------------------------------------------------------------------------------------------------------------

struct GroupScheme {
  double bits = 16;              ///< per weight of a quantized matrix
  std::int64_t group = 0;        ///< weights of a row that share a scale; 0: the whole row
  std::int64_t block_rows = 0;   ///< rows of a two-dimensional block that shares a scale; 0: no blocks
  double scale_bits = 0;         ///< per scale
  double zero_bits = 0;          ///< per zero point
  double input_bits = 0;         ///< per input column (GPTQ's g_idx)
  bool embedding_too = false;    ///< the embedding table is quantized like the rest
  bool head_too = false;         ///< the output head is quantized like the rest
  bool router_too = false;
  double head_bits = 16;         ///< bits of the head where it is not head_too
  bool experts_only = false;     ///< everything but the routed experts stays 16 bit
};

// ---------------------------------------------------------------------------------------------------------------------

/// A measured loss against the unquantized model.
struct QualityMeasurement {
  std::string model;             ///< that was measured
  bool imatrix = false;
  std::optional<double> perplexity;
  std::optional<double> perplexity_increase;
  std::optional<double> kl_divergence;  ///< mean Kullback-Leibler divergence of the token distribution against F16
  std::string dataset;
  std::string source;
};

/// One quantization that a user can name.
struct Quantization {
  std::string name;
  std::vector<std::string> aliases;
  std::string ecosystem;  ///< "gguf", "awq", "mlx" ...
  std::string quality;    ///< in plain words
  std::string varies;     ///< what differs between checkpoints of this name, so that their size is not known from it; empty: nothing
  bool native_only = false;  ///< for models that are trained or published in it; no choice for others
  std::string publisher;     ///< id of the publisher whose files are meant (Catalog::publishers); empty: the quantizer's own recipe
  std::string source;
  std::vector<QualityMeasurement> measurements;
  std::variant<GgufRecipe, GroupScheme> recipe;

  [[nodiscard]] bool is_gguf() const { return std::holds_alternative<GgufRecipe>(recipe); }
};

/// A model's tensors under a quantization.
struct StoredModel {
  std::vector<std::int64_t> bytes;  ///< of each tensor of Model::tensors; 0 for those that the file does not hold
  std::vector<FormatId> formats;    ///< of each tensor; for grouped weights only the 16-bit ones mean anything
  std::int64_t tensor_bytes = 0;    ///< their sum
  std::int64_t parameters = 0;      ///< parameters stored in those bytes
  /// 8 * tensor_bytes / parameters
  [[nodiscard]] double bits_per_weight() const { return parameters > 0 ? 8.0 * static_cast<double>(tensor_bytes) / static_cast<double>(parameters) : 0.0; }
};

/// Formats and bytes of every tensor of `model`, text model and (where its files keep them) MTP layers; towers are files of their own.
/// `imatrix`: whether an importance matrix was used; absent: what is usual for the mix, or for its publisher at that time.
/// Rules that came at some time hold for files made from then on: the recipe's `made`, else the model's release.
[[nodiscard]] StoredModel store(const Model& model, const Quantization& quantization, std::optional<bool> imatrix = std::nullopt);

/// Whether files of `quantization` store the head of `model` a second time though the model ties it to the embedding table.
/// Such a file holds the tensors of ModelEntry::model_as_stored.
[[nodiscard]] bool copies_tied_head(const Model& model, const Quantization& quantization);

/// Bytes of a tensor in a block format. Throws Error (invalid_file) when the row is no multiple of the format's block.
[[nodiscard]] std::int64_t tensor_bytes(const Tensor& tensor, FormatId format);

}  // namespace planner
