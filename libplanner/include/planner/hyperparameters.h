/// A model's hyperparameters: the numbers that a config.json or a GGUF header states, under one set of names.
///
/// Filled by `hyperparameters_from_config` (Hugging Face config.json) or `hyperparameters_from_gguf` (GGUF metadata) and
/// read by the architecture descriptions, which turn them into layers and tensors (model.h). Fields hold what the model
/// has; 0 or empty means that the model has no such part (no experts, no sliding window), never "unknown": a key that an
/// architecture needs and the file lacks is an Error that names it.
///
/// Beside each field: its usual key in config.json, and its key in GGUF (prefixed there by the architecture's name).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace planner {

/// What a layer mixes tokens with. One model may have several kinds.
enum class LayerKind : std::uint8_t {
  full_attention,     ///< every earlier token
  sliding_attention,  ///< the last `sliding_window` tokens
  chunked_attention,  ///< the tokens of the same chunk of `attention_chunk` (Llama 4)
  linear_attention,   ///< gated delta net, Kimi delta attention, lightning attention: a fixed state
  mamba,              ///< Mamba-1 or Mamba-2: a fixed state
  short_conv,         ///< gated short convolution (LFM2): a fixed state
  cross_attention,    ///< attends to image tokens only (Llama 3.2 Vision)
  none,               ///< no mixer: a feed-forward layer alone (Nemotron-H, Nemotron NAS)
};

/// How rotary frequencies are stretched beyond the trained context.
enum class RopeScaling : std::uint8_t { none, linear, dynamic, llama3, yarn, longrope };

struct Hyperparameters {
  std::string architecture;  ///< description used, the GGUF name: "qwen3moe"          | general.architecture
  std::string model_type;    ///< model_type of config.json; empty when read from GGUF

  // Sizes
  std::int64_t n_layers = 0;        ///< num_hidden_layers, without MTP layers         | block_count (some count MTP too)
  std::int64_t hidden_size = 0;     ///< hidden_size                                   | embedding_length
  std::int64_t vocab_size = 0;      ///< vocab_size                                    | vocab_size or the token_embd shape
  std::int64_t context_length = 0;  ///< max_position_embeddings; 0 when not stated    | context_length
  bool tied_embeddings = false;     ///< tie_word_embeddings: the output head is the embedding table

  // Attention
  std::int64_t n_heads = 0;         ///< num_attention_heads                           | attention.head_count
  std::int64_t n_kv_heads = 0;      ///< num_key_value_heads                           | attention.head_count_kv
  std::int64_t head_dim = 0;        ///< head_dim, default hidden_size / n_heads: K    | attention.key_length
  std::int64_t head_dim_v = 0;      ///< v_head_dim where it differs, default head_dim | attention.value_length
  std::int64_t n_kv_heads_swa = 0;  ///< KV heads of sliding layers where they differ (MiMo-V2, Gemma 4: reversed); 0: same
  std::int64_t head_dim_swa = 0;    ///< head_dim of sliding layers where it differs (Gemma 4)  | attention.key_length_swa
  std::int64_t head_dim_v_swa = 0;  ///< value width of sliding layers where it differs  | attention.value_length_swa
  std::int64_t n_heads_swa = 0;     ///< query heads of sliding layers where they differ (Step-3.5); 0: same
  std::int64_t sliding_window = 0;  ///< sliding_window, 0: none                       | attention.sliding_window
  std::int64_t attention_chunk = 0; ///< attention_chunk_size (Llama 4)                | attention.chunk_size
  std::int64_t kv_shared_layers = 0;  ///< num_kv_shared_layers: the last N layers read an earlier layer's cache (Gemma 3n, 4)
  std::int64_t rotary_dim = 0;      ///< rotated part of a head, default head_dim      | rope.dimension_count
  RopeScaling rope_scaling = RopeScaling::none;  ///< rope_scaling.rope_type           | rope.scaling.type
  bool attention_bias = false;      ///< attention_bias, qkv_bias: bias on Q, K, V
  bool attention_out_bias = false;  ///< bias on the output projection
  bool mlp_bias = false;            ///< mlp_bias: bias on the feed-forward
  bool qk_norm = false;             ///< norms on Q and K, where the model type alone does not say
  bool attention_k_eq_v = false;    ///< attention_k_eq_v: full layers have no V projection (Gemma 4)
  bool attention_gate = false;      ///< attn_output_gate: a gate on the attention output
  std::vector<LayerKind> layer_kinds;           ///< layer_types or the family's pattern; always n_layers long
  std::vector<std::int64_t> n_heads_per_layer;     ///< only where layers differ        | attention.head_count array
  std::vector<std::int64_t> n_kv_heads_per_layer;  ///< only where layers differ        | attention.head_count_kv array

