// The devices, the host and the engine of a request: names resolved, a machine file followed, the engine's switches checked.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"
#include "decision/session.h"
#include "memory/accountant.h"
#include "planner/error.h"
#include "planner/machine.h"

namespace planner::decision {
namespace {

constexpr std::int64_t kMostDevices = 1024;

std::string backend_of(const Device* device) {
  if (device == nullptr || device->kind == DeviceKind::cpu) return "cpu";
  if (device->vendor == "NVIDIA") return "cuda";
  if (device->vendor == "Apple") return "metal";
  if (device->vendor == "AMD") return device->kind == DeviceKind::unified ? "vulkan" : "rocm";
  return device->vendor == "Intel" ? "sycl" : "vulkan";
}

/// One device of the deployment. `reserve`: what the request or the machine file states; absent: the platform's figure.
DeploymentDevice instance(const Device& device, std::int64_t memory, const std::optional<std::int64_t>& reserve, std::string_view reserve_source, const Catalog& catalog) {
  DeploymentDevice d;
  d.device = &device;
  d.name = device.name;
  d.kind = device.kind;
  if (memory > 0) d.capacity_bytes = memory;
  else d.capacity_bytes = device.memory_bytes;
  if (!d.capacity_bytes) return d;
  const auto platform = catalog.platform_reserve(device, *d.capacity_bytes);
  d.reserve_bytes = reserve.value_or(platform.bytes);
  d.reserve_source = reserve ? std::string(reserve_source) : platform.source.empty() ? platform.note : platform.source;
  return d;
}

class Resolver {
 public:
  Resolver(const EstimateRequest& request, const Catalog& catalog, std::vector<std::string>& notes) : request_(request), catalog_(catalog), notes_(notes) {}

  Deployment run() {
    d_.engine = &catalog_.resolve_engine(request_.engine);
    if (const auto at = request_.engine.find('@'); at != std::string::npos) d_.engine_version = text::to_lower(request_.engine.substr(at + 1));
    d_.memory_fraction = request_.memory_fraction.value_or(0);
    if (!(d_.memory_fraction >= 0 && d_.memory_fraction <= 1)) throw Error(ErrorKind::usage, fmt::format("gpu-memory-utilization is {}, expected 0 to 1", d_.memory_fraction));
    d_.host.name = "host";
    d_.host.kind = DeviceKind::cpu;
    if (request_.device_count < 1 || request_.device_count > kMostDevices) throw Error(ErrorKind::usage, fmt::format("gpus is {}, expected 1 to {}", request_.device_count, kMostDevices));
    if (request_.device_count > 1 && request_.devices.size() != 1) {
      throw Error(ErrorKind::usage, request_.devices.empty() ? "a number of GPUs is given, but no GPU" : "a number of GPUs can be given for one device only; repeat --gpu for different ones");
    }
    for (const auto& typed : request_.devices) add_named(typed);
    if (!request_.machine.empty()) follow_machine(read_machine(request_.machine));
    if (request_.devices.empty() && request_.machine.empty()) {
      DeploymentDevice unlimited;
      unlimited.name = "device without a limit";
      d_.devices.push_back(unlimited);
    } else if (d_.devices.empty() && !host_only_) {
      throw Error(ErrorKind::usage, "no device is given");
    }
    if (static_cast<std::int64_t>(d_.devices.size()) > kMostDevices) throw Error(ErrorKind::usage, fmt::format("{} devices, expected at most {}", d_.devices.size(), kMostDevices));
    d_.unified_memory = d_.devices.size() == 1 && d_.devices.front().kind == DeviceKind::unified;
    choose_backend();
    spread();
    note_unused_switches();
    return std::move(d_);
  }

