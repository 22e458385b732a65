// Builds the graph that llama.cpp computes for one batch of tokens: layer by layer out of the model's mixers and feed-forwards, with the parts that
// its tensors show (norms, biases, gates, fused projections). What no tensor shows is in `Style`, family by family.
//
// Source: src/llama-graph.cpp, src/models/ (ggml-org/llama.cpp) of v0.5.0; src/llama.cpp of b4748 for the older generation.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/compute_buffers.h"
#include "engine/graph/graph.h"
#include "planner/model.h"

namespace planner::engine::graph {

/// A tensor's name behind "blk.N.", with a hash that the compiler has computed where the name is a literal: graphs ask for many names. Hash and length
/// tell all names of all architectures apart (compute_buffers_test.cpp).
struct PartName {
  std::string_view text;
  std::uint64_t hash;

  template <std::size_t size>
  consteval PartName(const char (&literal)[size]) : PartName(std::string_view(literal, size - 1)) {}  // NOLINT(google-explicit-constructor)
  constexpr explicit PartName(std::string_view name) : text(name), hash(0xcbf29ce484222325U) {
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  friend constexpr bool operator==(const PartName& a, const PartName& b) { return a.hash == b.hash && a.text.size() == b.text.size(); }
};

struct Part {
  PartName name;
  const planner::Tensor* tensor;
};

/// The layers to lay out, in order: all of a model, or the distinct ones often enough.
struct LayerParts {
  const Layer* layer = nullptr;
  std::int64_t number = 0;  ///< in the model
  std::span<const Part> parts;

  /// Null when there is none.
  [[nodiscard]] const planner::Tensor* find(const PartName& name) const {
    for (const auto& p : parts) {
      if (p.name == name) return p.tensor;
    }
    return nullptr;
  }
  [[nodiscard]] bool has(const PartName& name) const { return find(name) != nullptr; }
  /// Outputs of a projection; 0 when there is none.
  [[nodiscard]] std::int64_t rows(const PartName& name) const {
    const auto* t = find(name);
    return t == nullptr ? 0 : t->shape[1];
  }
};

/// The matrices of a gated or plain feed-forward.
struct DenseNames {
  PartName up = "ffn_up.weight", gate = "ffn_gate.weight", down = "ffn_down.weight";
};
inline constexpr DenseNames kSharedExpert{"ffn_up_shexp.weight", "ffn_gate_shexp.weight", "ffn_down_shexp.weight"};

/// Traits of a family's graph that its tensors do not show.
struct Style {
  enum class Norm : std::uint8_t { rms, layer };
  /// Where the rows are chosen whose logits are wanted.
  enum class OutputRows : std::uint8_t {
    last_layer,    ///< behind the last mixer: its feed-forward sees them alone
    before_norm,   ///< behind the last layer, which may be an output as well
    after_norm,    ///< behind the output norm, which may be an output as well
  };
  /// How mixer, feed-forward and residual of a layer become one: one behind the other, or side by side and then added in this order.
  enum class Joined : std::uint8_t {
    one_after_the_other, feed_forward_residual_mixer, feed_forward_mixer_residual, mixer_feed_forward_residual,
    shared_norm,  ///< the feed-forward reads the mixer's norm where it has none of its own
  };
  enum class Rope : std::uint8_t { all, none, sliding, not_every_fourth };  ///< which layers rotate; sliding: all where none slides

