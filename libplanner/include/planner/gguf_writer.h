/// Writing GGUF files: the header, piece by piece; whoever has the weights writes them behind it.
///
///     GgufHeaderWriter header;
///     header.add("general.architecture", "llama");
///     header.add_tensor("output_norm.weight", {4096}, FormatId::f32);
///     file << header.bytes();   // then each tensor's data at data_offset() + its offset
///
/// Version 3, little endian, alignment 32. Source of the format: docs/gguf.md (ggml-org/ggml).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "planner/gguf.h"
#include "planner/model.h"
#include "planner/tensor_format.h"

namespace planner {

class GgufHeaderWriter {
 public:
  static constexpr std::int64_t kAlignment = 32;

  // Key-value pairs, in the order in which they are added. A key must not come twice.
  void add(std::string_view key, std::uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add_array(std::string_view key, std::span<const std::string> values);
  void add_array(std::string_view key, std::span<const std::int32_t> values);
  void add_array(std::string_view key, std::span<const std::uint32_t> values);
  void add_array(std::string_view key, std::span<const float> values);
  void add_array(std::string_view key, const std::vector<bool>& values);

  /// `shape` in GGUF order, 1 to 4 extents; the row a multiple of the format's block. Data follow each other, each padded to the alignment.
  /// Returns the offset of the tensor's data from the beginning of all data.
  std::int64_t add_tensor(std::string_view name, std::span<const std::int64_t> shape, FormatId format);

  /// The whole header, padded to where the data begin.
  [[nodiscard]] std::string bytes() const;
  [[nodiscard]] std::int64_t data_offset() const;  ///< bytes().size()
  [[nodiscard]] std::int64_t data_bytes() const { return data_bytes_; }
  [[nodiscard]] std::int64_t file_bytes() const { return data_offset() + data_bytes_; }

 private:
  void begin(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType element, std::size_t n);
  std::string pairs_, directory_;
  std::uint64_t n_pairs_ = 0, n_tensors_ = 0;
  std::int64_t data_bytes_ = 0;
};

/// Whether add_model_metadata knows which keys files of an architecture have.
[[nodiscard]] bool has_gguf_metadata(std::string_view architecture);

/// general.architecture and the architecture's own keys, as llama.cpp's converter writes them: the way back from hyperparameters_from_gguf.
/// `config_json` is the model's config.json: numbers that are no geometry come from it (rope_theta, epsilons, soft caps), or are the
/// architecture's defaults where it does not say.
/// Throws Error (usage) for an architecture without has_gguf_metadata, (invalid_file) naming `origin` for a config that is no JSON object.
/// Source of the keys: convert_hf_to_gguf.py and conversion/ (ggml-org/llama.cpp).
void add_model_metadata(GgufHeaderWriter& header, const Model& model, std::string_view config_json, const std::string& origin);

/// What the converter puts into tensors that hold rotary factors ("rope_freqs.weight" of Llama 3, "rope_factors_long.weight" and
/// "rope_factors_short.weight" of LongRoPE): n values; nothing for other tensors. Ones where the config does not give them.
[[nodiscard]] std::vector<float> rope_factor_values(std::string_view tensor, std::int64_t n, const Hyperparameters& hp, std::string_view config_json);

}  // namespace planner
