// Step-3.5-Flash and the text part of Step-3.7-Flash: one full attention layer to three sliding ones with more query heads; norms per
// head and a gate per head; leading dense layers, then experts with a shared one; three MTP layers, each with a head of its own.
// Sources: modeling_step3p7.py (huggingface/transformers); src/models/step35.cpp, conversion/step3.py (ggml-org/llama.cpp).
#include <sstream>
#include <string>

#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

/// "3,4,5" or [3, 4, 5]: the layers that route; from first_k_dense_replace (3 in all released models) on where the key is absent.
void read_moe_layers(const ConfigReader& config, Hyperparameters& hp) {
  hp.n_dense_leading = config.integer_or({"first_k_dense_replace"}, 3);
  const auto* listed = config.find({"moe_layers_enum"});
  if (listed == nullptr) return;
  hp.moe_layers.assign(static_cast<std::size_t>(hp.n_layers), false);
  const auto mark = [&](std::int64_t i) {
    if (i >= 0 && i < hp.n_layers) hp.moe_layers[static_cast<std::size_t>(i)] = true;
  };
  if (listed->is_string()) {
    std::istringstream words(config.string_or({"moe_layers_enum"}, ""));
    for (std::string word; std::getline(words, word, ',');) {
      const bool is_number =
          word.size() < 8 && word.find_first_of("0123456789") != std::string::npos && word.find_first_not_of("0123456789 ") == std::string::npos;
      if (!is_number) config.fail("moe_layers_enum", "has the entry '" + word + "', expected a layer number");
      mark(std::stoll(word));
    }
  } else {
    for (const auto i : config.integers({"moe_layers_enum"})) mark(i);
  }
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "head_dim", "intermediate_size", "moe_intermediate_size", "sliding_window", "layer_types"});
  hp.n_kv_heads = config.integer({"num_attention_groups", "num_key_value_heads"});
  hp.n_experts = config.integer({"moe_num_experts", "n_routed_experts", "num_experts"});
  hp.n_experts_active = config.integer({"moe_top_k", "num_experts_per_tok"});
  hp.n_shared_experts = 1;
  hp.shared_ffn_size = config.integer({"share_expert_dim", "share_expert_dims"});
  read_moe_layers(config, hp);

  // The sliding layers' heads; an abridged config of the released shape leaves them and the gate out.
  const bool released_shape = hp.n_layers == 45 && hp.n_heads == 64;
  const auto sliding = config.object("attention_other_setting");
  hp.n_heads_swa =
      sliding ? sliding->integer_or({"num_attention_heads"}, hp.n_heads) : config.integer_or({"num_sliding_attention_heads"}, released_shape ? 96 : hp.n_heads);
  hp.n_kv_heads_swa = sliding ? sliding->integer_or({"num_attention_groups"}, hp.n_kv_heads) : hp.n_kv_heads;
  hp.attention_gate = config.boolean_or({"use_head_wise_attn_gate"}, released_shape);
  set_extra(hp, "use_moe_router_bias", config.boolean_or({"use_moe_router_bias"}, false) ? 1 : 0);
}

void complete_gguf(Hyperparameters& hp) {
  heads_by_kind(hp);
  hp.attention_gate = true;
  set_extra(hp, "use_moe_router_bias", 1);
}

void layer(ModelBuilder& m) {
  const bool sliding = m.kind() == LayerKind::sliding_attention;
  m.norm("attn_norm");
  m.attention({.qk_norm = QkNorm::per_head});
  if (m.hp.attention_gate) m.linear("attn_gate", m.hp.hidden_size, sliding && m.hp.n_heads_swa > 0 ? m.hp.n_heads_swa : m.hp.n_heads);
  m.norm("ffn_norm");
}

void build(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    layer(m);
    m.moe_or_dense({.correction_bias = m.hp.extra_or("use_moe_router_bias", 1) != 0});
  }
  m.output_norm();
  m.output_head();
  // The MTP layers continue the pattern with sliding attention, and are dense.
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer(LayerKind::sliding_attention);
    layer(m);
    m.dense();
    m.nextn({.embed_tokens = false});
  }
}

}  // namespace

extern const Architecture kStep35 = {.name = "step35",
                                     .model_types = {"step3p5", "step3p7", "step3p7_text"},
                                     .read_config = read_config,
                                     .complete_gguf = complete_gguf,
                                     .build = build,
                                     .gguf_holds_mtp = true};

}  // namespace planner
