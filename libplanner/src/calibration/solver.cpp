#include "calibration/solver.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace planner::calibration {
namespace {

using E = Effect;
constexpr double kDegrees = 4;  // of freedom of Student's t

/// Means are logarithms of what the effect is before measurements: streaming at 80 % of the bandwidth, cache reads at 74 %, a launch of 2 us, matrix products at a
/// third of the peak, engines that launch a seventh slower for each year that they are old. Sigmas were chosen by cross-validation (docs/accuracy.md); they are of the size that devices really differ by.
constexpr Prior kPriors[] = {
    {E::weights, 0.223, {0.5, 0.3, 0.15, 0.1, 0.06, 0.2, 0.2}},
    {E::weights_half, 0, {0.075, 0.075, 0.12, 0, 0, 0, 0.08}},
    {E::weights_bfloat, 0, {0.075, 0.075, 0.12, 0, 0, 0, 0.08}},
    {E::weights_byte, 0, {0.075, 0.075, 0.12, 0, 0, 0, 0.08}},
    {E::weights_nibble, 0, {0.075, 0.075, 0.12, 0, 0, 0, 0.08}},
    {E::weights_super, 0, {0.075, 0.075, 0.12, 0, 0, 0, 0.08}},
    {E::weights_codebook, 0, {0.075, 0.075, 0.12, 0, 0, 0, 0.08}},
    {E::experts, 0.2, {0.4, 0.4, 0.2, 0, 0, 0, 0.15}},
    {E::arithmetic, 0, {0.6, 0.7, 0.6, 0, 0, 0, 0.2}},
    {E::arithmetic_half, 0, {0.35, 0.35, 0, 0, 0, 0, 0}},
    {E::arithmetic_bfloat, 0, {0.35, 0.35, 0, 0, 0, 0, 0}},
    {E::arithmetic_byte, 0, {0.35, 0.35, 0, 0, 0, 0, 0}},
    {E::arithmetic_nibble, 0, {0.35, 0.35, 0, 0, 0, 0, 0}},
    {E::arithmetic_super, 0, {0.35, 0.35, 0, 0, 0, 0, 0}},
    {E::arithmetic_codebook, 0, {0.35, 0.35, 0, 0, 0, 0, 0}},
    {E::kv, 0.3, {0.5, 0.5, 0.6, 0, 0.3, 0.5, 0.3}},
    {E::kv_plain, 0, {0, 0.3, 0, 0, 0, 0, 0}},
    {E::attention, 0.7, {0.5, 0.5, 0.25, 0, 0, 0, 0.2}},
    {E::state, 0, {0, 0.5, 0, 0, 0, 0, 0}},
    {E::launch, 0.693, {1.0, 0.6, 0.3, 0, 0.3, 0.7, 0.3}},
    {E::launch_experts, 0, {0, 0.5, 0, 0, 0, 0, 0}},
    {E::launch_recurrent, 0, {0, 0.5, 0, 0, 0, 0, 0}},
    {E::launch_streams, 0, {0.5, 0, 0, 0, 0, 0, 0}},
    {E::token, 0, {0.7, 1.4, 0, 0, 0, 0, 0}},
    {E::hop, 0, {0, 0.7, 0, 0, 0, 0, 0}},
    {E::prefill, 1.1, {1.0, 0.6, 0.4, 0.2, 0.3, 0.4, 0.4}},
    {E::prefill_half, 0, {0.3, 0.3, 0.25, 0, 0, 0, 0.15}},
    {E::prefill_bfloat, 0, {0.3, 0.3, 0.25, 0, 0, 0, 0.15}},
    {E::prefill_byte, 0, {0.3, 0.3, 0.25, 0, 0, 0, 0.15}},
    {E::prefill_nibble, 0, {0.3, 0.3, 0.25, 0, 0, 0, 0.15}},
    {E::prefill_super, 0, {0.3, 0.3, 0.25, 0, 0, 0, 0.15}},
    {E::prefill_codebook, 0, {0.3, 0.3, 0.25, 0, 0, 0, 0.15}},
    {E::prefill_experts, 0.7, {0.6, 0.6, 0.3, 0, 0, 0, 0.2}},
    {E::prefill_rounds, 0, {0.7, 0.7, 0.3, 0, 0, 0, 0}},
    {E::prefill_attention, 0, {0.7, 0.7, 0.4, 0, 0, 0, 0.2}},
    {E::prefill_scores, 0, {0.7, 0.7, 0, 0, 0, 0, 0}},
    {E::prefill_bytes, 0.3, {0.6, 0.6, 0, 0, 0, 0, 0}},
    {E::prefill_launch, 0, {0.8, 0.8, 0, 0, 0, 0, 0}},
    {E::prefill_activations, 0, {0.8, 0.8, 0, 0, 0, 0, 0}},
    {E::prefill_recurrent, 0, {0.8, 0.8, 0, 0, 0, 0, 0}},
    {E::prefill_token, 0, {1.0, 0, 0, 0, 0, 0, 0}},
    {E::weights_year, 0, {0.02, 0.025, 0, 0, 0, 0, 0}},
    {E::arithmetic_year, 0, {0.1, 0.2, 0, 0, 0, 0, 0}},
    {E::kv_year, 0, {0.05, 0.1, 0, 0, 0, 0, 0}},
    {E::launch_year, 0.15, {0.2, 0.2, 0, 0, 0, 0, 0}},
    {E::prefill_year, 0.1, {0.15, 0.15, 0, 0, 0, 0, 0}},
    {E::prefill_experts_year, 0, {0.2, 0.3, 0, 0, 0, 0, 0}},
};
static_assert(std::size(kPriors) == kEffects);

constexpr bool priors_in_order() {
  for (std::size_t i = 0; i < kEffects; ++i) {
    if (static_cast<std::size_t>(kPriors[i].effect) != i) return false;
  }
  return true;
}
static_assert(priors_in_order(), "kPriors must be in the order of Effect");

/// Which parameter each group and effect is.
class Parameters {
 public:
  Parameters(std::span<const Observation* const> observations, std::size_t n_groups, const std::vector<SpeedLevel>& levels) : index_(n_groups * kEffects, -1) {
    for (const auto* o : observations) {
      for (const auto& g : o->groups) {
        const bool moves = levels.empty() ? g.level != SpeedLevel::local : std::find(levels.begin(), levels.end(), g.level) != levels.end();
        if (!moves) continue;
        for (const auto& term : o->terms) {
          for (const Effect e : term.effects) {
            if (e == Effect::count) continue;
            claim(g, e);
            if (o->years > 0 && yearly(e) != Effect::count) claim(g, yearly(e));
          }
        }
      }
    }
  }
  [[nodiscard]] int find(int group, Effect e) const { return index_[static_cast<std::size_t>(group) * kEffects + static_cast<std::size_t>(e)]; }
  struct Entry {
    int group;
    Effect effect;
    double mean, sigma;
  };
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  void claim(const Observation::Group& g, Effect e) {
    auto& slot = index_[static_cast<std::size_t>(g.index) * kEffects + static_cast<std::size_t>(e)];
    const auto& prior = prior_of(e);
    const double sigma = prior.sigma[static_cast<std::size_t>(g.level)];
    if (slot >= 0 || sigma <= 0) return;
    slot = static_cast<int>(entries_.size());
    entries_.push_back({g.index, e, g.level == SpeedLevel::general ? prior.mean : 0.0, sigma});
  }
  std::vector<int> index_;
  std::vector<Entry> entries_;
};

/// Logarithms of all factors of an observation, years folded in.
void add_up(const Observation& o, const Effects& effects, std::array<double, kEffects>& logarithms) {
  logarithms.fill(0);
  for (const auto& g : o.groups) {
    for (std::size_t e = 0; e < kEffects; ++e) logarithms[e] += effects.at(g.index, static_cast<Effect>(e));
  }
  for (std::size_t e = 0; e < kEffects; ++e) {
    const Effect year = yearly(static_cast<Effect>(e));
    if (year != Effect::count) logarithms[e] += o.years * logarithms[static_cast<std::size_t>(year)];
  }
}

/// Predicted log seconds; `shares` (may be null): share of the time that each effect scales.
double predict(const Observation& o, const Effects& effects, std::array<double, kEffects>* shares) {
  std::array<double, kEffects> logarithms;
  add_up(o, effects, logarithms);
  if (shares != nullptr) shares->fill(0);
  double sum = 0;
  for (const auto& term : o.terms) {
    double exponent = 0;
    for (const Effect e : term.effects) {
      if (e != Effect::count) exponent += logarithms[static_cast<std::size_t>(e)];
    }
    const double t = term.seconds * std::exp(exponent);
    sum += t;
    if (shares == nullptr) continue;
    for (const Effect e : term.effects) {
      if (e != Effect::count) (*shares)[static_cast<std::size_t>(e)] += t;
    }
  }
  if (shares != nullptr) {
    for (auto& s : *shares) s /= sum;
  }
  return std::log(sum);
}

double loss(double residual, double scale) { return (kDegrees + 1) / 2 * std::log1p(residual * residual / (scale * scale * kDegrees)); }

double cost(std::span<const Observation* const> observations, const Effects& effects, const Parameters& parameters, double scale) {
  double sum = 0;
  for (const auto* o : observations) sum += o->weight * loss(predict(*o, effects, nullptr) - o->log_seconds, scale);
  for (const auto& p : parameters.entries()) {
    const double off = (effects.at(p.group, p.effect) - p.mean) / p.sigma;
    sum += off * off / 2;
  }
  return sum;
}

/// Normal equations of one Gauss-Newton step.
void linearize(std::span<const Observation* const> observations, const Effects& effects, const Parameters& parameters, double scale, Eigen::MatrixXd& h, Eigen::VectorXd& g) {
  h.setZero();
  g.setZero();
  std::array<double, kEffects> shares;
  std::vector<std::pair<int, double>> row;
  for (const auto* o : observations) {
    const double residual = predict(*o, effects, &shares) - o->log_seconds;
    const double w = o->weight * (kDegrees + 1) / (kDegrees + residual * residual / (scale * scale)) / (scale * scale);
    row.clear();
    for (std::size_t i = 0; i < kEffects; ++i) {
      if (shares[i] == 0) continue;
      const auto e = static_cast<Effect>(i);
      const Effect year = yearly(e);
      for (const auto& group : o->groups) {
        if (const int p = parameters.find(group.index, e); p >= 0) row.emplace_back(p, shares[i]);
        if (year == Effect::count || o->years <= 0) continue;
        if (const int p = parameters.find(group.index, year); p >= 0) row.emplace_back(p, shares[i] * o->years);
      }
    }
    for (std::size_t a = 0; a < row.size(); ++a) {
      g[row[a].first] += w * residual * row[a].second;
      for (std::size_t b = 0; b <= a; ++b) {
        const auto [high, low] = std::minmax(row[a].first, row[b].first, std::greater<>());
        h(high, low) += w * row[a].second * row[b].second;
      }
    }
  }
  for (std::size_t i = 0; i < parameters.entries().size(); ++i) {
    const auto& p = parameters.entries()[i];
    const auto at = static_cast<Eigen::Index>(i);
    h(at, at) += 1 / (p.sigma * p.sigma);
    g[at] += (effects.at(p.group, p.effect) - p.mean) / (p.sigma * p.sigma);
  }
}

}  // namespace

