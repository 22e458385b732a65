#include "planner/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/allocation.h"

namespace planner {
namespace {

constexpr std::array<std::string_view, 6> kComponents = {"weights", "kv", "recurrent_state", "compute", "output", "overhead"};
constexpr std::array<std::string_view, 4> kBases = {"file", "config", "rule", "assumption"};

/// Name of the i-th device's buffers as the engine prints it: "CUDA0", "Metal", "Vulkan1", "CPU".
std::string buffer_prefix(const Deployment& d, int index) {
  if (index == kHost) return "CPU";
  if (d.backend == "cuda") return fmt::format("CUDA{}", index);
  if (d.backend == "metal") return "Metal";
  if (d.backend == "rocm") return fmt::format("ROCm{}", index);
  if (d.backend == "vulkan") return fmt::format("Vulkan{}", index);
  if (d.backend == "sycl") return fmt::format("SYCL{}", index);
  return fmt::format("GPU{}", index);
}

const EngineOverhead* overhead_of(const Engine& engine, std::string_view backend) {
  const auto it = std::find_if(engine.overheads.begin(), engine.overheads.end(), [&](const auto& o) { return o.backend == backend; });
  return it == engine.overheads.end() ? nullptr : &*it;
}

class Accountant {
 public:
  Accountant(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment, const Placement& placement, Basis weights_basis,
             engine::ComputeMemo* memo)
      : model_(model), weights_(weights), w_(workload), d_(deployment), p_(placement), weights_basis_(weights_basis), memo_(memo) {
    for (const auto& device : d_.devices) out_.devices.push_back({device.name, device.kind, device.capacity_bytes, device.usable_bytes(), 0, 0, {}});
    out_.devices.push_back({d_.host.name, d_.host.kind, d_.host.capacity_bytes, d_.host.usable_bytes(), 0, 0, {}});
    for (const int device : p_.layer) ++at(device).layers;
  }

  MemoryEstimate run() {
    if (d_.engine->kv_pool) servers();
    else if (d_.engine->offload_layers) llama_cpp();
    else one_process();
    if (out_.devices.size() > 1 && out_.devices.back().total_bytes() == 0) out_.devices.pop_back();
    return std::move(out_);
  }

 private:
  DeviceMemory& at(int index) {
    if (index == kHost) return d_.unified_memory ? out_.devices.front() : out_.devices.back();
    return out_.devices[static_cast<std::size_t>(index)];
  }

  void add(int device, std::string_view what, Component component, std::int64_t bytes, Basis basis, std::int64_t uncertainty = 0) {
    if (bytes > 0) at(device).buffers.push_back({fmt::format("{} {}", buffer_prefix(d_, device), what), component, bytes, basis, uncertainty});
  }

  void overheads(std::int64_t used_devices) {
    if (const auto* o = overhead_of(*d_.engine, d_.backend)) {
      for (int i = 0; i < used_devices; ++i) add(i, "context", Component::overhead, o->bytes, o->measured ? Basis::rule : Basis::assumption, std::max(o->bytes - o->low, o->high - o->bytes));
    }
    if (const auto& o = d_.engine->host_overhead) add(kHost, "process", Component::overhead, o->bytes, o->measured ? Basis::rule : Basis::assumption, std::max(o->bytes - o->low, o->high - o->bytes));
  }

  // --- llama.cpp and what is built on it ------------------------------------------------------------------------------

