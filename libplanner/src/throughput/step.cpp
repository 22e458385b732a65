#include "throughput/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/text.h"
#include "engine/allocation.h"
#include "throughput/engine_age.h"

namespace planner::throughput {
namespace {

// Assumptions, not fitted: no measurement that is known tells them apart from the rest of a step.
/// Two all-reduces a layer: the latency of one, and the bandwidth of a link that nobody states (PCIe 4.0 x16).
constexpr double kAllReduceLatency = 15e-6;
constexpr double kUnknownLink = 25e9;
/// Of PCIe's raw rate that large copies reach.
constexpr double kPcieShare = 0.8;

/// "4.0 x16" -> bytes per second in one direction: 8, 16, 32, 64 GT/s per lane, 128b/130b.
double pcie_bandwidth(const std::string& pcie) {
  constexpr double kUnknown = 25e9;
  const auto words = text::split(pcie, ' ');
  if (words.size() != 2 || words[1].size() < 2 || words[1].front() != 'x') return kUnknown;
  const auto generation = text::parse_double(words[0]);
  const auto lanes = text::parse_int(words[1].substr(1));
  if (!generation || !lanes || *generation < 1 || *generation > 7) return kUnknown;
  const double per_lane = *generation < 3 ? 0.25e9 * *generation : 0.985e9 * static_cast<double>(1 << (static_cast<int>(*generation) - 3));
  return kPcieShare * per_lane * static_cast<double>(*lanes);
}

}  // namespace

double Parts::sum() const { return std::accumulate(seconds.begin(), seconds.end(), 0.0); }

double StepTime::seconds() const {
  double sum = token + hops + all_reduce;
  for (const auto& p : places) sum += p.sum();
  return sum;
}

std::optional<Deployed> Deployed::make(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                       const Placement& placement, const Catalog& catalog, std::string& reason) {
  Deployed out;
  out.traits_ = traits_of(model);
  out.workload_ = workload;
  out.layers_ = static_cast<double>(model.hyperparameters.n_layers);
  out.mtp_bytes_ = static_cast<double>(weights.mtp);
  for (const auto b : weights.output_classes.bytes) out.head_bytes_ += static_cast<double>(b);
  const bool is_llama_cpp = deployment.engine->offload_layers && !deployment.engine->kv_pool;
  out.flash_attention_ = is_llama_cpp ? engine::llama_cpp_rules(model, workload, deployment).flash_attention : workload.flash_attention != FlashAttention::off;
  const double years = engine_years(*deployment.engine, deployment.engine_version);
  auto works = count_work(model, weights, workload, placement, deployment.devices.size(), windows_count(model, *deployment.engine));
  const std::size_t n = deployment.devices.size();
  const bool shared = n > 1 && ((deployment.engine->tensor_parallel && deployment.engine->kv_pool && deployment.pipeline_parallel != static_cast<std::int64_t>(n)) ||
                                deployment.split == SplitMode::row);
  if (shared) {
    for (std::size_t i = 1; i < n; ++i) works[0] += works[i], works[i] = {};
    out.ranks_ = static_cast<double>(n);
    const auto* first = deployment.devices.front().device;
    out.link_ = first != nullptr && first->link_bandwidth ? first->link_bandwidth->value() / 2 : kUnknownLink;
  }
  for (std::size_t i = 0; i <= n; ++i) {
    if (!works[i].used()) continue;
    Place place;
    place.is_host = i == n;
    place.device = place.is_host ? &deployment.host : &deployment.devices[i];
    place.work = works[i];
    const Device* device = place.device->device;
    if (device != nullptr) {
      if (!device->bandwidth) {
        reason = fmt::format("the bandwidth of {} is not known", place.device->name);
        return std::nullopt;
      }
      place.rates = rates_of(*device);
    } else if (!place.is_host || deployment.devices.empty()) {
      reason = fmt::format("nothing is known of {}", place.device->name);
      return std::nullopt;
    } else {
      place.rates = rates_of_unknown_host();
    }
    if (out.ranks_ > 1 && !place.is_host) {
      place.rates.bandwidth *= out.ranks_, place.rates.fp32 *= out.ranks_, place.rates.matrix *= out.ranks_;
    }
    place.profile = catalog.speed_profile(device, deployment.backend, place.is_host, *deployment.engine, years);
    if (!place.is_host && out.pcie_ == 0) out.pcie_ = pcie_bandwidth(device->pcie);
    out.places_.push_back(std::move(place));
  }
  out.devices_ = std::max(1.0, static_cast<double>(std::count_if(out.places_.begin(), out.places_.end(), [](const Place& p) { return !p.is_host; })));
  if (out.places_.empty()) {
    reason = "nothing is placed anywhere";
    return std::nullopt;
  }
  return out;
}

double Deployed::all_reduce_seconds(double tokens) const {
  if (ranks_ <= 1) return 0;
  constexpr double kPerLayer = 2, kBytes = 2;
  return kPerLayer * layers_ * (kAllReduceLatency + tokens * traits_.hidden * kBytes / link_);
}

StepTime Deployed::step(double sequences, double tokens) const {
  StepTime out;
  out.places.resize(places_.size());
  Terms terms;
  const double at_once = sequences * tokens;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto& place = places_[i];
    const auto& profile = *place.profile;
    terms.clear();
    decode_terms(terms, place.work, traits_, place.rates, sequences, tokens, flash_attention_);
    auto& parts = out.places[i];
    for (const auto& term : terms) parts[term.part] += term.value(profile);
    if (at_once > 1) {
      // The roof: matrices of many tokens are computed, not unpacked for each; whichever takes longer.
      Work body = place.work;
      body.prompt_attention_ops = body.prompt_scores = 0;
      body.head_weights = 0;  // every token has its logits
      double matrices = 0;
      terms.clear();
      prefill_terms(terms, body, traits_, place.rates, {at_once, at_once, true});
      for (const auto& term : terms) {
        // Products of few columns have kernels of their own, which pad nothing.
        const bool product = term.part == Part::matrices || term.part == Part::expert_matrices;
        if (product && term.effects[2] != Effect::prefill_rounds) matrices += term.value(profile);
      }
      if (matrices > parts[Part::unpacking]) parts[Part::matrices] = matrices - parts[Part::unpacking];
    }
  }
  terms.clear();
  const double hops = static_cast<double>(places_.size()) - 1;
  step_terms(terms, hops);
  for (const auto& term : terms) (term.part == Part::hops ? out.hops : out.token) += term.value(*places_.front().profile);
  out.all_reduce = all_reduce_seconds(at_once);
  return out;
}

