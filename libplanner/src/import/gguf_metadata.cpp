// Hyperparameters -> GGUF metadata: which keys the converter writes for which architecture.
// Source: conversion/base.py and the families' files beside it (ggml-org/llama.cpp); what engines need of them: src/models/.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "planner/error.h"
#include "planner/gguf_writer.h"

namespace planner {
namespace {

using Json = nlohmann::json;

enum class Norm : std::uint8_t { rms, layer };

/// What files of an architecture have beside the keys that follow from the geometry.
struct Row {
  std::string_view architecture;
  Norm norm = Norm::rms;
  double epsilon = 1e-5;        // where the config does not say
  bool key_length = false;      // always written, not only where it differs from hidden_size / n_heads
  bool always_window = false;   // 0 where there is none
  bool vocab_size = true;
  bool rope_dimension = true;
};

constexpr Row kRows[] = {
    {"llama"},
    {"qwen2", Norm::rms, 1e-6, false, false, false, false},
    {"qwen2moe", Norm::rms, 1e-6, false, false, false, false},
    {"qwen3", Norm::rms, 1e-6, true, false, false, false},
    {"qwen3moe", Norm::rms, 1e-6, true, false, false, false},
    {"phi3", Norm::rms, 1e-5, false, true, false, true},
    {"gemma", Norm::rms, 1e-6, true, false, false, false},
    {"gemma2", Norm::rms, 1e-6, true, false, false, false},
    {"gemma3", Norm::rms, 1e-6, true, false, false, false},
    {"olmo2", Norm::rms, 1e-6, false, false, false, false},
    {"olmoe", Norm::rms, 1e-5, false, false, false, false},
    {"gpt-oss", Norm::rms, 1e-5, true, true, false, false},
    {"deepseek2", Norm::rms, 1e-6, true, false, true, true},
    {"command-r", Norm::layer, 1e-5, false, false, false, false},
    {"cohere2", Norm::layer, 1e-5, true, true, true, true},
};

const Row* find_row(std::string_view architecture) {
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.architecture == architecture; });
  return row != std::end(kRows) ? row : nullptr;
}

/// The config of the text model: `text_config` where there is one, then the outer object.
class Config {
 public:
  Config(std::string_view text, const std::string& origin) : root_(Json::parse(text, nullptr, false)) {
    if (!root_.is_object()) throw Error(ErrorKind::invalid_file, origin + ": not a JSON object");
  }

  [[nodiscard]] const Json* find(std::string_view key) const {
    if (const auto it = root_.find("text_config"); it != root_.end() && it->is_object()) {
      if (const auto* value = member(*it, key)) return value;
    }
    return member(root_, key);
  }
  [[nodiscard]] double number_or(std::string_view key, double otherwise) const { return number_in(find(key), otherwise); }
  [[nodiscard]] bool flag(std::string_view key) const {
    const auto* value = find(key);
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }
  [[nodiscard]] std::string text(std::string_view key) const {
    const auto* value = find(key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : "";
  }

  // How frequencies are stretched: `rope_scaling`, or `rope_parameters` of newer files.
  [[nodiscard]] double rope_or(std::string_view key, double otherwise) const { return number_in(rope(key), otherwise); }
  [[nodiscard]] const Json* rope(std::string_view key) const {
    for (const auto* group : {"rope_scaling", "rope_parameters"}) {
      const auto* object = find(group);
      if (object == nullptr || !object->is_object()) continue;
      if (const auto* value = member(*object, key)) return value;
    }
    return nullptr;
  }
  /// Base of the rotary frequencies.
  [[nodiscard]] double rope_theta(double otherwise) const { return number_or("rope_theta", rope_or("rope_theta", otherwise)); }
  /// Context that frequencies were trained for.
  [[nodiscard]] double original_context(double otherwise) const {
    return rope_or("original_max_position_embeddings", number_or("original_max_position_embeddings", otherwise));
  }

 private:
  static const Json* member(const Json& object, std::string_view key) {
    const auto it = object.find(std::string(key));
    return it != object.end() && !it->is_null() ? &*it : nullptr;
  }
  static double number_in(const Json* value, double otherwise) { return value != nullptr && value->is_number() ? value->get<double>() : otherwise; }
  Json root_;
};

/// Adds the architecture's own keys.
class Writer {
 public:
  Writer(GgufHeaderWriter& header, const Model& model, const Config& config, const Row& row)
      : header_(header), model_(model), hp_(model.hyperparameters), config_(config), row_(row) {}

