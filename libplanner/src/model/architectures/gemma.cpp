// Gemma 1 to 4: a tied head, heads wider than hidden_size / n_heads; from Gemma 2 on norms before and after each half of a layer and
// sliding layers between full ones; Gemma 3n and 4 let the last layers read the cache of earlier ones and look a vector up per token and
// layer. Sources: configuration_ and modeling_ gemma.py, gemma2.py, gemma3.py, gemma3n.py, gemma4.py (huggingface/transformers);
// src/models/gemma.cpp, gemma2.cpp, gemma3.cpp, gemma3n.cpp, gemma4.cpp, gemma-embedding.cpp, conversion/gemma.py (ggml-org/llama.cpp).
#include <algorithm>

#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

constexpr std::int64_t kGemma2Period = 2;   // sliding, full, sliding, full ...
constexpr std::int64_t kGemma3Period = 6;   // five sliding, one full
constexpr std::int64_t kGemma3nPeriod = 5;  // four sliding, one full
// Layers of Gemma 3n that keep a cache of their own, in both sizes (n_layer_kv_from_start in src/models/gemma3n.cpp).
constexpr std::int64_t kGemma3nOwnCaches = 20;

void read_gemma(const ConfigReader& config, Hyperparameters& hp) {
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.head_dim = config.integer_or({"head_dim"}, 256);
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.head_dim;
  hp.attention_out_bias = hp.attention_bias;
}

void read_pattern(const ConfigReader& config, Hyperparameters& hp, std::int64_t period) {
  if (hp.layer_kinds.empty() && hp.sliding_window > 0) {
    hp.layer_kinds =
        every_nth_full(hp.n_layers, config.integer_or({"sliding_window_pattern", "_sliding_window_pattern"}, period), LayerKind::sliding_attention);
  }
}

void read_gemma1(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size"});
  read_gemma(config, hp);
}

void read_gemma2(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size"});
  read_gemma(config, hp);
  read_pattern(config, hp, kGemma2Period);
}

void read_gemma3(const ConfigReader& config, Hyperparameters& hp) {
  read_gemma(config, hp);
  // The text_config of the multimodal models leaves out what equals the class's default (configuration_gemma3.py).
  hp.vocab_size = config.integer_or({"vocab_size"}, 262208);
  hp.n_heads = config.integer_or({"num_attention_heads"}, 8);
  hp.n_kv_heads = config.integer_or({"num_key_value_heads"}, 4);
  hp.context_length = config.integer_or({"max_position_embeddings"}, 131072);
  read_pattern(config, hp, kGemma3Period);
  // EmbeddingGemma has the same model_type; only the class tells.
  const auto classes = config.strings({"architectures"});
  if (std::find(classes.begin(), classes.end(), "Gemma3TextModel") != classes.end()) hp.architecture = "gemma-embedding";
  read_vision_tower(config, hp, VisionTower::siglip);
}

void complete_gemma2(Hyperparameters& hp) { imply_sliding_pattern(hp, kGemma2Period); }
void complete_gemma3(Hyperparameters& hp) { imply_sliding_pattern(hp, kGemma3Period); }

void build_gemma1(ModelBuilder& m) {
  m.token_embedding();
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

void build_with(ModelBuilder& m, const AttentionOptions& attention) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention(attention);
    m.norm("post_attention_norm");
    m.norm("ffn_norm");
    m.dense();
    m.norm("post_ffw_norm");
  }
  m.output_norm();
  m.output_head();
}

void build_gemma2(ModelBuilder& m) { build_with(m, {}); }
void build_gemma3(ModelBuilder& m) { build_with(m, {.qk_norm = QkNorm::per_head}); }
// A bidirectional encoder keeps no cache. The dense modules of its sentence-transformers packaging are converted on request only.
void build_embedding(ModelBuilder& m) { build_with(m, {.qk_norm = QkNorm::per_head, .cached = false}); }

// --- Gemma 3n and 4 --------------------------------------------------------------------------------------------------

/// The layer whose cache layer `i` reads: the last one of its kind before the sharing starts. -1: its own.
std::int64_t cache_of(const ModelBuilder& m, std::int64_t i) {
  const std::int64_t first_shared = m.hp.n_layers - m.hp.kv_shared_layers;
  if (i < first_shared) return -1;
  for (std::int64_t j = first_shared - 1; j >= 0; --j) {
    if (m.hp.layer_kinds[static_cast<std::size_t>(j)] == m.kind()) return j;
  }
  return -1;
}

/// A table of one vector per token and layer, and the projection of the embedding that is added to it.
void per_layer_embeddings(ModelBuilder& m, std::int64_t width) {
  m.global_table("per_layer_token_embd.weight", {width * m.hp.n_layers, m.hp.extra_or("vocab_size_per_layer_input", m.hp.vocab_size)});
  m.global_tensor("per_layer_model_proj.weight", {m.hp.hidden_size, width * m.hp.n_layers});
  m.global_tensor("per_layer_proj_norm.weight", {width});
}

