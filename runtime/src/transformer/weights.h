// The weights of a model as the forward pass wants them: big matrices are views of the file, vectors are copies in single precision.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "planner/model.h"
#include "runtime/model_file.h"
#include "transformer/rope.h"
#include "transformer/traits.h"

namespace planner::runtime {

struct Linear {
  Matrix matrix;
  std::vector<float> bias;  ///< empty: none
};

/// Empty: no norm there.
using NormWeights = std::vector<float>;

/// Softmax attention with keys and values per KV head.
struct AttentionWeights {
  Linear q, k, v;
  NormWeights q_norm, k_norm;
  QkNorm qk_norm = QkNorm::none;
};

/// Multi-head latent attention, absorbed: queries are taken into the latent space, where one row per token is key and (its begin) value.
struct MlaWeights {
  Linear q_a, q_b;  ///< q_a may be absent: q_b then reads the layer's input
  NormWeights q_a_norm;
  Linear kv_a;  ///< to the latent row and the rotated key
  NormWeights kv_a_norm;
  std::vector<Matrix> k_b;        ///< per head: a query's unrotated part to the latent space
  std::vector<Matrix> v_b;        ///< per head: the latent space to a value
  std::vector<float> k_b_values;  ///< of files that hold attn_kv_b: the transposed key part, which no view can give
  std::int64_t latent = 0, unrotated = 0, rotated = 0, value = 0;
};

struct DenseWeights {
  Linear gate, up, down;
};

struct MoeWeights {
  Linear router;
  std::vector<float> selection_bias;  ///< added to the probabilities for the choice alone (DeepSeek V3)
  Linear gate, up, down;              ///< stacks of n_experts; biases too
  std::int64_t n_experts = 0, n_active = 0, size = 0;
  std::int64_t n_groups = 1, n_active_groups = 1;
  Routing routing = Routing::softmax;
  bool normalizes = false;
  float scale = 1;
  std::optional<DenseWeights> shared;
};

struct LayerWeights {
  NormWeights attention_norm, attention_out_norm, ffn_norm, ffn_out_norm;
  std::variant<AttentionWeights, MlaWeights> mixer;
  Linear output;
  std::vector<float> sinks;
  std::variant<DenseWeights, MoeWeights> ffn;

  // Attention as the cache sees it.
  std::int64_t n_heads = 0, n_kv_heads = 0, head_dim = 0, head_dim_v = 0;
  std::int64_t window = 0;      ///< 0: all
  bool values_in_keys = false;  ///< MLA: a value is the begin of the key's row
  bool rotates = true;
  float score_scale = 1;
};

struct Weights {
  const ArchitectureTraits* traits = nullptr;
  Hyperparameters hp;
  RopeSettings rope;
  float epsilon = 1e-5F;
  float embedding_scale = 1;
  float attention_softcap = 0, final_softcap = 0, logit_scale = 1;
  Matrix embedding;
  NormWeights output_norm;
  Matrix head;  ///< the embedding table where they are tied
  std::vector<float> head_bias;
  std::vector<LayerWeights> layers;
};

/// Reads the weights of `file`, which `description` describes.
/// Throws Error (invalid_file): an architecture or a part that the runtime does not compute (named); a tensor that is missing, of another
/// shape, or of a format that has no kernels.
[[nodiscard]] Weights read_weights(const ModelFile& file, const Model& description);

}  // namespace planner::runtime
