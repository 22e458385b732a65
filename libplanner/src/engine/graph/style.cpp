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
constexpr std::array<std::string_view, 1> kRowsAfterNorm = {"gemma4"};

}  // namespace

Style style_of(const Hyperparameters& hp) {
  Style s;
  const std::string_view name = hp.architecture;
  s.parallel = among(name, kParallel);
  if (among(name, kLayerNorm)) s.norm = Style::Norm::layer;
  s.scaled_queries = among(name, kScaledQueries);
  if (among(name, kRowsBeforeNorm)) {
    s.output_rows = Style::OutputRows::before_norm;
    s.hidden_kept = true;
  }
  if (among(name, kRowsAfterNorm)) {
    s.output_rows = Style::OutputRows::after_norm;
    s.hidden_kept = true;
  }
  return s;
}

}  // namespace planner::engine::graph
