// What would fit: largest context and concurrency, best quantization, fewest devices, the smallest change, and what one step of each knob gives.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/text.h"
#include "decision/candidates.h"
#include "decision/companions.h"
#include "decision/search.h"
#include "decision/session.h"

namespace planner::decision {
namespace {

constexpr std::int64_t kGranule = 256;  // tokens of context
constexpr std::int64_t kMostSequences = 4096;
constexpr std::int64_t kMostDevices = 64;
constexpr std::int64_t kUnstatedLimit = std::int64_t{1} << 20;  // tokens, where a model states no limit of its own

bool is_limited(const Deployment& d) {
  if (d.devices.empty()) return d.host.capacity_bytes.has_value();
  return std::any_of(d.devices.begin(), d.devices.end(), [](const auto& device) { return device.capacity_bytes.has_value(); });
}

std::string lower_name(FormatId id) { return text::to_lower(tensor_format(id).name); }

/// Knobs that make something fit.
enum class Turn : std::uint8_t { kv_type, quantization, context, concurrency, gpus };
constexpr std::size_t kTurns = 5;
constexpr std::array<std::string_view, kTurns> kTurnNames = {"kv_type", "quantization", "context", "concurrency", "gpus"};
/// How far each knob is turned, in steps; 0: not at all.
using Setting = std::array<std::int64_t, kTurns>;

class Solver {
 public:
  Solver(Fit& fit, const Subject& subject, const Weights& weights, const Quantization* quantization, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
         const Plan& plan, const std::optional<Throughput>& speed, const Catalog& catalog, engine::ComputeMemo& memo)
      : fit_(fit), model_(*subject.model), weights_(weights), w_(workload), d_(deployment), options_(options), plan_(plan), catalog_(catalog), memo_(memo) {
    if (speed) decode_ = speed->decode_tokens_per_s;
    if (quantization != nullptr) quantization_ = quantization->name;
    for (std::int64_t n = 1; n <= kMostDevices; ++n) {
      // Ranks that share tensors take whole heads.
      if (!d_.engine->kv_pool || model_.hyperparameters.n_heads <= 0 || model_.hyperparameters.n_heads % n == 0) counts_.push_back(n);
    }
    context_limit_ = context_limit(subject);
    if (context_limit_ <= 0) context_limit_ = kUnstatedLimit;
  }

  void run() {
    fit_.max_context = max_context();
    max_concurrency();
    fewest_devices();
    best_quantization();
    knobs();
    if (fit_.verdict == Verdict::offload || fit_.verdict == Verdict::no) smallest_change();
  }

 private:
  bool fits(const Weights& weights, const Workload& w, const Deployment& d) const { return fits_whole(model_, weights, w, d, options_, memo_); }
  Workload with_context(std::int64_t n) const {
    auto w = w_;
    w.context = n;
    w.depth = std::min(w.depth, n);
    w.prompt = std::min(w.prompt, n);
    w.cached_prompt = std::min(w.cached_prompt, w.prompt);
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
    if (n == static_cast<std::int64_t>(d.devices.size())) return d;
    d.devices.resize(static_cast<std::size_t>(n), d_.devices.front());
    // Shares were given for the devices that there are.
    d.tensor_split.clear();
    d.tensor_parallel = d.pipeline_parallel = 0;
    return d;
  }
  bool may_add_devices() const { return !d_.devices.empty() && !d_.unified_memory; }
  /// Numbers of devices beyond those that there are.
  std::vector<std::int64_t> more_devices() const {
    if (!may_add_devices()) return {};
    return {std::upper_bound(counts_.begin(), counts_.end(), static_cast<std::int64_t>(d_.devices.size())), counts_.end()};
  }
  /// Rules that name a device need it.
  std::int64_t least_devices() const {
    std::int64_t n = 1;
    for (const auto& o : d_.overrides) n = std::max<std::int64_t>(n, o.device + 1);
    return n;
  }

  /// What is left where the answer is as good as the one given: whole on the devices, or at all where a part lies on the host. Negative: it is not.
  std::int64_t margin(const Workload& w) const {
    if (fit_.verdict != Verdict::offload) return margin_of(memory_of(model_, weights_, w, d_, placement_for(model_, d_, options_.gpu_layers.value_or(all_layers(model_)), options_.n_cpu_moe), options_, memo_));
    return offload_margin(model_, weights_, w, d_, options_, memo_);
  }

  /// Whole granules, up to the model's own limit; 0 when not even one fits.
  std::int64_t max_context() const {
    const auto at = [&](std::int64_t granules) { return std::min(context_limit_, granules * kGranule); };
    const auto granules = largest_along_line(1, (context_limit_ + kGranule - 1) / kGranule, [&](std::int64_t g) { return margin(with_context(at(g))); });
    return granules < 1 ? 0 : at(granules);
  }

