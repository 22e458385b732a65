/// How many devices a service needs: requests per second, prompt and output lengths, goals for TTFT and TPOT -> devices, sequences at once, rates.
///
///     planner::ServiceGoals goals;
///     goals.requests_per_s = 2, goals.prompt_tokens = 1024, goals.output_tokens = 256, goals.max_tpot_s = 0.05;
///     const auto plan = planner::plan_service(request, goals, planner::Catalog::builtin());   // request: model, quantization, engine, one device
///     plan.best()->devices;
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/estimate.h"

namespace planner {

struct ServiceGoals {
  double requests_per_s = 1;
  std::int64_t prompt_tokens = 1024, output_tokens = 256;  ///< of one request
  std::optional<double> max_ttft_s, max_tpot_s;            ///< time to first token, time per output token after it
};

/// One size of a replica: so many devices that hold the model together.
struct ServiceOption {
  std::int64_t devices_per_replica = 1;
  std::int64_t replicas = 0;                       ///< that the goals need; 0: this size cannot meet them
  std::int64_t devices = 0;                        ///< devices_per_replica * replicas
  std::int64_t concurrency = 0;                    ///< requests in flight per replica
  double ttft_s = 0;                               ///< of a prompt that does not wait: queues come on top
  double tpot_s = 0;                               ///< mean, prefills of the other requests in between included
  double requests_per_s = 0;                       ///< of one replica at that concurrency
  double output_tokens_per_s = 0;                  ///< of one replica
  std::optional<std::int64_t> kv_capacity_tokens;  ///< of one replica
  std::optional<double> price_usd, power_w;        ///< of all devices
  std::optional<double> joules_per_token;          ///< board power / output tokens, at full load
  std::string reason;                              ///< what the goals break on; empty: they are met

  [[nodiscard]] bool meets_goals() const { return replicas > 0; }
};

struct ServicePlan {
  std::vector<ServiceOption> options;  ///< by devices_per_replica: 1, 2, 4 ... 16
  std::vector<std::string> notes;

  /// The option that needs the fewest devices, of equal ones the one with the lower TPOT; null: none meets the goals.
  [[nodiscard]] const ServiceOption* best() const;
};

/// With c requests in flight a replica spends, for each request, the prefill P and its share of the decode steps:
///     requests/s = 1 / (P + output / (c * r(c)))          r(c): decode tokens/s of one of c sequences at depth prompt + output / 2
///     TPOT = 1 / r(c) + (c - 1) * P / output              Little's law over the time a request stays, less its own prefill
/// c is the largest that holds the TPOT goal and whose cache fits. Goals are for averages at full load; bursts need more.
/// Context, depth, prompt, concurrency, device count of `request` are set from the goals. Throws Error as estimate() does; usage: goals that are not positive.
[[nodiscard]] ServicePlan plan_service(const EstimateRequest& request, const ServiceGoals& goals, const Catalog& catalog);

}  // namespace planner
