#include "import/log_model.h"

#include <cstdint>
#include <string>
#include <utility>

#include "core/text.h"
#include "import/gguf_reader.h"
#include "model/architecture.h"
#include "planner/error.h"
#include "planner/gguf.h"

namespace planner {
namespace {

std::optional<GgufValue> value_of(const LogMetadata& m) {
  GgufValue v;
  if (m.type == "str") {
    v.type = GgufType::string;
    v.value = m.value;
  } else if (m.type == "bool") {
    v.type = GgufType::boolean;
    v.value = m.value == "true";
  } else if (m.type.starts_with('f')) {
    const auto n = text::parse_double(m.value);
    if (!n) return std::nullopt;
    v.type = GgufType::f32;
    v.value = *n;
  } else {
    const auto n = text::parse_int(m.value);
    if (!n) return std::nullopt;
    const bool is_signed = m.type.starts_with('i');
    v.type = is_signed ? GgufType::i64 : GgufType::u64;
    if (is_signed)
      v.value = *n;
    else if (*n >= 0)
      v.value = static_cast<std::uint64_t>(*n);
    else
      return std::nullopt;
  }
  return v;
}

/// Loaders that print no metadata print the sizes that they read from it.
void complete(const LogModel& printed, GgufFile& file) {
  const auto add = [&](const std::string& key, GgufValue value) {
    if (file.find(key) == nullptr) file.metadata.push_back({key, std::move(value)});
  };
  const auto& architecture = printed.architecture->value;
  add("general.architecture", {GgufType::string, architecture});
  const std::pair<const char*, const MaybePrinted<std::int64_t>*> sizes[] = {{"block_count", &printed.layers},
                                                                            {"embedding_length", &printed.hidden_size},
                                                                            {"attention.head_count", &printed.heads},
                                                                            {"attention.head_count_kv", &printed.kv_heads},
                                                                            {"attention.key_length", &printed.head_dim_k},
                                                                            {"attention.value_length", &printed.head_dim_v},
                                                                            {"feed_forward_length", &printed.ffn_size},
                                                                            {"expert_count", &printed.experts},
                                                                            {"expert_used_count", &printed.experts_active},
                                                                            {"expert_feed_forward_length", &printed.expert_ffn_size},
                                                                            {"attention.sliding_window", &printed.window}};
  for (const auto& [key, value] : sizes) {
    if (*value && (*value)->value > 0) add(architecture + "." + key, {GgufType::u64, static_cast<std::uint64_t>((*value)->value)});
  }
}

}  // namespace

std::optional<Model> model_from_log(const LogModel& printed, bool tied) {
  if (!printed.architecture || !printed.vocab_size || !printed.hidden_size) return std::nullopt;
  GgufFile file;
  file.path = "log";
  for (const auto& m : printed.metadata) {
    if (auto v = value_of(m)) file.metadata.push_back({m.key, std::move(*v)});
  }
  complete(printed, file);
  const auto table = [&](const char* name) {
    GgufTensor t;
    t.name = name;
    t.shape = {printed.hidden_size->value, printed.vocab_size->value, 1, 1};
    t.n_dims = 2;
    return t;
  };
  file.tensors.push_back(table("token_embd.weight"));
  if (!tied) file.tensors.push_back(table("output.weight"));
  try {
    const auto hp = hyperparameters_from_gguf(file);
    if (find_architecture(hp.architecture) == nullptr) return std::nullopt;
    return build_model(hp);
  } catch (const Error&) {
    return std::nullopt;  // what is printed does not make a model
  }
}

}  // namespace planner
