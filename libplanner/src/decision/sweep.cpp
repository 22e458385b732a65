// Memory and speed along one axis: context, concurrency or prompt.
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "decision/session.h"
#include "planner/error.h"

namespace planner::decision {
namespace {

struct Axis {
  std::string_view name;
  std::int64_t first;  ///< doubled up to the last
};
constexpr Axis kAxes[] = {{"context", 1024}, {"concurrency", 1}, {"prompt", 128}};
constexpr std::int64_t kUnstatedContext = 131072;
constexpr std::int64_t kMostSequences = 256;

/// Powers of two from the axis's first to `last`, which ends the list, and the point that was asked for.
std::vector<std::int64_t> points(std::int64_t first, std::int64_t last, std::int64_t asked) {
  std::vector<std::int64_t> out;
  for (std::int64_t at = first; at < last; at *= 2) out.push_back(at);
  out.push_back(last);
  if (asked <= last) out.push_back(asked);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

std::vector<SweepPoint> sweep(const std::string& axis, const Subject& subject, const Weights& weights, const Workload& workload, const Deployment& deployment, const PlanOptions& options,
                              const Catalog& catalog, engine::ComputeMemo& memo) {
  const auto* it = std::find_if(std::begin(kAxes), std::end(kAxes), [&](const Axis& a) { return a.name == axis; });
  if (it == std::end(kAxes)) {
    const std::vector<std::string> names = {"context", "concurrency", "prompt"};
    throw Error(ErrorKind::usage, fmt::format("sweep is '{}'{}, expected context, concurrency or prompt", axis, text::did_you_mean(axis, names)));
  }
  const bool over_context = axis == "context";
  const bool over_prompt = axis == "prompt";
  const std::int64_t limit = context_limit(subject);
  const std::int64_t last = over_context ? std::max(workload.context, limit > 0 ? limit : kUnstatedContext) : over_prompt ? workload.context : std::max(workload.concurrency, kMostSequences);
  const std::int64_t asked = over_context ? workload.context : over_prompt ? workload.prompt : workload.concurrency;
  std::vector<SweepPoint> out;
  for (const auto at : points(std::min(it->first, last), last, asked)) {
    auto w = workload;
    if (over_context) {
      // Half full, as an answer without a depth has it.
      w.context = at;
      w.depth = at / 2;
      w.prompt = std::min(w.prompt, at);
      w.cached_prompt = std::min(w.cached_prompt, w.prompt);
    } else if (over_prompt) {
      w.prompt = at;
      w.cached_prompt = std::min(w.cached_prompt, at);
    } else {
      w.concurrency = at;
    }
    const auto plan = make_plan(*subject.model, weights, w, deployment, options, memo);
    SweepPoint p;
    p.at = at;
    p.total_bytes = plan.memory.total_bytes();
    p.kv_bytes = plan.memory.bytes(Component::kv);
    p.compute_bytes = plan.memory.bytes(Component::compute);
    p.verdict = plan.verdict;
    std::string reason;
    if (plan.verdict != Verdict::no) {
      if (const auto t = estimate_throughput(*subject.model, weights.map, w, deployment, plan.placement, catalog, reason)) {
        p.decode_tokens_per_s = t->decode_tokens_per_s;
        p.aggregate_decode_tokens_per_s = t->aggregate_decode_tokens_per_s;
        if (t->prefill_tokens_per_s > 0) p.prefill_tokens_per_s = t->prefill_tokens_per_s, p.time_to_first_token_s = t->time_to_first_token_s;
      }
    }
    out.push_back(p);
  }
  return out;
}

}  // namespace planner::decision