  void llama_cpp() {
    const auto n = static_cast<int>(d_.devices.size());
    std::vector<std::int64_t> weights(static_cast<std::size_t>(n) + 1);
    const auto slot = [&](int device) -> std::int64_t& { return device == kHost ? weights.back() : weights[static_cast<std::size_t>(device)]; };
    // Tables that are looked up stay on the host; a tied table is copied to where it is multiplied.
    slot(kHost) += weights_.token_embedding + weights_.other_tables;
    if (weights_.tied && p_.output != kHost && !d_.unified_memory) slot(p_.output) += weights_.token_embedding;
    slot(p_.output) += weights_.output;
    for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
      slot(p_.layer[i]) += weights_.layers[i].dense;
      slot(p_.experts_on_host[i] ? kHost : p_.layer[i]) += weights_.layers[i].experts;
    }
    for (int i = 0; i < n; ++i) add(i, "model", Component::weights, slot(i), weights_basis_);
    add(kHost, "model", Component::weights, slot(kHost), weights_basis_);

    const auto generation = engine::llama_cpp_generation(d_);
    const bool flash = uses_flash_attention(w_, d_) && engine::llama_cpp_allows_flash_attention(model_, generation);
    const auto cells = engine::llama_cpp_cells(w_, generation, d_.engine->kv_cell_padding, flash);
    const bool windows = windows_count(model_, *d_.engine);
    const auto v_row = engine::llama_cpp_common_v_row(model_, generation, flash);
    const auto& v_format = tensor_format(w_.kv_type_v);
    const std::int64_t v_row_bytes = (v_row + v_format.block_weights - 1) / v_format.block_weights * v_format.block_bytes;
    const auto mla = generation == engine::Generation::b4748 ? MlaCache::expanded : MlaCache::compressed;
    cache(mla, [&](const TokenCache& c) {
      const std::int64_t tokens = c.window > 0 && windows ? cells.sliding(c.window, w_) : cells.full;
      const std::int64_t v = c.row_bytes_v > 0 && v_row > 0 ? v_row_bytes : c.row_bytes_v;
      return cells.streams * (c.row_bytes_k + v) * (tokens / c.tokens_per_row);
    });
    out_.kv_capacity_tokens = cells.total();
    llama_cpp_compute(engine::llama_cpp_graph(model_, w_, cells, generation, windows, flash));
    add(kHost, "output", Component::output, 4 * engine::file_vocabulary(model_.hyperparameters) * w_.concurrency, Basis::rule);
    const bool any_device = p_.output != kHost || std::any_of(p_.layer.begin(), p_.layer.end(), [](int device) { return device != kHost; });
    overheads(any_device ? n : 0);
  }

  /// Compute buffers: each place's part of the graph. On the host alone the graph is known to the byte; what the scheduler copies between devices is
  /// estimated.
  void llama_cpp_compute(engine::GraphOptions graph) {
    constexpr double kUnknownFamily = 0.1;
    constexpr double kDevices = 0.15;
    constexpr double kOtherVersion = 0.03;
    constexpr std::int64_t kDeviceAlignment = 128;
    const bool known = engine::graph_is_known(model_);
    const auto n = static_cast<std::int64_t>(p_.layer.size());
    const auto is_host = [](int device) { return device == kHost; };
    const bool host_alone = p_.output == kHost && std::all_of(p_.layer.begin(), p_.layer.end(), is_host);
    const double wrapped = d_.engine->id == "llama.cpp" ? 0 : kOtherVersion;
    const double share = std::max({known ? 0.0 : kUnknownFamily, host_alone ? 0.0 : kDevices, wrapped});
    const auto part = [&](int device) {
      auto o = graph;
      const auto first = std::find(p_.layer.begin(), p_.layer.end(), device);
      const auto last = std::find(p_.layer.rbegin(), p_.layer.rend(), device);
      o.has_output = p_.output == device;
      if (!host_alone) {
        o.has_input = false;
        o.first_layer = first == p_.layer.end() ? n : first - p_.layer.begin();
        o.n_layers = first == p_.layer.end() ? 0 : (p_.layer.rend() - last) - o.first_layer;
        if (!is_host(device)) o.alignment = kDeviceAlignment;
      }
      return memo_ != nullptr ? memo_->bytes(model_, o) : engine::compute_buffer_bytes(model_, o);
    };
    const auto put = [&](int device, std::int64_t bytes) { add(device, "compute", Component::compute, bytes, Basis::rule, static_cast<std::int64_t>(share * static_cast<double>(bytes))); };
    for (int i = 0; i < static_cast<int>(d_.devices.size()); ++i) {
      if (at(i).layers > 0 || p_.output == i) put(i, part(i));
    }
    if (host_alone || std::any_of(p_.layer.begin(), p_.layer.end(), is_host) || p_.output == kHost) {
      put(kHost, part(kHost));
      return;
    }
    // The host looks embeddings up and holds the inputs.
    const std::int64_t mask = (graph.flash_attention ? 2 : 4) * graph.tokens * graph.cells;
    put(kHost, 4 * graph.tokens * model_.hyperparameters.hidden_size + mask);
  }

