#include "decision/candidates.h"

#include <algorithm>
#include <list>

namespace planner::decision {
namespace {

constexpr double kSixteenBits = 17;  // 16 bits and the norms in F32; beyond that lies F32, which nobody wants

std::shared_ptr<const std::vector<Candidate>> weigh_all(const Model& model, const Deployment& deployment, const Catalog& catalog) {
  auto out = std::make_shared<std::vector<Candidate>>();
  for (const auto& q : catalog.quantizations_of(*deployment.engine)) {
    if (q->native_only) continue;
    auto weights = weigh(model, *q, deployment.overrides);
    const double bits = weights.stored.bits_per_weight();
    if (bits > kSixteenBits) continue;
    weights.stored = {};
    out->push_back({q->name, std::move(weights), bits});
  }
  std::stable_sort(out->begin(), out->end(), [](const auto& a, const auto& b) { return a.bits > b.bits; });
  return out;
}

}  // namespace

std::shared_ptr<const std::vector<Candidate>> candidates(const Model& model, const Deployment& deployment, const Catalog& catalog) {
  constexpr std::size_t kMostKept = 16;
  struct Kept {
    std::uint64_t model;
    const Catalog* catalog;
    const Engine* engine;
    std::shared_ptr<const std::vector<Candidate>> list;
  };
  thread_local std::list<Kept> kept;
  // A model without an identity may be another one at the same address next time.
  if (model.identity == 0 || !deployment.overrides.empty()) return weigh_all(model, deployment, catalog);
  const auto it = std::find_if(kept.begin(), kept.end(), [&](const Kept& k) { return k.model == model.identity && k.catalog == &catalog && k.engine == deployment.engine; });
  if (it != kept.end()) {
    kept.splice(kept.begin(), kept, it);
    return kept.front().list;
  }
  kept.push_front({model.identity, &catalog, deployment.engine, weigh_all(model, deployment, catalog)});
  if (kept.size() > kMostKept) kept.pop_back();
  return kept.front().list;
}

}  // namespace planner::decision
