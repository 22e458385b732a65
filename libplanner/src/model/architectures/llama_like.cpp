// Families that are Llama with a detail of their own: other norms, biases, a feed-forward without gate, norms on Q and K, another window.
// Sources: configuration_ and modeling_ smollm3.py, seed_oss.py, arcee.py, apertus.py, ernie4_5.py, hunyuan_v1_dense.py, nemotron.py,
// mistral3.py, ministral3.py (huggingface/transformers), modeling_baichuan.py (baichuan-inc), modeling_xverse.py (xverse),
// modeling_orion.py (OrionStarAI), modeling_internlm2.py (internlm), modeling_mimo.py (XiaomiMiMo); the files of these names in src/models
// and conversion (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

struct Shape {
  bool norm_bias = false;  ///< LayerNorms instead of RMS norms
  const char* ffn_norm = "ffn_norm";
  QkNorm qk_norm = QkNorm::none;
  bool gated = true;  ///< of the feed-forward
};

void layer(ModelBuilder& m, const Shape& shape) {
  m.norm("attn_norm", shape.norm_bias);
  m.attention({.qk_norm = shape.qk_norm});
  m.norm(shape.ffn_norm, shape.norm_bias);
  m.dense({.gated = shape.gated});
}

void build_with(ModelBuilder& m, const Shape& shape) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m, shape);
  }
  m.output_norm(shape.norm_bias);
  m.output_head();
}

void build_plain(ModelBuilder& m) { build_with(m, {}); }

/// Full attention in every layer, whatever the config says of windows.
void ignore_window(Hyperparameters& hp) {
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
}

void read_plain(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.attention_out_bias = hp.attention_bias;
  ignore_window(hp);
}

// --- Baichuan, XVERSE, Orion, InternLM 2 -----------------------------------------------------------------------------

void read_baichuan(const ConfigReader& config, Hyperparameters& hp) {
  read_plain(config, hp);
  hp.n_kv_heads = hp.n_heads;
}

void build_orion(ModelBuilder& m) { build_with(m, {.norm_bias = true}); }

void read_internlm2(const ConfigReader& config, Hyperparameters& hp) {
  read_plain(config, hp);
  // InternLM2Config says true where the config is silent; no released model has the biases, and llama.cpp loads none on the output.
  hp.attention_bias = hp.attention_out_bias = config.boolean_or({"bias"}, false);
}

// --- SmolLM 3, ERNIE 4.5, Seed-OSS, Hunyuan --------------------------------------------------------------------------

void read_smollm3(const ConfigReader& config, Hyperparameters& hp) {
  const std::int64_t window = hp.sliding_window;
  const auto kinds = hp.layer_kinds;
  read_plain(config, hp);
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  if (config.boolean_or({"use_sliding_window"}, false)) {
    hp.sliding_window = window;
    hp.layer_kinds = kinds;
  }
}

void read_ernie(const ConfigReader& config, Hyperparameters& hp) {
  read_plain(config, hp);
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.head_dim = hp.head_dim_v = hp.rotary_dim = config.integer_or({"head_dim"}, 128);
  hp.attention_bias = hp.attention_out_bias = hp.mlp_bias = config.boolean_or({"use_bias"}, false);
}

void read_seed_oss(const ConfigReader& config, Hyperparameters& hp) {
  read_plain(config, hp);
  hp.head_dim = hp.head_dim_v = hp.rotary_dim = config.integer_or({"head_dim"}, 128);
  hp.attention_bias = config.boolean_or({"attention_bias"}, true);
  hp.attention_out_bias = config.boolean_or({"attention_out_bias"}, false);
}

void build_seed_oss(ModelBuilder& m) { build_with(m, {.ffn_norm = "post_attention_norm"}); }

void build_hunyuan(ModelBuilder& m) { build_with(m, {.qk_norm = QkNorm::per_head}); }

// --- Arcee, Apertus, Nemotron 4: a feed-forward without gate ---------------------------------------------------------

