// The terms of a step's time: a physical quantity over a device's rate, times factors (speed_class.h). The same terms are added up for an answer and
// fitted to measurements.
#pragma once

#include <array>
#include <cstddef>

#include "planner/catalog.h"
#include "planner/speed_class.h"
#include "throughput/work.h"

namespace planner::throughput {

/// Theoretical rates of one device.
struct Rates {
  double bandwidth = 0;  ///< bytes per second
  double fp32 = 0;       ///< operations per second of its plain arithmetic
  double matrix = 0;     ///< of its matrix units, 16 bit; as fp32 where it has none
};
[[nodiscard]] Rates rates_of(const Device& device);
[[nodiscard]] Rates rates_of_unknown_host();  ///< two channels of DDR5-5600

/// What a term stands for when it is shown.
enum class Part : std::uint8_t { weights, experts, unpacking, cache, attention, state, launches, token, hops, matrices, expert_matrices, scores, activations, recurrent };
inline constexpr std::size_t kParts = 14;

struct Term {
  double seconds = 0;  ///< before the factors
  std::array<Effect, 3> effects{Effect::count, Effect::count, Effect::count};
  Part part = Part::weights;

  [[nodiscard]] double value(const SpeedProfile& profile) const {
    double t = seconds;
    for (const Effect e : effects) {
      if (e != Effect::count) t *= profile[e];
    }
    return t;
  }
};

class Terms {
 public:
  void add(double seconds, Part part, Effect a, Effect b = Effect::count, Effect c = Effect::count) {
    if (seconds > 0 && n_ < items_.size()) items_[n_++] = {seconds, {a, b, c}, part};
  }
  [[nodiscard]] const Term* begin() const { return items_.data(); }
  [[nodiscard]] const Term* end() const { return items_.data() + n_; }
  void clear() { n_ = 0; }
  void scale(double factor) {
    for (std::size_t i = 0; i < n_; ++i) items_[i].seconds *= factor;
  }

 private:
  std::array<Term, 48> items_;
  std::size_t n_ = 0;
};

/// A decode step of one token for each of `sequences`, in one place. `coverage`: share of the experts that it touches. Adds no per-token term.
void decode_terms(Terms& out, const Work& work, const ModelTraits& traits, const Rates& rates, double sequences, double tokens_per_sequence, bool flash_attention);
/// Once per step: sampling and host work, and the way from device to device.
void step_terms(Terms& out, double hops);

struct Prompt {
  double tokens = 512;   ///< computed
  double ubatch = 512;   ///< of those at once
  bool flash_attention = true;
};
/// A prompt in one place.
void prefill_terms(Terms& out, const Work& work, const ModelTraits& traits, const Rates& rates, const Prompt& prompt);
void prompt_terms(Terms& out);

/// How much of a prompt's time is left when `devices` work behind each other on ubatches of one batch: (n + devices - 1) / (n * devices) for n ubatches.
/// Source: pipeline parallelism of llama.cpp (ggml-org/llama.cpp pull request 6017).
[[nodiscard]] double pipeline_share(double tokens, double batch, double ubatch, double devices);

}  // namespace planner::throughput