  // Multi-head latent attention (DeepSeek-V2 and later)
  std::int64_t q_lora_rank = 0;       ///< q_lora_rank, 0: Q is projected directly     | attention.q_lora_rank
  std::int64_t kv_lora_rank = 0;      ///< kv_lora_rank, 0: no MLA                     | attention.kv_lora_rank
  std::int64_t qk_nope_head_dim = 0;  ///< qk_nope_head_dim                            | attention.key_length_mla - rope
  std::int64_t qk_rope_head_dim = 0;  ///< qk_rope_head_dim                            | rope.dimension_count
  std::int64_t v_head_dim = 0;        ///< v_head_dim                                  | attention.value_length_mla
  std::int64_t indexer_heads = 0;     ///< index_n_heads: sparse-attention indexer     | attention.indexer.head_count
  std::int64_t indexer_head_dim = 0;  ///< index_head_dim                              | attention.indexer.key_length
  std::int64_t indexer_top_k = 0;     ///< index_topk                                  | attention.indexer.top_k

  // Feed-forward
  std::int64_t ffn_size = 0;                  ///< intermediate_size                   | feed_forward_length
  std::vector<std::int64_t> ffn_per_layer;    ///< only where layers differ            | feed_forward_length array
  std::string activation;                     ///< hidden_act: silu, gelu, relu2 ...
  std::int64_t n_experts = 0;                 ///< num_experts, n_routed_experts       | expert_count
  std::int64_t n_experts_active = 0;          ///< num_experts_per_tok                 | expert_used_count
  std::int64_t expert_ffn_size = 0;           ///< moe_intermediate_size               | expert_feed_forward_length
  std::int64_t n_shared_experts = 0;          ///< n_shared_experts                    | expert_shared_count
  std::int64_t shared_ffn_size = 0;           ///< total width of the shared experts   | expert_shared_feed_forward_length
  std::int64_t n_dense_leading = 0;           ///< first_k_dense_replace               | leading_dense_block_count
  std::vector<bool> moe_layers;               ///< which layers route; empty: all from n_dense_leading on (when n_experts > 0)

  // State-space and linear-attention layers
  std::int64_t ssm_inner = 0;    ///< d_inner / mamba_d_ssm                            | ssm.inner_size
  std::int64_t ssm_state = 0;    ///< d_state                                          | ssm.state_size
  std::int64_t ssm_conv = 0;     ///< d_conv                                           | ssm.conv_kernel
  std::int64_t ssm_dt_rank = 0;  ///< dt_rank (Mamba-1)                                | ssm.time_step_rank
  std::int64_t ssm_heads = 0;    ///< heads (Mamba-2)                                  | ssm.time_step_rank
  std::int64_t ssm_groups = 0;   ///< groups (Mamba-2)                                 | ssm.group_count
  std::int64_t linear_k_heads = 0;     ///< linear_num_key_heads                       | ssm.group_count
  std::int64_t linear_v_heads = 0;     ///< linear_num_value_heads                     | ssm.time_step_rank
  std::int64_t linear_k_head_dim = 0;  ///< linear_key_head_dim                        | ssm.state_size
  std::int64_t linear_v_head_dim = 0;  ///< linear_value_head_dim                      | ssm.inner_size / heads
  std::int64_t linear_conv = 0;        ///< linear_conv_kernel_dim, conv_L_cache       | ssm.conv_kernel, shortconv.l_cache

  // Beyond the text model proper
  std::int64_t n_mtp_layers = 0;  ///< num_nextn_predict_layers, mtp_num_hidden_layers  | nextn_predict_layers

  /// Numbers that one family alone has (laurel rank, altup inputs, RWKV's lora ranks ...), by their config key.
  struct Extra {
    std::string key;
    std::int64_t value;
  };
  std::vector<Extra> extras;

  /// Value of a family's own number; throws Error (invalid_file) naming the key when it is absent.
  [[nodiscard]] std::int64_t extra(const std::string& key) const;
  /// Value of a family's own number, or `otherwise`.
  [[nodiscard]] std::int64_t extra_or(const std::string& key, std::int64_t otherwise) const;
};

}  // namespace planner
