#include "planner/memory.h"

#include <algorithm>
#include <array>

#include "engine/allocation.h"
#include "memory/accountant.h"

namespace planner {
namespace {

constexpr std::array<std::string_view, 6> kComponents = {"weights", "kv", "recurrent_state", "compute", "output", "overhead"};
constexpr std::array<std::string_view, 4> kBases = {"file", "config", "rule", "assumption"};

void add_overhead(memory::Accountant& a, int device, std::string_view what, const EngineOverhead& o) {
  a.add(device, what, Component::overhead, o.bytes, o.measured ? Basis::rule : Basis::assumption, std::max(o.bytes - o.low, o.high - o.bytes));
}

}  // namespace

namespace memory {

std::string buffer_prefix(const Deployment& d, int index) {
  struct Prefix {
    std::string_view backend, text;
  };
  constexpr std::array<Prefix, 5> kPrefixes = {{{"cuda", "CUDA"}, {"metal", "Metal"}, {"rocm", "ROCm"}, {"vulkan", "Vulkan"}, {"sycl", "SYCL"}}};
  const auto* prefix = std::find_if(kPrefixes.begin(), kPrefixes.end(), [&](const Prefix& p) { return p.backend == d.backend; });
  std::string name(index == kHost ? "CPU" : prefix == kPrefixes.end() ? "GPU" : prefix->text);
  if (index != kHost && d.backend != "metal") name += std::to_string(index);
  return name;
}

Accountant::Accountant(const Question& question) : q_(question) {
  const auto& d = q_.deployment;
  for (const auto& device : d.devices) out_.devices.push_back({device.name, device.kind, device.capacity_bytes, device.usable_bytes(), 0, 0, {}});
  out_.devices.push_back({d.host.name, d.host.kind, d.host.capacity_bytes, d.host.usable_bytes(), 0, 0, {}});
  for (const int device : q_.placement.layer) ++at(device).layers;
}

DeviceMemory& Accountant::at(int index) {
  if (index == kHost) return q_.deployment.unified_memory ? out_.devices.front() : out_.devices.back();
  return out_.devices[static_cast<std::size_t>(index)];
}

void Accountant::add(int device, std::string_view what, Component component, std::int64_t bytes, Basis basis, std::int64_t uncertainty) {
  if (bytes > 0) at(device).buffers.push_back({buffer_prefix(q_.deployment, device).append(1, ' ').append(what), component, bytes, basis, uncertainty});
}

const EngineOverhead* Accountant::overhead() const {
  const auto& all = q_.deployment.engine->overheads;
  const auto it = std::find_if(all.begin(), all.end(), [&](const auto& o) { return o.backend == q_.deployment.backend; });
  return it == all.end() ? nullptr : &*it;
}

void Accountant::add_overheads(std::int64_t used_devices) {
  if (const auto* o = overhead()) {
    for (int i = 0; i < used_devices; ++i) add_overhead(*this, i, "context", *o);
  }
  if (const auto& o = q_.deployment.engine->host_overhead) add_overhead(*this, kHost, "process", *o);
}

MemoryEstimate Accountant::take() {
  if (out_.devices.size() > 1 && out_.devices.back().total_bytes() == 0) out_.devices.pop_back();
  return std::move(out_);
}

}  // namespace memory

std::string_view to_string(Component component) { return kComponents[static_cast<std::size_t>(component)]; }
std::string_view to_string(Basis basis) { return kBases[static_cast<std::size_t>(basis)]; }

std::int64_t DeviceMemory::bytes(Component component) const {
  std::int64_t sum = 0;
  for (const auto& b : buffers) sum += b.component == component ? b.bytes : 0;
  return sum;
}

std::int64_t DeviceMemory::total_bytes() const {
  std::int64_t sum = 0;
  for (const auto& b : buffers) sum += b.bytes;
  return sum;
}

bool DeviceMemory::fits() const { return !usable_bytes || total_bytes() <= *usable_bytes; }

Component DeviceMemory::largest_term() const {
  Component largest = Component::weights;
  for (std::size_t i = 0; i < kComponents.size(); ++i) {
    if (bytes(static_cast<Component>(i)) > bytes(largest)) largest = static_cast<Component>(i);
  }
  return largest;
}

std::int64_t MemoryEstimate::bytes(Component component) const {
  std::int64_t sum = 0;
  for (const auto& d : devices) sum += d.bytes(component);
  return sum;
}

std::int64_t MemoryEstimate::total_bytes() const {
  std::int64_t sum = 0;
  for (const auto& d : devices) sum += d.total_bytes();
  return sum;
}

bool MemoryEstimate::fits() const {
  return std::all_of(devices.begin(), devices.end(), [](const auto& d) { return d.fits(); });
}

MemoryEstimate estimate_memory(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment, const Placement& placement,
                               Basis weights_basis, engine::ComputeMemo* memo) {
  memory::Accountant accountant({model, weights, workload, deployment, placement, weights_basis, memo});
  if (deployment.engine->kv_pool) memory::account_server(accountant);
  else if (deployment.engine->offload_layers) memory::account_llama_cpp(accountant);
  else memory::account_one_process(accountant);
  return accountant.take();
}

}  // namespace planner