  Norm norm = Norm::rms;
  OutputRows output_rows = OutputRows::last_layer;
  bool hidden_kept = false;           ///< the hidden states are an output as well, for a draft head
  Joined joined = Joined::one_after_the_other;
  bool scaled_queries = false;        ///< queries are scaled before the product instead of in the softmax
  bool scaled_head = false;           ///< the normed states are scaled before the head, beside the output
  bool final_softcap = false;         ///< tanh over the logits
  bool residual_first = false;        ///< the sum behind the feed-forward starts with the residual
  bool mixer_residual_first = false;  ///< the same behind the mixer
  bool norm_first = false;            ///< the norm before the mixer is computed before the mixer's states are read
  bool normed_weights = true;         ///< the chosen experts' weights are scaled to sum to one
  bool weighted_input = false;        ///< experts' weights multiply what goes in, not what comes out
  bool tempered_queries = false;      ///< queries that do not rotate are scaled by position
  bool router_first = false;          ///< the router reads the layer's input
  bool rope_before_norm = false;      ///< queries and keys are rotated, then normalized
  Rope rope = Rope::all;
  bool added_positions = false;       ///< a table of positions is added to the embeddings
  bool norm_is_residual = false;      ///< what the norms give is what the sums start from (MiniMax-01)
  bool unweighted_norms = false;      ///< norms without weights
  std::int64_t positions_per_token = 1;  ///< 4: M-RoPE
};
[[nodiscard]] Style style_of(const Hyperparameters& hp);
/// Whether the family was laid out after the engine's source.
[[nodiscard]] bool is_known(const Hyperparameters& hp);

/// Where things lie, for a graph that is to be divided; null in a Builder: all in one place.
struct Division {
  const DevicePlan& plan;
  std::span<const std::int64_t> tensor_bytes;  ///< by the model's tensors
};

/// What is computed at once.
struct Batch {
  std::int64_t tokens = 0, sequences = 1, outputs = 0;
};

class Builder {
 public:
  Builder(Graph& graph, const Model& model, std::span<const LayerParts> layers, const GraphOptions& options, const Batch& batch,
          const Division* division = nullptr);

  void build();

 private:
  /// Inputs that tell attention where to write and what to see.
  struct CacheInput {
    Id k_rows = kNone, v_rows = kNone, mask = kNone, k_rotation = kNone, v_rotation = kNone;
    std::int64_t cells = 0;
    bool has_v = true;
  };
  /// Shape of one attention over a cache.
  struct Heads {
    std::int64_t q = 0, kv = 0, dim_k = 0, dim_v = 0;
    std::int64_t cached_v = 0;   ///< row of the V cache where it is wider than kv * dim_v
    std::int64_t latent_v = 0;   ///< > 0: V is the first `latent_v` of K, expanded to `dim_v` behind the product (MLA)
    bool q_k_v_order = false;    ///< the order in which the three enter the graph: Q, K, V instead of Q, V, K
  };

  // --- places (only where the graph is to be divided) -------------------------------------------------------------------
  void enter(const LayerParts& p);    ///< what is added from now on belongs to the layer
  void leave();                       ///< ... to the head
  /// The weight as a source where it may have to be copied; kNone where it is with its operation.
  Id stored(const planner::Tensor* t, Place where);
  Id cached(std::int64_t bytes) { return division_ != nullptr ? g_.stored(bytes, cache_place_, false) : kNone; }
  /// A write into the layer's cache.
  void write(std::initializer_list<Id> sources);

  // --- inputs ---------------------------------------------------------------------------------------------------------
  Id embedded_tokens();
  Id positions();
  void cache_inputs();
  Id mask_input(std::int64_t cells, std::int64_t tokens, std::int64_t streams);
  CacheInput cache_input(std::int64_t cells, std::int64_t head_k, std::int64_t head_v, bool has_v, std::int64_t widest_v);
  const CacheInput& cache_of(const Attention& a) const { return a.window > 0 && has_sliding_ ? sliding_ : full_; }

  // --- parts ----------------------------------------------------------------------------------------------------------
  Id norm(Id a);                      ///< normalization and weight
  Id norm(Id a, const LayerParts& p, const PartName& name);  ///< by the weight's name: what it lacks is left out
  Id linear(const LayerParts& p, const PartName& name, Id a);   ///< weight and bias
  Id multiply(const planner::Tensor* t, Id a);                   ///< by a weight that may be missing from the file: nothing is known of its bytes then
  Id rope(Id a) { return rotates_ ? g_.elementwise({a, pos_}) : a; }
  Id qk_norm(const LayerParts& p, const PartName& name, Id a, std::int64_t heads, std::int64_t dim);
  Id attend(const CacheInput& in, Id q, Id k, Id v, const Heads& heads);
  Id attention_product(const CacheInput& in, Id q, const Heads& heads, Id mask);
  void write_k(const CacheInput& in, Id k);
  void write_v(const CacheInput& in, Id v, const Heads& heads);
  Id rotate(Id a, Id rotation);
  [[nodiscard]] bool has_unsplit_kv_b() const;
  Id output_rows(Id a) { return g_.get_rows(a, out_ids_); }

