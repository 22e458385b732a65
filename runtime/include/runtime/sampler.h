/// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/random.h"
#include "runtime/tokenizer.h"

namespace planner::runtime {

struct SamplerOptions {
  float temperature = 0.8F;  ///< 0: the likeliest token always (greedy); nothing below then matters
  std::int64_t top_k = 40;   ///< only the k likeliest; 0: all
  float top_p = 0.95F;       ///< of those, the likeliest that together have this probability; 1: all
  float min_p = 0.05F;       ///< of those, the ones at least this times as likely as the likeliest; 0: all
  std::uint64_t seed = 0;    ///< the same seed gives the same text
};

/// Filters in the order top-k, top-p, min-p over the softmax of the logits, then temperature, then a draw, as llama.cpp's chain has it.
class Sampler {
 public:
  /// Throws Error (usage): a temperature below 0 or not finite, a negative k, a p outside 0 to 1.
  explicit Sampler(const SamplerOptions& options = {});
  /// Of equally likely tokens greedy choice takes the first. `logits` may not be empty.
  [[nodiscard]] TokenId sample(std::span<const float> logits);

 private:
  struct Candidate {
    float logit;
    TokenId id;
  };
  SamplerOptions options_;
  Random random_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace planner::runtime
