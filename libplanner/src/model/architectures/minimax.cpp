// MiniMax-M2 and M3: grouped-query attention with norms on Q and K, experts with a correction bias. M3 adds leading dense layers, a shared
// expert, and behind them a block-sparse attention whose indexer caches a key of its own.
// Sources: modeling_minimax_m2.py, configuration_minimax_m3_vl.py, modeling_minimax_m3_vl.py (huggingface/transformers);
// src/models/minimax-m2.cpp, minimax-m3.cpp, conversion/minimax.py (ggml-org/llama.cpp).
#include <string>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr const char* kDenseAttention = "dense_attention.";  // + layer: 1 where M3 has no indexer

// --- M2 ---------------------------------------------------------------------------------------------------------------

void read_m2(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "num_local_experts", "num_experts_per_tok"});
  hp.rotary_dim = config.integer_or({"rotary_dim"}, hp.rotary_dim);
  // The MTP modules that the config counts are in no released checkpoint.
  hp.n_mtp_layers = 0;
}

void build_m2(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention({.qk_norm = QkNorm::full});
    m.norm("ffn_norm");
    m.moe({.correction_bias = true});
  }
  m.output_norm();
  m.output_head();
}

// --- M3 ---------------------------------------------------------------------------------------------------------------

void read_m3(const ConfigReader& config, Hyperparameters& hp) {
  read_m2(config, hp);
  config.require({"dense_intermediate_size", "n_shared_experts", "sparse_attention_config"});
  // intermediate_size is an expert's width here; the dense layers have a key of their own.
  hp.expert_ffn_size = config.integer({"moe_intermediate_size", "intermediate_size"});
  hp.ffn_size = config.integer({"dense_intermediate_size"});
  hp.shared_ffn_size = hp.n_shared_experts * config.integer_or({"shared_intermediate_size"}, hp.expert_ffn_size);

  const auto routes = config.integers({"moe_layer_freq"});
  if (!routes.empty() && static_cast<std::int64_t>(routes.size()) < hp.n_layers) config.fail("moe_layer_freq", "is shorter than num_hidden_layers");
  if (routes.empty()) config.require({"first_k_dense_replace"});
  for (std::int64_t i = 0; i < hp.n_layers; ++i) hp.moe_layers.push_back(routes.empty() ? i >= hp.n_dense_leading : routes[static_cast<std::size_t>(i)] != 0);

  const auto sparse = config.object("sparse_attention_config");
  if (!sparse) return;
  hp.indexer_heads = sparse->integer({"sparse_num_index_heads"});
  hp.indexer_head_dim = sparse->integer({"sparse_index_dim"});
  hp.indexer_top_k = sparse->integer_or({"sparse_topk_blocks"}, 0);
  const auto indexed = sparse->integers({"sparse_attention_freq"});
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    const bool has_indexer =
        i < static_cast<std::int64_t>(indexed.size()) ? indexed[static_cast<std::size_t>(i)] != 0 : hp.moe_layers[static_cast<std::size_t>(i)];
    if (!has_indexer) set_extra(hp, kDenseAttention + std::to_string(i), 1);
  }
}

void complete_m3(Hyperparameters& hp) {
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
  // The dense layers are those without an indexer (src/models/minimax-m3.cpp).
  for (std::int64_t i = 0; i < hp.n_dense_leading; ++i) set_extra(hp, kDenseAttention + std::to_string(i), 1);
}

void build_m3(ModelBuilder& m) {
  const auto& hp = m.hp;
  m.token_embedding();
  for (std::int64_t i = 0; i < hp.n_layers; ++i) {
    m.begin_layer();
    const bool indexed = hp.indexer_heads > 0 && hp.extra_or(kDenseAttention + std::to_string(i), 0) == 0;
    m.norm("attn_norm");
    m.attention({.qk_norm = QkNorm::per_head, .indexer_head_dim = indexed ? hp.indexer_head_dim : 0});
    if (indexed) {
      m.linear("indexer.q_proj", hp.hidden_size, hp.indexer_heads * hp.indexer_head_dim);
      m.linear("indexer.k_proj", hp.hidden_size, hp.indexer_head_dim);
      m.norm("indexer.q_norm", false, hp.indexer_head_dim);
      m.norm("indexer.k_norm", false, hp.indexer_head_dim);
    }
    m.norm("ffn_norm");
    m.moe_or_dense({.correction_bias = true});
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kMiniMaxM2 = {.name = "minimax-m2", .model_types = {"minimax_m2"}, .read_config = read_m2, .build = build_m2};
extern const Architecture kMiniMaxM3 = {.name = "minimax-m3",
                                        .model_types = {"minimax_m3", "minimax_m3_vl", "minimax_m3_vl_text"},
                                        .read_config = read_m3,
                                        .complete_gguf = complete_m3,
                                        .build = build_m3};

}  // namespace planner