  void sizes() {
    const std::int64_t mtp = model_.file_holds_mtp ? hp_.n_mtp_layers : 0;
    count("block_count", hp_.n_layers + mtp);
    if (mtp > 0) count("nextn_predict_layers", mtp);
    count("context_length", hp_.context_length > 0 ? hp_.context_length : 8192);
    count("embedding_length", hp_.hidden_size);
    per_layer("feed_forward_length", hp_.ffn_size > 0 ? hp_.ffn_size : hp_.expert_ffn_size, hp_.ffn_per_layer);
    if (row_.vocab_size) count("vocab_size", hp_.vocab_size);
  }

  void attention() {
    per_layer("attention.head_count", hp_.n_heads, hp_.n_heads_per_layer);
    const bool mla = hp_.kv_lora_rank > 0;
    per_layer("attention.head_count_kv", mla ? 1 : hp_.n_kv_heads, hp_.n_kv_heads_per_layer);
    number(row_.norm == Norm::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
           row_.norm == Norm::rms ? config_.number_or("rms_norm_eps", row_.epsilon) : config_.number_or("layer_norm_eps", row_.epsilon));
    if (mla) {
      // The heads as one: keys and values are the compressed row.
      if (hp_.q_lora_rank > 0) count("attention.q_lora_rank", hp_.q_lora_rank);
      count("attention.kv_lora_rank", hp_.kv_lora_rank);
      count("attention.key_length", hp_.kv_lora_rank + hp_.qk_rope_head_dim);
      count("attention.value_length", hp_.kv_lora_rank);
      count("attention.key_length_mla", hp_.qk_nope_head_dim + hp_.qk_rope_head_dim);
      count("attention.value_length_mla", hp_.v_head_dim);
    } else if (row_.key_length || hp_.head_dim * hp_.n_heads != hp_.hidden_size) {
      count("attention.key_length", hp_.head_dim);
      count("attention.value_length", hp_.head_dim_v > 0 ? hp_.head_dim_v : hp_.head_dim);
    }
    if (hp_.sliding_window > 0 || row_.always_window) count("attention.sliding_window", hp_.sliding_window);
    if (row_.architecture == "olmo2" && hp_.sliding_window > 0) {
      std::vector<bool> slides;
      for (const auto kind : hp_.layer_kinds) slides.push_back(kind == LayerKind::sliding_attention);
      header_.add_array(key("attention.sliding_window_pattern"), slides);
    }
    if (row_.architecture == "gemma2") {
      number("attn_logit_softcapping", config_.number_or("attn_logit_softcapping", 50));
      number("final_logit_softcapping", config_.number_or("final_logit_softcapping", 30));
    }
    if (row_.norm == Norm::layer) number("logit_scale", config_.number_or("logit_scale", 0.0625));
  }

  void rotation() {
    number("rope.freq_base", config_.rope_theta(row_.architecture == "gemma3" ? 1e6 : 1e4));
    if (row_.rope_dimension) {
      const auto whole = hp_.kv_lora_rank > 0 ? hp_.qk_rope_head_dim : hp_.rotary_dim > 0 ? hp_.rotary_dim : hp_.head_dim;
      count("rope.dimension_count", whole);
    }
    const double context = static_cast<double>(hp_.context_length);
    switch (hp_.rope_scaling) {
      case RopeScaling::linear:
        header_.add(key("rope.scaling.type"), "linear");
        number("rope.scaling.factor", config_.rope_or("factor", 1));
        break;
      case RopeScaling::yarn: {
        header_.add(key("rope.scaling.type"), "yarn");
        const double factor = config_.rope_or("factor", 1);
        number("rope.scaling.factor", factor);
        count("rope.scaling.original_context_length", std::llround(config_.original_context(context / factor)));
        for (const auto& [name, from] : {std::pair{"yarn_ext_factor", "extrapolation_factor"}, std::pair{"yarn_attn_factor", "attention_factor"},
                                         std::pair{"yarn_beta_fast", "beta_fast"}, std::pair{"yarn_beta_slow", "beta_slow"}}) {
          if (const auto* value = config_.rope(from); value != nullptr && value->is_number()) number(std::string("rope.scaling.") + name, value->get<double>());
        }
        if (const double all = config_.rope_or("mscale_all_dim", 0); all > 0) number("rope.scaling.yarn_log_multiplier", 0.1 * all);
        break;
      }
      case RopeScaling::longrope: {
        const double original = config_.original_context(context), scale = context / original;
        if (row_.architecture != "phi3") header_.add(key("rope.scaling.type"), "longrope");
        number("rope.scaling.attn_factor", scale > 1 ? std::sqrt(1 + std::log(scale) / std::log(original)) : 1.0);
        break;
      }
      default: break;  // Llama 3's factors are a tensor
    }
    if (row_.architecture == "phi3") count("rope.scaling.original_context_length", std::llround(config_.original_context(context)));
  }

