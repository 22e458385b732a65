/// What is known of the speed of devices: effects of groups that a device belongs to, entries of data/speed/.
///
/// Every time in throughput.h is a physical quantity (bytes over bandwidth, operations over a rate, launches) times factors. The logarithm of a
/// factor is a sum over groups: all devices, the back end, the back end on a generation, on a kind of memory, on one device, the engine, and what a
/// user has measured. A device without measurements has no entry of its own and so gets what its groups have.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace planner {

/// A factor of the model. Streaming and arithmetic have one for each WeightClass (deployment.h), in its order.
enum class Effect : std::uint8_t {
  // Decode
  weights,            ///< bandwidth / rate at which weights stream
  weights_half, weights_bfloat, weights_byte, weights_nibble, weights_super, weights_codebook,
  experts,            ///< the same for routed experts, whose slices are short
  arithmetic,         ///< FP32 peak / rate at which weights are unpacked and multiplied
  arithmetic_half, arithmetic_bfloat, arithmetic_byte, arithmetic_nibble, arithmetic_super, arithmetic_codebook,
  kv,                 ///< bandwidth / rate at which the cache is read
  kv_plain,           ///< the same without flash attention
  attention,          ///< FP32 peak / rate of attention over the cache
  state,              ///< bandwidth / rate of recurrent state
  launch,             ///< microseconds per operation of the graph
  launch_experts, launch_recurrent, launch_streams,  ///< those of routing, of recurrent layers, of hyper-connections
  token,              ///< sampling and host work, in 200 microseconds
  hop,                ///< from one device to the next, in 100 microseconds
  // Prefill
  prefill,            ///< matrix peak / rate of a prompt's matrix products
  prefill_half, prefill_bfloat, prefill_byte, prefill_nibble, prefill_super, prefill_codebook,
  prefill_experts,
  prefill_rounds,     ///< what a ubatch costs however small it is, in 32 tokens' products
  prefill_attention, prefill_scores,  ///< attention's products; its scores where they go through memory
  prefill_bytes,      ///< bandwidth / rate of the weights, read once per ubatch
  prefill_launch,     ///< per operation of the graph and ubatch, in 2 microseconds
  prefill_activations, prefill_recurrent,
  prefill_token,      ///< in 300 microseconds
  // Logarithm per year before kSpeedYear
  weights_year, arithmetic_year, kv_year, launch_year, prefill_year, prefill_experts_year,
  count,
};
inline constexpr std::size_t kEffects = static_cast<std::size_t>(Effect::count);
[[nodiscard]] std::string_view to_string(Effect effect);
[[nodiscard]] std::optional<Effect> find_effect(std::string_view name);

/// Engines of this date have a year of 0: mid 2026.
inline constexpr double kSpeedYear = 2026.5;

/// Multiples of a prediction that bound 80 % of measurements.
struct SpeedRange {
  double low = 0.5, high = 2;
};

/// The factors of one device under one back end and engine.
struct SpeedProfile {
  std::array<double, kEffects> factor{};  ///< those per year are in the factors that they belong to
  SpeedRange decode, decode_experts, prefill, prefill_experts;
  std::string basis = "default";  ///< calibrated: the user's measurements; fitted: measurements of the device or of its generation; default: neither
  std::string source;             ///< the most specific group

  [[nodiscard]] double operator[](Effect e) const { return factor[static_cast<std::size_t>(e)]; }
};

}  // namespace planner
