// DeepSeek MoE, DeepSeek-V2 to V3.2 and what has their shape (Kimi K2, GLM-4.7-Flash, GLM-5, Mistral Large 3): leading dense layers, then
// fine-grained experts with shared ones; from V2 on multi-head latent attention, from V3.2 on a sparse-attention indexer beside it.
// Sources: modeling_deepseek_v2.py, modeling_deepseek_v3.py, modeling_mistral4.py, modular_glm_moe_dsa.py (huggingface/transformers);
// src/models/deepseek.cpp, deepseek2.cpp, deepseek32.cpp, glm-dsa.cpp, mistral4.cpp, conversion/deepseek.py, conversion/glm.py,
// conversion/mistral3.py (ggml-org/llama.cpp).
#include <algorithm>
#include <string>

#include "model/architecture.h"
#include "model/builder.h"
#include "model/towers.h"

namespace planner {
namespace {

// Numbers of this file's own, in Hyperparameters::extras.
constexpr const char* kCorrectionBias = "e_score_correction_bias";  // 1: exp_probs_b, the bias of V3's noaux_tc routing
constexpr const char* kUnsplitKvB = "unsplit_kv_b";                 // 1: a GGUF file with attn_kv_b in one piece
constexpr const char* kIndexerShared = "indexer_shared.";           // + layer: 1 where a layer has no indexer of its own

constexpr std::int64_t kGatingSigmoid = 2;  // expert_gating_func in GGUF

// --- config.json ------------------------------------------------------------------------------------------------------

/// Which layers route: from first_k_dense_replace on every moe_layer_freq-th (DeepseekDecoderLayer), or as mlp_layer_types lists.
void read_moe_layers(const ConfigReader& config, Hyperparameters& hp) {
  if (hp.n_experts == 0) return;
  const auto types = config.strings({"mlp_layer_types"});
  if (!types.empty()) {
    if (static_cast<std::int64_t>(types.size()) < hp.n_layers) config.fail("mlp_layer_types", "is shorter than num_hidden_layers");
    for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers.push_back(types[static_cast<std::size_t>(i)] == "sparse");
    hp.n_dense_leading = std::find(hp.moe_layers.begin(), hp.moe_layers.end(), true) - hp.moe_layers.begin();
    return;
  }
  config.require({"first_k_dense_replace"});
  const std::int64_t every = config.integer_or({"moe_layer_freq"}, 1);
  if (every <= 1) return;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers.push_back(i >= hp.n_dense_leading && i % every == 0);
}

void read_experts(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "n_routed_experts"});
  if (hp.n_experts > 0) config.require({"moe_intermediate_size", "num_experts_per_tok", "n_shared_experts"});
  read_moe_layers(config, hp);
}

void read_deepseek(const ConfigReader& config, Hyperparameters& hp) {
  read_experts(config, hp);
  hp.attention_out_bias = hp.attention_bias;
}

void read_mla(const ConfigReader& config, Hyperparameters& hp) {
  // A null q_lora_rank means a plain Q projection (V2-Lite); the other ranks are needed.
  config.require({"q_lora_rank"});
  hp.kv_lora_rank = config.integer({"kv_lora_rank"});
  hp.qk_nope_head_dim = config.integer({"qk_nope_head_dim"});
  hp.qk_rope_head_dim = config.integer({"qk_rope_head_dim"});
  hp.v_head_dim = config.integer({"v_head_dim"});
  hp.head_dim = hp.qk_nope_head_dim + hp.qk_rope_head_dim;
  hp.head_dim_v = hp.v_head_dim;
  hp.n_kv_heads = hp.n_heads;
  hp.rotary_dim = hp.qk_rope_head_dim;
  read_experts(config, hp);
}

void read_deepseek2(const ConfigReader& config, Hyperparameters& hp) {
  read_mla(config, hp);
  // V2's gate has the bias only where topk_method asks for it (modeling_deepseek.py, MoEGate); V3's class always has it.
  const bool corrected = hp.model_type != "deepseek_v2" || config.string_or({"topk_method"}, "") == "noaux_tc";
  set_extra(hp, kCorrectionBias, corrected ? 1 : 0);
  read_vision_tower(config, hp, VisionTower::moonvit_3d);  // Kimi K2.5
}

void read_deepseek32(const ConfigReader& config, Hyperparameters& hp) {
  read_mla(config, hp);
  config.require({"index_n_heads", "index_head_dim", "index_topk"});
}

void share_indexer(Hyperparameters& hp, std::int64_t layer) { hp.extras.push_back({kIndexerShared + std::to_string(layer), 1}); }

/// The first `offset` layers have an indexer, then every `every`-th (GlmMoeDsaConfig.__post_init__).
void share_indexers(Hyperparameters& hp, std::int64_t every, std::int64_t offset) {
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    if (std::max<std::int64_t>(i - offset + 1, 0) % std::max<std::int64_t>(every, 1) != 0) share_indexer(hp, i);
  }
}

void read_glm_dsa(const ConfigReader& config, Hyperparameters& hp) {
  read_deepseek32(config, hp);
  const auto types = config.strings({"indexer_types"});
  if (types.empty()) {
    share_indexers(hp, config.integer_or({"index_topk_freq"}, 1), config.integer_or({"index_skip_topk_offset"}, 2));
    return;
  }
  if (static_cast<std::int64_t>(types.size()) < hp.n_layers) config.fail("indexer_types", "is shorter than num_hidden_layers");
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    if (types[static_cast<std::size_t>(i)] == "shared") share_indexer(hp, i);
  }
}