 private:
  void add_named(const std::string& typed) {
    if (text::equal_ignoring_case(text::trim(typed), "cpu")) {
      host_only_ = true;
      return;
    }
    const auto match = catalog_.resolve_device(typed);
    if (!match.note.empty()) notes_.push_back(fmt::format("'{}' {}", typed, match.note));
    const auto& device = *match.device;
    if (device.kind == DeviceKind::cpu) {
      d_.host = instance(device, match.memory_bytes, request_.reserve_bytes, "--reserve", catalog_);
      host_only_ = true;
      return;
    }
    const bool is_node = device.kind == DeviceKind::node;
    const auto* single = is_node ? catalog_.find_device(device.node_device) : &device;
    if (single == nullptr) throw Error(ErrorKind::invalid_file, fmt::format("node '{}' is made of the unknown device '{}'", device.id, device.node_device));
    const std::int64_t count = request_.device_count * (is_node ? device.node_count : 1);
    for (std::int64_t i = 0; i < count; ++i) d_.devices.push_back(instance(*single, is_node ? 0 : match.memory_bytes, request_.reserve_bytes, "--reserve", catalog_));
  }

  // --- a machine file ---------------------------------------------------------------------------------------------------

  [[noreturn]] static void fail(const Machine& m, std::int64_t line, const std::string& problem, ErrorKind kind = ErrorKind::invalid_file) {
    throw Error(kind, fmt::format("{}:{}: {}", m.origin, line, problem));
  }
  DeviceMatch device_of(const Machine& m, const std::string& typed, std::int64_t line) {
    try {
      auto match = catalog_.resolve_device(typed);
      if (!match.note.empty()) notes_.push_back(fmt::format("'{}' {}", typed, match.note));
      return match;
    } catch (const Error& e) {
      fail(m, line, e.what(), e.kind());
    }
  }
  const Device& describe(Device device) { return *d_.described.emplace_back(std::make_shared<const Device>(std::move(device))); }

  void follow_machine(const Machine& m) {
    d_.machine = m.name.empty() ? m.origin : m.name;
    if (request_.devices.empty()) {
      for (const auto& gpu : m.gpus) add_slot(m, gpu);
      host_only_ = m.gpus.empty();
    }
    if (m.host.line > 0) d_.host = host_of(m);
  }

  /// A card as its slot has it: lanes and generation of the slot, a link only where one is stated.
  void add_slot(const Machine& m, const MachineGpu& gpu) {
    const auto match = device_of(m, gpu.device, gpu.line);
    if (match.device->kind == DeviceKind::cpu || match.device->kind == DeviceKind::node) {
      fail(m, gpu.line, fmt::format("{} is no GPU: {}", match.device->name, match.device->kind == DeviceKind::cpu ? "a CPU belongs to 'host'" : "list its cards"));
    }
    const auto reserve = request_.reserve_bytes ? request_.reserve_bytes : gpu.reserve_bytes;
    const std::string source = request_.reserve_bytes ? "--reserve" : fmt::format("{}:{}", m.origin, gpu.line);
    for (std::int64_t i = 0; i < gpu.count; ++i) {
      const auto index = static_cast<std::int64_t>(d_.devices.size());
      const auto link = std::find_if(m.links.begin(), m.links.end(), [&](const MachineLink& l) { return l.between.empty() || std::find(l.between.begin(), l.between.end(), index) != l.between.end(); });
      auto device = *match.device;
      if (!gpu.pcie.empty()) device.pcie = gpu.pcie;
      if (link == m.links.end()) {
        device.link_name.clear();
        device.link_bandwidth.reset();
      } else {
        if (!link->kind.empty()) device.link_name = link->kind;
        if (link->bandwidth) device.link_bandwidth = link->bandwidth;
        if (!device.link_bandwidth) fail(m, link->line, fmt::format("the bandwidth of a link of {} is not known: state it", device.name));
      }
      const auto memory = gpu.memory_bytes.value_or(match.memory_bytes);
      if (gpu.memory_bytes && device.kind != DeviceKind::unified) device.memory_bytes = gpu.memory_bytes;
      d_.devices.push_back(instance(describe(std::move(device)), memory, reserve, source, catalog_));
    }
  }

  DeploymentDevice host_of(const Machine& m) {
    const auto& h = m.host;
    Device cpu;
    cpu.id = "host";
    cpu.name = "host";
    cpu.kind = DeviceKind::cpu;
    if (!h.cpu.empty()) {
      try {
        const auto match = catalog_.resolve_device(h.cpu);
        if (match.device->kind == DeviceKind::cpu) cpu = *match.device;
      } catch (const Error& e) {
        if (!h.bandwidth) fail(m, h.line, fmt::format("{}; or state the memory's channels and speed", e.what()), e.kind());
        notes_.push_back(fmt::format("nothing is known of the CPU '{}' but the bandwidth of its memory", h.cpu));
        cpu.name = h.cpu;
      }
    }
    if (h.bandwidth) cpu.bandwidth = h.bandwidth;
    cpu.memory_bytes = h.memory_bytes;
    auto host = instance(describe(std::move(cpu)), h.memory_bytes.value_or(0), h.reserve_bytes, fmt::format("{}:{}", m.origin, h.line), catalog_);
    return host;
  }

