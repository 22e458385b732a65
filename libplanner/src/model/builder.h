// The vocabulary in which architectures are described: each call adds what it names to the layer under construction (what
// it computes and caches) and its tensors to the list (GGUF names, GGUF shapes: the row length first).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "planner/model.h"

namespace planner {

struct AttentionOptions {
  QkNorm qk_norm = QkNorm::none;
  bool norm_bias = false;    ///< the Q and K norms have biases (LayerNorm)
  bool fused_qkv = false;    ///< one attn_qkv tensor instead of three
  bool sinks = false;        ///< attn_sinks: a logit per head
  bool gated = false;        ///< attn_q yields query and gate: twice the rows
  bool v_is_k = false;       ///< no attn_v tensor
  std::int64_t shares_kv_of = -1;    ///< no K, V tensors and no cache of its own
  bool shared_kv_stored = false;     ///< the K and V tensors are there all the same (checkpoints of Gemma 3n and 4)
  bool cached = true;                ///< false: an encoder's attention, which keeps nothing; the layer gets the tensors, no mixer
  std::int64_t cross_tokens = 0;     ///< attends to so many image tokens instead of the text
  std::int64_t indexer_head_dim = 0;  ///< a sparse-attention indexer caches a key of this width; its tensors are the description's
};

struct MlaOptions {
  bool indexer = true;       ///< the layer has the indexer that hp.indexer_heads asks for; false: it follows an earlier layer's choice
  bool unsplit_kv_b = false;  ///< one attn_kv_b instead of attn_k_b and attn_v_b: the form of files from before April 2025, which cache full heads
};

struct NextnOptions {
  bool embed_tokens = true;  ///< a copy of the embedding table
  bool head = true;          ///< a copy of the output head
  bool head_norm = true;     ///< a norm before the head
};

struct MambaOptions {
  bool inner_norms = false;  ///< Mamba-1: norms on dt, B and C (Jamba)
  bool norm = true;          ///< Mamba-2: a norm before the output projection, per group
  bool conv_bias = true;     ///< bias of the convolution
  bool proj_bias = false;    ///< biases of the input and output projections
};

struct DenseOptions {
  bool gated = true;         ///< false: ffn_up and ffn_down alone
  bool fused_gate_up = false;  ///< gate and up in one ffn_up tensor of twice the rows (Phi-3, GLM-4)
  std::int64_t size = 0;     ///< 0: hp.ffn_size, or hp.ffn_per_layer where given
};

struct MoeOptions {
  bool gated = true;
  bool correction_bias = false;  ///< exp_probs_b: a bias per expert that steers the routing (DeepSeek-V3 and kin)
  bool correction_is_buffer = false;  ///< the correction bias is a buffer of the checkpoint: stored, no parameter (LFM2, Nemotron 3)
  bool shared_gate = false;      ///< ffn_gate_inp_shexp: a gate before the shared expert (Qwen2-MoE)
  bool expert_bias = false;      ///< biases in the experts and on the router (gpt-oss)
  bool fused_gate_up = false;    ///< ffn_gate_up_exps: gate and up of the experts in one tensor
  std::int64_t expert_input = 0;  ///< input width of the experts where it is not hidden_size (Nemotron-3 latent experts)
};

class ModelBuilder {
 public:
  explicit ModelBuilder(const Hyperparameters& hyperparameters);

  const Hyperparameters& hp;

  // --- outside the layers -------------------------------------------------------------------------------------------
  void token_embedding();                   ///< token_embd.weight [hidden, vocab]
  void output_norm(bool bias = false);      ///< output_norm.weight [hidden]
  void output_head(bool bias = false);      ///< output.weight [hidden, vocab], unless the embeddings are tied
  /// rope_freqs.weight [rotary_dim / 2] where scaling is llama3; rope_factors_long and _short where it is longrope. Derived by
  /// the converter: stored, but no parameters.
  void rope_factors();
  /// A tensor outside the layers; `name` is the whole GGUF name.
  void global_tensor(const std::string& name, std::initializer_list<std::int64_t> shape);
  /// A table outside the layers that is looked up by row (position embeddings, per-layer embeddings).
  void global_table(const std::string& name, std::initializer_list<std::int64_t> shape);

  // --- layers -------------------------------------------------------------------------------------------------------
  /// Starts the next layer and returns its number. Everything below belongs to it until the next begin_layer.
  std::int64_t begin_layer();
  /// Starts the next multi-token-prediction layer (numbered after the model proper); its tensors are of ModelPart::mtp.
  std::int64_t begin_mtp_layer(LayerKind layer_kind = LayerKind::full_attention);
  [[nodiscard]] std::int64_t layer() const { return layer_; }
  [[nodiscard]] LayerKind kind() const;  ///< hp.layer_kinds of the current layer; begin_mtp_layer's in MTP layers

