// Mamba, Falcon Mamba and Mamba-2: every layer one state-space mixer, no attention and no feed-forward.
// Sources: configuration_mamba.py, configuration_falcon_mamba.py, configuration_mamba2.py (huggingface/transformers); conversion/mamba.py,
// src/models/mamba.cpp, mamba2.cpp (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"
#include "model/state_space.h"

namespace planner {
namespace {

constexpr std::int64_t kExpand = 2;          // inner width over hidden_size
constexpr std::int64_t kStatesPerRank = 16;  // dt_rank "auto": hidden_size / 16, rounded up

void only_mamba(Hyperparameters& hp) {
  hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::mamba);
  hp.ffn_size = 0;  // intermediate_size is the inner width, and GGUF files write a 0
  hp.n_heads = hp.n_kv_heads = hp.head_dim = hp.head_dim_v = hp.rotary_dim = 0;
}

void read_common(const ConfigReader& config, Hyperparameters& hp, std::int64_t state) {
  // Falcon Mamba says expand 16 and means its intermediate_size.
  hp.ssm_inner = config.integer_or({"intermediate_size", "d_inner"}, config.integer_or({"expand"}, kExpand) * hp.hidden_size);
  hp.ssm_state = config.integer_or({"state_size", "d_state"}, state);
  hp.ssm_conv = config.integer_or({"conv_kernel", "d_conv"}, 4);
  read_mamba_options(config, hp, "use_conv_bias", "use_bias");
}

void read_mamba(const ConfigReader& config, Hyperparameters& hp) {
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  read_common(config, hp, 16);
  const auto* rank = config.find({"time_step_rank", "dt_rank"});
  const bool automatic = rank == nullptr || rank->is_string();
  hp.ssm_dt_rank = automatic ? (hp.hidden_size + kStatesPerRank - 1) / kStatesPerRank : config.integer({"time_step_rank", "dt_rank"});
  only_mamba(hp);
}

void read_mamba2(const ConfigReader& config, Hyperparameters& hp) {
  // A saved config states it, whatever it is; in the original Mamba-2 models the head is the embedding table.
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings", "tie_embeddings"}, true);
  read_common(config, hp, 128);
  const std::int64_t head_dim = config.integer_or({"head_dim"}, 64);
  if (head_dim < 1) config.fail("head_dim", "is 0");
  hp.ssm_heads = config.integer_or({"num_heads"}, hp.ssm_inner / head_dim);
  if (hp.ssm_heads * head_dim != hp.ssm_inner) {
    config.fail("num_heads", "times head_dim is " + std::to_string(hp.ssm_heads * head_dim) + ", but the inner width is " + std::to_string(hp.ssm_inner));
  }
  hp.ssm_groups = config.integer_or({"n_groups"}, 8);
  only_mamba(hp);
}

void build_with(ModelBuilder& m, void (*mixer)(ModelBuilder& m)) {
  m.token_embedding();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    mixer(m);
  }
  m.output_norm();
  m.output_head();
}

void build_mamba(ModelBuilder& m) {
  // Falcon Mamba normalizes dt, B and C without weights.
  build_with(m, [](ModelBuilder& b) { b.mamba1(mamba_options(b.hp)); });
}
void build_mamba2(ModelBuilder& m) {
  build_with(m, [](ModelBuilder& b) { b.mamba2(mamba_options(b.hp)); });
}

}  // namespace

extern const Architecture kMamba = {
    .name = "mamba", .model_types = {"mamba", "falcon_mamba"}, .read_config = read_mamba, .complete_gguf = only_mamba, .build = build_mamba};
extern const Architecture kMamba2 = {
    .name = "mamba2", .model_types = {"mamba2"}, .read_config = read_mamba2, .complete_gguf = only_mamba, .build = build_mamba2};

}  // namespace planner