  // --- the engine's switches --------------------------------------------------------------------------------------------

  void choose_backend() {
    const Device* first = d_.devices.empty() ? d_.host.device : d_.devices.front().device;
    if (!request_.backend.empty()) {
      d_.backend = text::to_lower(request_.backend);
    } else {
      d_.backend = d_.devices.empty() || first != nullptr ? backend_of(d_.devices.empty() ? nullptr : first) : "cuda";
      const auto differs = [&](const DeploymentDevice& device) { return device.device != nullptr && backend_of(device.device) != d_.backend; };
      if (std::any_of(d_.devices.begin(), d_.devices.end(), differs)) {
        d_.backend = "vulkan";
        notes_.emplace_back("cards of several vendors: Vulkan drives them all");
      }
    }
    constexpr std::array<std::string_view, 6> kBackends = {"cuda", "metal", "rocm", "vulkan", "sycl", "cpu"};
    if (std::find(kBackends.begin(), kBackends.end(), d_.backend) == kBackends.end()) {
      throw Error(ErrorKind::unknown_name, fmt::format("unknown backend '{}' (cuda, metal, rocm, vulkan, sycl, cpu)", d_.backend));
    }
    const auto& backends = d_.engine->backends;
    if (!backends.empty() && std::find(backends.begin(), backends.end(), d_.backend) == backends.end()) {
      notes_.push_back(fmt::format("{} has no {} back end that these facts know of", d_.engine->name, d_.backend));
    }
  }

  static std::int64_t in_range(std::string_view what, const std::optional<std::int64_t>& value) {
    if (value && (*value < 1 || *value > kMostDevices)) throw Error(ErrorKind::usage, fmt::format("{} is {}, expected 1 to {}", what, *value, kMostDevices));
    return value.value_or(0);
  }

  void spread() {
    const auto n = std::max<std::int64_t>(1, static_cast<std::int64_t>(d_.devices.size()));
    d_.tensor_parallel = in_range("tensor-parallel", request_.tensor_parallel);
    d_.pipeline_parallel = in_range("pipeline-parallel", request_.pipeline_parallel);
    const auto ranks = std::max<std::int64_t>(1, d_.tensor_parallel) * std::max<std::int64_t>(1, d_.pipeline_parallel);
    if (d_.engine->kv_pool && !request_.devices.empty() && ranks > n) {
      throw Error(ErrorKind::usage, fmt::format("tensor-parallel x pipeline-parallel is {}, but there {} device{}", ranks, n == 1 ? "is 1" : fmt::format("are {}", n), n == 1 ? "" : "s"));
    }
    if (!request_.split.empty() && request_.split != "layer" && request_.split != "row") {
      throw Error(ErrorKind::usage, fmt::format("split is '{}', expected layer or row", request_.split));
    }
    d_.split = request_.split == "row" ? SplitMode::row : SplitMode::layer;
    if (d_.split == SplitMode::row && d_.engine->id == "llama.cpp" && d_.engine_version.empty() && (d_.backend == "cuda" || d_.backend == "rocm") && n > 1) {
      notes_.push_back(fmt::format("the newest llama.cpp splits rows on SYCL alone: on {} older builds do", d_.backend == "cuda" ? "CUDA" : "ROCm"));
    }
    d_.tensor_split = request_.tensor_split;
    if (!d_.tensor_split.empty()) {
      double sum = 0;
      for (const double share : d_.tensor_split) {
        if (!std::isfinite(share) || share < 0) throw Error(ErrorKind::usage, fmt::format("tensor-split has the share {}, expected numbers from 0 on", share));
        sum += share;
      }
      if (d_.tensor_split.size() != d_.devices.size() || sum <= 0) {
        throw Error(ErrorKind::usage, fmt::format("tensor-split has {} share{}, expected one for each of {} device{}, not all 0", d_.tensor_split.size(), d_.tensor_split.size() == 1 ? "" : "s",
                                                  d_.devices.size(), d_.devices.size() == 1 ? "" : "s"));
      }
    }
    d_.mmap = request_.mmap;
    d_.repack = request_.repack;
    if (is_llama_cpp(*d_.engine)) read_overrides();
  }

