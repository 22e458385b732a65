// GGUF metadata -> Hyperparameters: the keys that most families share, what the tensors tell, then the family's own.
// Source of the keys: gguf-py/gguf/constants.py and src/llama-arch.cpp (ggml-org/llama.cpp).
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "import/gguf_index.h"
#include "import/gguf_layers.h"
#include "import/gguf_reader.h"
#include "model/architecture.h"
#include "planner/error.h"
#include "planner/gguf.h"

namespace planner {
namespace {

// Beyond every model; descriptions multiply these numbers, and no product may overflow.
constexpr std::int64_t kMostSize = std::int64_t{1} << 20;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 40;  // lengths in tokens are not multiplied with each other
constexpr std::int64_t kMostExtra = std::int64_t{1} << 28;
constexpr std::size_t kMostListed = 8192;  // elements of a list that go to the extras

/// The architecture's own keys, checked for type and range.
class Keys {
 public:
  Keys(const GgufFile& file, std::string_view architecture) : file_(&file), prefix_(std::string(architecture) + ".") {}

  [[noreturn]] void fail(std::string_view key, const std::string& problem) const {
    throw Error(ErrorKind::invalid_file, printable_path(file_->path) + ": key '" + printable(prefix_ + std::string(key)) + "' " + problem);
  }

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Of a list the largest: some keys are given once per layer where layers differ.
  [[nodiscard]] std::int64_t integer_or(std::string_view key, std::int64_t otherwise, std::int64_t most = kMostSize) const {
    const auto list = integers(key, most);
    return list.empty() ? otherwise : *std::max_element(list.begin(), list.end());
  }

  [[nodiscard]] std::int64_t integer(std::string_view key) const {
    if (!has(key)) fail(key, "is absent");
    return integer_or(key, 0);
  }

  [[nodiscard]] std::string string_or(std::string_view key, std::string_view otherwise) const {
    return std::string(file_->find_string(prefix_ + std::string(key)).value_or(otherwise));
  }

  /// A list, or one element of a plain value; empty when absent.
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key, std::int64_t most = kMostSize) const {
    const auto* value = find(key);
    if (value == nullptr) return {};
    const std::string full = prefix_ + std::string(key);
    auto list = is_list(key) ? file_->integers(full) : std::vector<std::int64_t>{*file_->find_integer(full)};
    for (const auto n : list) {
      if (n < 0 || n > most) fail(key, "is " + std::to_string(n) + ", expected 0 to " + std::to_string(most));
    }
    return list;
  }

  [[nodiscard]] bool is_list(std::string_view key) const {
    const auto* value = find(key);
    return value != nullptr && value->type == GgufType::array;
  }

  /// One entry per layer; empty unless the key is a list. Entries for layers behind the model proper are dropped.
  [[nodiscard]] std::vector<std::int64_t> per_layer(std::string_view key, std::int64_t n_layers) const {
    if (!is_list(key)) return {};
    auto list = integers(key);
    const auto n = static_cast<std::size_t>(n_layers);
    if (list.size() < n) fail(key, "has " + std::to_string(list.size()) + " entries for " + std::to_string(n) + " layers");
    list.resize(n);
    return list;
  }

 private:
  [[nodiscard]] const GgufValue* find(std::string_view key) const { return file_->find(prefix_ + std::string(key)); }

