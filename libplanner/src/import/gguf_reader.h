// One GGUF file's header. Splits, look-ups and everything about models are built on it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "planner/gguf.h"

namespace planner {

/// More than any storage holds; sums over tensors stay far from overflow.
inline constexpr std::int64_t kMostDataBytes = std::int64_t{1} << 56;

struct GgufHeader {
  GgufShard shard;
  std::uint32_t version = 3;
  bool big_endian = false;
  std::vector<GgufEntry> metadata;
  std::vector<GgufTensor> tensors;
};

/// Reads and checks the header of one file. Throws Error (invalid_file).
[[nodiscard]] GgufHeader read_one_gguf_header(const std::filesystem::path& path);

/// Text from a file, fit for one line of a message: what is no printable UTF-8 as \xNN, text of more than `most` bytes cut.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 80);
/// Path for a message.
[[nodiscard]] std::string printable_path(const std::filesystem::path& path);

/// Bytes that a value of a fixed size takes; 0 for strings and arrays.
[[nodiscard]] std::size_t fixed_size(GgufType type);
[[nodiscard]] bool is_integer(GgufType type);

}  // namespace planner
