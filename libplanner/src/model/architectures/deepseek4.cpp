// DeepSeek-V4: every layer attends to a window of 128 tokens, most also to compressed rows of the whole sequence (one per 4 tokens with an
// indexer, or one per 128); residual streams in several copies (hyper-connections); the first layers route by a table of token ids.
// Sources: configuration_deepseek_v4.py, modeling_deepseek_v4.py (huggingface/transformers); src/models/deepseek4.cpp,
// src/llama-kv-cache-dsv4.cpp, conversion/deepseek.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

constexpr std::int64_t kSparseRatio = 4;  // overlapping groups, with an indexer
constexpr std::int64_t kHeavyRatio = 128;

constexpr const char* kCompressRatio = "compress_ratio.";  // + layer: tokens per compressed row, 0: none

void set_ratio(Hyperparameters& hp, std::int64_t layer, std::int64_t ratio) {
  set_extra(hp, kCompressRatio + std::to_string(layer), ratio);
  if (layer < hp.n_layers) hp.layer_kinds.push_back(ratio == 0 ? LayerKind::sliding_attention : LayerKind::full_attention);
}

/// The released models' schedule: Flash (43 layers) begins with two layers of window alone, Pro with two heavy ones; then they alternate.
std::int64_t default_ratio(const Hyperparameters& hp, std::int64_t layer) {
  if (layer < 2) return hp.n_layers == 43 ? 0 : kHeavyRatio;
  return layer % 2 == 0 ? kSparseRatio : kHeavyRatio;
}

std::int64_t ratio_of_layer_type(const ConfigReader& config, const std::string& type) {
  if (type == "sliding_attention") return 0;
  if (type == "compressed_sparse_attention") return kSparseRatio;
  if (type == "heavily_compressed_attention") return kHeavyRatio;
  config.fail("layer_types", "has the entry '" + type + "', which DeepSeek-V4 does not know");
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "head_dim", "q_lora_rank", "qk_rope_head_dim", "sliding_window", "n_routed_experts", "moe_intermediate_size",
                  "num_experts_per_tok", "n_shared_experts", "index_n_heads", "index_head_dim"});
  hp.head_dim_v = hp.head_dim;
  hp.rotary_dim = hp.qk_rope_head_dim;
  hp.n_kv_heads = 1;
  hp.n_dense_leading = 0;
  hp.n_mtp_layers = config.integer_or({"num_nextn_predict_layers"}, 1);
  set_extra(hp, "o_groups", config.integer({"o_groups"}));
  set_extra(hp, "o_lora_rank", config.integer({"o_lora_rank"}));
  set_extra(hp, "hc_mult", config.integer_or({"hc_mult"}, 4));
  set_extra(hp, "num_hash_layers", config.integer_or({"num_hash_layers"}, 3));

  hp.layer_kinds.clear();
  const auto ratios = config.integers({"compress_ratios"});
  const auto types = config.strings({"layer_types"});
  // One entry more than there are layers belongs to the MTP layer.
  for (std::int64_t i = 0; i < hp.n_layers + hp.n_mtp_layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (at < ratios.size()) {
      set_ratio(hp, i, ratios[at]);
    } else if (i >= hp.n_layers) {
      set_ratio(hp, i, 0);
    } else if (!ratios.empty()) {
      config.fail("compress_ratios", "is shorter than num_hidden_layers");
    } else {
      set_ratio(hp, i, at < types.size() ? ratio_of_layer_type(config, types[at]) : default_ratio(hp, i));
    }
  }
}

