// What tensor parallelism cuts, and how.
#pragma once

#include "planner/deployment.h"

namespace planner::placement {

/// Fills WeightMap::matrices and towers.
void add_matrices(const Model& model, const StoredModel& stored, WeightMap& map);

}  // namespace planner::placement
