/// A model's geometry: layers made of mixers and feed-forwards, and the tensors that they consist of.
///
/// One description per architecture (src/model/architectures/) turns Hyperparameters into a Model: the layers say what
/// is computed and cached, the tensor list says what is stored, with GGUF names and shapes. Everything exact in the
/// library (parameters, file size, KV cache) is a sum over these two.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "planner/hyperparameters.h"

namespace planner {

// ---------------------------------------------------------------------------------------------------------------------
// Mixers: what one layer does along the sequence, and so what it keeps per token or per sequence
// ---------------------------------------------------------------------------------------------------------------------

enum class QkNorm : std::uint8_t {
  none,
  per_head,   ///< one vector of head_dim, shared by the heads (Qwen3, Gemma 3)
  full,       ///< one vector over all heads: n_heads * head_dim (OLMo 2)
  each_head,  ///< a vector of its own per head, as a matrix [head_dim, n_heads] (Command R+, StableLM 2 12B)
};

/// Softmax attention with a key and a value per KV head and token: MHA, GQA (n_kv_heads < n_heads), MQA (1).
struct Attention {
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;    ///< width of a query and a key
  std::int64_t head_dim_v = 0;  ///< width of a value
  std::int64_t window = 0;      ///< tokens that a query sees; 0: all. Sliding unless `chunked`
  bool chunked = false;         ///< the window is a fixed chunk of the sequence (Llama 4)
  std::int64_t shares_kv_of = -1;  ///< layer whose cache it reads instead of keeping one; -1: its own
  bool v_is_k = false;          ///< no V projection: V is K before its rotation (Gemma 4); both are still cached
  bool sinks = false;           ///< one learned logit per head (gpt-oss)
  bool gated = false;           ///< Q projection also yields an output gate: twice the rows (Qwen3-Next)
  std::int64_t cross_tokens = 0;  ///< > 0: attends to this many image tokens only, none of the text's
  std::int64_t indexer_head_dim = 0;  ///< > 0: a sparse-attention indexer keeps a key of this width per token
};

/// Multi-head latent attention: one compressed row per token (kv_lora_rank + qk_rope_head_dim), shared by all heads.
struct MlaAttention {
  std::int64_t n_heads = 0;
  std::int64_t q_lora_rank = 0;
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t v_head_dim = 0;
  std::int64_t indexer_heads = 0;     ///< > 0: DeepSeek sparse attention; the indexer keeps one key per token
  std::int64_t indexer_head_dim = 0;
};

/// Compressed attention (DeepSeek-V4): the heads share one key row per token, which is the value too. A query sees the last `window`
/// tokens and, with a compressor, one row for every `compress_ratio` tokens of the whole sequence; an indexer picks among those.
/// Kept per sequence of n tokens:
///     min(n, window) * head_dim + floor(n / compress_ratio) * (head_dim + indexer_head_dim)    elements of the cache's type
///     state_elements()                                                                         elements of F32
/// Source: modeling_deepseek_v4.py (huggingface/transformers), src/llama-kv-cache-dsv4.cpp (ggml-org/llama.cpp).
struct CompressedAttention {
  std::int64_t n_heads = 0;
  std::int64_t head_dim = 0;          ///< width of a query and of the row that is key and value
  std::int64_t rope_head_dim = 0;     ///< rotated part of it
  std::int64_t window = 0;            ///< tokens that are kept uncompressed
  std::int64_t compress_ratio = 0;    ///< tokens per compressed row; 0: no compressor, the window is all
  std::int64_t overlap = 1;           ///< groups of tokens that one compressed row mixes: 2 (sparse layers) or 1
  std::int64_t indexer_heads = 0;     ///< > 0: an indexer with a compressed key row of its own
  std::int64_t indexer_head_dim = 0;