  /// "blk\.1.*=CPU,exps=CUDA1": rules are separated by commas, the first '=' ends the pattern, as llama.cpp reads them.
  void read_overrides() {
    std::vector<std::string> known = {"CPU"};
    for (int i = 0; i < static_cast<int>(d_.devices.size()); ++i) known.push_back(memory::buffer_prefix(d_, i));
    for (const auto& typed : request_.override_tensors) {
      for (const auto rule : text::split(typed, ',')) {
        const auto equals = rule.find('=');
        if (equals == std::string_view::npos || equals == 0) throw Error(ErrorKind::usage, fmt::format("override-tensor: '{}' is no rule, expected REGEX=BUFFER, as in exps=CPU", rule));
        const std::string buffer(rule.substr(equals + 1));
        const auto it = std::find_if(known.begin(), known.end(), [&](const auto& k) { return text::equal_ignoring_case(k, buffer); });
        if (it == known.end()) throw Error(ErrorKind::unknown_name, fmt::format("override-tensor: there is no buffer '{}'{} ({})", buffer, text::did_you_mean(buffer, known), fmt::join(known, ", ")));
        d_.overrides.push_back({std::string(rule.substr(0, equals)), static_cast<int>(it - known.begin()) - 1});
      }
    }
  }

  /// Switches of other engines' kind change nothing; whoever gave them should know.
  void note_unused_switches() {
    const auto& r = request_;
    struct Switch {
      std::string_view name;
      bool is_given;
      bool is_used;
    };
    const bool llama = is_llama_cpp(*d_.engine);
    const bool pool = d_.engine->kv_pool;
    const std::array<Switch, 16> switches = {{
        {"gpu-layers", r.gpu_layers.has_value(), llama},
        {"n-cpu-moe", r.n_cpu_moe > 0, llama},
        {"override-tensor", !r.override_tensors.empty(), llama},
        {"split", !r.split.empty(), llama},
        {"tensor-split", !r.tensor_split.empty(), llama},
        {"mmap off", !r.mmap, llama},
        {"repack off", !r.repack, llama},
        {"swa-full", r.swa_full, llama},
        {"kv-unified", r.kv_unified, llama},
        {"outputs", !r.outputs.empty(), llama},
        {"tensor-parallel", r.tensor_parallel.has_value(), pool},
        {"pipeline-parallel", r.pipeline_parallel.has_value(), pool},
        {"gpu-memory-utilization", r.memory_fraction.has_value(), pool},
        {"max-num-seqs", r.max_num_seqs.has_value(), pool},
        {"max-batched-tokens", r.max_batched_tokens.has_value(), pool},
        {"block-size", r.block_size.has_value(), pool},
    }};
    std::vector<std::string_view> unused;
    for (const auto& s : switches) {
      if (s.is_given && !s.is_used) unused.push_back(s.name);
    }
    if (!unused.empty()) notes_.push_back(fmt::format("{} takes no {}", d_.engine->name, fmt::join(unused, ", ")));
  }

  const EstimateRequest& request_;
  const Catalog& catalog_;
  std::vector<std::string>& notes_;
  Deployment d_;
  bool host_only_ = false;
};

}  // namespace

bool is_llama_cpp(const Engine& engine) { return engine.offload_layers && !engine.kv_pool; }

Deployment resolve_deployment(const EstimateRequest& request, const Catalog& catalog, std::vector<std::string>& notes) { return Resolver(request, catalog, notes).run(); }

}  // namespace planner::decision

namespace planner {

std::vector<double> parse_shares(std::string_view typed) {
  std::vector<double> out;
  for (const auto part : text::split(typed, ',')) {
    const auto share = text::parse_double(text::trim(part));
    if (!share) throw Error(ErrorKind::usage, fmt::format("tensor-split: '{}' is no number, expected shares as in 3,1", part));
    out.push_back(*share);
  }
  return out;
}

}  // namespace planner
