// config.json -> Hyperparameters: the keys that most families share, then the family's own.

#include "planner/hyperparameters.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "model/architecture.h"
#include "planner/error.h"
#include "planner/model.h"

namespace planner {

std::int64_t Hyperparameters::extra(const std::string& key) const {
  for (const auto& e : extras) {
    if (e.key == key) return e.value;
  }
  throw Error(ErrorKind::invalid_file, "the geometry is incomplete: architecture '" + architecture + "' needs '" + key + "'");
}

std::int64_t Hyperparameters::extra_or(const std::string& key, std::int64_t otherwise) const {
  for (const auto& e : extras) {
    if (e.key == key) return e.value;
  }
  return otherwise;
}

namespace {

constexpr std::int64_t kMostLayers = 4096;

RopeScaling rope_scaling_of(const ConfigReader& config) {
  auto scaling = config.object("rope_scaling");
  if (!scaling) scaling = config.object("rope_parameters");
  if (!scaling) return RopeScaling::none;
  const std::string type = scaling->string_or({"rope_type", "type"}, "default");
  if (type == "linear") return RopeScaling::linear;
  if (type == "dynamic") return RopeScaling::dynamic;
  if (type == "llama3") return RopeScaling::llama3;
  if (type == "yarn") return RopeScaling::yarn;
  if (type == "longrope" || type == "su") return RopeScaling::longrope;
  return RopeScaling::none;
}

/// A number that some configs give once per layer: the first layer's. Families whose layers differ read the list themselves.
std::int64_t integer_or_first(const ConfigReader& c, ConfigReader::Keys keys, std::int64_t otherwise) {
  const auto* value = c.find(keys);
  if (value == nullptr || !value->is_array()) return c.integer_or(keys, otherwise);
  const auto list = c.integers(keys);
  return list.empty() ? otherwise : list.front();
}

/// num_hidden_layers, or the length of the list where a config only lists its layers (Nemotron 3 Ultra).
std::int64_t layer_count(const ConfigReader& c) {
  const ConfigReader::Keys keys = {"num_hidden_layers", "n_layer", "num_layers", "n_layers"};
  const auto* listed = c.find({"layers_block_type"});
  if (c.find(keys) == nullptr && listed != nullptr && listed->is_array()) return static_cast<std::int64_t>(listed->size());
  return c.integer(keys);
}

/// Keys that mean the same in every family that has them. Nothing here is required: a family's builder complains.
void read_common_config(const ConfigReader& c, Hyperparameters& hp) {
  hp.n_layers = layer_count(c);
  if (hp.n_layers < 1 || hp.n_layers > kMostLayers) {
    c.fail("num_hidden_layers", "is " + std::to_string(hp.n_layers) + ", expected 1 to " + std::to_string(kMostLayers));
  }
  hp.hidden_size = c.integer({"hidden_size", "n_embd", "n_embed", "d_model", "hidden_dim"});
  hp.vocab_size = c.integer_or({"vocab_size"}, 0);  // checked when the family had its say: Gemma 3 may leave it out
  hp.context_length = c.integer_or({"max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "model_max_length", "max_seq_len"}, 0);
  hp.tied_embeddings = c.boolean_or({"tie_word_embeddings", "tie_embedding"}, false);

  hp.n_heads = c.integer_or({"num_attention_heads", "n_head", "n_heads"}, 0);
  hp.n_kv_heads = c.integer_or({"num_key_value_heads", "n_head_kv", "num_kv_heads"}, hp.n_heads);
  hp.head_dim = c.integer_or({"head_dim"}, hp.n_heads > 0 ? hp.hidden_size / hp.n_heads : 0);
  hp.head_dim_v = c.integer_or({"v_head_dim"}, hp.head_dim);
  hp.sliding_window = c.integer_or({"sliding_window", "sliding_window_size"}, 0);
  hp.kv_shared_layers = c.integer_or({"num_kv_shared_layers"}, 0);
  double partial = c.number_or({"partial_rotary_factor", "rotary_pct"}, 1.0);
  if (const auto rope = c.object("rope_parameters")) partial = rope->number_or({"partial_rotary_factor"}, partial);
  hp.rotary_dim = static_cast<std::int64_t>(static_cast<double>(hp.head_dim) * partial);
  hp.rope_scaling = rope_scaling_of(c);
  hp.attention_bias = c.boolean_or({"attention_bias", "qkv_bias", "use_qkv_bias"}, false);
  hp.mlp_bias = c.boolean_or({"mlp_bias"}, false);
  hp.layer_kinds = layer_kinds_from_config(c, hp.n_layers);

  hp.q_lora_rank = c.integer_or({"q_lora_rank"}, 0);
  hp.kv_lora_rank = c.integer_or({"kv_lora_rank"}, 0);
  hp.qk_nope_head_dim = c.integer_or({"qk_nope_head_dim"}, 0);
  hp.qk_rope_head_dim = c.integer_or({"qk_rope_head_dim"}, 0);
  hp.v_head_dim = c.integer_or({"v_head_dim"}, 0);
  hp.indexer_heads = c.integer_or({"index_n_heads"}, 0);
  hp.indexer_head_dim = c.integer_or({"index_head_dim"}, 0);
  hp.indexer_top_k = c.integer_or({"index_topk"}, 0);

  if (const auto* size = c.find({"intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim"}); size != nullptr && size->is_array()) {
    hp.ffn_per_layer = c.integers({"intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim"});
    hp.ffn_size = hp.ffn_per_layer.empty() ? 0 : hp.ffn_per_layer.front();
  } else {
    hp.ffn_size = c.integer_or({"intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim"}, 0);
  }
  hp.activation = c.string_or({"hidden_act", "hidden_activation", "activation_function", "mlp_hidden_act"}, "");
  hp.n_experts = c.integer_or({"num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"}, 0);
  hp.n_experts_active = integer_or_first(c, {"num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk", "top_k_experts"}, 0);
  hp.expert_ffn_size = integer_or_first(c, {"moe_intermediate_size", "expert_ffn_hidden_size"}, hp.n_experts > 0 ? hp.ffn_size : 0);
  hp.n_shared_experts = integer_or_first(c, {"n_shared_experts", "num_shared_expert", "num_shared_experts", "moe_num_shared_experts"}, 0);
  hp.shared_ffn_size = c.integer_or({"shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"}, hp.n_shared_experts * hp.expert_ffn_size);
  hp.n_dense_leading = c.integer_or({"first_k_dense_replace"}, 0);
  hp.n_mtp_layers = c.integer_or({"num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers"}, 0);
  if (hp.n_mtp_layers > kMostLayers) c.fail("num_nextn_predict_layers", "is more than any model has");
}

nlohmann::json parse_json(std::string_view json_text, const std::string& origin) {
  try {
    auto json = nlohmann::json::parse(json_text);
    if (!json.is_object()) throw Error(ErrorKind::invalid_file, origin + ": not a config.json: the top level is not an object");
    return json;
  } catch (const nlohmann::json::parse_error& e) {
    throw Error(ErrorKind::invalid_file, origin + ": not JSON (byte " + std::to_string(e.byte) + ")");
  }
}

/// The object that describes the text model: `text_config` of a multimodal config, with what only the outer object says.
nlohmann::json text_config_of(const nlohmann::json& root) {
  for (const char* key : {"text_config", "language_config", "llm_config"}) {
    const auto it = root.find(key);
    if (it == root.end() || !it->is_object()) continue;
    nlohmann::json text = *it;
    // transformers reads the outer model's tie where the inner one is silent.
    if (!text.contains("tie_word_embeddings") && root.contains("tie_word_embeddings")) text["tie_word_embeddings"] = root["tie_word_embeddings"];
    for (const char* tower : {"vision_config", "audio_config", "quantization_config", "spatial_merge_size", "multimodal_projector_bias"}) {
      if (root.contains(tower) && !text.contains(tower)) text[tower] = root[tower];
    }
    if (!text.contains("model_type") && root.contains("model_type")) text["model_type"] = root["model_type"];
    return text;
  }
  return root;
}

const Architecture& architecture_for(const nlohmann::json& root, const nlohmann::json& text, const std::string& origin) {
  std::vector<std::string> tried;
  for (const auto* config : {&root, &text}) {
    const auto it = config->find("model_type");
    if (it == config->end() || !it->is_string()) continue;
    tried.push_back(it->get<std::string>());
    if (const auto* a = find_architecture_of_model_type(tried.back())) return *a;
  }
  if (tried.empty()) throw Error(ErrorKind::invalid_file, origin + ": config lacks 'model_type'");
  std::vector<std::string> known;
  for (const auto* a : architecture_table()) known.insert(known.end(), a->model_types.begin(), a->model_types.end());
  throw Error(ErrorKind::invalid_file, origin + ": unknown model_type '" + tried.back() + "'" + text::did_you_mean(tried.back(), known));
}

}  // namespace

Hyperparameters hyperparameters_from_config(std::string_view json_text, const std::string& origin) {
  const auto root = parse_json(json_text, origin);
  const auto text = text_config_of(root);
  const auto& architecture = architecture_for(root, text, origin);

  const ConfigReader config(text, origin);
  Hyperparameters hp;
  hp.architecture = architecture.name;
  hp.model_type = config.string_or({"model_type"}, "");
  read_common_config(config, hp);
  if (architecture.read_config != nullptr) architecture.read_config(config, hp);
  if (hp.vocab_size == 0) config.require({"vocab_size"});
  if (hp.layer_kinds.empty()) hp.layer_kinds = uniform_layers(hp.n_layers, LayerKind::full_attention);
  return hp;
}

}  // namespace planner