  /// Running state of the compressors per sequence: a row and a gate for each token of the open groups.
  [[nodiscard]] std::int64_t state_elements() const {
    return 2 * (overlap * compress_ratio) * overlap * (head_dim + (indexer_heads > 0 ? indexer_head_dim : 0));
  }
};

/// Mamba-1 (n_heads == 0) or Mamba-2: a convolution state and a recurrent state of fixed size per sequence.
/// Elements kept: (conv_kernel - 1) * (inner_size + 2 * n_groups * state_size), and state_size * inner_size.
struct Mamba {
  std::int64_t inner_size = 0;
  std::int64_t state_size = 0;
  std::int64_t conv_kernel = 0;
  std::int64_t dt_rank = 0;   ///< Mamba-1
  std::int64_t n_heads = 0;   ///< Mamba-2
  std::int64_t n_groups = 0;  ///< Mamba-2
};

enum class LinearAttentionKind : std::uint8_t { gated_delta_net, kimi_delta, lightning };

/// Linear attention: a matrix state per value head, and a convolution state over the projections.
/// Elements kept: (conv_kernel - 1) * (2 * n_k_heads * k_head_dim + n_v_heads * v_head_dim), none without a convolution, and
/// n_v_heads * k_head_dim * v_head_dim.
struct LinearAttention {
  LinearAttentionKind kind = LinearAttentionKind::gated_delta_net;
  std::int64_t n_k_heads = 0;
  std::int64_t n_v_heads = 0;
  std::int64_t k_head_dim = 0;
  std::int64_t v_head_dim = 0;
  std::int64_t conv_kernel = 0;  ///< 0: no convolution (lightning attention)
};

/// Gated short convolution (LFM2): keeps the last kernel - 1 inputs, (kernel - 1) * width elements.
struct ShortConv {
  std::int64_t kernel = 0;
  std::int64_t width = 0;
};

/// RWKV time mix: a matrix state per head and two token-shift vectors.
/// Elements kept: 2 * n_heads * head_dim, and n_heads * head_dim * head_dim.
struct Rwkv {
  std::int64_t n_heads = 0;
  std::int64_t head_dim = 0;
};

using Mixer = std::variant<Attention, MlaAttention, CompressedAttention, Mamba, LinearAttention, ShortConv, Rwkv>;

// ---------------------------------------------------------------------------------------------------------------------
// Feed-forwards
// ---------------------------------------------------------------------------------------------------------------------

/// A dense feed-forward: gate and up (or up alone), then down.
struct DenseFfn {
  std::int64_t size = 0;
  bool gated = true;  ///< SwiGLU/GeGLU; false: up and down alone
};

/// A mixture of experts: a router picks `n_active` of `n_experts` per token; shared experts always run.
struct MoeFfn {
  std::int64_t n_experts = 0;
  std::int64_t n_active = 0;
  std::int64_t expert_size = 0;
  std::int64_t shared_size = 0;  ///< total width of the shared experts; 0: none
  bool gated = true;
};

using FeedForward = std::variant<DenseFfn, MoeFfn>;

/// One layer: usually one mixer and one feed-forward; Falcon-H1 runs two mixers side by side, Nemotron-H layers have one
/// or the other alone, Gemma 4 26B has a dense feed-forward beside its experts.
struct Layer {
  std::vector<Mixer> mixers;
  std::vector<FeedForward> ffns;
  bool mtp = false;  ///< a multi-token-prediction layer behind the model proper
};

// ---------------------------------------------------------------------------------------------------------------------
// Tensors
// ---------------------------------------------------------------------------------------------------------------------

/// What a tensor is to the quantizer: its recipes speak of these.
enum class TensorRole : std::uint8_t {
  token_embd, output, attn_q, attn_k, attn_v, attn_qkv, attn_kv_b, attn_output, ffn_up, ffn_gate, ffn_down, router, other,
};

/// How a tensor is stored in a file that is not quantized, and whether the quantizer touches it.
enum class Storage : std::uint8_t {
  quantized,   ///< follows the mix
  source,      ///< stays what the converted file has: F16 or BF16, F32 only in an F32 file
  always_f32,  ///< norms, biases, small recurrent parameters
  integer,     ///< an index table (I32), not a parameter
};

/// Which part of the whole a tensor belongs to.
enum class ModelPart : std::uint8_t { text, mtp, vision, audio };

struct Tensor {
  std::string name;                          ///< as in GGUF: "blk.0.attn_q.weight"
  std::array<std::int64_t, 4> shape{1, 1, 1, 1};  ///< GGUF order: shape[0] is the row length
  std::int32_t n_dims = 1;
  std::int32_t layer = -1;                   ///< block number; -1 for tensors outside the blocks
  TensorRole role = TensorRole::other;
  Storage storage = Storage::always_f32;
  ModelPart part = ModelPart::text;
  bool is_parameter = true;                  ///< false for what the converter derives (RoPE factors)
  bool is_expert = false;                    ///< a stack of routed experts: n_active / n_experts of it is read per token
  bool is_table = false;                     ///< looked up by row, not multiplied: embedding and position tables

