// Sources: tools/mtmd/clip.cpp (load_hparams, warmup), tools/mtmd/models/*.cpp, conversion/base.py (MmprojModel::tensor_force_quant) of ggml-org/llama.cpp. Printed
// figures: 248.10 MiB for Qwen3.6's tower and 24.93 on the host, 62.62 and 2.30 for Mistral Small's (https://github.com/ggml-org/llama.cpp/issues/16842).
#include "engine/projector.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "model/towers.h"
#include "planner/error.h"

namespace planner::engine {
namespace {

/// A tensor of a tower, from a description or a file.
struct Part {
  std::string_view name;
  std::int64_t row = 0;   ///< shape[0]
  std::int64_t rows = 0;  ///< shape[1]
  std::int64_t last = 0;  ///< the last dimension
};

/// Tokens of the image that the engine sets its buffers up with, by projector type of a file and by kind of a described tower; 0: as many as the tower has places.
struct WarmUp {
  std::string_view projector_type;
  VisionTower kind;
  std::int64_t tokens;
  std::int64_t merge;  ///< patches of a token, per side, where neither file nor config states it
};
constexpr std::array<WarmUp, 12> kWarmUps = {{
    {"qwen2vl_merger", VisionTower::qwen2_vl, 46 * 46, 2},
    {"qwen2.5vl_merger", VisionTower::qwen2_5_vl, 46 * 46, 2},
    {"qwen3vl_merger", VisionTower::qwen3_vl, 46 * 46, 2},
    {"gemma3", VisionTower::siglip, 0, 4},
    {"gemma4v", VisionTower::gemma4, 256, 3},
    {"gemma4uv", VisionTower::none, 256, 3},
    {"pixtral", VisionTower::pixtral, 256, 1},
    {"llama4", VisionTower::llama4, 0, 2},
    {"kimivl", VisionTower::none, 256, 2},
    {"kimik25", VisionTower::moonvit_3d, 4096, 2},
    {"glm4v", VisionTower::none, 46 * 46, 2},
    {"", VisionTower::mllama, 0, 1},
}};

/// What the graph of a tower is made of, read off its tensors.
struct Shape {
  std::int64_t width = 0, ffn = 0, patch = 0, places = 0;
  bool gated = false, fused = false;
};

Shape shape_of(std::span<const Part> parts) {
  Shape s;
  for (const auto& p : parts) {
    if (p.name == "v.patch_embd.weight") s.patch = p.row, s.width = p.last;
    else if (p.name == "v.position_embd.weight") s.places = p.rows, s.width = std::max(s.width, p.row);
    else if (p.name == "v.blk.0.ffn_up.weight") s.ffn = p.rows, s.width = p.row;
    else if (p.name == "v.blk.0.ffn_gate.weight") s.gated = true;
    else if (p.name == "v.blk.0.attn_qkv.weight") s.fused = true;
  }
  return s;
}

/// The widest moment of a block, per patch in elements of F32: attention with its queries, keys and values beside the stream, or the feed-forward's products.
std::int64_t widest(const Shape& s) {
  const std::int64_t attention = (s.fused ? 6 : 7) * s.width;
  const std::int64_t feed_forward = s.gated ? 3 * s.width + 3 * s.ffn : 2 * s.width + s.ffn;
  return std::max(attention, feed_forward);
}

void compute(Projector& out, const Shape& s, const WarmUp* warm_up, std::int64_t merge) {
  constexpr double kSeen = 0.05;    // towers whose buffers were seen printed are met to the MiB
  constexpr double kUnseen = 0.3;
  constexpr std::int64_t kColours = 3, kF32 = 4, kPlaces = 4;
  const std::int64_t tokens = warm_up != nullptr ? warm_up->tokens : 0;
  const std::int64_t patches = tokens > 0 ? tokens * merge * merge : s.places;
  if (patches <= 0 || s.patch <= 0) return;
  out.input_bytes = kF32 * (patches * s.patch * s.patch * kColours + kPlaces * patches);
  out.compute_bytes = out.input_bytes + kF32 * patches * widest(s);
  // Qwen2.5-VL's windows are a mask over all pairs of patches.
  const bool masked = warm_up != nullptr && warm_up->kind == VisionTower::qwen2_5_vl;
  if (masked) out.compute_bytes += kF32 * patches * patches;
  const bool seen = warm_up != nullptr && (warm_up->kind == VisionTower::qwen3_vl || warm_up->kind == VisionTower::pixtral);
  out.uncertainty_bytes = static_cast<std::int64_t>((seen ? kSeen : kUnseen) * static_cast<double>(out.compute_bytes));
}

}  // namespace

std::optional<Projector> projector_of(const Model& model) {
  Projector out;
  std::vector<Part> parts;
  constexpr std::int64_t kHalf = 2, kSingle = 4;
  for (const auto& t : model.tensors) {
    if (t.part != ModelPart::vision && t.part != ModelPart::audio) continue;
    // Vectors and places stay in single precision, whatever the file's type.
    const bool single = t.n_dims == 1 || t.name == "v.position_embd.weight";
    out.weights_bytes += t.n_elements() * (single ? kSingle : kHalf);
    if (t.part == ModelPart::vision) parts.push_back({t.name, t.shape[0], t.shape[1], t.shape[static_cast<std::size_t>(t.n_dims) - 1]});
  }
  if (out.weights_bytes == 0) return std::nullopt;
  const auto& hp = model.hyperparameters;
  const auto kind = static_cast<VisionTower>(hp.extra_or("vision.kind", 0));
  const auto* it = std::find_if(kWarmUps.begin(), kWarmUps.end(), [&](const WarmUp& w) { return kind != VisionTower::none && w.kind == kind; });
  const auto* warm_up = it == kWarmUps.end() ? nullptr : &*it;
  const std::int64_t merge = hp.extra_or("vision.merge_size", hp.extra_or("vision.merge_rows", warm_up != nullptr ? warm_up->merge : 1));
  compute(out, shape_of(parts), warm_up, merge);
  return out;
}

Projector projector_from_gguf(const GgufFile& file) {
  const auto text = [&](std::string_view key) { return file.find(key) != nullptr ? std::string(file.find_string(key).value_or("")) : std::string(); };
  if (text("general.architecture") != "clip") throw Error(ErrorKind::invalid_file, file.path.string() + ": is no projector: its architecture is not 'clip'");
  Projector out;
  out.weights_bytes = file.tensor_bytes;
  std::vector<Part> parts;
  for (const auto& t : file.tensors) parts.push_back({t.name, t.shape[0], t.shape[1], t.shape[static_cast<std::size_t>(std::max<std::int32_t>(1, t.n_dims)) - 1]});
  auto type = text("clip.vision.projector_type");
  if (type.empty()) type = text("clip.projector_type");
  const auto* it = std::find_if(kWarmUps.begin(), kWarmUps.end(), [&](const WarmUp& w) { return !type.empty() && w.projector_type == type; });
  const auto* warm_up = it == kWarmUps.end() ? nullptr : &*it;
  std::int64_t merge = warm_up != nullptr ? warm_up->merge : 1;
  for (const char* key : {"clip.vision.spatial_merge_size", "clip.vision.projector.scale_factor"}) {
    if (const auto stated = file.find_integer(key); stated && *stated >= 1 && *stated <= 16) merge = *stated;
  }
  auto shape = shape_of(parts);
  // A fixed grid without a table of places is told by the image.
  if (const auto side = file.find_integer("clip.vision.image_size"); side && shape.places == 0 && shape.patch > 0 && *side > 0 && *side < (1 << 16)) {
    shape.places = (*side / shape.patch) * (*side / shape.patch);
  }
  constexpr std::int64_t kWidest = 1 << 20;
  for (const auto n : {shape.width, shape.ffn, shape.patch, shape.places}) {
    if (n > kWidest) throw Error(ErrorKind::invalid_file, file.path.string() + ": absurd sizes of the tower");
  }
  compute(out, shape, warm_up, merge);
  return out;
}

}  // namespace planner::engine
