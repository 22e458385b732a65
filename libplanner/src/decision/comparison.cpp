#include "planner/comparison.h"

#include <algorithm>

namespace planner {
namespace {

/// The device that decides whether the answer fits.
const DeviceMemory* deciding_device(const Estimate& answer) {
  if (!answer.memory || answer.memory->devices.empty()) return nullptr;
  const DeviceMemory* least = nullptr;
  const auto spare = [](const DeviceMemory& d) { return *d.usable_bytes - d.total_bytes() + d.unused_pool_bytes; };
  for (const auto& d : answer.memory->devices) {
    if (answer.fit && !answer.fit->limiting_device.empty() && d.name == answer.fit->limiting_device) return &d;
    const bool is_host = d.kind == DeviceKind::cpu && answer.memory->devices.size() > 1;
    if (d.usable_bytes && !is_host && (least == nullptr || spare(d) < spare(*least))) least = &d;
  }
  return least != nullptr ? least : &answer.memory->devices.front();
}

/// What each device contributes, times its number; nothing where one of them is not known.
template <typename Figure>
std::optional<double> sum_over_devices(const EstimateRequest& request, const Catalog& catalog, Figure figure) {
  if (request.devices.empty()) return std::nullopt;
  double sum = 0;
  for (const auto& name : request.devices) {
    if (name == "cpu") return std::nullopt;  // a host of which nothing is known
    const auto* device = catalog.resolve_device(name).device;
    auto one = figure(*device);
    if (!one && device->kind == DeviceKind::node) {
      if (const auto* single = catalog.find_device(device->node_device)) one = figure(*single);
      if (one) *one *= static_cast<double>(device->node_count);
    }
    if (!one) return std::nullopt;
    sum += *one;
  }
  return sum * static_cast<double>(request.device_count);
}

}  // namespace

Comparison comparison_of(const Estimate& answer, const EstimateRequest& request, const Catalog& catalog) {
  Comparison c;
  if (answer.fit) c.verdict = answer.fit->verdict;
  if (const auto* device = deciding_device(answer)) {
    c.device = device->name;
    c.usable_bytes = device->usable_bytes;
    c.needed_bytes = device->total_bytes();
    const std::int64_t missing = answer.fit ? answer.fit->shortfall_bytes : 0;
    if (missing > 0 && device->usable_bytes)
      c.needed_bytes = *device->usable_bytes + missing;
    else if (device->usable_bytes)
      c.free_bytes = *device->usable_bytes - c.needed_bytes;
  }
  c.price_usd = sum_over_devices(request, catalog, [](const Device& d) { return d.price ? std::optional(d.price->value()) : std::nullopt; });
  c.power_w = sum_over_devices(request, catalog, [](const Device& d) { return d.power ? std::optional(d.power->value()) : std::nullopt; });
  const double rate =
      answer.throughput && c.verdict != Verdict::no ? std::max(answer.throughput->aggregate_decode_tokens_per_s, answer.throughput->decode_tokens_per_s) : 0;
  if (rate > 0 && c.price_usd.value_or(0) > 0) c.decode_per_dollar = rate / *c.price_usd;
  if (rate > 0 && c.power_w) c.joules_per_token = *c.power_w / rate;
  return c;
}

}  // namespace planner