void build_arcee(ModelBuilder& m) { build_with(m, {.gated = false}); }

// The two learned numbers of Apertus's activation (xIELU) are metadata in GGUF, no tensors: 2 * n_layers parameters are not in the list.
void build_apertus(ModelBuilder& m) { build_with(m, {.qk_norm = QkNorm::per_head, .gated = false}); }

void build_nemotron(ModelBuilder& m) { build_with(m, {.norm_bias = true, .gated = false}); }

// --- Mistral 3 -------------------------------------------------------------------------------------------------------

/// Mistral Small 3.1 and later, Ministral 3, Devstral 2. The same wrapper holds a Mistral 4 text model, which is DeepSeek-shaped.
void read_mistral3(const ConfigReader& config, Hyperparameters& hp) {
  read_vision_tower(config, hp, VisionTower::pixtral);
  if (const auto* mistral4 = find_architecture("mistral4"); hp.model_type == "mistral4" && mistral4 != nullptr) {
    hp.architecture = mistral4->name;
    if (mistral4->read_config != nullptr) mistral4->read_config(config, hp);
    return;
  }
  const std::int64_t window = hp.sliding_window;
  read_plain(config, hp);
  if (window == 0) return;
  hp.sliding_window = window;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::sliding_attention);
}

// --- MiMo 7B ---------------------------------------------------------------------------------------------------------

/// Qwen 2 with an MTP layer. llama.cpp has no name for it: its GGUF files were converted as qwen2, without that layer.
void read_mimo(const ConfigReader& config, Hyperparameters& hp) {
  read_plain(config, hp);
  hp.attention_bias = config.boolean_or({"attention_bias"}, true);
  hp.attention_out_bias = false;
}

void build_mimo(ModelBuilder& m) {
  build_with(m, {});
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    layer(m, {});
    m.nextn({.embed_tokens = false, .head = false});
  }
}

}  // namespace

extern const Architecture kBaichuan = {.name = "baichuan", .model_types = {"baichuan"}, .read_config = read_baichuan, .build = build_plain};
extern const Architecture kXverse = {.name = "xverse", .model_types = {"xverse"}, .read_config = read_plain, .build = build_plain};
extern const Architecture kOrion = {.name = "orion", .model_types = {"orion"}, .read_config = read_plain, .build = build_orion};
extern const Architecture kInternlm2 = {.name = "internlm2", .model_types = {"internlm2"}, .read_config = read_internlm2, .build = build_plain};
extern const Architecture kSmollm3 = {.name = "smollm3", .model_types = {"smollm3"}, .read_config = read_smollm3, .build = build_plain};
extern const Architecture kErnie45 = {.name = "ernie4_5", .model_types = {"ernie4_5"}, .read_config = read_ernie, .build = build_plain};
extern const Architecture kSeedOss = {.name = "seed_oss", .model_types = {"seed_oss"}, .read_config = read_seed_oss, .build = build_seed_oss};
extern const Architecture kHunyuanDense = {.name = "hunyuan-dense", .model_types = {"hunyuan_v1_dense"}, .read_config = read_plain, .build = build_hunyuan};
extern const Architecture kArcee = {.name = "arcee", .model_types = {"arcee"}, .read_config = read_plain, .build = build_arcee};
extern const Architecture kApertus = {.name = "apertus", .model_types = {"apertus"}, .read_config = read_plain, .build = build_apertus};
extern const Architecture kNemotron = {.name = "nemotron", .model_types = {"nemotron"}, .read_config = read_plain, .build = build_nemotron};
extern const Architecture kMistral3 = {.name = "mistral3", .model_types = {"mistral3", "ministral3"}, .read_config = read_mistral3, .build = build_plain, .llama_cpp_ignores_window = true};
extern const Architecture kMimo = {.name = "mimo", .model_types = {"mimo"}, .read_config = read_mimo, .build = build_mimo};

}  // namespace planner
