// The field's terms, each in a sentence or two: the one place that tooltips come from.
#pragma once

#include <QString>
#include <span>
#include <string_view>

namespace planner::gui {

struct Term {
  std::string_view name;  ///< "decode"
  std::string_view meaning;
};
[[nodiscard]] std::span<const Term> glossary();
/// What a term means; empty: it is not in the glossary.
[[nodiscard]] QString meaning_of(std::string_view term);

}  // namespace planner::gui