  /// Cache and recurrent state of each layer, where the layer lies. `bytes_of` gives a token cache's bytes for all sequences.
  template <typename BytesOf>
  void cache(MlaCache mla, BytesOf bytes_of) {
    std::vector<std::int64_t> kv(d_.devices.size() + 1);
    std::vector<std::int64_t> state(d_.devices.size() + 1);
    for (std::size_t i = 0; i < p_.layer.size() && i < model_.layers.size(); ++i) {
      const int device = w_.kv_offload ? p_.layer[i] : kHost;
      const std::size_t slot = device == kHost ? d_.devices.size() : static_cast<std::size_t>(device);
      for (const auto& mixer : model_.layers[i].mixers) {
        const auto needs = cache_needs(mixer, w_.kv_type_k, w_.kv_type_v, mla);
        for (const auto& part : needs.token_caches()) kv[slot] += bytes_of(part);
        state[slot] += w_.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes);
      }
    }
    for (std::size_t s = 0; s < kv.size(); ++s) {
      const int device = s == d_.devices.size() ? kHost : static_cast<int>(s);
      add(device, "KV", Component::kv, kv[s], Basis::rule);
      add(device, "recurrent state", Component::recurrent_state, state[s], Basis::rule);
    }
  }

  // --- servers with a pool: vLLM, SGLang, TensorRT-LLM ------------------------------------------------------------------

