// Tensor names: gguf-py/gguf/constants.py and tensor_mapping.py, conversion/{qwenvl,qwen3vl,gemma,llava,llama4,kimivl}.py (ggml-org/llama.cpp).
// Shapes: modeling_{qwen2_vl,qwen2_5_vl,qwen3_vl,siglip,gemma3,gemma4,pixtral,mistral3,llama4,mllama}.py (huggingface/transformers),
// modeling_kimi_k25.py (moonshotai/Kimi-K2.5).
#include "model/towers.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kRequired = -1;

/// A size of a tower: its name in hp.extras behind "vision.", the key in vision_config (or a second spelling), and the value of a config
/// that does not state it.
struct Size {
  std::string_view name;
  std::string_view key;
  std::string_view other_key;
  std::int64_t otherwise;
};

constexpr Size kQwen2Vl[] = {
    {"depth", "depth", "", kRequired},           {"hidden_size", "embed_dim", "", kRequired}, {"out_hidden_size", "hidden_size", "", kRequired},
    {"mlp_ratio", "mlp_ratio", "", 4},           {"patch_size", "patch_size", "", 14},        {"temporal_patch_size", "temporal_patch_size", "", 2},
    {"merge_size", "spatial_merge_size", "", 2}, {"channels", "in_chans", "in_channels", 3},
};
constexpr Size kQwenVl[] = {
    {"depth", "depth", "", kRequired},
    {"hidden_size", "hidden_size", "", kRequired},
    {"ffn_size", "intermediate_size", "", kRequired},
    {"out_hidden_size", "out_hidden_size", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},
    {"temporal_patch_size", "temporal_patch_size", "", 2},
    {"merge_size", "spatial_merge_size", "", 2},
    {"channels", "in_channels", "in_chans", 3},
    {"positions", "num_position_embeddings", "", 2304},
};
constexpr Size kSiglip[] = {
    {"depth", "num_hidden_layers", "", kRequired}, {"hidden_size", "hidden_size", "", kRequired}, {"ffn_size", "intermediate_size", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},   {"image_size", "image_size", "", kRequired},   {"channels", "num_channels", "", 3},
};
constexpr Size kGemma4[] = {
    {"depth", "num_hidden_layers", "", kRequired},   {"hidden_size", "hidden_size", "", kRequired},           {"ffn_size", "intermediate_size", "", kRequired},
    {"heads", "num_attention_heads", "", kRequired}, {"kv_heads", "num_key_value_heads", "", kRequired},      {"head_dim", "head_dim", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},     {"positions", "position_embedding_size", "", kRequired},
};
constexpr Size kPixtral[] = {
    {"depth", "num_hidden_layers", "", kRequired}, {"hidden_size", "hidden_size", "", kRequired}, {"ffn_size", "intermediate_size", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},   {"channels", "num_channels", "", 3},
};
constexpr Size kLlama4[] = {
    {"depth", "num_hidden_layers", "", kRequired},
    {"hidden_size", "hidden_size", "", kRequired},
    {"ffn_size", "intermediate_size", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},
    {"image_size", "image_size", "", kRequired},
    {"channels", "num_channels", "", 3},
    {"projector_input", "projector_input_dim", "", kRequired},
    {"projector_output", "projector_output_dim", "", kRequired},
    {"out_hidden_size", "vision_output_dim", "", kRequired},
};
constexpr Size kMllama[] = {
    {"depth", "num_hidden_layers", "", kRequired},
    {"global_depth", "num_global_layers", "", kRequired},
    {"hidden_size", "hidden_size", "", kRequired},
    {"ffn_size", "intermediate_size", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},
    {"image_size", "image_size", "", kRequired},  // 448 or 560: the model's choice
    {"channels", "num_channels", "", 3},
    {"tiles", "max_num_tiles", "", kRequired},
    {"out_hidden_size", "vision_output_dim", "", kRequired},
};
constexpr Size kMoonVit3d[] = {
    {"depth", "vt_num_hidden_layers", "", kRequired}, {"hidden_size", "vt_hidden_size", "", kRequired},  {"ffn_size", "vt_intermediate_size", "", kRequired},
    {"patch_size", "patch_size", "", kRequired},      {"rows", "init_pos_emb_height", "", kRequired},    {"columns", "init_pos_emb_width", "", kRequired},
    {"frames", "init_pos_emb_time", "", kRequired},   {"merger_input", "mm_hidden_size", "", kRequired}, {"out_hidden_size", "text_hidden_size", "", kRequired},
};

