// A model that no catalog has, from what a log prints of its file.
#pragma once

#include <optional>

#include "planner/engine_log.h"
#include "planner/model.h"

namespace planner {

/// The model that the printed metadata or sizes describe, with the token table as its head (`tied`) or one of its own. Nothing where they make no
/// model, or the architecture is not described. Lists that differ by layer are cut off in print: what needs them comes out wrong, which the printed count of
/// parameters tells.
[[nodiscard]] std::optional<Model> model_from_log(const LogModel& printed, bool tied);

}  // namespace planner
