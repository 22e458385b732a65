// Llama 3.2 Vision: Llama with layers in between that attend to the image instead of the text, behind gates that start closed.
// Sources: configuration_mllama.py, modeling_mllama.py (huggingface/transformers). llama.cpp has no such model; names of the tensors as
// Ollama writes them (model/models/mllama/model_text.go, ollama/ollama).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

// Ids for images, behind the vocabulary: in the embedding table, not in the head (MllamaTextModel).
constexpr std::int64_t kImageTokens = 8;
// Both sizes cross at layers 3, 8, 13 ...
constexpr std::int64_t kFirstCrossLayer = 3;
constexpr std::int64_t kCrossPeriod = 5;

/// Tokens of an image that fills every tile: (patches + class token) per tile. 560 pixels as the Instruct models have, for which Ollama
/// allocates whatever the image.
void set_image_tokens(Hyperparameters& hp, std::int64_t image_size, std::int64_t patch_size, std::int64_t tiles) {
  const std::int64_t patches = image_size / std::max<std::int64_t>(1, patch_size);
  set_extra(hp, "image_tokens", (patches * patches + 1) * tiles);
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "cross_attention_layers"});
  hp.sliding_window = 0;
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  for (const auto i : config.integers({"cross_attention_layers"})) {
    if (i >= hp.n_layers) config.fail("cross_attention_layers", "names layer " + std::to_string(i) + " of " + std::to_string(hp.n_layers));
    hp.layer_kinds[static_cast<std::size_t>(i)] = LayerKind::cross_attention;
  }
  std::int64_t image_size = 560;
  std::int64_t patch_size = 14;
  std::int64_t tiles = 4;
  if (const auto vision = config.object("vision_config")) {
    image_size = vision->integer_or({"image_size"}, image_size);
    patch_size = vision->integer_or({"patch_size"}, patch_size);
    tiles = vision->integer_or({"max_num_tiles"}, tiles);
  }
  set_image_tokens(hp, image_size, patch_size, tiles);
  set_extra(hp, "image_ids", kImageTokens);
  read_vision_tower(config, hp, VisionTower::mllama);
}

void complete_gguf(Hyperparameters& hp) {
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  for (std::int64_t i = kFirstCrossLayer; i < hp.n_layers; i += kCrossPeriod) hp.layer_kinds[static_cast<std::size_t>(i)] = LayerKind::cross_attention;
  set_image_tokens(hp, 560, 14, 4);
  // A vocabulary that was counted as the embedding table's rows includes the image ids.
  if (hp.extra_or("gguf.vocab_size", 0) == 0) hp.vocab_size = std::max<std::int64_t>(0, hp.vocab_size - kImageTokens);
  set_extra(hp, "image_ids", kImageTokens);
}

void cross_attention(ModelBuilder& m) {
  const auto& hp = m.hp;
  Attention a;
  a.n_heads = hp.n_heads;
  a.n_kv_heads = hp.n_kv_heads;
  a.head_dim = hp.head_dim;
  a.head_dim_v = hp.head_dim_v;
  a.cross_tokens = hp.extra("image_tokens");
  m.mixer(a);
  m.linear("cross_attn_q_proj", hp.hidden_size, a.n_heads * a.head_dim);
  m.linear("cross_attn_k_proj", hp.hidden_size, a.n_kv_heads * a.head_dim);
  m.linear("cross_attn_v_proj", hp.hidden_size, a.n_kv_heads * a.head_dim_v);
  m.linear("cross_attn_o_proj", a.n_heads * a.head_dim_v, hp.hidden_size);
  m.norm("cross_attn_q_norm", false, a.head_dim);
  m.norm("cross_attn_k_norm", false, a.head_dim);
  m.tensor("cross_attn_attn_gate", {1});
  m.tensor("cross_attn_mlp_gate", {1});
}

void build(ModelBuilder& m) {
  m.global_table("token_embd.weight", {m.hp.hidden_size, m.hp.vocab_size + m.hp.extra("image_ids")});
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.kind() == LayerKind::cross_attention ? cross_attention(m) : m.attention();
    m.norm("ffn_norm");
    m.dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kMllama = {
    .name = "mllama", .model_types = {"mllama", "mllama_text_model"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
