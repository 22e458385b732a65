// Drafting with the model's own multi-token-prediction layers: llama.cpp opens a second context over the same weights, whose cache and graph hold those
// layers alone. Source: common_speculative_init_result in common/speculative.cpp, create_memory in src/llama-model.cpp of ggml-org/llama.cpp.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "engine/allocation.h"
#include "memory/accountant.h"

namespace planner::memory {
namespace {

/// A model of one layer, and the bytes of its tensors.
struct OneLayer {
  Model model;
  std::vector<std::int64_t> tensors;
};

bool attends(const Layer& layer) {
  return std::any_of(layer.mixers.begin(), layer.mixers.end(),
                     [](const Mixer& m) { return std::holds_alternative<Attention>(m) || std::holds_alternative<MlaAttention>(m) || std::holds_alternative<CompressedAttention>(m); });
}

/// What a prediction layer computes: the last layer of the model proper that attends, and the head. Nothing where none attends.
std::optional<OneLayer> with_last_attention_layer(const Model& model, const std::vector<std::int64_t>& bytes) {
  const auto n = static_cast<std::ptrdiff_t>(std::min<std::size_t>(model.layers.size(), static_cast<std::size_t>(model.hyperparameters.n_layers)));
  const auto it = std::find_if(std::make_reverse_iterator(model.layers.begin() + n), model.layers.rend(), attends);
  if (it == model.layers.rend()) return std::nullopt;
  const auto last = static_cast<std::int32_t>(model.layers.rend() - it) - 1;
  OneLayer one;
  one.model.hyperparameters = model.hyperparameters;
  auto& hp = one.model.hyperparameters;
  hp.n_layers = 1;
  const auto keep = [&](auto& of_layers) {
    if (of_layers.size() > static_cast<std::size_t>(last)) of_layers = {of_layers[static_cast<std::size_t>(last)]};
  };
  keep(hp.layer_kinds);
  keep(hp.n_heads_per_layer);
  keep(hp.n_kv_heads_per_layer);
  keep(hp.ffn_per_layer);
  keep(hp.moe_layers);
  one.model.layers = {*it};
  one.model.llama_cpp_ignores_window = model.llama_cpp_ignores_window;
  const std::string prefix = "blk." + std::to_string(last) + ".";
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    auto t = model.tensors[i];
    if (t.part != ModelPart::text || (t.layer >= 0 && t.layer != last)) continue;
    if (t.layer == last && t.name.starts_with(prefix)) t.name = "blk.0." + t.name.substr(prefix.size());
    t.layer = std::min(t.layer, 0);
    one.model.tensors.push_back(std::move(t));
    one.tensors.push_back(i < bytes.size() ? bytes[i] : 0);
  }
  return one;
}

}  // namespace

void account_mtp(Accountant& a) {
  const auto& q = a.question();
  const auto& model = q.model;
  const auto& w = q.workload;
  // The layers lie right before the output, in the file and on the devices; the cache's type is F16 whatever the model's cache has.
  const int device = q.placement.gpu_layers > 1 ? q.placement.output : kHost;
  a.add(device, "MTP layers", Component::weights, q.weights.mtp, q.weights_basis);
  const auto rules = engine::llama_cpp_rules(model, w, q.deployment);
  const auto cells = engine::llama_cpp_cells(w, rules, q.deployment.engine->kv_cell_padding);
  std::int64_t kv = 0;
  for (const auto& layer : model.layers) {
    if (!layer.mtp) continue;
    for (const auto& mixer : layer.mixers) {
      const auto needs = cache_needs(mixer, FormatId::f16, FormatId::f16);
      for (const auto& part : needs.token_caches()) kv += cells.streams * (part.row_bytes_k + part.row_bytes_v) * (cells.full / part.tokens_per_row);
    }
  }
  a.add(w.kv_offload ? device : kHost, "MTP KV", Component::kv, kv, Basis::rule);

  const auto one = with_last_attention_layer(model, q.weights.tensors);
  if (!one) return;
  // The projection of two hidden states to one before the layer is never the graph's widest moment.
  constexpr double kUncertain = 0.05;
  auto plain = w;
  plain.draft_tokens = 0;
  plain.outputs = w.concurrency;
  const auto graph = engine::llama_cpp_graph(one->model, plain, cells, rules, false);
  const auto put = [&](int at, std::int64_t bytes) { a.add(at, "MTP compute", Component::compute, bytes, Basis::rule, static_cast<std::int64_t>(kUncertain * static_cast<double>(bytes))); };
  if (device == kHost) {
    put(kHost, engine::compute_buffer_bytes(one->model, graph));
    return;
  }
  engine::DevicePlan plan;
  plan.layers = {0};
  plan.experts_on_host = {false};
  plan.caches_on_host = !w.kv_offload;
  const auto bytes = engine::compute_buffers_bytes(one->model, graph, plan, one->tensors);
  put(device, bytes.front());
  put(kHost, bytes.back());
}

}  // namespace planner::memory
