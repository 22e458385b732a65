#include "planner/throughput.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace planner {
namespace {

constexpr std::array<std::string_view, 5> kBounds = {"bandwidth", "compute", "latency", "interconnect", "host"};

/// A host that nothing is known of: a desktop with two channels of DDR5-5600.
constexpr double kUnknownHostBandwidth = 89.6e9;

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

/// Share of the routed experts that `sequences` tokens together touch, each picking its own independently.
double expert_coverage(const Hyperparameters& hp, double sequences) {
  if (hp.n_experts == 0) return 0;
  const double share = static_cast<double>(hp.n_experts_active) / static_cast<double>(hp.n_experts);
  return 1.0 - std::pow(1.0 - share, sequences);
}

/// The rate that matrix products of a prompt are measured against: tensor cores in 16 bit where there are any. FP32 where nothing else is published.
std::optional<double> reference_ops(const Device& d) {
  for (const auto& rate : {d.compute.fp16, d.compute.bf16}) {
    if (rate) return rate->value();
  }
  if (d.compute.int8) return d.compute.int8->value() / 2;
  if (d.compute.fp32) return d.compute.fp32->value();
  return std::nullopt;
}

/// Multiply-adds of one token through the weights, as operations: two per active weight that is multiplied.
double weight_ops_per_token(const Model& model) {
  const auto counts = model.parameters();
  const double table = model.hyperparameters.tied_embeddings ? 0.0 : static_cast<double>(counts.embedding);
  return 2.0 * (static_cast<double>(counts.active) - table);
}

/// Operations of softmax attention for a prompt of `n` tokens behind `cached` ones: scores and values, each query against what it sees.
double attention_ops(const Model& model, double n, double cached) {
  double ops = 0;
  for (const auto& layer : model.layers) {
    if (layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      double width = 0;
      double window = 0;
      if (const auto* a = std::get_if<Attention>(&mixer)) {
        width = static_cast<double>(a->n_heads * (a->head_dim + a->head_dim_v));
        window = static_cast<double>(a->window);
      } else if (const auto* m = std::get_if<MlaAttention>(&mixer)) {
        width = static_cast<double>(m->n_heads * (2 * m->kv_lora_rank + m->qk_rope_head_dim));
      }
      double seen = cached + n / 2;
      if (window > 0) seen = std::min(seen, window);
      ops += 2.0 * n * width * seen;
    }
  }
  return ops;
}

/// Work of one place: an accelerator, the group that shares tensors, or the host.
struct Share {
  const DeploymentDevice* device = nullptr;
  std::int64_t dense = 0, experts = 0, kv = 0, layers = 0;
  bool used() const { return dense + experts + kv > 0; }
};

}  // namespace

std::string_view to_string(Bound bound) { return kBounds[static_cast<std::size_t>(bound)]; }

std::int64_t bytes_read_per_token(const Model& model, const WeightMap& weights, const Workload& workload, bool windows) {
  const auto& hp = model.hyperparameters;
  std::int64_t bytes = weights.output + (weights.tied ? weights.token_embedding : 0);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    bytes += weights.layers[i].dense + cache_bytes_read(model.layers[i], workload, windows);
    if (hp.n_experts > 0) bytes += static_cast<std::int64_t>(static_cast<double>(weights.layers[i].experts) * expert_coverage(hp, 1));
  }
  for (const auto& p : weights.pinned) bytes += p.dense + static_cast<std::int64_t>(static_cast<double>(p.experts) * expert_coverage(hp, 1));
  return bytes;
}