void complete_gguf(Hyperparameters& hp) {
  if (hp.qk_rope_head_dim == 0) hp.qk_rope_head_dim = hp.rotary_dim;
  if (hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
  hp.n_kv_heads = 1;
  hp.head_dim_v = hp.head_dim;
  const auto copy = [&](const char* key, const char* gguf_key) { hp.extras.push_back({key, hp.extra(gguf_key)}); };
  copy("o_groups", "gguf.attention.output_group_count");
  copy("o_lora_rank", "gguf.attention.output_lora_rank");
  copy("hc_mult", "gguf.hyper_connection.count");
  copy("num_hash_layers", "gguf.hash_layer_count");
  hp.layer_kinds.clear();
  for (std::int64_t i = 0; i < hp.n_layers; ++i) set_ratio(hp, i, hp.extra_or("gguf.attention.compress_ratios." + std::to_string(i), default_ratio(hp, i)));
}

void attention(ModelBuilder& m) {
  const auto& hp = m.hp;
  const std::int64_t ratio = hp.extra_or(kCompressRatio + std::to_string(m.layer()), 0);
  const bool sparse = ratio == kSparseRatio;
  CompressedAttention a;
  a.n_heads = hp.n_heads;
  a.head_dim = hp.head_dim;
  a.rope_head_dim = hp.qk_rope_head_dim;
  a.window = hp.sliding_window;
  a.compress_ratio = ratio;
  a.overlap = sparse ? 2 : 1;
  a.indexer_heads = sparse ? hp.indexer_heads : 0;
  a.indexer_head_dim = sparse ? hp.indexer_head_dim : 0;
  m.mixer(a);

  m.norm("attn_norm");
  m.tensor("attn_sinks.weight", {a.n_heads});
  m.linear("attn_q_a", hp.hidden_size, hp.q_lora_rank);
  m.norm("attn_q_a_norm", false, hp.q_lora_rank);
  m.linear("attn_q_b", hp.q_lora_rank, a.n_heads * a.head_dim);
  m.linear("attn_kv", hp.hidden_size, a.head_dim);
  m.norm("attn_kv_a_norm", false, a.head_dim);
  // The heads are projected in groups, each to a narrow vector of its own, then together.
  const std::int64_t groups = hp.extra("o_groups");
  const std::int64_t o_rank = hp.extra("o_lora_rank");
  m.linear("attn_output_a", groups > 0 ? a.n_heads * a.head_dim / groups : 0, groups * o_rank);
  m.linear("attn_output_b", groups * o_rank, hp.hidden_size);

  const auto compressor = [&](const std::string& prefix, std::int64_t width) {
    m.linear(prefix + "_kv", hp.hidden_size, a.overlap * width);
    m.linear(prefix + "_gate", hp.hidden_size, a.overlap * width);
    m.tensor(prefix + "_ape.weight", {a.overlap * width, ratio});
    m.norm(prefix + "_norm", false, width);
  };
  if (ratio > 0) compressor("attn_compressor", a.head_dim);
  if (sparse) {
    m.linear("indexer.proj", hp.hidden_size, a.indexer_heads);
    m.linear("indexer.attn_q_b", hp.q_lora_rank, a.indexer_heads * a.indexer_head_dim);
    compressor("indexer_compressor", a.indexer_head_dim);
  }
}

/// What mixes the copies of the residual stream before and after one half of a layer: "hc_attn", "hc_ffn".
void hyper_connection(ModelBuilder& m, const std::string& name) {
  const std::int64_t copies = m.hp.extra("hc_mult");
  const std::int64_t mixes = (2 + copies) * copies;
  m.linear(name + "_fn", copies * m.hp.hidden_size, mixes);
  m.tensor(name + "_base.weight", {mixes});
  m.tensor(name + "_scale.weight", {3});
}

void layer(ModelBuilder& m) {
  hyper_connection(m, "hc_attn");
  attention(m);
  hyper_connection(m, "hc_ffn");
  m.norm("ffn_norm");
  const bool by_table = m.layer() < m.hp.extra("num_hash_layers");
  if (by_table) m.tensor("ffn_gate_tid2eid.weight", {m.hp.n_experts_active, m.hp.vocab_size});
  m.moe({.correction_bias = !by_table});
}

void build(ModelBuilder& m) {
  const std::int64_t copies = m.hp.extra("hc_mult");
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m);
  }
  m.global_tensor("output_hc_fn.weight", {copies * m.hp.hidden_size, copies});
  m.global_tensor("output_hc_base.weight", {copies});
  m.global_tensor("output_hc_scale.weight", {1});
  m.output_norm();
  m.output_head();
  // The converter writes the MTP layer to a file of its own, where the last three are called output_hc_*.
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer(LayerKind::sliding_attention);
    layer(m);
    m.nextn({.embed_tokens = false, .head = false});
    m.tensor("nextn.hc_fn.weight", {copies * m.hp.hidden_size, copies});
    m.tensor("nextn.hc_base.weight", {copies});
    m.tensor("nextn.hc_scale.weight", {1});
  }
}

}  // namespace

extern const Architecture kDeepseek4 = {
    .name = "deepseek4", .model_types = {"deepseek_v4"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
