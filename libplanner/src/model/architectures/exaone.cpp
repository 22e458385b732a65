// EXAONE 3 (Llama in shape) and 4 (norms behind each half and on Q and K per head; the 32B slides in three layers of four). EXAONE 4.5 is 4
// with MTP layers.
// Sources: configuration_exaone.py (LGAI-EXAONE), configuration_exaone4.py, modeling_exaone4.py (huggingface/transformers);
// src/models/exaone.cpp, exaone4.cpp, conversion/exaone.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kExaone4Period = 4;
constexpr std::int64_t kExaone4Window = 4096;
constexpr std::int64_t kLayersOf32B = 64;

void read_exaone(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.sliding_window = 0;
}

/// sliding_window_pattern: a period, or a word of L (local) and G (global) that repeats.
std::vector<LayerKind> pattern_of(const ConfigReader& config, std::int64_t n_layers) {
  const auto* pattern = config.find({"sliding_window_pattern"});
  if (pattern == nullptr || !pattern->is_string()) {
    return every_nth_full(n_layers, config.integer_or({"sliding_window_pattern"}, kExaone4Period), LayerKind::sliding_attention);
  }
  const auto word = pattern->get<std::string>();
  if (word.empty()) config.fail("sliding_window_pattern", "is empty");
  auto kinds = uniform_layers(n_layers, LayerKind::full_attention);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (word[i % word.size()] == 'L') kinds[i] = LayerKind::sliding_attention;
  }
  return kinds;
}

void read_exaone4(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "intermediate_size"});
  // A window of null means none (1.2B); an absent one the class's default.
  if (!config.json().contains("sliding_window")) hp.sliding_window = kExaone4Window;
  if (hp.sliding_window == 0) {
    hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  } else if (hp.layer_kinds.empty()) {
    hp.layer_kinds = pattern_of(config, hp.n_layers);
  }
}

/// Older files of the 32B name no window (src/models/exaone4.cpp).
void complete_exaone4(Hyperparameters& hp) {
  if (hp.sliding_window == 0 && hp.n_layers == kLayersOf32B) hp.sliding_window = kExaone4Window;
  imply_sliding_pattern(hp, kExaone4Period);
}

void build_exaone(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.dense();
  }
  m.output_norm();
  m.output_head();
}

void layer4(ModelBuilder& m) {
  m.attention({.qk_norm = QkNorm::per_head});
  m.norm("post_attention_norm");
  m.dense();
  m.norm("post_ffw_norm");
}

void build_exaone4(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer4(m);
  }
  m.output_norm();
  m.output_head();
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    layer4(m);
    m.nextn({.embed_tokens = false, .head = false});
  }
}

}  // namespace

extern const Architecture kExaone = {.name = "exaone", .model_types = {"exaone"}, .read_config = read_exaone, .build = build_exaone};
extern const Architecture kExaone4 = {.name = "exaone4",
                                      .model_types = {"exaone4", "exaone4_5", "exaone4_5_text"},
                                      .read_config = read_exaone4,
                                      .complete_gguf = complete_exaone4,
                                      .build = build_exaone4,
                                      .gguf_holds_mtp = true};

}  // namespace planner
