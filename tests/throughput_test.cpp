// The performance model: what it counts, that its terms add up, and that more work never takes less time.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "planner/estimate.h"
#include "planner/throughput.h"
#include "throughput/engine_age.h"
#include "throughput/terms.h"

namespace {

using namespace planner;

EstimateRequest request(std::string model, std::string quant, std::vector<std::string> devices) {
  EstimateRequest r;
  r.model = std::move(model);
  r.quantization = std::move(quant);
  r.devices = std::move(devices);
  r.solve = false;
  return r;
}

Throughput speed(const EstimateRequest& r) {
  const auto answer = estimate(r, Catalog::builtin());
  REQUIRE(answer.throughput);
  return *answer.throughput;
}

/// A model placed whole on devices, for the functions below the one call.
struct Placed {
  const Model* model;
  WeightMap weights;
  Workload workload;
  Deployment deployment;
  Placement placement;

  Placed(const std::string& id, const std::string& quant, const std::string& device, std::size_t n = 1) {
    const auto& catalog = Catalog::builtin();
    model = &catalog.resolve_model(id).model();
    std::unique_ptr<Quantization> made;
    weights = weight_map(*model, store(*model, catalog.resolve_quantization(quant, made)));
    DeploymentDevice d;
    d.device = catalog.resolve_device(device).device;
    d.name = d.device->name;
    deployment.devices.assign(n, d);
    deployment.engine = &catalog.resolve_engine("llama.cpp");
    deployment.backend = "cuda";
    placement = place_layers(model->hyperparameters.n_layers, model->hyperparameters.n_layers + 1, std::vector<double>(n, 1.0));
  }
};

}  // namespace

TEST_CASE("throughput: the terms of a token add up to its time") {
  for (const auto& [model, quant, device] : {std::tuple("llama-3.1-8b", "Q4_K_M", "rtx 4090"), std::tuple("qwen3-30b-a3b", "Q4_K_M", "m3 max"), std::tuple("gpt-oss-120b", "MXFP4", "rtx 3090"),
                                             std::tuple("qwen3.6-27b", "Q8_0", "ai max 395"), std::tuple("llama-3.1-70b", "Q4_K_M", "rtx 4090")}) {
    CAPTURE(model);
    auto r = request(model, quant, {device});
    r.explain = true;
    const auto t = speed(r);
    REQUIRE_GE(t.terms.size(), 3);
    double sum = 0;
    for (const auto& term : t.terms) {
      CHECK_GE(term.seconds, 0);
      sum += term.seconds;
    }
    CHECK(sum == doctest::Approx(1 / t.decode_tokens_per_s).epsilon(1e-9));
    CHECK(t.decode_low <= t.decode_tokens_per_s);
    CHECK(t.decode_high >= t.decode_tokens_per_s);
    CHECK(t.efficiency < 1);
  }
}

TEST_CASE("throughput: more work takes more time") {
  auto r = request("llama-3.1-8b", "Q4_K_M", {"rtx 4090"});
  r.context = 65536;
  double before = 1e9;
  for (const std::int64_t depth : {0, 1024, 8192, 65536}) {
    r.depth = depth;
    const double now = speed(r).decode_tokens_per_s;
    CHECK(now < before);
    before = now;
  }
  r.depth = 0;
  for (const auto* quant : {"Q2_K", "Q4_K_M", "Q8_0", "F16"}) {
    auto q = r;
    q.quantization = quant;
    if (std::string(quant) == "Q2_K") before = 1e9;
    const double now = speed(q).decode_tokens_per_s;
    CHECK(now < before);
    before = now;
  }
  // A faster memory, a longer prompt.
  auto slow = r;
  slow.devices = {"rtx 3090"};
  CHECK(speed(slow).decode_tokens_per_s < speed(r).decode_tokens_per_s);
  r.prompt = 512;
  const double short_prompt = speed(r).time_to_first_token_s;
  r.prompt = 8192;
  CHECK(speed(r).time_to_first_token_s > 15 * short_prompt);  // attention's part grows with the square
}

TEST_CASE("throughput: sequences share the weights") {
  Placed p("llama-3.1-8b", "Q4_K_M", "rtx 4090");
  p.workload.depth = 1024;
  std::string reason;
  double aggregate = 0, each = 1e9;
  for (const std::int64_t n : {1, 2, 4, 8, 32, 128}) {
    p.workload.concurrency = n;
    const auto t = estimate_throughput(*p.model, p.weights, p.workload, p.deployment, p.placement, Catalog::builtin(), reason);
    REQUIRE(t);
    CHECK(t->aggregate_decode_tokens_per_s > aggregate);
    CHECK(t->decode_tokens_per_s < each);
    CHECK(t->aggregate_decode_tokens_per_s == doctest::Approx(t->decode_tokens_per_s * static_cast<double>(n)));
    aggregate = t->aggregate_decode_tokens_per_s, each = t->decode_tokens_per_s;
  }
  // Never more than the matrix units compute: 2 operations a weight and token.
  const double ops = 2.0 * static_cast<double>(p.model->parameters().active) * aggregate;
  CHECK(ops < throughput::rates_of(*p.deployment.devices.front().device).matrix);
}