  // --- mixers -----------------------------------------------------------------------------------------------------------
  Id mix(const LayerParts& p, const Mixer& mixer, Id a);
  Id attention(const LayerParts& p, const Attention& m, Id a);
  Id mla(const LayerParts& p, const MlaAttention& m, Id a);
  Id ik_mla(const LayerParts& p, const MlaAttention& m, Id q_plain, Id q_rope, Id k_rope, Id latent);
  Id indexer(const LayerParts& p, const MlaAttention& m, Id compressed_q, Id a);
  Id choose_cells(Id chosen);
  Id mamba1(const LayerParts& p, const Mamba& m, Id a);
  Id mamba2(const LayerParts& p, const Mamba& m, Id a);
  Id delta_net(const LayerParts& p, const LinearAttention& m, Id a);
  Id kimi_delta(const LayerParts& p, const LinearAttention& m, Id a);
  Id lightning(const LayerParts& p, const LinearAttention& m, Id a);
  Id short_conv(const LayerParts& p, const ShortConv& m, Id a);
  /// A recurrent state's rows for the sequences of the batch; `read` makes them (a gather, or an operation that gathers itself).
  template <typename Read>
  Id state_rows(std::int64_t elements, Read read);
  Id state_rows(std::int64_t elements);
  Id gated_norm(const LayerParts& p, Id a, const PartName& name, Id gate);

  // --- feed-forwards ------------------------------------------------------------------------------------------------------
  Id feed_forward(const LayerParts& p, Id a, Id router = kNone);
  Id dense(const LayerParts& p, Id a, const DenseNames& names = {});
  Id experts(const LayerParts& p, const MoeFfn& m, Id a, Id logits = kNone);

  // --- whole models -------------------------------------------------------------------------------------------------------
  void transformer();
  void gemma3n();
  Id gemma4_layer(const LayerParts& p, Id in);
  Id gemma4_feed_forward(const LayerParts& p, Id a);
  Id per_layer_embeddings(Id embedded);
  Id slice(Id a, std::int64_t i);     ///< one plane of a three-dimensional tensor
  Id layer(const LayerParts& p, Id in, bool last);
  [[nodiscard]] bool rotates(const LayerParts& p) const;
  [[nodiscard]] const planner::Tensor* head_weight() const;  ///< the table where it is tied
  void head(Id a);

  Graph& g_;
  const Model& model_;
  const Hyperparameters& hp_;
  std::span<const LayerParts> layers_;
  const GraphOptions& o_;
  const Division* division_;
  Place layer_place_ = kAnywhere, expert_place_ = kAnywhere, cache_place_ = kAnywhere;
  bool in_layer_ = false;
  Style style_;
  std::int64_t n_, seqs_, n_out_;
  bool old_ = false;
  bool rotates_ = true;  ///< whether the layer at hand rotates
  std::int64_t hidden_;
  std::int64_t widest_v_ = 0;  ///< row of the V cache, which is the same in every layer without flash attention
  Id tokens_ = kNone, pos_ = kNone, out_ids_ = kNone;
  CacheInput full_, sliding_, indexer_;
  Id sequences_ = kNone, sequences_main_ = kNone, sequences_extra_ = kNone;  ///< which state belongs to which sequence
  Id temperature_ = kNone;  ///< scale of queries by position
  Id chosen_ = kNone;      ///< cells that the last indexer chose
  Id slopes_ = kNone, q_decay_ = kNone, k_decay_ = kNone, diagonal_decay_ = kNone;  ///< of lightning attention
  Id per_layer_ = kNone;   ///< embeddings of every layer's own
  bool has_sliding_ = false;
};

}  // namespace planner::engine::graph
