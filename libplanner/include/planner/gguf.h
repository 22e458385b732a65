/// GGUF files: their header, and the model that it describes.
///
/// A GGUF file is a header (metadata, then the list of tensors) with the tensors' data behind it. Everything here reads the header alone:
/// a file of 40 GB costs what its header costs (a few ms with a vocabulary of 250 000 tokens), and a file whose data is cut off is read
/// like a whole one: `is_complete()` tells them apart.
///
/// Nothing that a file says is trusted: counts and sizes are checked against what is left of the file before anything is allocated, shapes
/// and offsets against overflow, blocks, alignment and each other. A damaged file is one Error (invalid_file) with the file, the byte and
/// what was expected there. All types are values; functions may run on several threads at once.
/// Source of the format: docs/gguf.md (ggml-org/ggml).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "planner/hyperparameters.h"
#include "planner/model.h"
#include "planner/quantization.h"
#include "planner/tensor_format.h"

namespace planner {

// ---------------------------------------------------------------------------------------------------------------------
// Metadata
// ---------------------------------------------------------------------------------------------------------------------

/// Types of metadata values; the values are the type numbers in files.
enum class GgufType : std::uint8_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
/// "u32", "bool", "string", "array" ...
[[nodiscard]] std::string_view to_string(GgufType type);

/// An array of metadata. It stays as it stands in the header and is decoded when asked for: a copy is cheap and shares the header's bytes.
class GgufArray {
 public:
  [[nodiscard]] GgufType element_type() const { return element_type_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // All elements. Throw Error (invalid_file) where the elements are of another kind.
  [[nodiscard]] std::vector<std::int64_t> integers() const;     ///< integers of any width, or bools as 0 and 1
  [[nodiscard]] std::vector<double> numbers() const;            ///< f32, f64, or integers
  [[nodiscard]] std::vector<std::string_view> strings() const;  ///< valid as long as this array or any copy of it
  [[nodiscard]] std::vector<GgufArray> arrays() const;          ///< nested arrays

 private:
  friend class GgufHeaderReader;
  std::shared_ptr<const std::vector<std::byte>> header_;
  std::size_t begin_ = 0, end_ = 0;  // bytes of the elements in the header
  std::size_t size_ = 0;
  GgufType element_type_ = GgufType::u32;
  bool big_endian_ = false;
};

/// One value of metadata with the type that it has in the file.
struct GgufValue {
  GgufType type = GgufType::u32;
  /// u8 to u64 as uint64_t, i8 to i64 as int64_t, f32 and f64 as double. Strings are kept byte for byte: not all are UTF-8.
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray> value;
};

struct GgufEntry {
  std::string key;  ///< UTF-8 without control characters
  GgufValue value;
};

// ---------------------------------------------------------------------------------------------------------------------
// Tensors and files
// ---------------------------------------------------------------------------------------------------------------------

struct GgufTensor {
  std::string name;                               ///< UTF-8 without control characters
  FormatId format = FormatId::f32;
  std::array<std::int64_t, 4> shape{1, 1, 1, 1};  ///< GGUF order: shape[0] is the row length
  std::int32_t n_dims = 1;                        ///< as stated; 0: one number
  std::int64_t offset = 0;                        ///< from data_offset of its shard
  std::int64_t bytes = 0;                         ///< without padding
  std::size_t shard = 0;                          ///< index into GgufFile::shards

  [[nodiscard]] std::int64_t n_elements() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
};

/// One file on disk: the whole model, or one part of a split one.
struct GgufShard {
  std::filesystem::path path;
  std::int64_t header_bytes = 0;         ///< where the list of tensors ends
  std::int64_t data_offset = 0;          ///< where the data begins: header_bytes, padded to the alignment
  std::int64_t alignment = 32;           ///< general.alignment
  std::int64_t tensor_bytes = 0;         ///< of its tensors, without padding
  std::int64_t data_bytes = 0;           ///< the same with each tensor padded to the alignment
  std::int64_t declared_file_bytes = 0;  ///< what the file should hold: data_offset + data_bytes; without tensors header_bytes
  std::int64_t needed_file_bytes = 0;    ///< the same without the padding behind the last tensor, which some writers leave out
  std::int64_t file_bytes = 0;           ///< what is on disk

  [[nodiscard]] bool is_complete() const { return file_bytes >= needed_file_bytes; }
};

/// A model's file, or all files of a split one as if they were one.
struct GgufFile {
  std::filesystem::path path;       ///< as given
  std::uint32_t version = 3;        ///< 2 or 3
  bool big_endian = false;          ///< byte order of header and data
  std::vector<GgufEntry> metadata;  ///< in the file's order; of the first shard
  std::vector<GgufTensor> tensors;  ///< in the file's order, shard by shard
  std::vector<GgufShard> shards;    ///< one, or all parts of a split file in order