/// What a layer does with its vector.
void per_layer_input(ModelBuilder& m, std::int64_t width) {
  m.linear("inp_gate", m.hp.hidden_size, width);
  m.linear("proj", width, m.hp.hidden_size);
  m.norm("post_norm");
}

void read_gemma3n(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size", "sliding_window"});
  read_gemma(config, hp);
  read_pattern(config, hp, kGemma3nPeriod);
  hp.kv_shared_layers = config.integer_or({"num_kv_shared_layers"}, std::max<std::int64_t>(0, hp.n_layers - kGemma3nOwnCaches));
  set_extra(hp, "hidden_size_per_layer_input", config.integer_or({"hidden_size_per_layer_input"}, 256));
  set_extra(hp, "vocab_size_per_layer_input", config.integer_or({"vocab_size_per_layer_input"}, 262144));
  set_extra(hp, "altup_num_inputs", config.integer_or({"altup_num_inputs"}, 4));
  set_extra(hp, "laurel_rank", config.integer_or({"laurel_rank"}, 64));
}

void complete_gemma3n(Hyperparameters& hp) {
  imply_sliding_pattern(hp, kGemma3nPeriod);
  hp.kv_shared_layers = hp.extra_or("gguf.attention.shared_kv_layers", std::max<std::int64_t>(0, hp.n_layers - kGemma3nOwnCaches));
  set_extra_from_gguf(hp, "hidden_size_per_layer_input", "embedding_length_per_layer_input");
  // Files need not say these; the loader has them as constants (src/llama-hparams.h).
  set_extra(hp, "altup_num_inputs", hp.extra_or("gguf.altup.num_inputs", 4));
  set_extra(hp, "laurel_rank", 64);
}

void build_gemma3n(ModelBuilder& m) {
  const std::int64_t hidden = m.hp.hidden_size;
  const std::int64_t per_layer = m.hp.extra("hidden_size_per_layer_input");
  const std::int64_t streams = m.hp.extra("altup_num_inputs");
  const std::int64_t laurel = m.hp.extra("laurel_rank");

  m.token_embedding();
  m.global_tensor("altup_proj.weight", {hidden, hidden, streams - 1});
  m.global_tensor("altup_unembd_proj.weight", {hidden, hidden, streams - 1});
  per_layer_embeddings(m, per_layer);
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    // Checkpoints and files hold K and V of the layers that read another's cache as well.
    m.attention({.qk_norm = QkNorm::per_head, .shares_kv_of = cache_of(m, i), .shared_kv_stored = true});
    m.norm("post_attention_norm");
    m.norm("ffn_norm");
    m.dense();
    m.norm("post_ffw_norm");
    per_layer_input(m, per_layer);
    m.linear("altup_correct_coef", streams, streams);
    m.tensor("altup_correct_scale.weight", {hidden});
    m.linear("altup_predict_coef", streams, streams * streams);
    m.linear("altup_router", hidden, streams);
    m.norm("altup_router_norm");
    m.linear("laurel_l", hidden, laurel);
    m.linear("laurel_r", laurel, hidden);
    m.norm("laurel_post_norm");
  }
  m.output_norm();
  m.output_head();
}

/// A number that newer configs give per layer: that of the first full layer in per_layer_config; `otherwise` where it is not there.
std::int64_t of_full_layers(const ConfigReader& config, const Hyperparameters& hp, std::string_view key, std::int64_t otherwise) {
  const auto layers = config.object("per_layer_config");
  if (!layers) return otherwise;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    if (hp.layer_kinds[static_cast<std::size_t>(i)] != LayerKind::full_attention) continue;
    if (const auto layer = layers->object(std::to_string(i)); layer && layer->has(key)) return layer->integer({key});
  }
  return otherwise;
}

/// The last layers are twice as wide where use_double_wide_mlp says so: those that read an earlier layer's cache.
void widen_shared_layers(Hyperparameters& hp) {
  hp.ffn_per_layer.assign(static_cast<std::size_t>(hp.n_layers), hp.ffn_size);
  for (std::int64_t i = hp.n_layers - hp.kv_shared_layers; i < hp.n_layers; ++i) hp.ffn_per_layer[static_cast<std::size_t>(i)] = 2 * hp.ffn_size;
}