  void max_concurrency() {
    const auto sequences = largest_along_line(1, kMostSequences, [&](std::int64_t n) { return margin(with_concurrency(n)); });
    if (sequences < kMostSequences) fit_.max_concurrency = std::max<std::int64_t>(0, sequences);
  }

  void fewest_devices() {
    if (!may_add_devices()) return;
    // Fewer than the weights alone fill do not do.
    std::int64_t most = 1, needed = 0;
    for (const auto& device : d_.devices) most = std::max(most, device.usable_bytes().value_or(std::numeric_limits<std::int64_t>::max()));
    const auto n_here = std::min(plan_.full_memory.devices.size(), d_.devices.size());
    for (std::size_t i = 0; i < n_here; ++i) needed += plan_.full_memory.devices[i].bytes(Component::weights);
    const std::int64_t least = std::max(least_devices(), needed / most);
    const auto it = std::find_if(counts_.begin(), counts_.end(), [&](std::int64_t n) { return n >= least && fits(weights_, w_, with_devices(n)); });
    if (it != counts_.end()) fit_.min_gpus = *it;
  }

  const std::vector<Candidate>& choice() {
    if (choice_ == nullptr) choice_ = candidates(model_, d_, catalog_);
    return *choice_;
  }

  void best_quantization() {
    const auto& all = choice();
    const auto holds = [&](std::int64_t i) { return fits(all[static_cast<std::size_t>(i)].weights, w_, d_); };
    const auto last = static_cast<std::int64_t>(all.size()) - 1;
    auto best = smallest(0, last, holds);
    // Formats of nearly the same size may lie on the devices in another order.
    constexpr std::int64_t kNeighbours = 2;
    for (std::int64_t i = best - 1; i >= std::max<std::int64_t>(0, best - kNeighbours); --i) {
      if (holds(i)) best = i;
    }
    if (best <= last) fit_.best_quantization = all[static_cast<std::size_t>(best)].name;
  }

  /// Smaller than the present quantization, best first; none where that is not known.
  const std::vector<const Candidate*>& smaller() {
    if (!smaller_.empty() || quantization_.empty()) return smaller_;
    const double bits = weights_.stored.bits_per_weight();
    for (const auto& c : choice()) {
      if (c.bits < bits - 0.01) smaller_.push_back(&c);
    }
    return smaller_;
  }

  /// Cache types of fewer bits that the engine has: 8 bits, then 4.
  std::vector<FormatId> smaller_caches() const {
    std::vector<FormatId> out;
    const auto& types = d_.engine->kv_types;
    const double bits = std::max(tensor_format(w_.kv_type_k).bits_per_weight(), tensor_format(w_.kv_type_v).bits_per_weight());
    const auto add = [&](std::initializer_list<FormatId> formats) {
      for (const auto id : formats) {
        if (std::find(types.begin(), types.end(), lower_name(id)) == types.end() || tensor_format(id).bits_per_weight() >= bits) continue;
        out.push_back(id);
        return;
      }
    };
    add({FormatId::q8_0, FormatId::fp8});
    add({FormatId::q4_0});
    return out;
  }

  // --- what one step gives ------------------------------------------------------------------------------------------------

  /// Bytes on the fullest of the devices, without what a pool has to spare.
  static std::int64_t most_bytes(const MemoryEstimate& m, const Deployment& d) {
    std::int64_t most = 0;
    for (std::size_t i = 0; i < devices_in(m, d); ++i) most = std::max(most, bytes_on(m, i));
    return most;
  }
  static std::size_t devices_in(const MemoryEstimate& m, const Deployment& d) { return d.devices.empty() ? m.devices.size() : std::min(d.devices.size(), m.devices.size()); }
  static std::int64_t bytes_on(const MemoryEstimate& m, std::size_t i) { return m.devices[i].total_bytes() - m.devices[i].unused_pool_bytes; }
  /// On the device that limits; where none does, on the one that is relieved most.
  std::int64_t freed(const MemoryEstimate& before, const MemoryEstimate& after, const Deployment& d) const {
    if (d.devices.size() != d_.devices.size()) return most_bytes(before, d_) - most_bytes(after, d);
    std::int64_t most = std::numeric_limits<std::int64_t>::min();
    for (std::size_t i = 0; i < std::min(devices_in(before, d), devices_in(after, d)); ++i) {
      const std::int64_t here = bytes_on(before, i) - bytes_on(after, i);
      if (!fit_.limiting_device.empty() && before.devices[i].name == fit_.limiting_device) return here;
      most = std::max(most, here);
    }
    return most;
  }
  std::optional<double> decode_of(const Weights& weights, const Workload& w, const Deployment& d, const Placement& p) const {
    std::string reason;
    const auto t = estimate_throughput(model_, weights.map, w, d, p, catalog_, reason);
    return t ? std::optional(t->decode_tokens_per_s) : std::nullopt;
  }
  void add_knob(std::string_view knob, const std::string& from, const std::string& to, std::int64_t freed, const std::optional<double>& decode) {
    Knob k{std::string(knob), from + " -> " + to, freed, std::nullopt};
    if (decode_ && decode) k.decode_ratio = *decode / *decode_;
    fit_.knobs.push_back(std::move(k));
  }

