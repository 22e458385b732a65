// llama.cpp and what is built on it: buffers per device for weights, cache, state, graph and logits.
#include <algorithm>
#include <vector>

#include "engine/allocation.h"
#include "memory/accountant.h"

namespace planner::memory {
namespace {

class LlamaCpp {
 public:
  explicit LlamaCpp(Accountant& a)
      : a_(a), model_(a.question().model), weights_(a.question().weights), w_(a.question().workload), d_(a.question().deployment), p_(a.question().placement) {}

  void run() {
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
    for (const auto& p : weights_.pinned) slot(p.device) += p.dense + p.experts + p.tables;
    for (int i = 0; i < n; ++i) a_.add(i, "model", Component::weights, slot(i), a_.question().weights_basis);
    a_.add(kHost, "model", Component::weights, slot(kHost), a_.question().weights_basis);

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
    a_.out().kv_capacity_tokens = cells.total();
    llama_cpp_compute(engine::llama_cpp_graph(model_, w_, cells, generation, windows, flash));
    a_.add(kHost, "output", Component::output, 4 * engine::file_vocabulary(model_.hyperparameters) * w_.concurrency, Basis::rule);
    const bool any_device = p_.output != kHost || std::any_of(p_.layer.begin(), p_.layer.end(), [](int device) { return device != kHost; });
    a_.add_overheads(any_device ? n : 0);
  }

 private:
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
      auto* memo = a_.question().memo;
      return memo != nullptr ? memo->bytes(model_, o) : engine::compute_buffer_bytes(model_, o);
    };
    const auto put = [&](int device, std::int64_t bytes) { a_.add(device, "compute", Component::compute, bytes, Basis::rule, static_cast<std::int64_t>(share * static_cast<double>(bytes))); };
    for (int i = 0; i < static_cast<int>(d_.devices.size()); ++i) {
      if (a_.at(i).layers > 0 || p_.output == i) put(i, part(i));
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
      a_.add(device, "KV", Component::kv, kv[s], Basis::rule);
      a_.add(device, "recurrent state", Component::recurrent_state, state[s], Basis::rule);
    }
  }

  Accountant& a_;
  const Model& model_;
  const WeightMap& weights_;
  const Workload& w_;
  const Deployment& d_;
  const Placement& p_;
};

}  // namespace

void account_llama_cpp(Accountant& a) { LlamaCpp(a).run(); }

}  // namespace planner::memory
