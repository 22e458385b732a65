// Everything in one process: MLX, ExLlama, transformers. The cache is as long as the context, and what a prompt's step needs lies beside it.
#include <algorithm>
#include <vector>

#include "engine/allocation.h"
#include "memory/accountant.h"

namespace planner::memory {
namespace {

class OneProcess {
 public:
  explicit OneProcess(Accountant& a)
      : a_(a),
        q_(a.question()),
        rules_(q_.deployment.engine->process.value_or(ProcessRules())),
        on_host_(q_.deployment.devices.empty()),
        n_(std::max<std::int64_t>(1, static_cast<std::int64_t>(q_.deployment.devices.size()))),
        rank_splits_(rules_.rank_splits || on_host_) {}

  void run() {
    weights();
    cache();
    const auto& w = q_.workload;
    const std::int64_t tokens = rules_.whole_prompt ? w.context : std::min(w.batch, w.context);
    const std::int64_t activations = engine::activation_peak_bytes(q_.model, tokens, w.concurrency, rank_splits_ ? n_ : 1);
    for (std::int64_t i = 0; i < n_; ++i) {
      a_.add(device(i), "activations", Component::compute, activations, Basis::assumption, activations / 2);
      // What the engine leaves free is not to be had.
      auto& memory = a_.at(device(i));
      if (!on_host_ && memory.usable_bytes) memory.usable_bytes = std::max<std::int64_t>(0, *memory.usable_bytes - rules_.device_reserve);
    }
    a_.out().kv_capacity_tokens = w.context * w.concurrency;
    a_.add_overheads(on_host_ ? 0 : n_);
  }

 private:
  [[nodiscard]] int device(std::int64_t i) const { return on_host_ ? kHost : static_cast<int>(i); }
  /// The devices that a layer lies on: one, or all.
  template <typename Put>
  void spread(int of_layer, std::int64_t bytes, Put put) const {
    if (!rank_splits_) return put(on_host_ ? kHost : std::max(of_layer, 0), bytes);
    for (std::int64_t i = 0; i < n_; ++i) put(device(i), bytes / n_ + (i < bytes % n_ ? 1 : 0));
  }
  std::vector<std::int64_t> per_device() const { return std::vector<std::int64_t>(q_.deployment.devices.size() + 1); }
  [[nodiscard]] std::size_t slot(int at) const { return at == kHost ? q_.deployment.devices.size() : static_cast<std::size_t>(at); }

  void weights() {
    const auto& map = q_.weights;
    const auto& p = q_.placement;
    auto bytes = per_device();
    const auto put = [&](int at, std::int64_t n) { bytes[slot(at)] += n; };
    const int first = p.layer.empty() ? 0 : p.layer.front();
    const std::int64_t tables = map.token_embedding + map.other_tables;
    if (rules_.embedding_on_host) put(kHost, tables);
    else spread(first, tables, put);
    // A tied head is a copy where the table lies elsewhere.
    if (map.tied && !rank_splits_ && (rules_.embedding_on_host || p.output != first)) spread(p.output, map.token_embedding, put);
    spread(p.output, map.output, put);
    for (std::size_t i = 0; i < map.layers.size(); ++i) spread(p.layer[i], map.layers[i].dense + map.layers[i].experts, put);
    for (const auto& pinned : map.pinned) spread(pinned.layer < 0 ? first : p.layer[static_cast<std::size_t>(pinned.layer)], pinned.dense + pinned.experts + pinned.tables, put);
    if (q_.deployment.engine->loads_towers) spread(first, map.towers, put);
    for (std::int64_t i = 0; i < n_; ++i) a_.add(device(i), "weights", Component::weights, bytes[slot(device(i))], q_.weights_basis);
    if (!on_host_) a_.add(kHost, "weights", Component::weights, bytes[slot(kHost)], q_.weights_basis);
  }

  void cache() {
    const auto& w = q_.workload;
    const auto& engine = *q_.deployment.engine;
    auto kv = per_device();
    auto state = per_device();
    auto spare = per_device();  // the largest share of a layer that is held twice, or in 16 bit beside its quantized form
    const std::int64_t padding = engine.kv_cell_padding;
    const auto padded = [&](std::int64_t tokens) { return (tokens + padding - 1) / padding * padding; };
    const bool windows = windows_count(q_.model, engine);
    const auto mla = rules_.mla_expanded ? MlaCache::expanded : MlaCache::compressed;
    const bool quantized = tensor_format(w.kv_type_k).block_weights > 1 || tensor_format(w.kv_type_v).block_weights > 1;
    for (std::size_t i = 0; i < q_.placement.layer.size() && i < q_.model.layers.size(); ++i) {
      std::int64_t layer_kv = 0;
      std::int64_t layer_spare = 0;
      std::int64_t layer_state = 0;
      for (const auto& mixer : q_.model.layers[i].mixers) {
        const auto needs = cache_needs(mixer, w.kv_type_k, w.kv_type_v, mla);
        const auto half = cache_needs(mixer, FormatId::f16, FormatId::f16, mla);
        for (std::size_t k = 0; k < needs.token_caches().size(); ++k) {
          auto part = needs.token_caches()[k];
          auto plain = half.token_caches()[k];
          part.window = plain.window = !windows || part.window == 0 ? 0 : padded(part.window + rules_.window_extra);
          layer_kv += w.concurrency * part.bytes(padded(w.context));
          if (rules_.dequantizes_cache && quantized) layer_spare += w.concurrency * plain.bytes(padded(w.context));
        }
        layer_state += w.concurrency * (needs.conv_state_bytes + needs.recurrent_state_bytes);
      }
      if (rules_.grows_by_copy) layer_spare += layer_kv;
      const int at = q_.placement.layer[i];
      spread(at, layer_kv, [&](int d, std::int64_t n) { kv[slot(d)] += n; });
      spread(at, layer_state, [&](int d, std::int64_t n) { state[slot(d)] += n; });
      spread(at, layer_spare, [&](int d, std::int64_t n) { spare[slot(d)] = std::max(spare[slot(d)], n); });
    }
    for (std::int64_t i = 0; i < n_; ++i) {
      const auto s = slot(device(i));
      a_.add(device(i), "KV", Component::kv, kv[s], Basis::rule);
      a_.add(device(i), "recurrent state", Component::recurrent_state, state[s], Basis::rule);
      a_.add(device(i), rules_.grows_by_copy ? "KV copy while it grows" : "KV in 16 bit", Component::compute, spare[s], Basis::rule);
    }
  }

  Accountant& a_;
  const Question& q_;
  ProcessRules rules_;
  bool on_host_;
  std::int64_t n_;
  bool rank_splits_;
};

}  // namespace

void account_one_process(Accountant& a) { OneProcess(a).run(); }

}  // namespace planner::memory