  void knobs() {
    const auto turn = [&](std::string_view knob, const std::string& from, const std::string& to, const Weights& weights, const Workload& w, const Deployment& d) {
      const auto then = make_plan(model_, weights, w, d, options_, memo_);
      add_knob(knob, from, to, freed(plan_.full_memory, then.full_memory, d), decode_ ? decode_of(weights, w, d, then.placement) : std::nullopt);
    };
    if (!smaller().empty()) turn("quantization", quantization_, smaller().front()->name, smaller().front()->weights, w_, d_);
    if (w_.context > kGranule) {
      const std::int64_t half = std::max(kGranule, w_.context / 2);
      turn("context", std::to_string(w_.context), std::to_string(half), weights_, with_context(half), d_);
    }
    if (const auto caches = smaller_caches(); !caches.empty()) turn("kv_type", lower_name(w_.kv_type_k), lower_name(caches.front()), weights_, with_kv_type(caches.front()), d_);
    if (w_.concurrency > 1) turn("concurrency", std::to_string(w_.concurrency), std::to_string(w_.concurrency - 1), weights_, with_concurrency(w_.concurrency - 1), d_);
    offload_knobs();
    if (const auto more = more_devices(); !more.empty()) turn("gpus", std::to_string(d_.devices.size()), std::to_string(more.front()), weights_, w_, with_devices(more.front()));
  }

  /// One more layer's experts, or one more layer, to the host.
  void offload_knobs() {
    if (!may_add_devices() || !d_.engine->offload_layers) return;
    const auto move = [&](std::string_view knob, std::int64_t from, std::int64_t to, std::int64_t gpu_layers, std::int64_t n_cpu_moe) {
      const auto placement = placement_for(model_, d_, gpu_layers, n_cpu_moe);
      const auto memory = memory_of(model_, weights_, w_, d_, placement, options_, memo_);
      add_knob(knob, std::to_string(from), std::to_string(to), freed(plan_.memory, memory, d_), decode_ ? decode_of(weights_, w_, d_, placement) : std::nullopt);
    };
    const std::int64_t layers = plan_.placement.gpu_layers;
    if (d_.engine->offload_experts && model_.hyperparameters.n_experts > 0 && plan_.n_cpu_moe < model_.hyperparameters.n_layers) {
      // The first layers of a mixture may be dense: the step goes to the next that has experts.
      std::int64_t next = plan_.n_cpu_moe;
      while (next < model_.hyperparameters.n_layers && weights_.map.layers[static_cast<std::size_t>(next)].experts == 0) ++next;
      if (next < model_.hyperparameters.n_layers) move("n_cpu_moe", plan_.n_cpu_moe, next + 1, layers, next + 1);
    }
    if (layers > 0) move("gpu_layers", layers, layers - 1, layers - 1, plan_.n_cpu_moe);
  }

  // --- the smallest change ------------------------------------------------------------------------------------------------

  std::int64_t context_after(std::int64_t steps) const { return steps == 0 ? w_.context : std::max(kGranule, ((w_.context + kGranule - 1) / kGranule - steps) * kGranule); }

  bool fits(const Setting& s) {
    const auto at = [&](Turn t) { return s[static_cast<std::size_t>(t)]; };
    auto w = with_context(context_after(at(Turn::context)));
    w.concurrency = w_.concurrency - at(Turn::concurrency);
    if (const auto kv = at(Turn::kv_type); kv > 0) w.kv_type_k = w.kv_type_v = caches_[static_cast<std::size_t>(kv) - 1];
    const auto q = at(Turn::quantization);
    const auto& weights = q > 0 ? smaller()[static_cast<std::size_t>(q) - 1]->weights : weights_;
    const auto gpus = at(Turn::gpus);
    return gpus > 0 ? fits(weights, w, with_devices(more_[static_cast<std::size_t>(gpus) - 1])) : fits(weights, w, d_);
  }

  std::int64_t quantizations_of_at_least(double bits) {
    const auto& all = smaller();
    return std::count_if(all.begin(), all.end(), [&](const Candidate* c) { return c->bits >= bits; });
  }

