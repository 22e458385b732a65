#include <algorithm>
#include <array>
#include <string_view>

#include "engine/graph/builder.h"

namespace planner::engine::graph {
namespace {

using Names = std::span<const std::string_view>;

bool among(std::string_view name, Names names) { return std::find(names.begin(), names.end(), name) != names.end(); }

constexpr std::array<std::string_view, 2> kParallel = {"command-r", "cohere2"};
constexpr std::array<std::string_view, 2> kLayerNorm = {"command-r", "cohere2"};
constexpr std::array<std::string_view, 4> kScaledQueries = {"gemma2", "gemma3", "phi3", "phi2"};
constexpr std::array<std::string_view, 1> kRowsBeforeNorm = {"gpt-oss"};
constexpr std::array<std::string_view, 6> kRowsAfterNorm = {"gemma4", "nemotron_h", "nemotron_h_moe", "qwen3next", "qwen35", "qwen35moe"};
constexpr std::array<std::string_view, 3> kNormFirst = {"qwen3next", "qwen35", "qwen35moe"};
constexpr std::array<std::string_view, 3> kFinalSoftcap = {"gemma2", "gemma3n", "gemma4"};
constexpr std::array<std::string_view, 5> kPlainWeights = {"qwen2moe", "olmoe", "deepseek", "grok", "bailingmoe_"};
constexpr std::array<std::string_view, 2> kResidualFirst = {"phi3", "phimoe"};
constexpr std::array<std::string_view, 4> kNoRope = {"nemotron_h", "nemotron_h_moe", "jamba", "granitehybrid"};
constexpr std::array<std::string_view, 4> kMrope = {"qwen2vl", "qwen3vl", "qwen35", "qwen35moe"};
constexpr std::array<std::string_view, 3> kHiddenKept = {"deepseek2", "deepseek32", "glm-dsa"};

constexpr std::array<std::string_view, 23> kKnown = {"llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "gemma3n", "gemma4", "phi3", "command-r", "granite", "granitehybrid",
                                                     "gpt-oss", "glm4moe", "deepseek2", "deepseek32", "qwen3next", "qwen35", "mamba2", "nemotron_h", "cohere2", "gemma", "qwen35moe"};

}  // namespace

bool is_known(const Hyperparameters& hp) { return among(hp.architecture, kKnown); }

Style style_of(const Hyperparameters& hp) {
  Style s;
  const std::string_view name = hp.architecture;
  s.parallel = among(name, kParallel);
  if (among(name, kLayerNorm)) s.norm = Style::Norm::layer;
  if (name == "gemma3n") s.output_rows = Style::OutputRows::before_norm;
  s.scaled_queries = among(name, kScaledQueries);
  if (among(name, kRowsBeforeNorm)) {
    s.output_rows = Style::OutputRows::before_norm;
    s.hidden_kept = true;
  }
  if (among(name, kRowsAfterNorm)) {
    s.output_rows = Style::OutputRows::after_norm;
    s.hidden_kept = true;
  }
  s.hidden_kept = s.hidden_kept || among(name, kHiddenKept);
  s.residual_first = among(name, kResidualFirst);
  s.norm_first = among(name, kNormFirst);
  s.final_softcap = among(name, kFinalSoftcap);
  s.normed_weights = !among(name, kPlainWeights) && !(name == "deepseek2" && hp.extra_or("e_score_correction_bias", 1) == 0);
  s.rope = !among(name, kNoRope);
  if (among(name, kMrope)) s.positions_per_token = 4;
  return s;
}

}  // namespace planner::engine::graph
