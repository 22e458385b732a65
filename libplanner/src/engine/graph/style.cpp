// One row per family: what its graph has that its tensors do not show. Source: src/models/NAME.cpp (ggml-org/llama.cpp), v0.5.0.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "engine/graph/builder.h"

namespace planner::engine::graph {
namespace {

using Norm = Style::Norm;
using Rows = Style::OutputRows;
using Joined = Style::Joined;
using Rope = Style::Rope;

struct Family {
  std::string_view name;
  Style style;
};

constexpr Family kFamilies[] = {
    {"afmoe", {.rope = Rope::sliding}},
    {"apertus", {}},
    {"arcee", {}},
    {"arctic", {}},
    {"baichuan", {}},
    {"bailingmoe", {}},
    {"bailingmoe2", {}},
    {"bloom", {.norm = Norm::layer, .rope = Rope::none}},
    {"chatglm", {}},
    {"cohere2", {.norm = Norm::layer, .joined = Joined::feed_forward_residual_mixer, .rope = Rope::sliding}},
    {"command-r", {.norm = Norm::layer, .joined = Joined::feed_forward_residual_mixer}},
    {"dbrx", {.norm = Norm::layer}},
    {"deci", {}},
    {"deepseek", {.normed_weights = false}},
    {"deepseek2", {.hidden_kept = true}},
    {"deepseek32", {.hidden_kept = true}},
    {"dots1", {}},
    {"ernie4_5", {}},
    {"ernie4_5-moe", {}},
    {"exaone", {}},
    {"exaone-moe", {.rope = Rope::sliding}},
    {"exaone4", {.rope = Rope::sliding}},
    {"falcon", {.norm = Norm::layer, .joined = Joined::feed_forward_mixer_residual}},
    {"falcon-h1", {}},
    {"gemma", {.scaled_queries = true}},
    {"gemma2", {.scaled_queries = true, .final_softcap = true}},
    {"gemma3", {.scaled_queries = true}},
    {"gemma3n", {.output_rows = Rows::before_norm, .final_softcap = true}},
    {"gemma4", {.output_rows = Rows::after_norm, .hidden_kept = true, .final_softcap = true}},
    {"glm-dsa", {.hidden_kept = true}},
    {"glm4", {}},
    {"glm4moe", {}},
    {"gpt-oss", {.output_rows = Rows::before_norm, .hidden_kept = true}},
    {"gpt2", {.norm = Norm::layer, .rope = Rope::none, .added_positions = true}},
    {"gptneox", {.norm = Norm::layer, .joined = Joined::feed_forward_residual_mixer}},
    {"granite", {}},
    {"granitehybrid", {.rope = Rope::none}},
    {"granitemoe", {}},
    {"grok", {}},
    {"hunyuan-dense", {.rope_before_norm = true}},
    {"hunyuan-moe", {.rope_before_norm = true}},
    {"internlm2", {}},
    {"jamba", {.residual_first = true, .mixer_residual_first = true, .normed_weights = false, .rope = Rope::none}},
    {"kimi-linear", {.norm_first = true, .rope = Rope::none}},
    {"lfm2", {.residual_first = true, .mixer_residual_first = true}},
    {"lfm2moe", {.residual_first = true, .mixer_residual_first = true}},
    {"llama", {}},
    {"llama4", {.normed_weights = false, .weighted_input = true, .tempered_queries = true, .rope = Rope::sliding}},
    {"mamba", {.rope = Rope::none}},
    {"mamba2", {.rope = Rope::none}},
    {"mimo2", {}},
    {"minicpm", {}},
    {"minicpm3", {.scaled_head = true}},
    {"minimax-01", {.norm_is_residual = true}},
    {"minimax-m2", {}},
    {"mistral3", {}},
    {"mistral4", {.hidden_kept = true}},
    {"mpt", {.norm = Norm::layer, .rope = Rope::none}},
    {"nemotron", {.norm = Norm::layer}},
    {"nemotron_h", {.output_rows = Rows::after_norm, .hidden_kept = true, .rope = Rope::none}},
    {"nemotron_h_moe", {.output_rows = Rows::after_norm, .hidden_kept = true, .rope = Rope::none}},
    {"olmo", {.norm = Norm::layer, .unweighted_norms = true}},
    {"olmo2", {}},
    {"olmoe", {.normed_weights = false}},
    {"orion", {.norm = Norm::layer}},
    {"phi2", {.norm = Norm::layer, .joined = Joined::mixer_feed_forward_residual, .scaled_queries = true}},
    {"phi3", {.scaled_queries = true, .residual_first = true}},
    {"phimoe", {.scaled_queries = true, .residual_first = true}},
    {"plamo3", {}},
    {"qwen2", {}},
    {"qwen2moe", {.normed_weights = false}},
    {"qwen2vl", {.positions_per_token = 4}},
    {"qwen3", {}},
    {"qwen35", {.output_rows = Rows::after_norm, .hidden_kept = true, .norm_first = true, .positions_per_token = 4}},
    {"qwen35moe", {.output_rows = Rows::after_norm, .hidden_kept = true, .norm_first = true, .positions_per_token = 4}},
    {"qwen3moe", {}},
    {"qwen3next", {.output_rows = Rows::after_norm, .hidden_kept = true, .norm_first = true}},
    {"qwen3vl", {.positions_per_token = 4}},
    {"qwen3vlmoe", {.positions_per_token = 4}},
    {"seed_oss", {}},
    {"smallthinker", {.router_first = true, .rope = Rope::sliding}},
    {"smollm3", {.rope = Rope::not_every_fourth}},
    {"stablelm", {.norm = Norm::layer, .joined = Joined::shared_norm}},
    {"starcoder", {.norm = Norm::layer, .rope = Rope::none, .added_positions = true}},
    {"starcoder2", {.norm = Norm::layer}},
    {"step35", {.output_rows = Rows::before_norm, .hidden_kept = true}},
    {"xverse", {}},
};

const Family* find(std::string_view name) {
  const auto* it = std::find_if(std::begin(kFamilies), std::end(kFamilies), [&](const Family& f) { return f.name == name; });
  return it == std::end(kFamilies) ? nullptr : it;
}

}  // namespace

bool is_known(const Hyperparameters& hp) { return find(hp.architecture) != nullptr; }

Style style_of(const Hyperparameters& hp) {
  const auto* family = find(hp.architecture);
  Style s = family != nullptr ? family->style : Style{};
  // DeepSeek-V2 leaves the chosen experts' weights as they are; V3, known by its correction bias, does not.
  if (hp.architecture == "deepseek2" && hp.extra_or("e_score_correction_bias", 1) == 0) s.normed_weights = false;
  // Of Baichuan's two sizes the smaller, of 32 layers, rotates; the larger has ALiBi.
  constexpr std::int64_t kLayersOfRotating = 32;
  if (hp.architecture == "baichuan" && hp.n_layers != kLayersOfRotating) s.rope = Rope::none;
  // Bamba's files say that it rotates, those of Granite 4 hybrids that they do not.
  if (hp.architecture == "granitehybrid" && (hp.model_type == "bamba" || hp.extra_or("gguf.rope.scaling.finetuned", 0) != 0)) s.rope = Rope::all;
  return s;
}

}  // namespace planner::engine::graph
