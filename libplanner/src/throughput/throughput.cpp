#include "planner/throughput.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "throughput/step.h"

namespace planner {
namespace {

using namespace throughput;

constexpr std::array<std::string_view, 5> kBounds = {"bandwidth", "compute", "latency", "interconnect", "host"};
constexpr std::array<std::string_view, kParts> kPartNames = {"weights",  "routed experts", "unpacking",       "KV cache", "attention",   "recurrent state", "launches",
                                                             "per token", "hops",          "matrix products", "expert products", "scores", "activations", "scans"};

/// Cache and state of one layer that a step reads, one sequence.
std::int64_t cache_bytes_read(const Layer& layer, const Workload& w, bool windows) {
  std::int64_t bytes = 0;
  for (const auto& mixer : layer.mixers) {
    const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v);
    for (auto part : needs.token_caches()) {
      if (!windows) part.window = 0;
      bytes += part.bytes(w.depth);
    }
    bytes += needs.conv_state_bytes + needs.recurrent_state_bytes;
  }
  return bytes;
}

/// Bytes that a part of a step moves in one place.
double bytes_of(Part part, const Work& w, double sequences, double coverage) {
  double bytes = 0;
  switch (part) {
    case Part::weights:
      for (const double b : w.bytes) bytes += b;
      return bytes;
    case Part::experts:
      for (const double b : w.expert_bytes) bytes += b * coverage;
      return bytes;
    case Part::cache: return w.kv_bytes * sequences;
    case Part::state: return w.state_bytes * sequences;
    default: return 0;
  }
}

std::string formula_of(Part part, double seconds, const Place& place, double sequences, double coverage) {
  const auto& w = place.work;
  const double moved = bytes_of(part, w, sequences, coverage);
  if (moved > 0) return fmt::format("{:.3f} GB / ({:.0f} GB/s x {:.2f})", moved / 1e9, place.rates.bandwidth / 1e9, moved / place.rates.bandwidth / seconds);
  switch (part) {
    case Part::unpacking: {
      double weights = 0;
      for (std::size_t c = 0; c < kWeightClasses; ++c) weights += w.weights[c] + coverage * w.expert_weights[c];
      return fmt::format("{:.2f} billion weights unpacked and multiplied, {:.1f} TFLOP/s FP32", weights / 1e9, place.rates.fp32 / 1e12);
    }
    case Part::attention: return fmt::format("{:.2f} GFLOP over the cache, {:.1f} TFLOP/s FP32", sequences * w.attention_ops / 1e9, place.rates.fp32 / 1e12);
    case Part::launches: {
      const double n = w.launches + w.expert_launches + w.recurrent_launches + w.stream_launches;
      return fmt::format("{:.0f} operations of {} layers x {:.2f} us", n, w.layers, seconds / std::max(n, 1.0) * 1e6);
    }
    case Part::matrices: return fmt::format("products of {:.0f} sequences beyond what reading takes, {:.1f} TFLOP/s", sequences, place.rates.matrix / 1e12);
    default: return {};
  }
}

void explain_step(Throughput& out, const StepTime& time, const Deployed& deployed, double sequences) {
  const double coverage = step_coverage(deployed.traits().expert_share, sequences);
  for (std::size_t i = 0; i < time.places.size(); ++i) {
    const auto& place = deployed.places()[i];
    for (std::size_t p = 0; p < kParts; ++p) {
      const double seconds = time.places[i].seconds[p];
      if (seconds > 0) out.terms.push_back({std::string(kPartNames[p]), place.device->name, seconds, formula_of(static_cast<Part>(p), seconds, place, sequences, coverage), place.profile->source});
    }
  }
  const auto& source = deployed.places().front().profile->source;
  out.terms.push_back({"per token", {}, time.token, "sampling and host work", source});
  if (time.hops > 0) out.terms.push_back({"hops", {}, time.hops, fmt::format("{} from one place to the next", time.places.size() - 1), source});
  if (time.all_reduce > 0) out.terms.push_back({"all-reduce", {}, time.all_reduce, "two a layer: 15 us each and the activations over the link", "assumption: 15 us per all-reduce"});
}

Bound bound_of(const StepTime& time, const Deployed& deployed) {
  double moved = 0, computed = 0, waited = time.token, host = 0;
  for (std::size_t i = 0; i < time.places.size(); ++i) {
    const auto& p = time.places[i];
    moved += p[Part::weights] + p[Part::experts] + p[Part::cache] + p[Part::state];
    computed += p[Part::unpacking] + p[Part::attention] + p[Part::matrices];
    waited += p[Part::launches];
    if (deployed.places()[i].is_host && deployed.places().size() > 1) host += p.sum();
  }
  const double linked = time.hops + time.all_reduce;
  if (host > time.seconds() / 2) return Bound::host;
  if (linked > std::max({moved, computed, waited})) return Bound::interconnect;
  if (computed > std::max(moved, waited)) return Bound::compute;
  return waited > moved ? Bound::latency : Bound::bandwidth;
}

}  // namespace

std::string_view to_string(Bound bound) { return kBounds[static_cast<std::size_t>(bound)]; }

std::int64_t bytes_read_per_token(const Model& model, const WeightMap& weights, const Workload& workload, bool windows) {
  const double share = traits_of(model).expert_share;
  std::int64_t bytes = weights.output + (weights.tied ? weights.token_embedding : 0);
  const auto active = [&](std::int64_t experts) { return static_cast<std::int64_t>(static_cast<double>(experts) * share); };
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    bytes += weights.layers[i].dense + cache_bytes_read(model.layers[i], workload, windows) + active(weights.layers[i].experts);
  }
  for (const auto& p : weights.pinned) bytes += p.dense + active(p.experts);
  return bytes;
}