std::optional<Throughput> estimate_throughput(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment,
                                              const Placement& placement, const Catalog& catalog, std::string& reason) {
  const auto& hp = model.hyperparameters;
  const auto batch = static_cast<double>(workload.concurrency);
  const bool tensor_parallel = deployment.engine->tensor_parallel && deployment.engine->kv_pool && deployment.devices.size() > 1;

  const bool windows = windows_count(model, *deployment.engine);
  std::vector<Share> shares(deployment.devices.size() + 1);
  for (std::size_t i = 0; i < deployment.devices.size(); ++i) shares[i].device = &deployment.devices[i];
  shares.back().device = &deployment.host;
  const auto at = [&](int index) -> Share& { return index == kHost ? shares.back() : shares[static_cast<std::size_t>(index)]; };
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    Share& here = at(placement.layer[i]);
    here.dense += weights.layers[i].dense;
    ++here.layers;
    at(placement.experts_on_host[i] ? kHost : placement.layer[i]).experts += weights.layers[i].experts;
    at(workload.kv_offload ? placement.layer[i] : kHost).kv += cache_bytes_read(model.layers[i], workload, windows);
  }
  at(placement.output).dense += weights.output + (weights.tied ? weights.token_embedding : 0);
  for (const auto& p : weights.pinned) at(p.device).dense += p.dense, at(p.device).experts += p.experts;
  if (tensor_parallel) {
    // Every rank holds its part of every layer and all work at once.
    Share sum = shares.front();
    for (std::size_t i = 1; i + 1 < shares.size(); ++i) {
      sum.dense += shares[i].dense, sum.experts += shares[i].experts, sum.kv += shares[i].kv, sum.layers += shares[i].layers;
      shares[i] = {shares[i].device};
    }
    shares.front() = sum;
  }
  const double ranks = tensor_parallel ? static_cast<double>(deployment.devices.size()) : 1.0;

  Throughput t;
  t.bytes_read_per_token = bytes_read_per_token(model, weights, workload, windows);
  const double coverage = expert_coverage(hp, batch);
  double seconds = 0, compute_seconds = 0, fixed_seconds = 0, host_seconds = 0, link_seconds = 0, ideal_seconds = 0;
  double prefill_seconds = 0;
  double low = 1, high = 1, prefill_low = 1, prefill_high = 1;
  bool prefill_known = true;
  const double prompt = static_cast<double>(std::max<std::int64_t>(1, workload.prompt - workload.cached_prompt));
  const double token_ops = weight_ops_per_token(model);
  const double prompt_ops = token_ops * prompt + attention_ops(model, prompt, static_cast<double>(workload.cached_prompt));
  const double total_weights = static_cast<double>(weights.total());

  for (std::size_t i = 0; i < shares.size(); ++i) {
    const Share& share = shares[i];
    if (!share.used()) continue;
    const auto& where = *share.device;
    const bool is_host = i + 1 == shares.size();
    const auto& speed = catalog.speed_class(where.device, deployment.backend, is_host);
    double bandwidth = is_host ? kUnknownHostBandwidth : 0;
    if (where.device != nullptr) {
      if (!where.device->bandwidth) {
        reason = fmt::format("the bandwidth of {} is not known", where.name);
        return std::nullopt;
      }
      bandwidth = where.device->bandwidth->value();
    } else if (!is_host || deployment.devices.empty()) {
      reason = fmt::format("nothing is known of {}", where.name);
      return std::nullopt;
    }
    const double rate = bandwidth * speed.decode_efficiency * ranks;
    const double weight_bytes = static_cast<double>(share.dense) + static_cast<double>(share.experts) * coverage;
    const double kv_bytes = static_cast<double>(share.kv) * batch;
    const double weight_seconds = weight_bytes / rate;
    const double kv_seconds = kv_bytes / rate;
    const double layer_seconds = static_cast<double>(share.layers) * speed.layer_seconds;
    ideal_seconds += (weight_bytes + kv_bytes) / (bandwidth * ranks);

    // The roof: a step of many sequences computes more than it reads.
    const auto ops = where.device != nullptr ? reference_ops(*where.device) : std::nullopt;
    const double part = total_weights > 0 ? static_cast<double>(share.dense + share.experts) / total_weights : 1.0;
    double step_seconds = weight_seconds;
    if (ops) {
      const double compute = batch * token_ops * part / (*ops * speed.prefill_efficiency * ranks);
      if (compute > step_seconds && batch > 1) {
        compute_seconds += compute - step_seconds;
        step_seconds = compute;
      }
      const double ops_seconds = prompt_ops * part / (*ops * speed.prefill_efficiency * ranks);
      prefill_seconds += std::max(ops_seconds, weight_seconds) + layer_seconds;
    } else {
      prefill_known = false;
    }
    seconds += step_seconds + kv_seconds + layer_seconds;
    fixed_seconds += layer_seconds;
    if (is_host && !deployment.devices.empty()) host_seconds += step_seconds + kv_seconds;
    const auto source = speed.source;
    t.terms.push_back({"weights", where.name, step_seconds,
                       fmt::format("{:.3f} GB / ({:.0f} GB/s x {:.2f}{})", weight_bytes / 1e9, bandwidth / 1e9, speed.decode_efficiency, ranks > 1 ? fmt::format(" x {:.0f}", ranks) : ""), source});
    if (kv_bytes > 0) t.terms.push_back({"KV cache and state", where.name, kv_seconds, fmt::format("{:.3f} GB / ({:.0f} GB/s x {:.2f})", kv_bytes / 1e9, bandwidth / 1e9, speed.decode_efficiency), source});
    t.terms.push_back({"per layer", where.name, layer_seconds, fmt::format("{} layers x {:.1f} us", share.layers, speed.layer_seconds * 1e6), source});
    low = std::min(low, speed.decode_low), high = std::max(high, speed.decode_high);
    prefill_low = std::min(prefill_low, speed.prefill_low), prefill_high = std::max(prefill_high, speed.prefill_high);
  }

  const auto& first = catalog.speed_class(deployment.devices.empty() ? deployment.host.device : deployment.devices.front().device, deployment.backend, deployment.devices.empty());
  t.basis = first.basis;
  seconds += first.token_seconds;
  fixed_seconds += first.token_seconds;
  t.terms.push_back({"per token", {}, first.token_seconds, "sampling and host work", first.source});
  if (tensor_parallel) {
    // Two all-reduces a layer: latency and the activations over the link.
    constexpr double kAllReduceLatency = 15e-6;
    const auto& device = *deployment.devices.front().device;
    const double link = device.link_bandwidth ? device.link_bandwidth->value() / 2 : 25e9;
    const double bytes = batch * static_cast<double>(hp.hidden_size) * 2.0;
    link_seconds = 2.0 * static_cast<double>(hp.n_layers) * (kAllReduceLatency + bytes / link);
    seconds += link_seconds;
    prefill_seconds += 2.0 * static_cast<double>(hp.n_layers) * (kAllReduceLatency + prompt * static_cast<double>(hp.hidden_size) * 2.0 / link);
    t.terms.push_back({"all-reduce", {}, link_seconds, fmt::format("2 x {} layers x (15 us + {:.3f} MB / {:.0f} GB/s)", hp.n_layers, bytes / 1e6, link / 1e9), "assumption: 15 us per all-reduce"});
  }

  t.decode_tokens_per_s = 1.0 / seconds;
  t.decode_low = t.decode_tokens_per_s * low;
  t.decode_high = t.decode_tokens_per_s * high;
  t.aggregate_decode_tokens_per_s = batch / seconds;
  t.efficiency = ideal_seconds / seconds;
  if (prefill_known) {
    prefill_seconds += first.token_seconds;
    t.prefill_tokens_per_s = prompt / prefill_seconds;
    t.prefill_low = t.prefill_tokens_per_s * prefill_low;
    t.prefill_high = t.prefill_tokens_per_s * prefill_high;
    t.time_to_first_token_s = prefill_seconds;
  }
  const double streaming = seconds - fixed_seconds - link_seconds - compute_seconds;
  if (host_seconds > seconds / 2) t.bound = Bound::host;
  else if (compute_seconds > 0) t.bound = Bound::compute;
  else if (link_seconds > std::max(streaming, fixed_seconds)) t.bound = Bound::interconnect;
  else if (fixed_seconds > streaming) t.bound = Bound::latency;
  return t;
}

}  // namespace planner
