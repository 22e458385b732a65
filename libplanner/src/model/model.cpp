#include "planner/model.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "core/text.h"
#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"
#include "planner/error.h"

namespace planner {

std::int64_t Model::kv_layers() const {
  const auto keeps_kv = [](const Mixer& mixer) {
    if (const auto* a = std::get_if<Attention>(&mixer)) return a->shares_kv_of < 0 && a->n_kv_heads > 0;
    return std::holds_alternative<MlaAttention>(mixer) || std::holds_alternative<CompressedAttention>(mixer);
  };
  return std::count_if(layers.begin(), layers.end(), [&](const Layer& layer) {
    return !layer.mtp && std::any_of(layer.mixers.begin(), layer.mixers.end(), keeps_kv);
  });
}

namespace {

ParameterCounts count_parameters(const Model& model) {
  const auto& hp = model.hyperparameters;
  ParameterCounts counts;
  for (const auto& t : model.tensors) {
    if (!t.is_parameter) continue;
    const std::int64_t n = t.n_elements();
    switch (t.part) {
      case ModelPart::mtp: counts.mtp += n; break;
      case ModelPart::vision: counts.vision += n; break;
      case ModelPart::audio: counts.audio += n; break;
      case ModelPart::text:
        counts.total += n;
        counts.active += t.is_expert && hp.n_experts > 0 ? n / hp.n_experts * hp.n_experts_active : n;
        if (t.is_table) counts.embedding += n;
        break;
    }
  }
  return counts;
}

}  // namespace

ParameterCounts Model::parameters() const {
  if (identity == 0) return count_parameters(*this);
  // Kept, one per thread: answers ask several times, and a count goes over a thousand tensors.
  struct Kept {
    const Tensor* of = nullptr;
    std::size_t n = 0;
    ParameterCounts counts;
  };
  constexpr std::size_t kMostKept = 1024;
  thread_local std::unordered_map<std::uint64_t, Kept> kept;
  if (kept.size() > kMostKept) kept.clear();
  auto& k = kept[identity];
  if (k.of != tensors.data() || k.n != tensors.size()) k = {tensors.data(), tensors.size(), count_parameters(*this)};
  return k.counts;
}

Model build_model(const Hyperparameters& hp) {
  const auto* architecture = find_architecture(hp.architecture);
  if (architecture == nullptr) {
    std::vector<std::string> known;
    for (const auto* a : architecture_table()) known.emplace_back(a->name);
    throw Error(ErrorKind::invalid_file, "unknown architecture '" + hp.architecture + "'" + text::did_you_mean(hp.architecture, known));
  }
  ModelBuilder builder(hp);
  architecture->build(builder);
  build_vision_tower(builder);
  Model model = builder.finish();
  static std::atomic<std::uint64_t> built{0};
  model.identity = ++built;
  model.file_holds_mtp = architecture->gguf_holds_mtp;
  model.llama_cpp_ignores_window = architecture->llama_cpp_ignores_window;
  return model;
}

}  // namespace planner