  /// NAME.weight (and NAME.bias) of `size` (0: hidden_size): "attn_norm", "ffn_norm", "post_attention_norm" ...
  void norm(const std::string& name, bool bias = false, std::int64_t size = 0);
  /// A tensor of the layer: "blk.N." + name. For what no call below covers. Parameters unless a RoPE factor.
  void tensor(const std::string& name, std::initializer_list<std::int64_t> shape);
  /// A tensor of the layer that is stored but no parameter: the converter makes it up (RWKV-7's unused first value residual), or it is a
  /// buffer of the checkpoint (Gemma 4's scale on a layer's output).
  void filler_tensor(const std::string& name, std::initializer_list<std::int64_t> shape);
  /// NAME.weight [in, out] and, with `bias`, NAME.bias [out].
  void linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias = false);

  /// Softmax attention of the layer's kind (full, sliding, chunked, cross), by hp: attn_q, attn_k, attn_v, attn_output, with the
  /// biases that hp.attention_bias and hp.attention_out_bias ask for.
  void attention(const AttentionOptions& options = {});
  /// Multi-head latent attention: attn_q_a/b (or attn_q), attn_kv_a_mqa, attn_k_b, attn_v_b, attn_output, norms, the indexer.
  void mla(const MlaOptions& options = {});
  /// What joins a multi-token-prediction layer to the model: nextn.eh_proj, enorm, hnorm, and the copies that `options` names.
  void nextn(const NextnOptions& options = {});
  /// Mamba-1 by hp.ssm_*: ssm_in, ssm_conv1d, ssm_x, ssm_dt, ssm_a, ssm_d, ssm_out.
  void mamba1(const MambaOptions& options = {});
  /// Mamba-2 by hp.ssm_*: ssm_in, ssm_conv1d, ssm_dt (a bias alone), ssm_a, ssm_d, ssm_norm, ssm_out.
  void mamba2(const MambaOptions& options = {});
  /// Records a mixer whose tensors the description lists itself (a linear attention variant, RWKV, a short convolution).
  void mixer(const Mixer& m);

  /// Dense feed-forward: ffn_gate, ffn_up, ffn_down; biases by hp.mlp_bias.
  void dense(const DenseOptions& options = {});
  /// Router, stacked routed experts, and the shared experts where hp.shared_ffn_size > 0.
  void moe(const MoeOptions& options = {});
  /// moe(options) where hp says that the current layer routes, dense() elsewhere.
  void moe_or_dense(const MoeOptions& options = {}, const DenseOptions& dense_options = {});
  /// Whether hp says that layer `i` routes.
  [[nodiscard]] bool routes(std::int64_t i) const;
  /// Records a feed-forward whose tensors the description lists itself.
  void feed_forward(const FeedForward& f);

  // --- towers beside the text model ---------------------------------------------------------------------------------
  /// A tensor of the vision or audio tower, by its name in a projector (mmproj) file; never part of the model's own file.
  void tower_tensor(ModelPart part, const std::string& name, std::initializer_list<std::int64_t> shape, bool is_parameter = true);

  [[nodiscard]] Model finish();

 private:
  Tensor& add(const std::string& name, std::initializer_list<std::int64_t> shape);
  [[nodiscard]] std::string in_layer(const std::string& name) const;
  [[nodiscard]] std::int64_t n_heads_here() const;
  [[nodiscard]] std::int64_t n_kv_heads_here() const;
  void expert_tensor(const std::string& name, std::initializer_list<std::int64_t> shape);

  /// What a tensor's name says. Blocks repeat their names, so it is looked up once for all blocks.
  struct NameTraits {
    TensorRole role;
    Storage storage;
    std::int32_t n_dims;  ///< for which it holds
  };
  NameTraits traits_of(const Tensor& t);

  Model model_;
  std::map<std::string, NameTraits, std::less<>> block_traits_;
  std::int64_t layer_ = -1;
  bool in_mtp_ = false;
  LayerKind mtp_kind_ = LayerKind::full_attention;
};

/// How a tensor of this name and rank is stored: the converter's and the quantizer's rules by name.
/// Source: convert_hf_to_gguf (prepare_tensors) and src/llama-quant.cpp (tensor_allows_quantization) of ggml-org/llama.cpp.
[[nodiscard]] Storage storage_of(std::string_view name, std::int32_t n_dims);
/// The quantizer's category of a tensor name (tensor_get_category in src/llama-quant.cpp).
[[nodiscard]] TensorRole role_of(std::string_view name);

}  // namespace planner
