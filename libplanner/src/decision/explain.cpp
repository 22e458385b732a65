// Where each number of an answer comes from, and what of it matters most.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "decision/session.h"

namespace planner::decision {
namespace {

class Explainer {
 public:
  Explainer(Estimate& out, const Subject& subject, const Weights& weights, const Deployment& d) : out_(out), subject_(subject), weights_(weights), d_(d) {
    geometry_ = subject.entry != nullptr && !subject.entry->sources.empty() ? subject.entry->sources.front().url : subject.name;
  }

  void run() {
    const auto counts = static_cast<double>(out_.model.parameters.total);
    out_.explain.push_back(
        {"parameters", "", fmt::format("sum over {} tensors of the geometry", subject_.model->tensors.size()), counts, "parameters", counts, counts, "config", geometry_});
    for (const auto& device : out_.memory->devices) {
      for (const auto& buffer : device.buffers) explain(device, buffer);
      explain_usable(device);
    }
    explain_speed();
  }

 private:
  [[nodiscard]] std::string formula(const Buffer& b) const {
    const auto& w = out_.workload;
    const auto& hp = subject_.model->hyperparameters;
    switch (b.component) {
      case Component::weights:
        return fmt::format("sum of rows / block weights x block bytes over its tensors ({:.3f} bits per weight overall)", weights_.stored.bits_per_weight());
      case Component::kv: return fmt::format("{} layers x cells x (K row + V row), {} tokens x {} sequences", out_.model.kv_layers, w.context, w.concurrency);
      case Component::recurrent_state: return fmt::format("convolution and recurrent state x {} sequences, F32", w.concurrency);
      case Component::compute: return fmt::format("largest phase of the graph for {} tokens at once", std::min(w.ubatch, w.context));
      case Component::output: return fmt::format("4 bytes x {} vocabulary x {} sequences", hp.vocab_size, w.concurrency);
      case Component::overhead: return "the engine's context, libraries and work space";
    }
    return {};
  }
  [[nodiscard]] std::string source(const Buffer& b) const {
    if (b.component == Component::weights) return geometry_;
    if (b.component == Component::overhead) {
      for (const auto& o : d_.engine->overheads) {
        if (o.backend == d_.backend) return o.source.empty() ? o.note : o.source;
      }
    }
    return "docs/methods.md";
  }
  void explain(const DeviceMemory& device, const Buffer& b) {
    out_.explain.push_back({b.name, device.name, formula(b), static_cast<double>(b.bytes), "bytes", static_cast<double>(b.bytes - b.uncertainty_bytes), static_cast<double>(b.bytes + b.uncertainty_bytes),
                            std::string(to_string(b.basis)), source(b)});
  }
  void explain_usable(const DeviceMemory& device) {
    if (!device.capacity_bytes || !device.usable_bytes) return;
    std::string source = d_.host.name == device.name ? d_.host.reserve_source : std::string();
    for (const auto& instance : d_.devices) {
      if (instance.name == device.name) source = instance.reserve_source;
    }
    out_.explain.push_back({"usable memory", device.name, fmt::format("capacity {} - reserve", format_gib(*device.capacity_bytes)), static_cast<double>(*device.usable_bytes), "bytes",
                            static_cast<double>(*device.usable_bytes), static_cast<double>(*device.capacity_bytes), "assumption", source.empty() ? "data/platforms.yaml" : source});
  }
  void explain_speed() {
    if (!out_.throughput) return;
    const auto& t = *out_.throughput;
    for (const auto& term : t.terms) out_.explain.push_back({"time per token: " + term.name, term.device, term.formula, term.seconds, "s", term.seconds, term.seconds, t.basis, term.source});
    out_.explain.push_back({"decode", "", "1 / sum of the times per token", t.decode_tokens_per_s, "tokens/s", t.decode_low, t.decode_high, t.basis, "docs/methods.md"});
  }

  Estimate& out_;
  const Subject& subject_;
  const Weights& weights_;
  const Deployment& d_;
  std::string geometry_;
};

constexpr std::string_view name_of(Component c) {
  switch (c) {
    case Component::weights: return "weights";
    case Component::kv: return "the KV cache";
    case Component::recurrent_state: return "the recurrent state";
    case Component::compute: return "the compute buffer";
    case Component::output: return "the output buffer";
    case Component::overhead: return "the engine's own overhead";
  }
  return {};
}

/// The place that is fullest, by share of what is usable; where nothing has a limit, the largest.
const DeviceMemory* fullest(const MemoryEstimate& m, const std::string& limiting) {
  const DeviceMemory* most = nullptr;
  const auto share = [](const DeviceMemory& d) { return d.usable_bytes && *d.usable_bytes > 0 ? static_cast<double>(d.total_bytes() - d.unused_pool_bytes) / static_cast<double>(*d.usable_bytes) : 0.0; };
  for (const auto& d : m.devices) {
    if (!limiting.empty() && d.name == limiting) return &d;
    if (most == nullptr || share(d) > share(*most) || (share(d) == share(*most) && d.total_bytes() > most->total_bytes())) most = &d;
  }
  return most;
}

std::string in_words(const std::vector<Change>& changes) {
  std::string out;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    out += fmt::format("{}{} {} -> {}", i == 0 ? "" : i + 1 == changes.size() ? " and " : ", ", changes[i].knob, changes[i].from, changes[i].to);
  }
  return out;
}

/// The knob that hurts least among those that free a noticeable part of `held` bytes and hardly slow decoding down; null: none does.
const Knob* first_knob(const Fit& fit, std::int64_t held) {
  constexpr double kNoticeable = 0.02;
  constexpr double kHardlySlower = 0.9;
  constexpr std::array<std::string_view, 6> kOrder = {"kv_type", "quantization", "context", "concurrency", "n_cpu_moe", "gpu_layers"};
  for (const auto name : kOrder) {
    for (const auto& k : fit.knobs) {
      if (k.knob == name && static_cast<double>(k.bytes_freed) >= kNoticeable * static_cast<double>(held) && k.decode_ratio.value_or(1) >= kHardlySlower) return &k;
    }
  }
  return nullptr;
}

}  // namespace

void explain(Estimate& out, const Subject& subject, const Weights& weights, const Deployment& deployment) { Explainer(out, subject, weights, deployment).run(); }

std::string advice(const Estimate& answer) {
  if (!answer.memory || !answer.fit) return {};
  const auto& fit = *answer.fit;
  const auto* device = fullest(*answer.memory, fit.limiting_device);
  if (device == nullptr || device->total_bytes() == 0) return {};
  const auto term = device->largest_term();
  const auto held = device->total_bytes() - (term == Component::kv ? 0 : device->unused_pool_bytes);
  std::string out = fmt::format("{} {} {:.0f} % of what lies on {}", name_of(term), term == Component::weights ? "are" : "is",
                                held > 0 ? 100.0 * static_cast<double>(device->bytes(term)) / static_cast<double>(held) : 0.0, device->name);
  if (!fit.smallest_change.empty()) return out + "; to fit, change " + in_words(fit.smallest_change);
  if (const auto* knob = first_knob(fit, held)) return out + fmt::format("; to free memory, first {} {} ({})", knob->knob, knob->step, format_gib(knob->bytes_freed));
  if (fit.shortfall_bytes > 0 && fit.max_context) return out + "; no knob makes it fit";
  return out;
}

}  // namespace planner::decision
