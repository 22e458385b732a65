#include "throughput/terms.h"

#include <algorithm>
#include <cmath>

namespace planner::throughput {
namespace {

/// Plain operations per weight to unpack and multiply it, by class: what the dequantizing dot products of ggml take, roughly. The fit corrects it.
constexpr ByClass kOpsPerWeight = {2, 2, 3, 4, 5, 8};

/// Operations per byte of bandwidth of a device whose peak is not published: a processor with vector units.
constexpr double kOpsPerByte = 20;

// Units of the factors that are times.
constexpr double kLaunch = 1e-6, kToken = 200e-6, kHop = 100e-6, kPrefillLaunch = 2e-6, kPrefillToken = 300e-6;

/// Tokens that a ubatch's products are padded by: tiles that are not full, pipelines that fill and drain.
constexpr double kRoundTokens = 32;
/// Bytes of a score that goes through memory: written, read by the softmax, written and read again in 16 or 32 bit.
constexpr double kBytesPerScore = 8;
/// Bytes of activations per operation of the graph and hidden element: most operations are narrower than the state or fused.
constexpr double kBytesPerActivation = 1.5;
/// Operations per token, recurrent layer and hidden element of a scan.
constexpr double kOpsPerRecurrent = 200;

/// Experts of several tokens are gathered, and multiplied by few columns each: slower per byte than one token's. Fitted with step_coverage.
constexpr double kGatheredExperts = 1.7;

Effect of_class(Effect first, std::size_t c) { return static_cast<Effect>(static_cast<std::size_t>(first) + c); }

double all_launches(const Work& w) { return w.launches + 2 * w.expert_launches + w.recurrent_launches + w.stream_launches; }

}  // namespace

Rates rates_of(const Device& d) {
  const auto value = [](const std::optional<OpsPerSecond>& rate) { return rate ? rate->value() : 0.0; };
  Rates r;
  r.bandwidth = d.bandwidth ? d.bandwidth->value() : 0;
  r.fp32 = value(d.compute.fp32);
  // GeForce cards publish FP16 with FP32 accumulation, others without: half of INT8 is the same everywhere.
  r.matrix = std::max({value(d.compute.fp16), value(d.compute.bf16), value(d.compute.int8) / 2, r.fp32});
  if (r.fp32 <= 0) r.fp32 = kOpsPerByte * r.bandwidth;
  if (r.matrix <= 0) r.matrix = r.fp32;
  return r;
}

Rates rates_of_unknown_host() {
  constexpr double kBandwidth = 89.6e9;
  return {kBandwidth, kOpsPerByte * kBandwidth, kOpsPerByte * kBandwidth};
}

void decode_terms(Terms& out, const Work& w, const ModelTraits& traits, const Rates& r, double sequences, double tokens_per_sequence, bool flash_attention) {
  const double tokens = sequences * tokens_per_sequence;
  const double coverage = step_coverage(traits.expert_share, tokens);
  const double streamed = coverage * (tokens > 1 ? kGatheredExperts : 1);
  for (std::size_t c = 0; c < kWeightClasses; ++c) {
    out.add(w.bytes[c] / r.bandwidth, Part::weights, Effect::weights, of_class(Effect::weights_half, c));
    out.add(streamed * w.expert_bytes[c] / r.bandwidth, Part::experts, Effect::weights, of_class(Effect::weights_half, c), Effect::experts);
    out.add(kOpsPerWeight[c] * (w.weights[c] + coverage * w.expert_weights[c]) / r.fp32, Part::unpacking, Effect::arithmetic, of_class(Effect::arithmetic_half, c));
  }
  out.add(sequences * w.kv_bytes / r.bandwidth, Part::cache, Effect::kv, flash_attention ? Effect::count : Effect::kv_plain);
  out.add(sequences * w.state_bytes / r.bandwidth, Part::state, Effect::state);
  out.add(tokens * w.attention_ops / r.fp32, Part::attention, Effect::attention);
  out.add(kLaunch * w.launches, Part::launches, Effect::launch);
  out.add(kLaunch * w.expert_launches, Part::launches, Effect::launch, Effect::launch_experts);
  out.add(kLaunch * w.recurrent_launches, Part::launches, Effect::launch, Effect::launch_recurrent);
  out.add(kLaunch * w.stream_launches, Part::launches, Effect::launch, Effect::launch_streams);
}

void step_terms(Terms& out, double hops) {
  out.add(kToken, Part::token, Effect::token);
  out.add(kHop * hops, Part::hops, Effect::hop);
}

void prefill_terms(Terms& out, const Work& w, const ModelTraits& traits, const Rates& r, const Prompt& prompt) {
  const double n = prompt.tokens;
  const double at_once = std::max(1.0, std::min(prompt.ubatch, n));
  const double rounds = std::ceil(n / at_once);
  const double coverage = expert_coverage(traits.expert_share, at_once);
  double all_weights = 0;
  for (const double weights : w.weights) all_weights += weights;
  // The head is computed for the last token alone.
  const double body = all_weights > 0 ? (all_weights - w.head_weights) / all_weights : 0;
  for (std::size_t c = 0; c < kWeightClasses; ++c) {
    const Effect of = of_class(Effect::prefill_half, c);
    out.add(2 * n * body * w.weights[c] / r.matrix, Part::matrices, Effect::prefill, of);
    out.add(2 * n * traits.expert_share * w.expert_weights[c] / r.matrix, Part::expert_matrices, Effect::prefill, of, Effect::prefill_experts);
    out.add(2 * rounds * kRoundTokens * body * w.weights[c] / r.matrix, Part::matrices, Effect::prefill, of, Effect::prefill_rounds);
    out.add(2 * rounds * kRoundTokens * coverage * w.expert_weights[c] / r.matrix, Part::expert_matrices, Effect::prefill, Effect::prefill_experts, Effect::prefill_rounds);
    out.add(rounds * (w.bytes[c] + coverage * w.expert_bytes[c]) / r.bandwidth, Part::weights, Effect::prefill_bytes);
  }
  out.add(w.prompt_attention_ops / r.matrix, Part::attention, Effect::prefill, Effect::prefill_attention);
  if (!prompt.flash_attention) out.add(kBytesPerScore * w.prompt_scores / r.bandwidth, Part::scores, Effect::prefill_scores);
  const double launches = all_launches(w);
  out.add(kPrefillLaunch * launches * rounds, Part::launches, Effect::prefill_launch);
  out.add(kBytesPerActivation * launches * n * traits.hidden / r.bandwidth, Part::activations, Effect::prefill_activations);
  out.add(kOpsPerRecurrent * w.recurrent_layers * n * traits.hidden / r.fp32, Part::recurrent, Effect::prefill_recurrent);
}

void prompt_terms(Terms& out) { out.add(kPrefillToken, Part::token, Effect::prefill_token); }

double pipeline_share(double tokens, double batch, double ubatch, double devices) {
  if (devices <= 1) return 1;
  const double rounds = std::max(1.0, std::ceil(std::min(tokens, batch) / std::max(1.0, ubatch)));
  return (rounds + devices - 1) / (rounds * devices);
}

}  // namespace planner::throughput
