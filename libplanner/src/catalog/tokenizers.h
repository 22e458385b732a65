// Which tokenizer a model has, and what it takes in a file's header.
#pragma once

#include <span>

#include "catalog/readers.h"

namespace planner {

/// The tokenizer of the most specific matching rule, sized for the model's vocabulary; averages where no rule matches.
[[nodiscard]] Tokenizer pick_tokenizer(std::span<const TokenizerRule> rules, std::span<const TokenizerAverages> averages, const Hyperparameters& hp,
                                       std::string_view model_name);

}  // namespace planner
