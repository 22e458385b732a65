// What would fit: largest context and concurrency, best quantization, fewest devices, the smallest change, and what one step of each knob gives.
#include <algorithm>

#include "decision/search.h"
#include "decision/session.h"

namespace planner::decision {
namespace {

constexpr std::int64_t kGranule = 256;  // tokens of context
constexpr std::int64_t kMostSequences = 4096;
constexpr std::int64_t kMostDevices = 64;
constexpr std::int64_t kUnstatedLimit = std::int64_t{1} << 20;  // tokens, where a model states no limit of its own
constexpr double kSixteenBits = 17;  // 16 bits and the norms in F32; beyond that lies F32, which nobody wants

bool is_limited(const Deployment& d) {
  if (d.devices.empty()) return d.host.capacity_bytes.has_value();
  return std::any_of(d.devices.begin(), d.devices.end(), [](const auto& device) { return device.capacity_bytes.has_value(); });
}

class Solver {
 public:
  Solver(Fit& fit, const Subject& subject, const Weights& weights, const Quantization* quantization, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
         bool with_speed, const Catalog& catalog, engine::ComputeMemo& memo)
      : fit_(fit), model_(*subject.model), weights_(weights), quantization_(quantization), w_(workload), d_(deployment), options_(options), n_cpu_moe_(options.n_cpu_moe), with_speed_(with_speed), catalog_(catalog), memo_(memo) {
    context_limit_ = subject.entry != nullptr && subject.entry->context ? *subject.entry->context : model_.hyperparameters.context_length;
    if (context_limit_ <= 0) context_limit_ = kUnstatedLimit;
  }

  void run() {
    fit_.max_context = max_context(w_);
    const auto sequences = largest(1, kMostSequences, [&](std::int64_t n) { return holds_up(with_concurrency(n)); });
    if (sequences < kMostSequences) fit_.max_concurrency = std::max<std::int64_t>(0, sequences);
    fewest_devices();
    best_quantization();
    knobs();
    if (fit_.verdict == Verdict::offload || fit_.verdict == Verdict::no) smallest_change();
  }

 private:
  bool fits(const Weights& weights, const Workload& w, const Deployment& d) const { return fits_whole(model_, weights, w, d, n_cpu_moe_, memo_); }
  Workload with_context(std::int64_t n) const {
    auto w = w_;
    w.context = n;
    w.depth = std::min(w.depth, n);
    return w;
  }
  Workload with_concurrency(std::int64_t n) const {
    auto w = w_;
    w.concurrency = n;
    return w;
  }
  Workload with_kv_type(FormatId type) const {
    auto w = w_;
    w.kv_type_k = w.kv_type_v = type;
    return w;
  }
  Deployment with_devices(std::int64_t n) const {
    auto d = d_;
    d.devices.resize(static_cast<std::size_t>(n), d_.devices.front());
    return d;
  }
  bool may_add_devices() const { return !d_.devices.empty() && !d_.unified_memory; }

  /// Whether the answer for this workload is as good as the one given: whole on the devices, or at all where a part lies on the host.
  bool holds_up(const Workload& w) const {
    if (fit_.verdict != Verdict::offload) return fits(weights_, w, d_);
    return make_plan(model_, weights_, w, d_, options_, memo_).verdict != Verdict::no;
  }

  /// Whole granules, up to the model's own limit; 0 when not even one fits.
  std::int64_t max_context(const Workload& workload) const {
    const auto at = [&](std::int64_t granules) { return std::min(context_limit_, granules * kGranule); };
    const auto granules = largest(1, (context_limit_ + kGranule - 1) / kGranule, [&](std::int64_t g) {
      auto w = workload;
      w.context = at(g);
      return holds_up(w);
    });
    return granules < 1 ? 0 : at(granules);
  }

  void fewest_devices() {
    if (!may_add_devices()) return;
    for (std::int64_t n = 1; n <= kMostDevices; ++n) {
      if (!fits(weights_, w_, with_devices(n))) continue;
      fit_.min_gpus = n;
      return;
    }
  }

  /// Quantizations that the engine loads, best first.
  struct Candidate {
    std::shared_ptr<const Quantization> quantization;
    Weights weights;
    double bits;
  };
  const std::vector<Candidate>& candidates() {
    if (!candidates_.empty()) return candidates_;
    for (const auto& q : catalog_.quantizations_of(*d_.engine)) {
      if (q->native_only) continue;
      auto weights = weigh(model_, *q);
      const double bits = weights.stored.bits_per_weight();
      if (bits <= kSixteenBits) candidates_.push_back({q, std::move(weights), bits});
    }
    std::stable_sort(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) { return a.bits > b.bits; });
    return candidates_;
  }

  void best_quantization() {
    const auto it = std::find_if(candidates().begin(), candidates().end(), [&](const Candidate& c) { return fits(c.weights, w_, d_); });
    if (it != candidates().end()) fit_.best_quantization = it->quantization->name;
  }

  /// Next smaller quantization; null when this is the smallest, or unknown.
  const Candidate* smaller() {
    if (quantization_ == nullptr) return nullptr;
    const double bits = weights_.stored.bits_per_weight();
    const auto it = std::find_if(candidates().begin(), candidates().end(), [&](const Candidate& c) { return c.bits < bits - 0.01; });
    return it == candidates().end() ? nullptr : &*it;
  }