std::optional<Throughput> estimate_throughput(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                              const Placement& placement, const Catalog& catalog, std::string& reason, bool explain) {
  const auto deployed = Deployed::make(model, weights, workload, deployment, placement, catalog, reason);
  if (!deployed) return std::nullopt;
  const auto sequences = static_cast<double>(workload.concurrency);
  const auto time = deployed->step(sequences);
  const double seconds = time.seconds();
  const double coverage = step_coverage(deployed->traits().expert_share, sequences);

  Throughput t;
  t.bytes_read_per_token = bytes_read_per_token(model, weights, workload, windows_count(model, *deployment.engine));
  double ideal_seconds = 0;
  std::size_t slowest = 0;
  for (std::size_t i = 0; i < time.places.size(); ++i) {
    const auto& place = deployed->places()[i];
    for (const auto part : {Part::weights, Part::experts, Part::cache, Part::state}) ideal_seconds += bytes_of(part, place.work, sequences, coverage) / place.rates.bandwidth;
    if (time.places[i].sum() > time.places[slowest].sum()) slowest = i;
  }
  const auto& profile = *deployed->places()[slowest].profile;
  const bool routed = deployed->traits().expert_share > 0;
  const auto& decode = routed ? profile.decode_experts : profile.decode;
  const auto& prefill = routed ? profile.prefill_experts : profile.prefill;
  t.basis = profile.basis;
  t.decode_tokens_per_s = 1.0 / seconds;
  t.decode_low = t.decode_tokens_per_s * decode.low;
  t.decode_high = t.decode_tokens_per_s * decode.high;
  t.aggregate_decode_tokens_per_s = sequences / seconds;
  t.efficiency = ideal_seconds / seconds;
  t.bound = bound_of(time, *deployed);
  const double prompt = static_cast<double>(std::max<std::int64_t>(1, workload.prompt - workload.cached_prompt));
  t.time_to_first_token_s = deployed->prefill_seconds();
  t.prefill_tokens_per_s = prompt / t.time_to_first_token_s;
  t.prefill_low = t.prefill_tokens_per_s * prefill.low;
  t.prefill_high = t.prefill_tokens_per_s * prefill.high;
  if (explain) explain_step(t, time, *deployed, sequences);
  return t;
}

std::optional<BatchPoint> largest_batch(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment, const Placement& placement,
                                        const Catalog& catalog, std::int64_t limit, double ttft_s, double tpot_s) {
  std::string reason;
  const auto deployed = Deployed::make(model, weights, workload, deployment, placement, catalog, reason);
  if (!deployed || limit < 1) return std::nullopt;
  const double ttft = deployed->prefill_seconds();
  const auto seconds = [&](std::int64_t n) { return deployed->step(static_cast<double>(n)).seconds(); };
  if ((ttft_s > 0 && ttft > ttft_s) || (tpot_s > 0 && seconds(1) > tpot_s)) return std::nullopt;
  // A step of more sequences never takes less time.
  std::int64_t low = 1, high = limit;
  while (tpot_s > 0 && low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (seconds(middle) <= tpot_s) low = middle;
    else high = middle - 1;
  }
  const std::int64_t n = tpot_s > 0 ? low : limit;
  const double step = seconds(n);
  return BatchPoint{n, 1 / step, static_cast<double>(n) / step, ttft};
}

std::optional<Speculative> estimate_speculative(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment, const Placement& placement,
                                                const Catalog& catalog, double acceptance, std::int64_t drafted, std::optional<double> draft_seconds) {
  std::string reason;
  const auto deployed = Deployed::make(model, weights, workload, deployment, placement, catalog, reason);
  if (!deployed || drafted < 1 || !(acceptance >= 0 && acceptance <= 1)) return std::nullopt;
  if (!draft_seconds) draft_seconds = deployed->mtp_seconds();
  if (!draft_seconds) return std::nullopt;
  const auto sequences = static_cast<double>(workload.concurrency);
  const auto n = static_cast<double>(drafted);
  Speculative s;
  s.tokens_per_round = acceptance < 1 ? (1 - std::pow(acceptance, n + 1)) / (1 - acceptance) : n + 1;
  s.seconds_per_round = n * *draft_seconds + deployed->step(sequences, n + 1).seconds();
  s.tokens_per_s = s.tokens_per_round / s.seconds_per_round;
  s.speedup = s.tokens_per_s * deployed->step(sequences).seconds();
  return s;
}

std::optional<std::int64_t> speculative_limit(const Model& model, const WeightMap& weights, Workload workload, const Deployment& deployment, const Placement& placement,
                                              const Catalog& catalog, double acceptance, std::int64_t drafted, std::optional<double> draft_seconds, std::int64_t most) {
  const auto gains = [&](std::int64_t depth) {
    workload.depth = depth;
    const auto s = estimate_speculative(model, weights, workload, deployment, placement, catalog, acceptance, drafted, draft_seconds);
    return s && s->speedup > 1;
  };
  if (gains(most)) return std::nullopt;
  if (!gains(0)) return 0;
  std::int64_t low = 0, high = most;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (gains(middle) ? low : high) = middle;
  }
  return high;
}

}  // namespace planner