  void experts() {
    const bool required = row_.architecture == "deepseek2";
    if (hp_.n_experts == 0 && !required) return;
    if (hp_.n_experts > 0) {
      count("expert_count", hp_.n_experts);
      count("expert_used_count", hp_.n_experts_active);
    }
    if (row_.architecture != "llama") count("expert_feed_forward_length", hp_.expert_ffn_size > 0 ? hp_.expert_ffn_size : hp_.ffn_size);
    if (row_.architecture == "qwen2moe") count("expert_shared_feed_forward_length", hp_.shared_ffn_size);
    if (!required) return;
    count("expert_shared_count", hp_.n_shared_experts);
    count("leading_dense_block_count", hp_.n_experts > 0 ? hp_.n_dense_leading : hp_.n_layers);
    if (const auto* scale = config_.find("routed_scaling_factor"); scale != nullptr && scale->is_number()) number("expert_weights_scale", scale->get<double>());
    if (config_.flag("norm_topk_prob")) header_.add(key("expert_weights_norm"), true);
    if (const auto* groups = config_.find("n_group"); groups != nullptr && groups->is_number_integer()) count("expert_group_count", groups->get<std::int64_t>());
    if (const auto* used = config_.find("topk_group"); used != nullptr && used->is_number_integer()) count("expert_group_used_count", used->get<std::int64_t>());
    if (const auto function = config_.text("scoring_func"); !function.empty()) count("expert_gating_func", function == "sigmoid" ? 2 : 1);
  }

 private:
  [[nodiscard]] std::string key(std::string_view name) const { return std::string(row_.architecture) + "." + std::string(name); }
  void count(std::string_view name, std::int64_t value) { header_.add(key(name), static_cast<std::uint32_t>(value)); }
  void number(std::string_view name, double value) { header_.add(key(name), static_cast<float>(value)); }
  void per_layer(std::string_view name, std::int64_t value, const std::vector<std::int64_t>& list) {
    if (list.empty()) return count(name, value);
    std::vector<std::uint32_t> values;
    for (const auto v : list) values.push_back(static_cast<std::uint32_t>(v));
    header_.add_array(key(name), values);
  }

  GgufHeaderWriter& header_;
  const Model& model_;
  const Hyperparameters& hp_;
  const Config& config_;
  const Row& row_;
};

}  // namespace

bool has_gguf_metadata(std::string_view architecture) { return find_row(architecture) != nullptr; }

void add_model_metadata(GgufHeaderWriter& header, const Model& model, std::string_view config_json, const std::string& origin) {
  const auto& architecture = model.hyperparameters.architecture;
  const auto* row = find_row(architecture);
  if (row == nullptr) {
    std::string known;
    for (const auto& r : kRows) known += (known.empty() ? "" : ", ") + std::string(r.architecture);
    throw Error(ErrorKind::usage, origin + ": metadata of architecture '" + architecture + "' cannot be written, expected one of " + known);
  }
  const Config config(config_json, origin);
  header.add("general.architecture", architecture);
  Writer writer(header, model, config, *row);
  writer.sizes();
  writer.attention();
  writer.rotation();
  writer.experts();
}

std::vector<float> rope_factor_values(std::string_view tensor, std::int64_t n, const Hyperparameters& hp, std::string_view config_json) {
  const bool freqs = tensor == "rope_freqs.weight", by_length = tensor == "rope_factors_long.weight" || tensor == "rope_factors_short.weight";
  if (!freqs && !by_length) return {};
  std::vector<float> values(static_cast<std::size_t>(n), 1.0F);
  const Config config(config_json, "config");
  if (by_length) {
    const auto* list = config.rope(tensor == "rope_factors_long.weight" ? "long_factor" : "short_factor");
    if (list == nullptr || !list->is_array() || list->size() != values.size()) return values;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = (*list)[i].is_number() ? (*list)[i].get<float>() : 1.0F;
    return values;
  }
  // Wavelengths beyond the trained context are stretched whole, short ones not at all, those between in part.
  const double base = config.rope_theta(1e4), factor = config.rope_or("factor", 8), low = config.rope_or("low_freq_factor", 1), high = config.rope_or("high_freq_factor", 4);
  const double context = config.original_context(8192), width = static_cast<double>(hp.head_dim);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(base, 2 * static_cast<double>(i) / width);
    if (wavelength < context / high) continue;
    const double smooth = wavelength > context / low ? 0 : (context / wavelength - low) / (high - low);
    values[i] = static_cast<float>(1 / ((1 - smooth) / factor + smooth));
  }
  return values;
}

}  // namespace planner