std::span<const Size> sizes_of(VisionTower kind) {
  switch (kind) {
    case VisionTower::none: return {};
    case VisionTower::qwen2_vl: return kQwen2Vl;
    case VisionTower::qwen2_5_vl:
    case VisionTower::qwen3_vl: return kQwenVl;
    case VisionTower::siglip: return kSiglip;
    case VisionTower::gemma4: return kGemma4;
    case VisionTower::pixtral: return kPixtral;
    case VisionTower::llama4: return kLlama4;
    case VisionTower::mllama: return kMllama;
    case VisionTower::moonvit_3d: return kMoonVit3d;
  }
  return {};
}

/// The tower under construction: sizes by name, tensors by their name in a projector file.
class Tower {
 public:
  explicit Tower(ModelBuilder& builder) : m_(builder) {}

  [[nodiscard]] std::int64_t size(const std::string& name) const { return m_.hp.extra("vision." + name); }
  [[nodiscard]] bool flag(const std::string& name) const { return m_.hp.extra_or("vision." + name, 0) != 0; }
  [[nodiscard]] std::int64_t text_size() const { return m_.hp.hidden_size; }

  void tensor(const std::string& name, std::initializer_list<std::int64_t> shape) { m_.tower_tensor(ModelPart::vision, name, shape); }
  void buffer(const std::string& name, std::initializer_list<std::int64_t> shape) { m_.tower_tensor(ModelPart::vision, name, shape, false); }
  void linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias) {
    tensor(name + ".weight", {in, out});
    if (bias) tensor(name + ".bias", {out});
  }
  void norm(const std::string& name, std::int64_t width, bool bias) {
    tensor(name + ".weight", {width});
    if (bias) tensor(name + ".bias", {width});
  }
  /// One convolution over patches; over two frames it is stored as two.
  void patches(bool bias) {
    const std::int64_t side = size("patch_size");
    const std::int64_t frames = m_.hp.extra_or("vision.temporal_patch_size", 1);
    for (std::int64_t t = 0; t < frames; ++t) {
      tensor("v.patch_embd.weight" + (t == 0 ? std::string() : "." + std::to_string(t)),
             {side, side, m_.hp.extra_or("vision.channels", 3), size("hidden_size")});
    }
    if (bias) tensor("v.patch_embd.bias", {size("hidden_size")});
  }

  struct Block {
    bool norm_bias = true;
    bool attention_bias = true;
    bool ffn_bias = true;
    bool fused_qkv = false;
    bool gated = false;
  };
  /// A transformer block as wide as the tower: ln1, attention, ln2, feed-forward.
  void block(const std::string& prefix, std::int64_t ffn, const Block& b) {
    const std::int64_t width = size("hidden_size");
    norm(prefix + "ln1", width, b.norm_bias);
    if (b.fused_qkv) {
      linear(prefix + "attn_qkv", width, 3 * width, b.attention_bias);
    } else {
      for (const char* name : {"attn_q", "attn_k", "attn_v"}) linear(prefix + name, width, width, b.attention_bias);
    }
    linear(prefix + "attn_out", width, width, b.attention_bias);
    norm(prefix + "ln2", width, b.norm_bias);
    if (b.gated) linear(prefix + "ffn_gate", width, ffn, b.ffn_bias);
    linear(prefix + "ffn_up", width, ffn, b.ffn_bias);
    linear(prefix + "ffn_down", ffn, width, b.ffn_bias);
  }
  void blocks(std::int64_t ffn, const Block& b) {
    for (std::int64_t i = 0; i < size("depth"); ++i) block("v.blk." + std::to_string(i) + ".", ffn, b);
  }

 private:
  ModelBuilder& m_;
};

/// Qwen's merger: merge_size^2 neighbouring patches become one row, through two layers.
void qwen_merger(Tower& t, const std::string& first, const std::string& second) {
  const std::int64_t merged = t.size("hidden_size") * t.size("merge_size") * t.size("merge_size");
  t.linear(first, merged, merged, true);
  t.linear(second, merged, t.size("out_hidden_size"), true);
}

void qwen2_vl(Tower& t) {
  t.patches(false);
  t.blocks(t.size("hidden_size") * t.size("mlp_ratio"), {});
  t.norm("v.post_ln", t.size("hidden_size"), true);
  qwen_merger(t, "mm.0", "mm.2");
}

void qwen2_5_vl(Tower& t) {
  t.patches(false);
  t.blocks(t.size("ffn_size"), {.norm_bias = false, .gated = true});
  t.norm("v.post_ln", t.size("hidden_size"), false);
  qwen_merger(t, "mm.0", "mm.2");
}

