// Rotary positions: the angle of each pair at each position, stretched as the model was trained.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/gguf.h"
#include "transformer/traits.h"

namespace planner::runtime {

/// How one kind of layer rotates.
struct Rope {
  std::vector<double> frequencies;  ///< radians per position, one per pair
  double magnitude = 1;             ///< of the rotated vectors (YaRN, LongRoPE)

  /// Cosines and sines of a position, each frequencies.size() values.
  void angles(std::int64_t position, float* cosines, float* sines) const;
};

/// What a file says of its rotation.
struct RopeSettings {
  std::int64_t dimensions = 0;  ///< rotated values of a head
  double base = 10000, sliding_base = 10000;
  double factor = 1;  ///< positions are stretched by it
  bool yarn = false;
  double beta_fast = 32, beta_slow = 1;
  double attention_factor = 1;
  double yarn_log_multiplier = 0;  ///< DeepSeek's mscale_all_dim
  std::int64_t original_context = 0;
  std::vector<float> factors, long_factors, short_factors;  ///< per pair, empty: none

  /// `context` chooses between long and short factors.
  [[nodiscard]] Rope full(std::int64_t context) const;
  [[nodiscard]] Rope sliding(const ArchitectureTraits& traits, std::int64_t context) const;
  /// What attention scores are multiplied with besides 1 / sqrt(head_dim), for MLA under YaRN.
  [[nodiscard]] double mla_scale() const;

 private:
  [[nodiscard]] Rope make(double at_base, double stretch, bool with_yarn, std::int64_t context) const;
  [[nodiscard]] double magnitude() const;
};

/// Reads rope.* of a file. Throws Error (invalid_file): a kind of scaling that is not known, a value that makes no sense.
[[nodiscard]] RopeSettings read_rope(const GgufFile& file, const std::string& architecture, std::int64_t dimensions, std::int64_t context_length);

}  // namespace planner::runtime
