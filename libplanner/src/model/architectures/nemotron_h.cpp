// Nemotron-H, Nemotron Nano v2, Nemotron 3: layers that are a Mamba-2 mixer, an attention or a feed-forward, one of them alone.
// Nemotron 3 routes; its larger models narrow the experts' input (latent experts) and add a multi-token-prediction block.
// Sources: configuration_nemotron_h.py, modeling_nemotron_h.py (huggingface/transformers); conversion/nemotron.py,
// src/models/nemotron-h.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

/// M: Mamba-2, *: attention, -: feed-forward, E: experts; or the same in words.
LayerKind kind_of(const ConfigReader& config, const std::string& key, const std::string& word) {
  if (word == "M" || word == "mamba" || word == "linear_attention") return LayerKind::mamba;
  if (word == "*" || word == "attention" || word == "full_attention") return LayerKind::full_attention;
  if (word == "-" || word == "mlp" || word == "E" || word == "moe") return LayerKind::none;
  config.fail(key, "has the entry '" + word + "', which is no known kind of layer");
}

void read_pattern(const ConfigReader& config, Hyperparameters& hp) {
  std::string key = "hybrid_override_pattern";
  std::vector<std::string> words;
  if (config.has(key)) {
    for (const char letter : config.string_or({key}, "")) words.emplace_back(1, letter);
  } else {
    key = "layers_block_type";
    words = config.strings({key});
    if (words.empty()) config.fail("hybrid_override_pattern", "is absent");
  }
  if (static_cast<std::int64_t>(words.size()) != hp.n_layers) {
    config.fail(key, "has " + std::to_string(words.size()) + " entries for " + std::to_string(hp.n_layers) + " layers");
  }
  hp.layer_kinds.clear();
  for (const auto& word : words) hp.layer_kinds.push_back(kind_of(config, key, word));
}

void read_config(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads"});
  read_pattern(config, hp);
  hp.n_kv_heads = config.integer_or({"num_key_value_heads"}, 8);
  hp.head_dim = config.integer_or({"head_dim", "attention_head_dim"}, 128);
  hp.head_dim_v = hp.rotary_dim = hp.head_dim;
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;

  const std::int64_t head_dim = config.integer_or({"mamba_head_dim"}, 64);
  const std::int64_t expanded = config.integer_or({"expand"}, 2) * hp.hidden_size;
  hp.ssm_heads = config.integer_or({"mamba_num_heads"}, 128);
  // The configuration class says 128 whatever the model's width; where that contradicts the width, the key is missing.
  if (!config.has("mamba_num_heads") && hp.ssm_heads * head_dim != expanded) config.fail("mamba_num_heads", "is absent");
  hp.ssm_inner = hp.ssm_heads * head_dim;
  hp.ssm_state = config.integer_or({"ssm_state_size"}, 128);
  hp.ssm_conv = config.integer_or({"conv_kernel"}, 4);
  hp.ssm_groups = config.integer_or({"n_groups", "mamba_n_groups"}, 8);
  read_mamba_options(config, hp, "use_conv_bias", "use_bias");

  if (config.has("num_experts_per_tok")) {
    hp.architecture = "nemotron_h_moe";
    hp.n_experts = config.integer({"n_routed_experts"});
    hp.expert_ffn_size = config.integer({"moe_intermediate_size"});
    hp.shared_ffn_size = config.integer({"moe_shared_expert_intermediate_size"});
    hp.ffn_size = 0;  // intermediate_size repeats the experts' width: no layer is dense
    set_extra(hp, "moe_latent_size", config.integer_or({"moe_latent_size"}, 0));
  } else {
    hp.ffn_size = config.integer({"intermediate_size"});
    hp.n_experts = hp.n_experts_active = hp.expert_ffn_size = hp.n_shared_experts = hp.shared_ffn_size = 0;
    hp.n_mtp_layers = 0;
  }
}

/// GGUF files list feed-forward widths and KV heads per layer: a layer with neither is Mamba.
void complete_gguf(Hyperparameters& hp) {
  take_kv_pattern(hp, LayerKind::mamba);
  auto& widths = hp.ffn_per_layer;
  for (std::size_t i = 0; i < widths.size() && i < hp.layer_kinds.size(); ++i) {
    if (widths[i] > 0) hp.layer_kinds[i] = LayerKind::none;
  }
  if (!widths.empty()) hp.ffn_size = *std::max_element(widths.begin(), widths.end());
  if (std::all_of(widths.begin(), widths.end(), [&](std::int64_t n) { return n == 0 || n == hp.ffn_size; })) widths.clear();
  if (hp.n_experts > 0) {
    if (hp.expert_ffn_size == 0) hp.expert_ffn_size = hp.ffn_size;
    hp.ffn_size = 0;
  }
  set_extra_from_gguf(hp, "moe_latent_size", "moe_latent_size");
}

void experts(ModelBuilder& m) {
  const std::int64_t latent = m.hp.extra_or("moe_latent_size", 0);
  if (latent > 0) {
    m.linear("ffn_latent_down", m.hp.hidden_size, latent);
    m.linear("ffn_latent_up", latent, m.hp.hidden_size);
  }
  m.moe({.gated = false, .correction_bias = true, .correction_is_buffer = true, .expert_input = latent});
}

void build(ModelBuilder& m) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    if (m.kind() == LayerKind::mamba) {
      m.mamba2(mamba_options(m.hp));
    } else if (m.kind() == LayerKind::full_attention) {
      m.attention();
    } else if (m.hp.n_experts > 0) {
      experts(m);
    } else {
      m.dense({.gated = false});
    }
  }
  m.output_norm();
  m.output_head();
  // The checkpoint's two prediction layers, an attention and a routing one, are one block.
  for (std::int64_t i = 0; i < m.hp.n_mtp_layers; ++i) {
    m.begin_mtp_layer();
    m.nextn({.embed_tokens = false, .head = false});
    m.norm("attn_norm");
    m.attention();
    m.norm("post_attention_norm");
    experts(m);
  }
}

}  // namespace

extern const Architecture kNemotronH = {
    .name = "nemotron_h", .model_types = {"nemotron_h"}, .read_config = read_config, .complete_gguf = complete_gguf, .build = build};
/// A config says nemotron_h for both; GGUF files of routing models have this name. The converter keeps the prediction block by default
/// since mid-2026; the published files do not have it.
extern const Architecture kNemotronHMoe = {.name = "nemotron_h_moe", .model_types = {}, .complete_gguf = complete_gguf, .build = build};

}  // namespace planner