  [[nodiscard]] std::int64_t n_elements() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
  [[nodiscard]] std::int64_t n_rows() const { return shape[1] * shape[2] * shape[3]; }
};

/// Exact parameter counts, computed from the tensor list; tied tensors count once.
struct ParameterCounts {
  std::int64_t total = 0;   ///< the text model, MTP layers and towers not included
  std::int64_t active = 0;  ///< of those, what one token goes through: shared parts and the active experts
  std::int64_t mtp = 0;     ///< multi-token-prediction layers
  std::int64_t vision = 0;  ///< vision tower and projector; 0 also when the config does not give its shape
  std::int64_t audio = 0;
  std::int64_t embedding = 0;  ///< of total: tables that are looked up, not multiplied (token, position, per-layer)
};

/// A model: what it computes and what it stores.
struct Model {
  Hyperparameters hyperparameters;
  std::vector<Layer> layers;    ///< model proper first, then MTP layers
  std::vector<Tensor> tensors;  ///< GGUF names and shapes: text model, MTP layers, then towers where the config gives their shape
  bool llama_cpp_ignores_window = false;  ///< sliding layers attend to, and cache, the whole context in llama.cpp (Mistral v0.1, Phi-3)
  /// Whether published GGUF files keep the MTP layers. That is as of the model's release: converters began to write them family by family, and
  /// files made before were not made again.
  bool file_holds_mtp = false;
  /// When the model came out, as its catalog entry says ("2025-04-29"); empty: not known. Quantizers and publishers changed their rules at dates.
  std::string release_date;
  bool checkpoint_stores_head = false;  ///< the published checkpoint holds the tied head a second time, and so do files converted from it

  /// Differs between models that build_model made: what is derived from a model and kept for speed goes by it. 0: nothing is kept.
  std::uint64_t identity = 0;

  /// Layers of the model proper that keep a KV cache of their own.
  [[nodiscard]] std::int64_t kv_layers() const;
  [[nodiscard]] ParameterCounts parameters() const;
};

/// Builds the model that `hp.architecture` describes.
/// Throws Error (invalid_file) when a needed hyperparameter is missing or contradictory, naming its key.
[[nodiscard]] Model build_model(const Hyperparameters& hp);

/// Hyperparameters of a Hugging Face config.json (its text). Nested `text_config` is followed; keys that are missing get the
/// default that transformers gives them. `origin` names the file in errors.
/// Throws Error (invalid_file): not JSON, unknown model_type (with "did you mean"), a needed key missing, absurd value.
[[nodiscard]] Hyperparameters hyperparameters_from_config(std::string_view json_text, const std::string& origin);

/// Name of an architecture: as GGUF spells it, and the model_type values of config.json that it serves.
struct ArchitectureInfo {
  std::string_view name;
  std::vector<std::string_view> model_types;
};
/// All described architectures, by name.
[[nodiscard]] std::vector<ArchitectureInfo> architectures();

}  // namespace planner
