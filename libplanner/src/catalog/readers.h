// Records -> the catalog's structs, every key checked: type, range, unknown keys with "did you mean".
#pragma once

#include "catalog/record.h"
#include "planner/catalog.h"

namespace planner {

[[nodiscard]] Device read_device(const Record& record);
[[nodiscard]] ModelEntry read_model(const Record& record);
[[nodiscard]] Quantization read_quantization(const Record& record);
[[nodiscard]] Publisher read_publisher(const Record& record);
[[nodiscard]] Engine read_engine(const Record& record);

/// A tokenizer family and the models that it serves. data/tokenizers.yaml says what each key means.
struct TokenizerRule {
  Tokenizer tokenizer;  ///< for the first vocabulary size that it serves
  enum class StoredTokens : std::uint8_t { config, pad8, pad16, fixed } stored = StoredTokens::config;
  std::int64_t real_tokens = 0, real_token_bytes = 0;  ///< before padding; 0: no padding is known
  struct AppliesTo {
    std::vector<std::string> model_types;
    std::vector<std::int64_t> vocab_sizes;
    std::vector<std::string> name_contains;
  };
  std::vector<AppliesTo> applies_to;
};
[[nodiscard]] TokenizerRule read_tokenizer(const Record& record);

/// Averages per token of a kind of tokenizer, for vocabularies up to a size.
struct TokenizerAverages {
  std::string model;
  std::int64_t max_tokens = 0;
  double token_bytes = 0, merges_per_token = 0, merge_bytes = 0;
  bool scores = false, token_types = true;
};
[[nodiscard]] TokenizerAverages read_tokenizer_averages(const Record& record);

/// A class of devices by vendor, kind and generation; empty or absent: any.
struct DeviceClass {
  std::string vendor, generation, backend;
  std::optional<DeviceKind> kind;
};
/// What a kind of platform keeps for itself.
struct PlatformRule {
  DeviceClass applies_to;
  std::int64_t up_to_bytes = 0;     ///< applies to capacities up to this; 0: all
  std::int64_t reserve_bytes = 0;
  double usable_fraction = 1;       ///< of the capacity, before the reserve
  std::string note, source;
};
[[nodiscard]] PlatformRule read_platform(const Record& record);

struct EvaluationRow {
  std::string model;
  Evaluation evaluation;
};
[[nodiscard]] EvaluationRow read_evaluation(const Record& record);

struct QualityRow {
  std::string quantization;
  QualityMeasurement measurement;
};
[[nodiscard]] QualityRow read_quality(const Record& record);

/// "EXL2" with bits 4.25 -> "EXL2-4.25": the quantization that a parametric one makes. Throws Error (unknown_name) outside its range.
struct ParametricRange {
  double min = 0, max = 0, standard = 0;
  std::vector<double> steps;  ///< bits that uploads usually have
};
/// The range of a parametric quantization's record; nothing for the others.
[[nodiscard]] std::optional<ParametricRange> read_parametric(const Record& record);

/// config_of: the record's geometry taken from another's, with its own overrides.
void inherit_config(Record& record, const Record& base);

}  // namespace planner
