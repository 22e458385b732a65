// Granite 3 and 4.1 and their mixtures of experts: Llama and Mixtral with scaled embeddings, residuals and logits, which change no shape.
// The shared variant has an expert that always runs. Sources: modeling_granite.py, modeling_granitemoe.py, modeling_granitemoeshared.py
// (huggingface/transformers); src/models/granite.cpp, granite-moe.cpp, conversion/granite.py (ggml-org/llama.cpp).
#include "model/architecture.h"
#include "model/builder.h"

namespace planner {
namespace {

void read_granite(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_attention_heads", "num_key_value_heads", "intermediate_size"});
  // GraniteConfig unties where the config is silent; every released Granite ties and says so, and only copies that left the key out are
  // silent.
  hp.tied_embeddings = config.boolean_or({"tie_word_embeddings"}, true);
  hp.attention_out_bias = hp.attention_bias;
  hp.sliding_window = 0;
}

void read_granite_moe(const ConfigReader& config, Hyperparameters& hp) {
  config.require({"num_local_experts", "num_experts_per_tok"});
  read_granite(config, hp);
  hp.expert_ffn_size = hp.ffn_size;
  hp.shared_ffn_size = config.integer_or({"shared_intermediate_size"}, 0);
}

void complete_granite_moe(Hyperparameters& hp) { hp.expert_ffn_size = hp.ffn_size; }

void build(ModelBuilder& m) {
  m.token_embedding();
  m.rope_factors();
  for (std::int64_t i = 0; i < m.hp.n_layers; ++i) {
    m.begin_layer();
    m.norm("attn_norm");
    m.attention();
    m.norm("ffn_norm");
    m.moe_or_dense();
  }
  m.output_norm();
  m.output_head();
}

}  // namespace

extern const Architecture kGranite = {.name = "granite", .model_types = {"granite"}, .read_config = read_granite, .build = build};
extern const Architecture kGraniteMoe = {.name = "granitemoe",
                                         .model_types = {"granitemoe", "granitemoeshared"},
                                         .read_config = read_granite_moe,
                                         .complete_gguf = complete_granite_moe,
                                         .build = build};

}  // namespace planner
