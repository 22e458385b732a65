// llama.cpp and what is built on it: buffers per device for weights, cache, state, graph and logits.
#include <algorithm>
#include <numeric>
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
    dense(p_.output, weights_.output, slot);
    for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
      dense(p_.layer[i], weights_.layers[i].dense, slot);
      slot(p_.experts_on_host[i] ? kHost : p_.layer[i]) += weights_.layers[i].experts;
    }
    for (const auto& p : weights_.pinned) slot(p.device) += p.dense + p.experts + p.tables;
    for (int i = 0; i < n; ++i) a_.add(i, "model", Component::weights, slot(i), a_.question().weights_basis);
    a_.add(kHost, "model", Component::weights, slot(kHost), a_.question().weights_basis);

    const auto rules = engine::llama_cpp_rules(model_, w_, d_);
    const auto cells = engine::llama_cpp_cells(w_, rules, d_.engine->kv_cell_padding);
    const bool windows = windows_count(model_, *d_.engine);
    const auto v_row = engine::llama_cpp_common_v_row(model_, rules);
    const auto& v_format = tensor_format(w_.kv_type_v);
    const std::int64_t v_row_bytes = (v_row + v_format.block_weights - 1) / v_format.block_weights * v_format.block_bytes;
    cache(rules, [&](const TokenCache& c) {
      const std::int64_t tokens = c.window > 0 && windows ? cells.sliding(c.window, w_) : cells.full;
      const std::int64_t v = c.row_bytes_v > 0 && v_row > 0 ? v_row_bytes : c.row_bytes_v;
      return cells.streams * (c.row_bytes_k + v) * (tokens / c.tokens_per_row);
    });
    a_.out().kv_capacity_tokens = cells.total();
    compute(rules, engine::llama_cpp_graph(model_, w_, cells, rules, windows));
    a_.add(kHost, "output", Component::output, 4 * engine::file_vocabulary(model_.hyperparameters) * w_.concurrency, Basis::rule);
    const bool any_device = p_.output != kHost || std::any_of(p_.layer.begin(), p_.layer.end(), [](int device) { return device != kHost; });
    a_.add_overheads(any_device ? n : 0);
  }

 private:
  /// What is multiplied of a layer: where the layer lies, or with its rows over all devices.
  template <typename Slot>
  void dense(int device, std::int64_t bytes, const Slot& slot) const {
    if (d_.split != SplitMode::row || device == kHost || d_.devices.size() < 2) {
      slot(device) += bytes;
      return;
    }
    const auto shares = device_shares(d_);
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    std::int64_t left = bytes;
    for (int i = 0; i + 1 < static_cast<int>(shares.size()); ++i) {
      const auto part = static_cast<std::int64_t>(static_cast<double>(bytes) * shares[static_cast<std::size_t>(i)] / sum);
      slot(i) += part;
      left -= part;
    }
    slot(static_cast<int>(shares.size()) - 1) += left;
  }

  /// Compute buffers, to the byte where the family's graph was laid out after the engine's source and the version's rules are known.
  void compute(const engine::LlamaRules& rules, const engine::GraphOptions& graph) {
    constexpr double kUnknownFamily = 0.3;
    constexpr double kDevices = 0.05;
    constexpr double kOtherVersion = 0.03;
    const auto is_host = [](int device) { return device == kHost; };
    const bool host_alone = d_.devices.empty() || (d_.backend == "cpu");
    const double wrapped = d_.engine->id == "llama.cpp" ? 0 : kOtherVersion;
    constexpr double kPlacedByHand = 0.3;  // the scheduler's copies for single tensors are not followed
    const bool by_hand = !weights_.pinned.empty() || d_.split == SplitMode::row;
    const double share = std::max({engine::graph_is_known(model_) ? 0.0 : kUnknownFamily, host_alone ? 0.0 : by_hand ? kPlacedByHand : kDevices, wrapped});
    const auto put = [&](int device, std::int64_t bytes) { a_.add(device, "compute", Component::compute, bytes, Basis::rule, static_cast<std::int64_t>(share * static_cast<double>(bytes))); };
    auto* memo = a_.question().memo;
    if (host_alone) {
      put(kHost, memo != nullptr ? memo->bytes(model_, graph) : engine::compute_buffer_bytes(model_, graph));
      return;
    }
    engine::DevicePlan plan;
    plan.accelerators = static_cast<int>(d_.devices.size());
    const auto place = [&](int device) { return is_host(device) ? plan.host() : device; };
    for (const int device : p_.layer) plan.layers.push_back(place(device));
    plan.experts_on_host = p_.experts_on_host;
    for (const auto& p : weights_.pinned) {
      if (p.layer >= 0 && p.device == kHost && p.experts > 0) plan.experts_on_host[static_cast<std::size_t>(p.layer)] = true;
    }
    plan.output = place(p_.output);
    plan.caches_on_host = !w_.kv_offload;
    const bool whole = p_.output != kHost && std::none_of(p_.layer.begin(), p_.layer.end(), is_host);
    plan.pins_norms = whole || graph.tokens < 32;
    plan.moves_products = w_.moves_products.value_or(true);
    plan.copies = engine::llama_cpp_copies(rules, d_, w_, p_);
    const auto& bytes = memo != nullptr ? memo->bytes(model_, graph, plan, weights_.tensors, weights_.total()) : scratch_ = engine::compute_buffers_bytes(model_, graph, plan, weights_.tensors);
    for (int i = 0; i < plan.accelerators; ++i) put(i, bytes[static_cast<std::size_t>(i)]);
    put(kHost, bytes.back());
  }

  /// Cache and recurrent state of each layer, where the layer lies. `bytes_of` gives a token cache's bytes for all sequences.
  template <typename BytesOf>
  void cache(const engine::LlamaRules& rules, BytesOf bytes_of) {
    std::vector<std::int64_t> kv(d_.devices.size() + 1);
    std::vector<std::int64_t> state(d_.devices.size() + 1);
    const auto n = rules.caches_mtp_layers && model_.file_holds_mtp ? model_.layers.size() : std::min(p_.layer.size(), model_.layers.size());
    for (std::size_t i = 0; i < n; ++i) {
      // Prediction layers lie where the last layer does.
      const int device = w_.kv_offload && !p_.layer.empty() ? p_.layer[std::min(i, p_.layer.size() - 1)] : kHost;
      const std::size_t slot = device == kHost ? d_.devices.size() : static_cast<std::size_t>(device);
      for (const auto& mixer : model_.layers[i].mixers) {
        const auto needs = cache_needs(mixer, w_.kv_type_k, w_.kv_type_v, rules.mla_cache);
        for (const auto& part : needs.token_caches()) kv[slot] += bytes_of(part);
        state[slot] += w_.concurrency * (1 + w_.draft_states) * (needs.conv_state_bytes + needs.recurrent_state_bytes);
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
  std::vector<std::int64_t> scratch_;
};

}  // namespace

void account_llama_cpp(Accountant& a) {
  LlamaCpp(a).run();
  if (a.question().workload.draft_by_mtp) account_mtp(a);
}

}  // namespace planner::memory
