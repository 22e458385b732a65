#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "planner/error.h"

namespace planner::runtime {

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  const auto refuse = [](const std::string& problem) { throw Error(ErrorKind::usage, problem); };
  if (!(std::isfinite(options.temperature) && options.temperature >= 0)) refuse("temperature " + std::to_string(options.temperature) + ", expected 0 or more");
  if (options.top_k < 0) refuse("top-k " + std::to_string(options.top_k) + ", expected 0 or more");
  if (!(options.top_p >= 0 && options.top_p <= 1)) refuse("top-p " + std::to_string(options.top_p) + ", expected 0 to 1");
  if (!(options.min_p >= 0 && options.min_p <= 1)) refuse("min-p " + std::to_string(options.min_p) + ", expected 0 to 1");
}

TokenId Sampler::sample(std::span<const float> logits) {
  if (options_.temperature == 0) return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) candidates_.push_back({logits[i], static_cast<TokenId>(i)});
  const auto likelier = [](const Candidate& a, const Candidate& b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); };
  if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < candidates_.size()) {
    std::partial_sort(candidates_.begin(), candidates_.begin() + options_.top_k, candidates_.end(), likelier);
    candidates_.resize(static_cast<std::size_t>(options_.top_k));
  } else {
    std::sort(candidates_.begin(), candidates_.end(), likelier);
  }
  const float best = candidates_.front().logit;
  const auto weigh = [&](double temperature) {
    double sum = 0;
    weights_.clear();
    for (const auto& c : candidates_) sum += weights_.emplace_back(std::exp((double{c.logit} - best) / temperature));
    return sum;
  };
  if (options_.top_p < 1) {
    const double enough = weigh(1) * double{options_.top_p};
    std::size_t n = 0;
    for (double sum = 0; n < weights_.size() && (n == 0 || sum < enough); ++n) sum += weights_[n];
    candidates_.resize(n);
  }
  if (options_.min_p > 0) {
    const float least = best + std::log(options_.min_p);
    while (candidates_.size() > 1 && candidates_.back().logit < least) candidates_.pop_back();
  }
  double rest = weigh(double{options_.temperature}) * double{random_.uniform()};
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    rest -= weights_[i];
    if (rest < 0) return candidates_[i].id;
  }
  return candidates_.back().id;
}

}  // namespace planner::runtime