TEST_CASE("throughput: experts are touched as tokens pick them") {
  using throughput::expert_coverage;
  CHECK(expert_coverage(0, 8) == 0);
  CHECK(expert_coverage(8.0 / 128, 1) == doctest::Approx(0.0625));
  CHECK(expert_coverage(8.0 / 128, 2) == doctest::Approx(1 - 0.9375 * 0.9375));
  CHECK(expert_coverage(8.0 / 128, 1000) == doctest::Approx(1).epsilon(1e-6));
  // Tokens of one step are alike: fewer than that, never fewer than one token's.
  using throughput::step_coverage;
  CHECK(step_coverage(8.0 / 128, 1) == doctest::Approx(0.0625));
  CHECK(step_coverage(8.0 / 128, 8) < expert_coverage(8.0 / 128, 8));
  CHECK(step_coverage(8.0 / 128, 8) > step_coverage(8.0 / 128, 4));
  // gpt-oss-120b reads 4 of 128 experts: far less than its size.
  Placed p("gpt-oss-120b", "MXFP4", "rtx pro 6000 blackwell workstation");
  const auto read = bytes_read_per_token(*p.model, p.weights, p.workload);
  CHECK(read < p.weights.total() / 15);
  CHECK(read > 2'500'000'000);
}

TEST_CASE("throughput: a batch within goals") {
  Placed p("llama-3.1-8b", "Q4_K_M", "rtx 4090");
  const auto& catalog = Catalog::builtin();
  const auto find = [&](double ttft, double tpot) { return largest_batch(*p.model, p.weights, p.workload, p.deployment, p.placement, catalog, 256, ttft, tpot); };
  const auto free = find(0, 0);
  REQUIRE(free);
  CHECK_EQ(free->sequences, 256);
  const auto within = find(0, 0.020);
  REQUIRE(within);
  CHECK(within->sequences > 1);
  CHECK(within->sequences < 256);
  CHECK(1 / within->tokens_per_s <= 0.020);
  p.workload.concurrency = within->sequences + 1;
  std::string reason;
  CHECK(1 / estimate_throughput(*p.model, p.weights, p.workload, p.deployment, p.placement, catalog, reason)->decode_tokens_per_s > 0.020);
  CHECK_FALSE(find(0, 1e-6));
  CHECK_FALSE(find(1e-6, 0));
}

TEST_CASE("throughput: drafted tokens") {
  Placed p("llama-3.1-70b", "Q4_K_M", "a100 80gb", 1);
  const auto& catalog = Catalog::builtin();
  const auto draft = [&](double acceptance, std::int64_t n, double seconds) { return estimate_speculative(*p.model, p.weights, p.workload, p.deployment, p.placement, catalog, acceptance, n, seconds); };
  const auto s = draft(0.8, 4, 0.002);
  REQUIRE(s);
  CHECK(s->tokens_per_round == doctest::Approx(3.3616));
  CHECK(s->speedup > 1.3);
  CHECK(s->speedup < 3.3616);
  CHECK(draft(1, 4, 0.0)->tokens_per_round == doctest::Approx(5));
  CHECK(draft(0, 4, 0.002)->speedup < 1);             // all work for nothing
  CHECK(draft(0.8, 4, 0.1)->speedup < 1);             // a draft model slower than the model
  CHECK_FALSE(draft(1.5, 4, 0.002));
  CHECK_FALSE(draft(0.8, 0, 0.002));
  // Without a draft model and without layers of its own there is nothing that drafts.
  CHECK_FALSE(estimate_speculative(*p.model, p.weights, p.workload, p.deployment, p.placement, catalog, 0.8, 4, std::nullopt));
  CHECK_EQ(speculative_limit(*p.model, p.weights, p.workload, p.deployment, p.placement, catalog, 0.0, 4, 0.002, 32768), 0);
}

TEST_CASE("throughput: layers on the host are bound by the host") {
  auto r = request("llama-3.1-70b", "Q4_K_M", {"rtx 4090"});
  const auto t = speed(r);
  CHECK(to_string(t.bound) == "host");
  CHECK(t.decode_tokens_per_s < 10);
  auto whole = request("llama-3.1-70b", "Q4_K_M", {"rtx 4090", "rtx 4090", "rtx 4090"});
  CHECK(speed(whole).decode_tokens_per_s > 2 * t.decode_tokens_per_s);
}

TEST_CASE("throughput: basis says what a figure rests on") {
  CHECK_EQ(speed(request("llama-3.1-8b", "Q4_K_M", {"rtx 4090"})).basis, "fitted");
  CHECK_EQ(speed(request("llama-3.1-8b", "Q4_K_M", {"gaudi 3"})).basis, "default");
}

TEST_CASE("throughput: builds of llama.cpp have an age") {
  const auto& engine = Catalog::builtin().resolve_engine("llama.cpp");
  const auto years = [&](std::string_view v) { return throughput::engine_years(engine, v); };
  CHECK_EQ(years(""), 0);
  CHECK_EQ(years("v0.5.0"), 0);
  CHECK(years("b2824") == doctest::Approx(2.15));
  CHECK(years("b4000") > years("b4748"));
  CHECK(years("b1") == years("b1000"));
  CHECK_EQ(years("b99999"), 0);
  CHECK_EQ(years("b"), 0);
}

TEST_CASE("throughput: devices behind each other share the ubatches of a batch") {
  using throughput::pipeline_share;
  CHECK(pipeline_share(512, 2048, 512, 1) == 1);
  CHECK(pipeline_share(512, 2048, 512, 4) == doctest::Approx(1));
  CHECK(pipeline_share(2048, 2048, 512, 4) == doctest::Approx(7.0 / 16));
  CHECK(pipeline_share(8192, 2048, 512, 2) == doctest::Approx(5.0 / 8));
}