void qwen3_vl(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  t.patches(true);
  t.tensor("v.position_embd.weight", {width, t.size("positions")});
  t.blocks(t.size("ffn_size"), {.fused_qkv = true});
  t.norm("v.post_ln", width, true);
  qwen_merger(t, "mm.0", "mm.2");
  // The outputs of some layers go through mergers of their own into the first layers of the text model.
  for (std::int64_t i = 0; i < t.size("depth"); ++i) {
    if (!t.flag("deepstack." + std::to_string(i))) continue;
    const std::string prefix = "v.deepstack." + std::to_string(i) + ".";
    t.norm(prefix + "norm", width * t.size("merge_size") * t.size("merge_size"), true);
    qwen_merger(t, prefix + "fc1", prefix + "fc2");
  }
}

void siglip(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  const std::int64_t per_side = t.size("image_size") / t.size("patch_size");
  t.patches(true);
  t.tensor("v.position_embd.weight", {width, per_side * per_side});
  t.blocks(t.size("ffn_size"), {});
  t.norm("v.post_ln", width, true);
  t.tensor("mm.input_projection.weight", {t.text_size(), width});
  t.norm("mm.soft_emb_norm", width, false);
}

void gemma4(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  const std::int64_t q_rows = t.size("heads") * t.size("head_dim");
  const std::int64_t kv_rows = t.size("kv_heads") * t.size("head_dim");
  // Clipped linear layers know the range of their inputs and outputs, as buffers.
  const auto linear = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    t.linear(name, in, out, t.flag("attention_bias"));
    if (!t.flag("clipped")) return;
    for (const char* bound : {".input_min", ".input_max", ".output_min", ".output_max"}) t.buffer(name + bound, {1});
  };
  t.patches(false);
  t.tensor("v.position_embd.weight", {width, t.size("positions"), 2});  // a table for rows and one for columns
  for (std::int64_t i = 0; i < t.size("depth"); ++i) {
    const std::string prefix = "v.blk." + std::to_string(i) + ".";
    for (const char* name : {"ln1", "attn_post_norm", "ln2", "ffn_post_norm"}) t.norm(prefix + name, width, false);
    linear(prefix + "attn_q", width, q_rows);
    linear(prefix + "attn_k", width, kv_rows);
    linear(prefix + "attn_v", width, kv_rows);
    linear(prefix + "attn_out", q_rows, width);
    for (const char* name : {"attn_q_norm", "attn_k_norm"}) t.norm(prefix + name, t.size("head_dim"), false);
    linear(prefix + "ffn_gate", width, t.size("ffn_size"));
    linear(prefix + "ffn_up", width, t.size("ffn_size"));
    linear(prefix + "ffn_down", t.size("ffn_size"), width);
  }
  if (t.flag("standardize")) {
    t.buffer("v.std_bias", {width});
    t.buffer("v.std_scale", {width});
  }
  t.tensor("mm.input_projection.weight", {width, t.text_size()});
}

void pixtral(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  t.patches(false);
  t.norm("v.pre_ln", width, false);
  t.blocks(t.size("ffn_size"), {.norm_bias = false, .attention_bias = false, .ffn_bias = false, .gated = true});
  const bool bias = t.flag("projector_bias");
  if (const std::int64_t merge = t.size("merge_size"); merge > 1) {
    t.norm("mm.input_norm", width, false);
    t.tensor("mm.patch_merger.weight", {width * merge * merge, width});
  }
  t.linear("mm.1", width, t.text_size(), bias);
  t.linear("mm.2", t.text_size(), t.text_size(), bias);
  t.buffer("v.token_embd.img_break", {t.text_size()});  // a row of the text model's embedding table
}

void llama4(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  const std::int64_t per_side = t.size("image_size") / t.size("patch_size");
  t.tensor("v.class_embd", {width});
  t.tensor("v.patch_embd.weight", {t.size("channels") * t.size("patch_size") * t.size("patch_size"), width});
  t.tensor("v.position_embd.weight", {width, per_side * per_side + 1});
  t.norm("v.pre_ln", width, true);
  t.blocks(t.size("ffn_size"), {});
  t.norm("v.post_ln", width, true);
  // Shuffled pixels: as many channels more as there are patches fewer, then two layers, then the width of the text model.
  t.tensor("mm.model.mlp.1.weight", {t.size("ffn_size"), t.size("projector_input")});
  t.tensor("mm.model.mlp.2.weight", {t.size("projector_input"), t.size("projector_output")});
  t.tensor("mm.model.fc.weight", {t.size("out_hidden_size"), t.text_size()});
}

