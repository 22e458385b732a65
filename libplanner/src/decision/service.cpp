#include "planner/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "decision/search.h"
#include "planner/comparison.h"
#include "planner/error.h"

namespace planner {
namespace {

constexpr std::int64_t kMostPerReplica = 16;
constexpr std::int64_t kMostInFlight = 1024;

/// A replica of a size, asked at different numbers of requests in flight.
class Replica {
 public:
  Replica(const EstimateRequest& request, const ServiceGoals& goals, std::int64_t devices, const Catalog& catalog)
      : request_(request), goals_(goals), catalog_(catalog) {
    request_.device_count = devices;
    request_.context = goals.prompt_tokens + goals.output_tokens;
    request_.depth = goals.prompt_tokens + goals.output_tokens / 2;
    request_.prompt = goals.prompt_tokens;
    request_.cached_prompt.reset();
    request_.solve = request_.explain = false;
    request_.sweep.clear();
  }

  struct Load {
    bool fits = false;
    bool has_speed = false;
    double ttft_s = 0, tpot_s = 0, requests_per_s = 0;
    std::optional<std::int64_t> kv_capacity_tokens;
  };

  [[nodiscard]] Load at(std::int64_t in_flight) {
    request_.concurrency = in_flight;
    const auto answer = estimate(request_, catalog_);
    Load load;
    const auto verdict = answer.fit ? answer.fit->verdict : Verdict::no;
    load.kv_capacity_tokens = answer.memory ? answer.memory->kv_capacity_tokens : std::nullopt;
    load.fits = (verdict == Verdict::fits || verdict == Verdict::tight) &&
                load.kv_capacity_tokens.value_or(*request_.context * in_flight) >= *request_.context * in_flight;
    if (!answer.throughput || answer.throughput->decode_tokens_per_s <= 0 || answer.throughput->prefill_tokens_per_s <= 0) return load;
    load.has_speed = true;
    const auto c = static_cast<double>(in_flight), output = static_cast<double>(goals_.output_tokens);
    const double prefill_s = static_cast<double>(goals_.prompt_tokens) / answer.throughput->prefill_tokens_per_s;
    const double step_s = 1 / answer.throughput->decode_tokens_per_s;
    load.ttft_s = answer.throughput->time_to_first_token_s;
    load.tpot_s = step_s + (c - 1) * prefill_s / output;
    load.requests_per_s = 1 / (prefill_s + output * step_s / c);
    return load;
  }

 private:
  EstimateRequest request_;
  ServiceGoals goals_;
  const Catalog& catalog_;
};

std::string broken_goal(const Replica::Load& alone, const ServiceGoals& goals) {
  if (!alone.fits) return "the model and one request do not fit";
  if (!alone.has_speed) return "no speed is known";
  if (goals.max_ttft_s && alone.ttft_s > *goals.max_ttft_s)
    return fmt::format("a prompt alone takes {:.3g} s, the goal is {:.3g} s", alone.ttft_s, *goals.max_ttft_s);
  if (goals.max_tpot_s && alone.tpot_s > *goals.max_tpot_s)
    return fmt::format("one request alone has {:.3g} s per token, the goal is {:.3g} s", alone.tpot_s, *goals.max_tpot_s);
  return {};
}

ServiceOption option_of(const EstimateRequest& request, const ServiceGoals& goals, std::int64_t devices, const Catalog& catalog) {
  ServiceOption option;
  option.devices_per_replica = devices;
  Replica replica(request, goals, devices, catalog);
  auto load = replica.at(1);
  option.kv_capacity_tokens = load.kv_capacity_tokens;
  option.ttft_s = load.ttft_s;
  option.tpot_s = load.tpot_s;
  option.reason = broken_goal(load, goals);
  if (!option.reason.empty()) return option;
  option.concurrency = decision::largest(1, kMostInFlight, [&](std::int64_t c) {
    const auto l = replica.at(c);
    return l.fits && l.has_speed && (!goals.max_tpot_s || l.tpot_s <= *goals.max_tpot_s);
  });
  load = replica.at(option.concurrency);
  option.ttft_s = load.ttft_s;
  option.tpot_s = load.tpot_s;
  option.requests_per_s = load.requests_per_s;
  option.output_tokens_per_s = load.requests_per_s * static_cast<double>(goals.output_tokens);
  option.kv_capacity_tokens = load.kv_capacity_tokens;
  option.replicas = static_cast<std::int64_t>(std::ceil(goals.requests_per_s / load.requests_per_s));
  option.devices = option.replicas * devices;
  auto all = request;
  all.device_count = 1;
  const auto one = comparison_of(Estimate{}, all, catalog);
  const auto n = static_cast<double>(option.devices);
  if (one.price_usd) option.price_usd = *one.price_usd * n;
  if (one.power_w) {
    option.power_w = *one.power_w * n;
    option.joules_per_token = *one.power_w * static_cast<double>(devices) / option.output_tokens_per_s;
  }
  return option;
}

}  // namespace

const ServiceOption* ServicePlan::best() const {
  const ServiceOption* best = nullptr;
  for (const auto& o : options) {
    if (!o.meets_goals()) continue;
    if (best == nullptr || o.devices < best->devices || (o.devices == best->devices && o.tpot_s < best->tpot_s)) best = &o;
  }
  return best;
}

ServicePlan plan_service(const EstimateRequest& request, const ServiceGoals& goals, const Catalog& catalog) {
  constexpr std::int64_t kMostTokens = std::int64_t{1} << 30;
  if (!(goals.requests_per_s > 0) || goals.requests_per_s > 1e9)
    throw Error(ErrorKind::usage, fmt::format("requests per second is {}, expected more than 0", goals.requests_per_s));
  if (goals.prompt_tokens < 1 || goals.prompt_tokens > kMostTokens)
    throw Error(ErrorKind::usage, fmt::format("prompt is {} tokens, expected 1 and more", goals.prompt_tokens));
  if (goals.output_tokens < 1 || goals.output_tokens > kMostTokens)
    throw Error(ErrorKind::usage, fmt::format("output is {} tokens, expected 1 and more", goals.output_tokens));
  if (request.devices.size() != 1) throw Error(ErrorKind::usage, "a service is planned for one kind of device");
  ServicePlan plan;
  for (std::int64_t devices = 1; devices <= kMostPerReplica; devices *= 2) plan.options.push_back(option_of(request, goals, devices, catalog));
  plan.notes.push_back("rates are averages at full load: bursts and queues need more");
  return plan;
}

}  // namespace planner