  void servers() {
    const std::int64_t ranks = std::max<std::int64_t>(1, static_cast<std::int64_t>(d_.devices.size()));
    const std::int64_t tokens = std::max<std::int64_t>(w_.batch, w_.concurrency);
    const bool on_host = d_.devices.empty();
    const std::int64_t activations = engine::activation_peak_bytes(model_, tokens, w_.concurrency, ranks);
    std::int64_t needed = 0;
    std::int64_t per_token = 0;
    for (const auto& layer : model_.layers) {
      if (layer.mtp) continue;
      for (const auto& mixer : layer.mixers) {
        const auto needs = cache_needs(mixer, w_.kv_type_k, w_.kv_type_v);
        for (auto part : needs.token_caches()) {
          if (!windows_count(model_, *d_.engine)) part.window = 0;
          // Blocks of whole tokens; a sliding layer keeps its window.
          const std::int64_t block = std::max<std::int64_t>(1, d_.engine->block_size);
          const std::int64_t sequence = (w_.context + block - 1) / block * block;
          needed += w_.concurrency * part.bytes(sequence);
          if (part.window == 0) per_token += (part.row_bytes_k + part.row_bytes_v) / part.tokens_per_row;
        }
        const auto state = w_.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes);
        for (std::int64_t r = 0; r < ranks; ++r) add(on_host ? kHost : static_cast<int>(r), "recurrent state", Component::recurrent_state, state / ranks, Basis::rule);
      }
    }
    std::int64_t pool_total = 0;
    const auto* o = overhead_of(*d_.engine, d_.backend);
    for (std::int64_t r = 0; r < ranks; ++r) {
      const int device = on_host ? kHost : static_cast<int>(r);
      add(device, "weights", Component::weights, weights_.total() / ranks, weights_basis_);
      add(device, "activations", Component::compute, activations, Basis::assumption, activations / 2);
      if (o != nullptr) add(device, "non-torch", Component::overhead, o->bytes, o->measured ? Basis::rule : Basis::assumption, std::max(o->bytes - o->low, o->high - o->bytes));
      const std::int64_t share = needed / ranks;
      std::int64_t pool = share;
      if (const auto capacity = at(device).capacity_bytes) {
        const auto budget = static_cast<std::int64_t>(d_.memory_fraction * static_cast<double>(*capacity)) - at(device).total_bytes();
        pool = std::max(budget, share);
        // The pool stops at the fraction: what does not fit into it does not fit.
        at(device).usable_bytes = std::min(at(device).usable_bytes.value_or(*capacity), static_cast<std::int64_t>(d_.memory_fraction * static_cast<double>(*capacity)));
      }
      add(device, "KV pool", Component::kv, pool, Basis::rule);
      at(device).unused_pool_bytes = pool - share;
      pool_total += pool;
    }
    if (per_token > 0) out_.kv_capacity_tokens = pool_total / per_token;
  }

  // --- one process, everything on the devices: MLX, ExLlama, transformers -----------------------------------------------

  void one_process() {
    const std::int64_t ranks = std::max<std::int64_t>(1, static_cast<std::int64_t>(d_.devices.size()));
    const bool on_host = d_.devices.empty();
    for (std::int64_t r = 0; r < ranks; ++r) add(on_host ? kHost : static_cast<int>(r), "weights", Component::weights, weights_.total() / ranks, weights_basis_);
    std::int64_t kv = 0;
    std::int64_t state = 0;
    for (const auto& layer : model_.layers) {
      if (layer.mtp) continue;
      for (const auto& mixer : layer.mixers) {
        const auto needs = cache_needs(mixer, w_.kv_type_k, w_.kv_type_v, d_.engine->id == "transformers" ? MlaCache::expanded : MlaCache::compressed);
        for (auto part : needs.token_caches()) {
          if (!windows_count(model_, *d_.engine)) part.window = 0;
          const std::int64_t padding = d_.engine->kv_cell_padding;
          kv += w_.concurrency * part.bytes((w_.context + padding - 1) / padding * padding);
        }
        state += w_.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes);
      }
    }
    const std::int64_t activations = engine::activation_peak_bytes(model_, std::min(w_.batch, w_.context), w_.concurrency, 1);
    for (std::int64_t r = 0; r < ranks; ++r) {
      const int device = on_host ? kHost : static_cast<int>(r);
      add(device, "KV", Component::kv, kv / ranks, Basis::rule);
      add(device, "recurrent state", Component::recurrent_state, state / ranks, Basis::rule);
      add(device, "activations", Component::compute, activations, Basis::assumption, activations / 2);
    }
    out_.kv_capacity_tokens = w_.context * w_.concurrency;
    overheads(on_host ? 0 : ranks);
  }

  const Model& model_;
  const WeightMap& weights_;
  const Workload& w_;
  const Deployment& d_;
  const Placement& p_;
  Basis weights_basis_;
  engine::ComputeMemo* memo_;
  MemoryEstimate out_;
};

}  // namespace

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

bool uses_flash_attention(const Workload& workload, const Deployment& deployment) {
  if (workload.flash_attention != FlashAttention::automatic) return workload.flash_attention == FlashAttention::on;
  // Off unless asked for until late 2025.
  return deployment.engine->id != "llama.cpp" || engine::llama_cpp_generation(deployment) != engine::Generation::b4748;
}

MemoryEstimate estimate_memory(const Model& model, const WeightMap& weights, const Workload& workload, const Deployment& deployment, const Placement& placement,
                               Basis weights_basis, engine::ComputeMemo* memo) {
  return Accountant(model, weights, workload, deployment, placement, weights_basis, memo).run();
}

}  // namespace planner
