// What is known of a model, as a page: overview, architecture, what dominates its memory, which devices run it, where the facts come from.
#pragma once

#include <QString>

#include "logic/facts.h"
#include "logic/question.h"
#include "planner/estimate.h"

namespace planner::gui {

/// `ranking`: an answer without a device (devices_ranked); null: not yet there. `entry` null: a model from a file, of which `summary` tells what there is.
[[nodiscard]] QString model_page_html(const ModelEntry* entry, const ModelSummary& summary, const Estimate* ranking, const Facts& facts);

}  // namespace planner::gui