  // Of the first shard.
  std::int64_t alignment = 32;
  std::int64_t data_offset = 0;
  // Sums over the shards.
  std::int64_t tensor_bytes = 0;         ///< of all tensors, without padding
  std::int64_t data_bytes = 0;           ///< the same with each tensor padded to the alignment
  std::int64_t declared_file_bytes = 0;  ///< what the headers say that the files should hold
  std::int64_t file_bytes = 0;           ///< what is on disk

  /// Whether all tensor data is there. False: the header can be read, the weights cannot.
  [[nodiscard]] bool is_complete() const;
  /// Elements of all tensors: the parameter count that download pages show (RoPE factors included).
  [[nodiscard]] std::int64_t n_elements() const;
  /// Where a tensor's data begins, in the file shards[tensor.shard].path.
  [[nodiscard]] std::int64_t position(const GgufTensor& tensor) const { return shards[tensor.shard].data_offset + tensor.offset; }

  /// By name; null when there is none. Linear in the number of tensors.
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const;
  /// By key; null when there is none.
  [[nodiscard]] const GgufValue* find(std::string_view key) const;

  // A value by key: nothing (or an empty list) where the key is absent; Error (invalid_file) naming file and key where it has another type.
  [[nodiscard]] std::optional<std::int64_t> find_integer(std::string_view key) const;  ///< integer of any width, or bool as 0 and 1
  [[nodiscard]] std::optional<double> find_number(std::string_view key) const;         ///< floating point or integer
  [[nodiscard]] std::optional<bool> find_bool(std::string_view key) const;
  [[nodiscard]] std::optional<std::string_view> find_string(std::string_view key) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key) const;
  [[nodiscard]] std::vector<double> numbers(std::string_view key) const;
  [[nodiscard]] std::vector<std::string_view> strings(std::string_view key) const;  ///< valid as long as the file
};

/// Reads the header of a GGUF file: versions 2 and 3, little and big endian. Of a split model (NAME-00001-of-00005.gguf) any shard may be
/// given: the headers of all are read, checked against each other and merged. Tensor data is not read and need not be there.
/// Throws Error (invalid_file): unreadable or no GGUF file; version 1; damage of any kind; a type that was removed from GGUF or is unknown;
/// a shard that is missing or contradicts the others.
[[nodiscard]] GgufFile read_gguf_header(const std::filesystem::path& path);

// ---------------------------------------------------------------------------------------------------------------------
// The model in a file
// ---------------------------------------------------------------------------------------------------------------------

/// Hyperparameters by the keys that hyperparameters.h names, then by what the tensors tell (vocabulary, tied head, biases, norms, which
/// layers route, kinds of layers), then by what the architecture's GGUF files leave implied. A file without tensors (vocabulary only) is
/// fine.
/// Integers (up to 2^28) and bools are in `extras` as well, as "gguf." and the key without the architecture's name:
/// "gguf.expert_group_count"; elements of the architecture's own lists as "gguf.attention.compress_ratios.0".
/// Throws Error (invalid_file): general.architecture, block_count or embedding_length absent; a value of the wrong type or absurd; a list
/// that is shorter than there are layers; a file that is no text model (projector, adapter).
[[nodiscard]] Hyperparameters hyperparameters_from_gguf(const GgufFile& file);

/// The model in a file: its tensors are the file's, its layers those of the architecture's description. Of an architecture that has none,
/// or whose description does not cover the file, layers are read off tensors and metadata; `note` then says so. `note` (may be null) also
/// tells when tensors differ from the description; empty: nothing to tell.
/// Throws Error (invalid_file) where hyperparameters_from_gguf does, and for a file without tensors.
[[nodiscard]] Model model_from_gguf(const GgufFile& file, std::string* note = nullptr);

/// Bytes and formats of the tensors of `model`, which is model_from_gguf(file): as the file stores them.
[[nodiscard]] StoredModel stored_from_gguf(const GgufFile& file, const Model& model);

/// A tensor that a file has and its architecture's description does not predict, or the other way round.
struct GgufTensorDifference {
  enum class Kind : std::uint8_t { missing, extra, shape };
  Kind kind = Kind::missing;
  std::string name;
  std::array<std::int64_t, 4> predicted{};  ///< zeros where extra
  std::array<std::int64_t, 4> actual{};     ///< zeros where missing

  /// "missing blk.0.attn_q.bias [1536]", "extra ...", "shape of output.weight: [1536, 151936], predicted [1536, 152064]"
  [[nodiscard]] std::string text() const;
};

/// Compares a file's tensors with those that its architecture's description predicts from its metadata: names and shapes, in the
/// description's order, then what the file has besides. Multi-token-prediction layers count only where the file holds any; towers (vision,
/// audio) never do.
/// Throws Error (invalid_file) where hyperparameters_from_gguf or build_model does, an unknown architecture above all.
[[nodiscard]] std::vector<GgufTensorDifference> compare_with_description(const GgufFile& file);

}  // namespace planner