const Prior& prior_of(Effect effect) { return kPriors[static_cast<std::size_t>(effect)]; }

double log_seconds(const Observation& o, const Effects& effects) { return predict(o, effects, nullptr); }

double robust_weight(double residual, double scale) { return kDegrees / (kDegrees + residual * residual / (scale * scale)); }

Effects solve(std::span<const Observation* const> observations, std::size_t n_groups, const SolverOptions& options) {
  const Parameters parameters(observations, n_groups, options.levels);
  const auto& entries = parameters.entries();
  Effects effects = options.start != nullptr ? *options.start : Effects(n_groups);
  if (options.start == nullptr) {
    for (const auto& p : entries) effects.at(p.group, p.effect) = p.mean;
  }
  const auto n = static_cast<Eigen::Index>(entries.size());
  Eigen::MatrixXd h(n, n);
  Eigen::VectorXd g(n);
  double damping = 1e-3;
  double now = cost(observations, effects, parameters, options.scale);
  for (int i = 0; i < options.iterations; ++i) {
    linearize(observations, effects, parameters, options.scale, h, g);
    bool better = false;
    for (int attempt = 0; attempt < 8 && !better; ++attempt) {
      Eigen::MatrixXd damped = h;
      damped.diagonal() *= 1 + damping;
      const Eigen::VectorXd step = damped.selfadjointView<Eigen::Lower>().llt().solve(-g);
      Effects next = effects;
      for (Eigen::Index p = 0; p < n; ++p) {
        const auto& entry = entries[static_cast<std::size_t>(p)];
        next.at(entry.group, entry.effect) += std::clamp(step[p], -1.0, 1.0);
      }
      const double then = cost(observations, next, parameters, options.scale);
      if (then < now) {
        better = true;
        effects = std::move(next);
        const bool settled = now - then < 1e-4 * std::fabs(now);
        now = then;
        damping = std::max(damping / 10, 1e-6);
        if (settled) return effects;
      } else {
        damping *= 10;
      }
    }
    if (!better) break;
  }
  return effects;
}

}  // namespace planner::calibration