  const GgufFile* file_;
  std::string prefix_;
};

std::string architecture_of(const GgufFile& file) {
  const auto fail = [&](const std::string& problem) { throw Error(ErrorKind::invalid_file, printable_path(file.path) + ": " + problem); };
  const auto type = file.find_string("general.type").value_or("model");
  if (type == "adapter") fail("holds an adapter (general.type), expected a model");
  if (type == "imatrix") fail("holds an importance matrix (general.type), expected a model");
  const auto architecture = file.find_string("general.architecture");
  if (type == "mmproj" || architecture == "clip") fail("holds a projector for images or sound (mmproj), expected the text model");
  if (!architecture || architecture->empty()) fail("key 'general.architecture' is absent");
  return std::string(*architecture);
}

/// block_count counts multi-token-prediction layers in most files, but not in all, and not all files have their tensors: the tensors
/// decide.
void read_layer_count(const Keys& keys, const GgufIndex& index, Hyperparameters& hp) {
  const std::int64_t counted = keys.integer("block_count");
  if (counted < 1 || counted > kMostGgufLayers) {
    keys.fail("block_count", "is " + std::to_string(counted) + ", expected 1 to " + std::to_string(kMostGgufLayers));
  }
  const std::int64_t mtp = keys.integer_or("nextn_predict_layers", 0);
  if (mtp >= counted) keys.fail("nextn_predict_layers", "is " + std::to_string(mtp) + " of " + std::to_string(counted) + " layers");

  const std::int64_t held = index.n_layers();
  const std::int64_t without = counted - mtp;
  bool marked = false;
  for (std::int64_t i = without; i < held; ++i) marked = marked || index.has_prefix(i, "nextn.");
  if (held > counted) {
    hp.n_layers = counted;
    hp.n_mtp_layers = held - counted;
  } else if (held == 0 || marked) {
    hp.n_layers = without;
    hp.n_mtp_layers = mtp;
  } else {
    hp.n_layers = held <= without ? without : counted;
  }
}

RopeScaling rope_scaling_of(const Keys& keys, const GgufIndex& index) {
  if (index.find("rope_freqs.weight") != nullptr) return RopeScaling::llama3;
  if (index.find("rope_factors_long.weight") != nullptr || index.any_layer_has("rope_factors_long.weight")) return RopeScaling::longrope;
  const auto type = keys.string_or("rope.scaling.type", "none");
  if (type == "linear") return RopeScaling::linear;
  if (type == "yarn") return RopeScaling::yarn;
  if (type == "longrope") return RopeScaling::longrope;
  return RopeScaling::none;
}

/// A number that may differ from layer to layer: the list goes to `list` only where it does.
std::int64_t take_per_layer(const Keys& keys, std::string_view key, std::int64_t otherwise, std::int64_t n_layers,
                            std::vector<std::int64_t>& list) {
  auto entries = keys.per_layer(key, n_layers);
  if (entries.empty()) return keys.integer_or(key, otherwise);
  const auto [least, most] = std::minmax_element(entries.begin(), entries.end());
  const std::int64_t largest = *most;
  if (*least != largest) list = std::move(entries);
  return largest;
}

void read_sizes(const GgufFile& file, const Keys& keys, const GgufIndex& index, Hyperparameters& hp) {
  hp.hidden_size = keys.integer("embedding_length");
  hp.context_length = keys.integer_or("context_length", 0, kMostTokens);
  const auto* embedding = index.find("token_embd.weight");
  if (embedding != nullptr) {
    hp.vocab_size = embedding->shape[1];
  } else {
    const auto* tokens = file.find("tokenizer.ggml.tokens");
    const auto* list = tokens != nullptr ? std::get_if<GgufArray>(&tokens->value) : nullptr;
    hp.vocab_size = keys.integer_or("vocab_size", list != nullptr ? static_cast<std::int64_t>(list->size()) : 0, kMostTokens);
  }
  hp.tied_embeddings = embedding != nullptr && index.find("output.weight") == nullptr;
}

void read_attention(const Keys& keys, const GgufIndex& index, Hyperparameters& hp) {
  hp.n_heads = take_per_layer(keys, "attention.head_count", 0, hp.n_layers, hp.n_heads_per_layer);
  hp.n_kv_heads = take_per_layer(keys, "attention.head_count_kv", hp.n_heads, hp.n_layers, hp.n_kv_heads_per_layer);
  hp.head_dim = keys.integer_or("attention.key_length", hp.n_heads > 0 ? hp.hidden_size / hp.n_heads : 0);
  hp.head_dim_v = keys.integer_or("attention.value_length", hp.head_dim);
  hp.head_dim_swa = keys.integer_or("attention.key_length_swa", 0);
  hp.head_dim_v_swa = keys.integer_or("attention.value_length_swa", 0);
  hp.sliding_window = keys.integer_or("attention.sliding_window", 0, kMostTokens);
  hp.attention_chunk = keys.integer_or("attention.chunk_size", 0, kMostTokens);
  hp.kv_shared_layers = std::min(keys.integer_or("attention.shared_kv_layers", 0), hp.n_layers);
  hp.rotary_dim = keys.integer_or("rope.dimension_count", hp.head_dim);
  hp.rope_scaling = rope_scaling_of(keys, index);
  hp.attention_bias = index.any_layer_has("attn_q.bias") || index.any_layer_has("attn_qkv.bias");
  hp.attention_out_bias = index.any_layer_has("attn_output.bias");
  hp.mlp_bias = index.any_layer_has("ffn_up.bias");
  hp.qk_norm = index.any_layer_has("attn_q_norm.weight");
  // A list says which layers slide; a number is a period, which the families read each in their way.
  const std::string_view pattern = "attention.sliding_window_pattern";
  for (const auto slides : keys.per_layer(pattern, hp.n_layers)) {
    hp.layer_kinds.push_back(slides != 0 ? LayerKind::sliding_attention : LayerKind::full_attention);
  }

  hp.q_lora_rank = keys.integer_or("attention.q_lora_rank", 0);
  hp.kv_lora_rank = keys.integer_or("attention.kv_lora_rank", 0);
  if (hp.kv_lora_rank > 0) hp.qk_rope_head_dim = hp.rotary_dim;
  if (keys.has("attention.key_length_mla")) {
    hp.qk_nope_head_dim = keys.integer("attention.key_length_mla") - hp.qk_rope_head_dim;
    hp.v_head_dim = keys.integer_or("attention.value_length_mla", 0);
    if (hp.qk_nope_head_dim < 0) keys.fail("attention.key_length_mla", "is less than rope.dimension_count");
  }
  hp.indexer_heads = keys.integer_or("attention.indexer.head_count", 0);
  hp.indexer_head_dim = keys.integer_or("attention.indexer.key_length", 0);
  hp.indexer_top_k = keys.integer_or("attention.indexer.top_k", 0, kMostTokens);
}

/// Which layers route, by their tensors: as a number of leading dense layers where that says it all.
void read_routing(const GgufIndex& index, Hyperparameters& hp) {
  if (index.n_layers() == 0) return;
  std::vector<bool> routes;
  for (std::int64_t i = 0; i < hp.n_layers; ++i) routes.push_back(has_experts(index, i));
  const auto first = std::find(routes.begin(), routes.end(), true);
  if (first == routes.end()) return;
  if (std::all_of(first, routes.end(), [](bool r) { return r; })) {
    hp.n_dense_leading = first - routes.begin();
  } else {
    hp.moe_layers = std::move(routes);
  }
}

/// Row length of the first tensor of that name in any layer; 0 when there is none.
std::int64_t row_length(const GgufIndex& index, std::string_view rest) {
  for (std::int64_t i = 0; i < index.n_layers(); ++i) {
    if (const auto* tensor = index.find(i, rest)) return tensor->shape[0];
  }
  return 0;
}

void read_feed_forward(const Keys& keys, const GgufIndex& index, Hyperparameters& hp) {
  hp.ffn_size = take_per_layer(keys, "feed_forward_length", 0, hp.n_layers, hp.ffn_per_layer);
  hp.n_experts = keys.integer_or("expert_count", 0);
  if (hp.n_experts == 0) return;
  const auto first_known = [](std::initializer_list<std::int64_t> sizes) {
    const auto* it = std::find_if(sizes.begin(), sizes.end(), [](std::int64_t n) { return n > 0; });
    return it == sizes.end() ? 0 : *it;
  };
  hp.n_experts_active = keys.integer_or("expert_used_count", 0);
  hp.expert_ffn_size =
      first_known({keys.integer_or("expert_feed_forward_length", 0), row_length(index, "ffn_down_exps.weight"), hp.ffn_size});
  hp.n_shared_experts = keys.integer_or("expert_shared_count", 0);
  hp.shared_ffn_size = first_known({keys.integer_or("expert_shared_feed_forward_length", 0), row_length(index, "ffn_down_shexp.weight")});
  hp.n_dense_leading = keys.integer_or("leading_dense_block_count", 0);
  read_routing(index, hp);
}

void read_state_space(const Keys& keys, Hyperparameters& hp) {
  hp.ssm_inner = keys.integer_or("ssm.inner_size", 0);
  hp.ssm_state = keys.integer_or("ssm.state_size", 0);
  hp.ssm_conv = keys.integer_or("ssm.conv_kernel", 0);
  hp.ssm_groups = keys.integer_or("ssm.group_count", 0);
  // One key, two meanings: heads where there are groups (Mamba-2), the rank of the time step otherwise.
  (hp.ssm_groups > 0 ? hp.ssm_heads : hp.ssm_dt_rank) = keys.integer_or("ssm.time_step_rank", 0);
  hp.linear_conv = keys.integer_or("shortconv.l_cache", 0);
}

/// Numbers beyond kMostExtra mean no size, so they are left out; the keys that matter have been checked by name.
void read_extras(const GgufFile& file, const std::string& architecture, Hyperparameters& hp) {
  const std::string prefix = architecture + ".";
  const auto add = [&](const std::string& key, std::int64_t n) {
    if (n >= -kMostExtra && n <= kMostExtra) hp.extras.push_back({"gguf." + key, n});
  };
  for (const auto& [key, value] : file.metadata) {
    const bool own = key.starts_with(prefix);
    const auto name = own ? key.substr(prefix.size()) : key;
    if (const auto* n = std::get_if<std::uint64_t>(&value.value)) {
      add(name, static_cast<std::int64_t>(std::min<std::uint64_t>(*n, std::uint64_t{kMostExtra} + 1)));
    } else if (const auto* m = std::get_if<std::int64_t>(&value.value)) {
      add(name, *m);
    } else if (const auto* flag = std::get_if<bool>(&value.value)) {
      add(name, *flag ? 1 : 0);
    } else if (const auto* array = std::get_if<GgufArray>(&value.value)) {
      const auto type = array->element_type();
      if (!own || array->size() > kMostListed || type == GgufType::u64 || !(is_integer(type) || type == GgufType::boolean)) continue;
      const auto list = array->integers();
      for (std::size_t i = 0; i < list.size(); ++i) add(name + "." + std::to_string(i), list[i]);
    }
  }
}

/// What is left open when the family has spoken, or has nothing to say.
void complete(const GgufIndex& index, Hyperparameters& hp) {
  if (hp.kv_lora_rank > 0 && hp.qk_nope_head_dim == 0) {
    // Files from before April 2025: key_length and value_length are the heads' own.
    hp.qk_nope_head_dim = std::max<std::int64_t>(0, hp.head_dim - hp.qk_rope_head_dim);
    hp.v_head_dim = hp.head_dim_v;
  }
  if (hp.n_experts > 0 && hp.shared_ffn_size == 0) hp.shared_ffn_size = hp.n_shared_experts * hp.expert_ffn_size;
  if (static_cast<std::int64_t>(hp.layer_kinds.size()) != hp.n_layers) hp.layer_kinds = layer_kinds_from_tensors(index, hp);
}

}  // namespace

Hyperparameters hyperparameters_from_gguf(const GgufFile& file) {
  Hyperparameters hp;
  hp.architecture = architecture_of(file);
  const Keys keys(file, hp.architecture);
  const GgufIndex index(file);
  read_layer_count(keys, index, hp);
  read_sizes(file, keys, index, hp);
  read_attention(keys, index, hp);
  read_feed_forward(keys, index, hp);
  read_state_space(keys, hp);
  read_extras(file, hp.architecture, hp);
  const auto* architecture = find_architecture(hp.architecture);
  if (architecture != nullptr && architecture->complete_gguf != nullptr) architecture->complete_gguf(hp);
  complete(index, hp);
  return hp;
}

}  // namespace planner