// --- GGUF metadata ----------------------------------------------------------------------------------------------------

void complete_experts(Hyperparameters& hp) {
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
}

/// key_length and value_length describe the cached row; the heads' own widths are key_length_mla and value_length_mla. Files from before
/// April 2025 lack those two: there key_length and value_length are the heads' widths, and attn_kv_b is in one piece.
void complete_mla(Hyperparameters& hp) {
  complete_experts(hp);
  if (hp.qk_rope_head_dim == 0) hp.qk_rope_head_dim = hp.rotary_dim;
  const std::int64_t key = hp.extra_or("gguf.attention.key_length_mla", 0);
  const std::int64_t value = hp.extra_or("gguf.attention.value_length_mla", 0);
  const bool split = key > 0 || hp.qk_nope_head_dim > 0;
  if (key > 0) hp.qk_nope_head_dim = key - hp.qk_rope_head_dim;
  if (value > 0) hp.v_head_dim = value;
  if (!split) {
    hp.qk_nope_head_dim = hp.head_dim - hp.qk_rope_head_dim;
    hp.v_head_dim = hp.head_dim_v;
    set_extra(hp, kUnsplitKvB, 1);
  }
  hp.head_dim = hp.qk_nope_head_dim + hp.qk_rope_head_dim;
  hp.head_dim_v = hp.v_head_dim;
  hp.n_kv_heads = hp.n_heads;
  hp.n_kv_heads_per_layer.clear();
}

void complete_deepseek2(Hyperparameters& hp) {
  complete_mla(hp);
  // V2 files do not state a gating function; early GLM-4.7-Flash files forgot it (src/models/deepseek2.cpp).
  const bool glm_flash = (hp.n_layers == 47 || hp.n_layers == 48) && hp.vocab_size == 154880;
  const bool corrected = hp.extra_or("gguf.expert_gating_func", glm_flash ? kGatingSigmoid : 0) == kGatingSigmoid;
  set_extra(hp, kCorrectionBias, corrected ? 1 : 0);
}

void complete_glm_dsa(Hyperparameters& hp) {
  complete_mla(hp);
  // Files list which layers have an indexer; those of GLM-5.2 that do not are known by their context (src/models/glm-dsa.cpp).
  const std::string listed = "gguf.attention.indexer.types.";
  if (hp.extra_or(listed + "0", -1) < 0) {
    if (hp.context_length >= 1048576) share_indexers(hp, 4, 3);
    return;
  }
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    if (hp.extra_or(listed + std::to_string(i), 1) == 0) share_indexer(hp, i);
  }
}

// --- layers -----------------------------------------------------------------------------------------------------------

void build_deepseek(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

void mla_layer(ModelBuilder& m, const MoeOptions& moe) {
  m.norm("attn_norm");
  m.mla({.indexer = m.hp.extra_or(kIndexerShared + std::to_string(m.layer()), 0) == 0, .unsplit_kv_b = m.hp.extra_or(kUnsplitKvB, 0) != 0});
  m.norm("ffn_norm");
  m.moe_or_dense(moe);
}

void build_with(ModelBuilder& m, const MoeOptions& moe, const NextnOptions& nextn = {}) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    mla_layer(m, moe);
  }
  m.output_norm();
  m.output_head();
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    mla_layer(m, moe);
    m.nextn(nextn);
  }
}

void build_deepseek2(ModelBuilder& m) { build_with(m, {.correction_bias = m.hp.extra_or(kCorrectionBias, 1) != 0}); }
void build_deepseek32(ModelBuilder& m) { build_with(m, {.correction_bias = true}); }
// GLM-5's MTP layer uses the model's own embeddings and head.
void build_glm_dsa(ModelBuilder& m) { build_with(m, {.correction_bias = true}, {.embed_tokens = false, .head = false}); }
void build_mistral4(ModelBuilder& m) { build_with(m, {.fused_gate_up = true}); }

}  // namespace

extern const Architecture kDeepseek = {
    .name = "deepseek", .model_types = {"deepseek"}, .read_config = read_deepseek, .complete_gguf = complete_experts, .build = build_deepseek};

// The converter drops the MTP layer of V3 and Kimi K2. That of GLM-4.7-Flash it keeps since 2026, but the published files lack it.
extern const Architecture kDeepseek2 = {.name = "deepseek2",
                                        .model_types = {"deepseek_v2", "deepseek_v3", "kimi_k2", "kimi_k25", "glm4_moe_lite"},
                                        .read_config = read_deepseek2,
                                        .complete_gguf = complete_deepseek2,
                                        .build = build_deepseek2};

// Published files of V3.2 have 61 blocks, without the MTP layer that the converter keeps since 2026.
extern const Architecture kDeepseek32 = {
    .name = "deepseek32", .model_types = {"deepseek_v32"}, .read_config = read_deepseek32, .complete_gguf = complete_mla, .build = build_deepseek32};

extern const Architecture kGlmDsa = {.name = "glm-dsa",
                                     .model_types = {"glm_moe_dsa"},
                                     .read_config = read_glm_dsa,
                                     .complete_gguf = complete_glm_dsa,
                                     .build = build_glm_dsa,
                                     .gguf_holds_mtp = true};

// Converted from Mistral's own params.json, the same model is a deepseek2 file with the experts' gate and up apart.
extern const Architecture kMistral4 = {
    .name = "mistral4", .model_types = {"mistral4"}, .read_config = read_mla, .complete_gguf = complete_mla, .build = build_mistral4};

}  // namespace planner