  struct Whole {
    std::int64_t most_bytes;  ///< on the fullest device
    std::optional<double> decode;
  };
  /// Everything on the devices, fitting or not.
  Whole whole(const Weights& weights, const Workload& w, const Deployment& d) const {
    const auto plan = make_plan(model_, weights, w, d, {model_.hyperparameters.n_layers + 1, n_cpu_moe_}, memo_);
    Whole out{0, std::nullopt};
    const std::size_t n = d.devices.empty() ? plan.memory.devices.size() : std::min(d.devices.size(), plan.memory.devices.size());
    for (std::size_t i = 0; i < n; ++i) out.most_bytes = std::max(out.most_bytes, plan.memory.devices[i].total_bytes() - plan.memory.devices[i].unused_pool_bytes);
    std::string reason;
    if (with_speed_) {
      if (const auto t = estimate_throughput(model_, weights.map, w, d, plan.placement, catalog_, reason)) out.decode = t->decode_tokens_per_s;
    }
    return out;
  }

  void knobs() {
    const auto now = whole(weights_, w_, d_);
    const auto turn = [&](std::string knob, const std::string& from, const std::string& to, const Weights& weights, const Workload& w, const Deployment& d) {
      const auto then = whole(weights, w, d);
      Knob k{std::move(knob), from + " -> " + to, now.most_bytes - then.most_bytes, std::nullopt};
      if (now.decode && then.decode) k.decode_ratio = *then.decode / *now.decode;
      fit_.knobs.push_back(std::move(k));
    };
    if (const auto* next = smaller()) turn("quantization", quantization_->name, next->quantization->name, next->weights, w_, d_);
    if (w_.context > kGranule) {
      const std::int64_t half = std::max(kGranule, w_.context / 2);
      turn("context", std::to_string(w_.context), std::to_string(half), weights_, with_context(half), d_);
    }
    if (w_.kv_type_k == FormatId::f16) turn("kv_type", "f16", "q8_0", weights_, with_kv_type(FormatId::q8_0), d_);
    if (w_.concurrency > 1) turn("concurrency", std::to_string(w_.concurrency), std::to_string(w_.concurrency - 1), weights_, with_concurrency(w_.concurrency - 1), d_);
    if (may_add_devices()) {
      const auto n = static_cast<std::int64_t>(d_.devices.size());
      turn("gpus", std::to_string(n), std::to_string(n + 1), weights_, w_, with_devices(n + 1));
    }
  }

  /// Largest context with everything on the devices; 0: none.
  std::int64_t whole_context() const {
    const auto at = [&](std::int64_t granules) { return std::min(w_.context, granules * kGranule); };
    const auto granules = largest(1, (w_.context + kGranule - 1) / kGranule, [&](std::int64_t g) { return fits(weights_, with_context(at(g)), d_); });
    return granules < 1 ? 0 : at(granules);
  }

  /// One knob alone where one is enough, the least costly to the answer first: cache type, up to half the context, quantization, concurrency, the rest of
  /// the context, then money.
  void smallest_change() {
    const auto change = [&](std::string knob, std::string from, std::string to) { fit_.smallest_change.push_back({std::move(knob), std::move(from), std::move(to)}); };
    if (w_.kv_type_k == FormatId::f16 && fits(weights_, with_kv_type(FormatId::q8_0), d_)) return change("kv_type", "f16", "q8_0");
    const std::int64_t context = whole_context();
    if (context >= w_.context / 2 && context < w_.context) return change("context", std::to_string(w_.context), std::to_string(context));
    if (quantization_ != nullptr && !fit_.best_quantization.empty()) return change("quantization", quantization_->name, fit_.best_quantization);
    const std::int64_t sequences = largest(1, w_.concurrency - 1, [&](std::int64_t n) { return fits(weights_, with_concurrency(n), d_); });
    if (sequences >= 1) return change("concurrency", std::to_string(w_.concurrency), std::to_string(sequences));
    if (context > 0 && context < w_.context) return change("context", std::to_string(w_.context), std::to_string(context));
    if (fit_.min_gpus && *fit_.min_gpus > static_cast<std::int64_t>(d_.devices.size())) return change("gpus", std::to_string(d_.devices.size()), std::to_string(*fit_.min_gpus));
  }

  Fit& fit_;
  const Model& model_;
  const Weights& weights_;
  const Quantization* quantization_;
  const Workload& w_;
  const Deployment& d_;
  PlanOptions options_;
  std::int64_t n_cpu_moe_;
  bool with_speed_;
  const Catalog& catalog_;
  engine::ComputeMemo& memo_;
  std::int64_t context_limit_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace

void solve(Fit& fit, const Subject& subject, const Weights& weights, const Quantization* quantization, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
           bool with_speed, const Catalog& catalog, engine::ComputeMemo& memo) {
  if (is_limited(deployment)) Solver(fit, subject, weights, quantization, workload, deployment, options, with_speed, catalog, memo).run();
}

}  // namespace planner::decision
