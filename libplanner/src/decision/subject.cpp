// Names, files and defaults of a request.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/text.h"
#include "decision/session.h"
#include "planner/error.h"
#include "planner/gguf.h"

namespace planner::decision {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostTokens = std::int64_t{1} << 31;
constexpr std::uintmax_t kLargestConfig = 16U << 20;

/// Whether the name is meant as a path: it exists, or it looks like nothing else.
bool is_path(const std::string& typed) {
  std::error_code status;
  if (text::ends_with(typed, ".gguf") || text::ends_with(typed, ".json")) return true;
  return (typed.starts_with("/") || typed.starts_with("./") || typed.starts_with("../")) || fs::is_directory(typed, status);
}

std::string read_small_file(const fs::path& path) {
  std::error_code status;
  const auto size = fs::file_size(path, status);
  if (status) throw Error(ErrorKind::invalid_file, path.string() + ": cannot be read: " + status.message());
  if (size > kLargestConfig) throw Error(ErrorKind::invalid_file, path.string() + ": larger than any config.json (16 MiB)");
  std::ifstream in(path, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  if (!in) throw Error(ErrorKind::invalid_file, path.string() + ": cannot be read");
  return content.str();
}

Subject from_gguf(const fs::path& path) {
  const auto file = read_gguf_header(path);
  Subject s;
  std::string note;
  s.own_model = std::make_unique<Model>(model_from_gguf(file, &note));
  s.model = s.own_model.get();
  if (!note.empty()) s.notes.push_back(note);
  s.file_bytes = stored_from_gguf(file, *s.model);
  s.file_size_bytes = file.declared_file_bytes;
  s.name = std::string(file.find_string("general.name").value_or(path.filename().string()));
  if (!file.is_complete()) s.notes.push_back("the file holds a header only, or is cut short: the sizes are those that it declares");
  return s;
}

Subject from_config(const fs::path& path) {
  Subject s;
  s.own_model = std::make_unique<Model>(build_model(hyperparameters_from_config(read_small_file(path), path.string())));
  s.model = s.own_model.get();
  s.name = path.parent_path().filename().string();
  if (s.name.empty()) s.name = path.filename().string();
  return s;
}

std::string backend_of(const Device* device) {
  if (device == nullptr || device->kind == DeviceKind::cpu) return "cpu";
  if (device->vendor == "NVIDIA") return "cuda";
  if (device->vendor == "Apple") return "metal";
  if (device->vendor == "AMD") return device->kind == DeviceKind::unified ? "vulkan" : "rocm";
  return device->vendor == "Intel" ? "sycl" : "vulkan";
}

DeploymentDevice instance(const Device& device, std::int64_t memory, const EstimateRequest& request, const Catalog& catalog) {
  DeploymentDevice d;
  d.device = &device;
  d.name = device.name;
  d.kind = device.kind;
  if (memory > 0) d.capacity_bytes = memory;
  else d.capacity_bytes = device.memory_bytes;
  if (!d.capacity_bytes) return d;
  const auto reserve = catalog.platform_reserve(device, *d.capacity_bytes);
  d.reserve_bytes = request.reserve_bytes.value_or(reserve.bytes);
  d.reserve_source = request.reserve_bytes ? "--reserve" : reserve.source.empty() ? reserve.note : reserve.source;
  return d;
}

FormatId kv_format(const std::string& name, const Engine& engine) {
  const auto* format = find_tensor_format(name);
  const bool known = format != nullptr && std::find_if(engine.kv_types.begin(), engine.kv_types.end(), [&](const auto& t) { return text::equal_ignoring_case(t, name); }) != engine.kv_types.end();
  if (known) return format->id;
  std::string list;
  for (const auto& t : engine.kv_types) list += (list.empty() ? "" : ", ") + t;
  throw Error(ErrorKind::unknown_name, fmt::format("{} has no KV cache type '{}'{} (it takes {})", engine.name, name, text::did_you_mean(name, engine.kv_types), list));
}

std::int64_t in_range(std::string_view what, std::optional<std::int64_t> value, std::int64_t otherwise, std::int64_t low, std::int64_t high) {
  if (!value) return otherwise;
  if (*value < low || *value > high) throw Error(ErrorKind::usage, fmt::format("{} is {}, expected {} to {}", what, *value, low, high));
  return *value;
}

/// Tokens whose logits are kept: 0 stands for one per sequence.
std::int64_t outputs_of(const std::string& typed, std::int64_t batch) {
  if (typed.empty() || typed == "slots") return 0;
  if (typed == "batch") return batch;
  const auto n = text::parse_int(typed);
  if (!n || *n < 1 || *n > kMostTokens) throw Error(ErrorKind::usage, fmt::format("outputs is '{}', expected slots, batch or a number of tokens", typed));
  return *n;
}

}  // namespace

Subject resolve_subject(const std::string& typed, const Catalog& catalog) {
  if (text::trim(typed).empty()) throw Error(ErrorKind::usage, "no model is given");
  if (is_path(typed)) {
    std::error_code status;
    fs::path path = typed;
    if (fs::is_directory(path, status)) path /= "config.json";
    if (!fs::exists(path, status)) throw Error(ErrorKind::invalid_file, path.string() + ": no such file");
    return path.extension() == ".json" ? from_config(path) : from_gguf(path);
  }
  Subject s;
  s.entry = &catalog.resolve_model(typed);
  s.model = &s.entry->model();
  s.name = s.entry->name;
  return s;
}

Deployment resolve_deployment(const EstimateRequest& request, const Catalog& catalog, std::vector<std::string>& notes) {
  Deployment d;
  d.engine = &catalog.resolve_engine(request.engine);
  if (const auto at = request.engine.find('@'); at != std::string::npos) d.engine_version = text::to_lower(request.engine.substr(at + 1));
  d.memory_fraction = request.memory_fraction.value_or(d.engine->memory_fraction);
  if (!(d.memory_fraction >= 0 && d.memory_fraction <= 1)) throw Error(ErrorKind::usage, fmt::format("gpu-memory-utilization is {}, expected 0 to 1", d.memory_fraction));
  d.host.name = "host";
  d.host.kind = DeviceKind::cpu;
  bool host_only = false;
  if (request.device_count < 1 || request.device_count > 1024) throw Error(ErrorKind::usage, fmt::format("gpus is {}, expected 1 to 1024", request.device_count));
  if (request.device_count > 1 && request.devices.size() > 1) throw Error(ErrorKind::usage, "a number of GPUs can be given for one device only; repeat --gpu for different ones");

  for (const auto& typed : request.devices) {
    if (text::equal_ignoring_case(text::trim(typed), "cpu")) {
      host_only = true;
      continue;
    }
    const auto match = catalog.resolve_device(typed);
    if (!match.note.empty()) notes.push_back(fmt::format("'{}' {}", typed, match.note));
    const auto& device = *match.device;
    if (device.kind == DeviceKind::cpu) {
      d.host = instance(device, match.memory_bytes, request, catalog);
      host_only = true;
      continue;
    }
    const bool is_node = device.kind == DeviceKind::node;
    const auto* single = is_node ? catalog.find_device(device.node_device) : &device;
    if (single == nullptr) throw Error(ErrorKind::invalid_file, fmt::format("node '{}' is made of the unknown device '{}'", device.id, device.node_device));
    const std::int64_t count = request.device_count * (is_node ? device.node_count : 1);
    for (std::int64_t i = 0; i < count; ++i) d.devices.push_back(instance(*single, is_node ? 0 : match.memory_bytes, request, catalog));
  }
  if (request.devices.empty()) {
    DeploymentDevice unlimited;
    unlimited.name = "device without a limit";
    d.devices.push_back(unlimited);
  } else if (d.devices.empty() && !host_only) {
    throw Error(ErrorKind::usage, "no device is given");
  }
  d.unified_memory = d.devices.size() == 1 && d.devices.front().kind == DeviceKind::unified;

  const Device* first = d.devices.empty() ? d.host.device : d.devices.front().device;
  d.backend = request.backend.empty() ? (d.devices.empty() || first != nullptr ? backend_of(first) : "cuda") : text::to_lower(request.backend);
  constexpr std::string_view kBackends[] = {"cuda", "metal", "rocm", "vulkan", "sycl", "cpu"};
  if (std::find(std::begin(kBackends), std::end(kBackends), d.backend) == std::end(kBackends)) {
    throw Error(ErrorKind::unknown_name, fmt::format("unknown backend '{}' (cuda, metal, rocm, vulkan, sycl, cpu)", d.backend));
  }
  const auto& backends = d.engine->backends;
  if (!backends.empty() && std::find(backends.begin(), backends.end(), d.backend) == backends.end()) notes.push_back(fmt::format("{} has no {} back end that these facts know of", d.engine->name, d.backend));
  return d;
}

Workload resolve_workload(const EstimateRequest& request, const Subject& subject, const Engine& engine, std::vector<std::string>& notes) {
  constexpr std::int64_t kDefaultContext = 8192;
  Workload w;
  const auto model_limit = subject.entry != nullptr && subject.entry->context ? *subject.entry->context : subject.model->hyperparameters.context_length;
  w.context = in_range("context", request.context, model_limit > 0 ? std::min(model_limit, kDefaultContext) : kDefaultContext, 1, kMostTokens);
  if (model_limit > 0 && w.context > model_limit) notes.push_back(fmt::format("the context of {} is beyond the model's own limit of {} tokens", w.context, model_limit));
  w.depth = in_range("depth", request.depth, w.context / 2, 0, kMostTokens);
  if (w.depth > w.context) throw Error(ErrorKind::usage, fmt::format("depth is {}, more than the context of {}", w.depth, w.context));
  w.prompt = in_range("prompt", request.prompt, std::min<std::int64_t>(512, w.context), 1, kMostTokens);
  w.cached_prompt = in_range("cached-prompt", request.cached_prompt, 0, 0, w.prompt);
  w.concurrency = in_range("concurrency", request.concurrency, 1, 1, 1 << 16);
  if (w.context > kMostTokens * 64 / w.concurrency) throw Error(ErrorKind::usage, "context times concurrency is more than any memory holds");
  w.batch = in_range("batch", request.batch, engine.batch > 0 ? engine.batch : 2048, 1, kMostTokens);
  w.ubatch = std::min(in_range("ubatch", request.ubatch, engine.ubatch > 0 ? engine.ubatch : 512, 1, kMostTokens), w.batch);
  const std::string standard = engine.default_kv_type.empty() ? "f16" : engine.default_kv_type;
  w.kv_type_k = request.kv_type_k.empty() ? (find_tensor_format(standard) != nullptr ? find_tensor_format(standard)->id : FormatId::f16) : kv_format(request.kv_type_k, engine);
  w.kv_type_v = request.kv_type_v.empty() ? w.kv_type_k : kv_format(request.kv_type_v, engine);
  w.flash_attention = request.flash_attention;
  w.swa_full = request.swa_full;
  w.kv_unified = request.kv_unified;
  w.outputs = outputs_of(request.outputs, w.batch);
  w.kv_offload = request.kv_offload;
  return w;
}

}  // namespace planner::decision