/// No converter of ggml-org/llama.cpp writes this tower; names follow those of the others.
void mllama(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  const std::int64_t per_side = t.size("image_size") / t.size("patch_size");
  const std::int64_t positions = per_side * per_side + 1;
  // An image is cut into tiles of some shape: 1x1, 1x2 ... all rectangles of at most max_num_tiles, and one entry for none.
  std::int64_t shapes = 1;
  for (std::int64_t rows = 1; rows <= t.size("tiles"); ++rows) shapes += t.size("tiles") / rows;
  t.patches(false);
  t.tensor("v.class_embd", {width});
  t.tensor("v.position_embd.gate", {1});
  t.tensor("v.position_embd.weight", {width, positions});
  t.tensor("v.tile_position_embd.weight", {t.size("tiles") * positions * width, shapes});
  for (const char* name : {"v.pre_tile_position_embd", "v.post_tile_position_embd"}) {
    t.tensor(std::string(name) + ".gate", {1});
    t.tensor(std::string(name) + ".weight", {t.size("tiles") * width, shapes});
  }
  t.norm("v.pre_ln", width, true);
  t.norm("v.post_ln", width, true);
  const Tower::Block block{.attention_bias = false};
  t.blocks(t.size("ffn_size"), block);
  for (std::int64_t i = 0; i < t.size("global_depth"); ++i) {
    const std::string prefix = "v.global.blk." + std::to_string(i) + ".";
    t.block(prefix, t.size("ffn_size"), block);
    t.tensor(prefix + "attn_gate", {1});
    t.tensor(prefix + "ffn_gate", {1});
  }
  t.linear("mm.0", t.size("out_hidden_size"), t.text_size(), true);
}

void moonvit_3d(Tower& t) {
  const std::int64_t width = t.size("hidden_size");
  const std::int64_t merged = t.size("merger_input") * t.size("merge_rows") * t.size("merge_columns");
  t.patches(true);
  t.tensor("v.position_embd.weight", {width, t.size("columns"), t.size("rows")});
  t.blocks(t.size("ffn_size"), {.fused_qkv = true});
  t.norm("v.post_ln", width, true);
  t.norm("mm.input_norm", t.size("merger_input"), true);
  t.linear("mm.1", merged, merged, true);
  t.linear("mm.2", merged, t.size("out_hidden_size"), true);
}

}  // namespace

void read_vision_tower(const ConfigReader& config, Hyperparameters& hp, VisionTower kind) {
  const auto vision = config.object("vision_config");
  if (!vision) return;
  std::vector<std::pair<std::string_view, std::int64_t>> found;
  for (const auto& size : sizes_of(kind)) {
    const bool other = !size.other_key.empty() && !vision->has(size.key);
    const std::int64_t value = vision->integer_or({other ? size.other_key : size.key}, size.otherwise);
    if (value == kRequired) return;
    found.emplace_back(size.name, value);
  }
  set_extra(hp, "vision.kind", static_cast<std::int64_t>(kind));
  for (const auto& [name, value] : found) set_extra(hp, "vision." + std::string(name), value);
  for (const auto layer : vision->integers({"deepstack_visual_indexes"})) set_extra(hp, "vision.deepstack." + std::to_string(layer), 1);
  switch (kind) {
    case VisionTower::gemma4:
      set_extra(hp, "vision.attention_bias", vision->boolean_or({"attention_bias"}, false) ? 1 : 0);
      set_extra(hp, "vision.standardize", vision->boolean_or({"standardize"}, false) ? 1 : 0);
      set_extra(hp, "vision.clipped", vision->boolean_or({"use_clipped_linears"}, false) ? 1 : 0);
      break;
    case VisionTower::pixtral:
      // Mistral 3 merges patches two by two; Pixtral itself (LLaVA's wrapper) does not, and has biases in the projector.
      set_extra(hp, "vision.merge_size", config.integer_or({"spatial_merge_size"}, 2));
      set_extra(hp, "vision.projector_bias", config.boolean_or({"multimodal_projector_bias"}, false) ? 1 : 0);
      break;
    case VisionTower::moonvit_3d: {
      auto merge = vision->integers({"merge_kernel_size"});
      merge.resize(2, 2);
      set_extra(hp, "vision.merge_rows", merge[0]);
      set_extra(hp, "vision.merge_columns", merge[1]);
      break;
    }
    default: break;
  }
}

void build_vision_tower(ModelBuilder& m) {
  Tower t(m);
  switch (static_cast<VisionTower>(m.hp.extra_or("vision.kind", 0))) {
    case VisionTower::none: return;
    case VisionTower::qwen2_vl: return qwen2_vl(t);
    case VisionTower::qwen2_5_vl: return qwen2_5_vl(t);
    case VisionTower::qwen3_vl: return qwen3_vl(t);
    case VisionTower::siglip: return siglip(t);
    case VisionTower::gemma4: return gemma4(t);
    case VisionTower::pixtral: return pixtral(t);
    case VisionTower::llama4: return llama4(t);
    case VisionTower::mllama: return mllama(t);
    case VisionTower::moonvit_3d: return moonvit_3d(t);
  }
}

}  // namespace planner
