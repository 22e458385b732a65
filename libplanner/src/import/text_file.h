// Small files of text, read whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace planner {

/// No config.json is larger.
inline constexpr std::uintmax_t kLargestConfig = 16U << 20;

/// The text of a file of at most `most` bytes. Throws Error (invalid_file): it cannot be read, or is larger than any `what`.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path, std::uintmax_t most, std::string_view what);

}  // namespace planner