double Deployed::prefill_of(const Place& place) const {
  Terms terms;
  const double n = static_cast<double>(std::max<std::int64_t>(1, workload_.prompt - workload_.cached_prompt));
  prefill_terms(terms, place.work, traits_, place.rates, {n, static_cast<double>(workload_.ubatch), flash_attention_});
  double seconds = 0;
  for (const auto& term : terms) seconds += term.value(*place.profile);
  return seconds;
}

double Deployed::prefill_seconds() const {
  const double n = static_cast<double>(std::max<std::int64_t>(1, workload_.prompt - workload_.cached_prompt));
  const auto first = std::find_if(places_.begin(), places_.end(), [](const Place& p) { return !p.is_host; });
  double devices = 0, host = 0;
  for (const auto& place : places_) {
    double seconds = prefill_of(place);
    if (place.is_host && first != places_.end()) {
      // What lies on the host is copied to the device for each ubatch where that is faster than to compute it there.
      Place there = place;
      there.rates = first->rates;
      there.profile = first->profile;
      const double rounds = std::ceil(n / static_cast<double>(std::max<std::int64_t>(1, std::min<std::int64_t>(workload_.ubatch, static_cast<std::int64_t>(n)))));
      seconds = std::min(seconds, rounds * place.work.total_bytes() / pcie_ + prefill_of(there));
      host += seconds;
    } else {
      devices += seconds;
    }
  }
  Terms terms;
  prompt_terms(terms);
  double seconds = host + devices * pipeline_share(n, static_cast<double>(workload_.batch), static_cast<double>(workload_.ubatch), devices_) + all_reduce_seconds(n);
  for (const auto& term : terms) seconds += term.value(*places_.front().profile);
  return seconds;
}

std::optional<double> Deployed::mtp_seconds() const {
  if (mtp_bytes_ <= 0) return std::nullopt;
  const auto& place = slowest();
  const auto& profile = *place.profile;
  const double bytes = mtp_bytes_ * (traits_.expert_share > 0 ? std::max(traits_.expert_share, 0.1) : 1.0) + head_bytes_;
  return bytes / place.rates.bandwidth * profile[Effect::weights] + (place.work.layers > 0 ? place.work.launches / place.work.layers : 0) * 1e-6 * profile[Effect::launch];
}

const Place& Deployed::slowest() const {
  const auto time = step(1);
  std::size_t best = 0;
  for (std::size_t i = 1; i < places_.size(); ++i) {
    if (time.places[i].sum() > time.places[best].sum()) best = i;
  }
  return places_[best];
}

}  // namespace planner::throughput
