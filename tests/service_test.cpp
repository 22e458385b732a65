// Devices for a service: the answer at one request is the estimate's, and more work never needs fewer devices.
#include "planner/service.h"

#include <doctest/doctest.h>

#include "planner/error.h"

namespace {

using namespace planner;

const Catalog& catalog() { return Catalog::builtin(); }

EstimateRequest request(std::string device = "h100-sxm") {
  EstimateRequest r;
  r.model = "llama-3.1-8b-instruct";
  r.quantization = "BF16";
  r.engine = "vllm";
  r.devices = {std::move(device)};
  return r;
}

}  // namespace

TEST_CASE("One request in flight is one estimate") {
  ServiceGoals goals;
  goals.requests_per_s = 0.001;
  goals.prompt_tokens = 2000;
  goals.output_tokens = 500;
  const auto alone = [&] {
    auto r = request();
    r.context = 2500;
    r.depth = 2250;
    r.prompt = 2000;
    r.concurrency = 1;
    return estimate(r, catalog());
  }();
  goals.max_tpot_s = 1 / alone.throughput->decode_tokens_per_s * 1.0000001;  // no room for a second one
  const auto plan = plan_service(request(), goals, catalog());
  const auto& one = plan.options.front();
  REQUIRE(one.meets_goals());
  CHECK(one.concurrency == 1);
  CHECK(one.replicas == 1);
  CHECK(one.tpot_s == doctest::Approx(1 / alone.throughput->decode_tokens_per_s));
  CHECK(one.ttft_s == doctest::Approx(alone.throughput->time_to_first_token_s));
}

TEST_CASE("More requests, and stricter goals, never need fewer devices") {
  ServiceGoals goals;
  std::int64_t before = 0;
  for (const double rate : {0.5, 2.0, 10.0, 50.0, 200.0}) {
    goals.requests_per_s = rate;
    const auto plan = plan_service(request(), goals, catalog());
    REQUIRE(plan.best() != nullptr);
    CHECK(plan.best()->devices >= before);
    CHECK(static_cast<double>(plan.best()->replicas) * plan.best()->requests_per_s >= rate);
    before = plan.best()->devices;
  }
  goals.max_tpot_s = 0.015;
  const auto strict = plan_service(request(), goals, catalog());
  if (strict.best() != nullptr) {
    CHECK(strict.best()->devices >= before);
    CHECK(strict.best()->tpot_s <= 0.015);
  }
}

TEST_CASE("Goals that cannot be met say what they break on") {
  ServiceGoals goals;
  goals.max_ttft_s = 1e-6;
  const auto plan = plan_service(request(), goals, catalog());
  CHECK(plan.best() == nullptr);
  for (const auto& o : plan.options) CHECK(o.reason.find("prompt") != std::string::npos);
  auto large = request("rtx-3060-12gb");
  large.model = "llama-3.1-70b-instruct";
  CHECK(plan_service(large, ServiceGoals{}, catalog()).options.front().reason.find("fit") != std::string::npos);
}

TEST_CASE("Goals that are none are refused") {
  ServiceGoals goals;
  goals.requests_per_s = 0;
  CHECK_THROWS_AS((void)plan_service(request(), goals, catalog()), Error);
  goals = {};
  goals.output_tokens = 0;
  CHECK_THROWS_AS((void)plan_service(request(), goals, catalog()), Error);
  auto none = request();
  none.devices.clear();
  CHECK_THROWS_AS((void)plan_service(none, ServiceGoals{}, catalog()), Error);
}
