// Quantizations that an engine loads, with the bytes that they make of a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "decision/session.h"

namespace planner::decision {

struct Candidate {
  std::string name;
  Weights weights;  ///< the map; Weights::stored holds nothing
  double bits = 0;  ///< per weight, of this model
};

/// Best first: by bits per weight. Formats that only some models are published in, and more than 16 bits, are no choice. Kept, one list per thread, for the models
/// asked about last.
[[nodiscard]] std::shared_ptr<const std::vector<Candidate>> candidates(const Model& model, const Deployment& deployment, const Catalog& catalog);

}  // namespace planner::decision
