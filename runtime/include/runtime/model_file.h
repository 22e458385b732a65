/// A GGUF model on disk, mapped into memory: its header, and its tensors as views of the file's bytes.
///
/// All shards of a split model are mapped. Nothing is copied: the kernel reads pages when they are first touched and drops them when memory is
/// short, so that opening a 40 GB file costs what its header costs. Every size and offset was checked against the file by the header's reader.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "planner/gguf.h"
#include "runtime/matrix.h"

namespace planner::runtime {

class ModelFile {
 public:
  /// Throws Error (invalid_file): what read_gguf_header refuses; data that is cut off; big-endian data; a file that cannot be mapped.
  explicit ModelFile(const std::filesystem::path& path);
  ~ModelFile();
  ModelFile(ModelFile&& other) noexcept;
  ModelFile& operator=(ModelFile&&) = delete;

  [[nodiscard]] const GgufFile& header() const { return header_; }

  /// Bytes of a tensor of this file.
  [[nodiscard]] std::span<const std::byte> bytes(const GgufTensor& tensor) const;
  /// A tensor as a matrix of shape[1] * shape[2] * shape[3] rows (experts and heads one after the other).
  /// Throws Error (invalid_file) naming the tensor where the runtime does not compute with its format.
  [[nodiscard]] Matrix matrix(const GgufTensor& tensor) const;
  /// By name; null when there is none. Constant time.
  [[nodiscard]] const GgufTensor* find(std::string_view name) const;

  /// Looks at every block of every tensor for numbers that are no weights (a scale that is not finite, a code that no quantizer writes). Reads
  /// the whole file, on all threads of `pool` where one is given. Throws Error (invalid_file) with the tensor and the block of the first found.
  void check_blocks(ThreadPool* pool = nullptr) const;

 private:
  struct Mapping {
    const std::byte* data = nullptr;
    std::size_t bytes = 0;
  };
  GgufFile header_;
  std::vector<Mapping> mappings_;  // one per shard
  std::unordered_map<std::string_view, const GgufTensor*> by_name_;
};

}  // namespace planner::runtime