  /// Knobs are allowed group by group, what hurts least first, until all of them together do. Then each is turned back as far as it goes, those of the last group
  /// first: what is left is needed, and no less of it would do (memory grows with every knob).
  void smallest_change() {
    caches_ = smaller_caches();
    more_ = more_devices();
    const auto eight_bits = static_cast<std::int64_t>(std::count_if(caches_.begin(), caches_.end(), [](FormatId id) { return tensor_format(id).bits_per_weight() >= 8; }));
    const auto all_caches = static_cast<std::int64_t>(caches_.size());
    const std::int64_t granules = (w_.context + kGranule - 1) / kGranule;
    struct Allowance {
      int group;
      Turn turn;
      std::int64_t most;
    };
    const std::array<Allowance, 10> order = {{
        {0, Turn::kv_type, eight_bits},
        {1, Turn::quantization, quantizations_of_at_least(4)},
        {2, Turn::context, granules / 2},
        {3, Turn::concurrency, w_.concurrency - 1},
        {4, Turn::kv_type, all_caches},
        {4, Turn::quantization, quantizations_of_at_least(3)},
        {5, Turn::quantization, quantizations_of_at_least(2)},
        {6, Turn::context, granules - 1},
        {7, Turn::quantization, static_cast<std::int64_t>(smaller().size())},
        {8, Turn::gpus, static_cast<std::int64_t>(more_.size())},
    }};
    Setting setting{};
    std::size_t used = 0;
    bool done = false;
    while (used < order.size() && !done) {
      const int group = order[used].group;
      bool wider = false;
      for (; used < order.size() && order[used].group == group; ++used) {
        auto& now = setting[static_cast<std::size_t>(order[used].turn)];
        wider = wider || order[used].most > now;
        now = std::max(now, order[used].most);
      }
      done = wider && fits(setting);
    }
    if (!done) return;
    std::array<bool, kTurns> seen{};
    for (std::size_t i = used; i-- > 0;) {
      const auto turn = static_cast<std::size_t>(order[i].turn);
      if (seen[turn]) continue;
      seen[turn] = true;
      setting[turn] = smallest(0, setting[turn], [&](std::int64_t steps) {
        auto tried = setting;
        tried[turn] = steps;
        return fits(tried);
      });
    }
    // Buffers do not grow quite evenly: what still fits with one step less is turned back once more.
    for (bool again = true; again;) {
      again = false;
      for (std::size_t turn = 0; turn < kTurns; ++turn) {
        auto tried = setting;
        if (setting[turn] == 0 || (--tried[turn], !fits(tried))) continue;
        setting = tried;
        again = true;
      }
    }
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
      if (setting[turn] > 0) fit_.smallest_change.push_back(change(static_cast<Turn>(turn), setting[turn]));
    }
  }

  Change change(Turn turn, std::int64_t steps) {
    std::string name(kTurnNames[static_cast<std::size_t>(turn)]);
    const auto at = static_cast<std::size_t>(steps) - 1;
    switch (turn) {
      case Turn::kv_type: return {std::move(name), lower_name(w_.kv_type_k), lower_name(caches_[at])};
      case Turn::quantization: return {std::move(name), quantization_, smaller()[at]->name};
      case Turn::context: return {std::move(name), std::to_string(w_.context), std::to_string(context_after(steps))};
      case Turn::concurrency: return {std::move(name), std::to_string(w_.concurrency), std::to_string(w_.concurrency - steps)};
      case Turn::gpus: break;
    }
    return {std::move(name), std::to_string(d_.devices.size()), std::to_string(more_[at])};
  }

  Fit& fit_;
  const Model& model_;
  const Weights& weights_;
  std::string quantization_;  ///< name of the present one; empty: a file's own
  const Workload& w_;
  const Deployment& d_;
  const PlanOptions& options_;
  const Plan& plan_;
  std::optional<double> decode_;
  const Catalog& catalog_;
  engine::ComputeMemo& memo_;
  std::int64_t context_limit_ = 0;
  std::shared_ptr<const std::vector<Candidate>> choice_;
  std::vector<const Candidate*> smaller_;
  std::vector<FormatId> caches_;
  std::vector<std::int64_t> counts_;  ///< numbers of devices that the engine can be spread over
  std::vector<std::int64_t> more_;    ///< of those, the ones beyond what there is
};

}  // namespace

void solve(Fit& fit, const Subject& subject, const Weights& weights, const Quantization* quantization, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
           const Plan& plan, const std::optional<Throughput>& speed, const Catalog& catalog, engine::ComputeMemo& memo) {
  if (is_limited(deployment)) Solver(fit, subject, weights, quantization, workload, deployment, options, plan, speed, catalog, memo).run();
}

}  // namespace planner::decision