void read_gemma4(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"vocab_size", "num_attention_heads", "num_key_value_heads", "intermediate_size", "head_dim", "sliding_window"});
  read_gemma(config, hp);
  if (hp.kv_shared_layers > hp.n_layers) config.fail("num_kv_shared_layers", "is more than num_hidden_layers");
  read_vision_tower(config, hp, VisionTower::gemma4);
  read_pattern(config, hp, kGemma3Period);
  if (hp.layer_kinds.empty()) hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  // head_dim and num_key_value_heads are those of the sliding layers; full ones have their own, the KV heads only together with
  // attention_k_eq_v (modeling_gemma4.py, Gemma4TextAttention).
  hp.head_dim_swa = hp.head_dim;
  hp.head_dim_v_swa = hp.head_dim;
  hp.head_dim = config.integer_or({"global_head_dim"}, of_full_layers(config, hp, "head_dim", 0));
  if (hp.head_dim == 0) config.require({"global_head_dim"});
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.head_dim;
  hp.n_kv_heads_swa = hp.n_kv_heads;
  hp.attention_k_eq_v = config.boolean_or({"attention_k_eq_v"}, false);
  if (hp.attention_k_eq_v) {
    hp.n_kv_heads = config.integer_or({"num_global_key_value_heads"}, of_full_layers(config, hp, "num_key_value_heads", hp.n_kv_heads));
  }
  if (config.boolean_or({"use_double_wide_mlp"}, false)) widen_shared_layers(hp);
  if (config.boolean_or({"enable_moe_block"}, false)) {
    hp.expert_ffn_size = config.integer({"moe_intermediate_size", "expert_intermediate_size"});
  } else {
    hp.n_experts = hp.n_experts_active = hp.expert_ffn_size = 0;
  }
  set_extra(hp, "hidden_size_per_layer_input", config.integer_or({"hidden_size_per_layer_input"}, 256));
  set_extra(hp, "vocab_size_per_layer_input", config.integer_or({"vocab_size_per_layer_input"}, 262144));
}

void complete_gemma4(Hyperparameters& hp) {
  imply_sliding_pattern(hp, kGemma3Period);
  hp.kv_shared_layers = hp.extra_or("gguf.attention.shared_kv_layers", 0);
  // Files do not say attention_k_eq_v; those that count KV heads per layer, because full layers have fewer, are of models without V there.
  if (!hp.n_kv_heads_per_layer.empty()) hp.attention_k_eq_v = true;
  set_extra(hp, "hidden_size_per_layer_input", hp.extra_or("gguf.embedding_length_per_layer_input", 0));
}

void build_gemma4(ModelBuilder& m) {
  const std::int64_t per_layer = m.hp.extra_or("hidden_size_per_layer_input", 0);
  m.token_embedding();
  if (per_layer > 0) per_layer_embeddings(m, per_layer);
  // Full layers rotate a part of each head only; the factors say which (generate_extra_tensors in conversion/gemma.py).
  m.global_tensor("rope_freqs.weight", {m.hp.head_dim / 2});
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    // The released checkpoints hold K and V of the layers that read another's cache; those that transformers 5.5.2 or newer saved do not.
    m.attention({.qk_norm = QkNorm::per_head,
                 .v_is_k = m.hp.attention_k_eq_v && m.kind() == LayerKind::full_attention,
                 .shares_kv_of = cache_of(m, i),
                 .shared_kv_stored = true});
    m.norm("post_attention_norm");
    m.filler_tensor("layer_output_scale.weight", {1});  // a buffer: no published count has it
    m.norm("ffn_norm");
    m.dense();
    m.norm("post_ffw_norm");
    if (m.hp.n_experts > 0) {
      // The experts run beside the dense feed-forward.
      m.tensor("ffn_gate_inp.scale", {m.hp.hidden_size});
      m.norm("pre_ffw_norm_2");
      m.norm("post_ffw_norm_1");
      m.norm("post_ffw_norm_2");
      m.moe({.fused_gate_up = true});
      m.tensor("ffn_down_exps.scale", {m.hp.n_experts});
    }
    if (per_layer > 0) per_layer_input(m, per_layer);
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kGemma = {.name = "gemma", .model_types = {"gemma"}, .read_config = read_gemma1, .build = build_gemma1};
extern const Architecture kGemma2 = {
    .name = "gemma2", .model_types = {"gemma2"}, .read_config = read_gemma2, .complete_gguf = complete_gemma2, .build = build_gemma2};
extern const Architecture kGemma3 = {
    .name = "gemma3", .model_types = {"gemma3", "gemma3_text"}, .read_config = read_gemma3, .complete_gguf = complete_gemma3, .build = build_gemma3};
extern const Architecture kGemma3n = {
    .name = "gemma3n", .model_types = {"gemma3n", "gemma3n_text"}, .read_config = read_gemma3n, .complete_gguf = complete_gemma3n, .build = build_gemma3n};
extern const Architecture kGemma4 = {.name = "gemma4",
                                     .model_types = {"gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"},
                                     .read_config = read_gemma4,
                                     .complete_gguf = complete_gemma4,
                                     .build = build_gemma4};
extern const Architecture kGemmaEmbedding = {
    .name = "gemma-embedding", .model_types = {}, .read_config = read_gemma3, .complete_gguf = complete_gemma3, .build = build_embedding};

}  // namespace planner
