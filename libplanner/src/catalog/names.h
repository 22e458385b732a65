// How names are compared: the same thing typed in different ways has one key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace planner::names {

/// "GeForce RTX 4090" and "rtx4090" -> "rtx4090": lower case, vendor and marketing words dropped, letters and digits only.
[[nodiscard]] std::string device_key(std::string_view name);
/// "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B" -> "deepseekr1distillqwen1.5b": organisation dropped, letters, digits and the points of numbers.
[[nodiscard]] std::string model_key(std::string_view name);
/// "Q4_K_M" -> "q4km".
[[nodiscard]] std::string plain_key(std::string_view name);

/// The words of a name for partial matches: split at everything but letters and digits; devices also where letters meet digits
/// ("rtx4090" -> rtx, 4090), vendor words dropped.
[[nodiscard]] std::vector<std::string> device_words(std::string_view name);
[[nodiscard]] std::vector<std::string> model_words(std::string_view name);

/// "RTX 3060 12GB" -> {"RTX 3060", 12}, "M3 Max (64GB, 40 cores)" -> {"M3 Max", 64}; brackets at the end are dropped; gib 0 when no size is given.
struct WithMemory {
  std::string_view name;
  std::int64_t gib = 0;
};
[[nodiscard]] WithMemory split_memory(std::string_view name);

}  // namespace planner::names
