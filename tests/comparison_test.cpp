// Lines of side-by-side tables, and the command lines that belong to a question.
#include "planner/comparison.h"

#include <doctest/doctest.h>

#include "core/text.h"
#include "planner/commands.h"

namespace {

using namespace planner;

const Catalog& catalog() { return Catalog::builtin(); }

EstimateRequest request(std::vector<std::string> devices, std::int64_t context = 8192) {
  EstimateRequest r;
  r.model = "deepseek-r1-distill-qwen-1.5b";
  r.quantization = "Q4_K_M";
  r.devices = std::move(devices);
  r.context = context;
  r.solve = false;
  return r;
}

}  // namespace

TEST_CASE("Speed for the money and the power") {
  const auto r = request({"rtx-4090"});
  auto answer = estimate(r, catalog());
  answer.throughput->decode_tokens_per_s = answer.throughput->aggregate_decode_tokens_per_s = 100;
  const auto c = comparison_of(answer, r, catalog());
  CHECK(c.price_usd == 1599);
  CHECK(c.power_w == 450);
  CHECK(*c.decode_per_dollar == doctest::Approx(0.06254).epsilon(0.001));
  CHECK(*c.joules_per_token == doctest::Approx(4.5));
}

TEST_CASE("The memory that decides") {
  SUBCASE("what is free is what is not needed") {
    const auto r = request({"rtx-4090"});
    const auto answer = estimate(r, catalog());
    const auto c = comparison_of(answer, r, catalog());
    CHECK(c.verdict == Verdict::fits);
    CHECK(c.device == answer.memory->devices.front().name);
    CHECK(c.needed_bytes == answer.memory->devices.front().total_bytes());
    CHECK(*c.free_bytes == *c.usable_bytes - c.needed_bytes);
  }
  SUBCASE("what is missing comes on top of what there is") {
    auto r = request({"rtx-4060"});
    r.model = "llama-3.1-70b-instruct";
    const auto answer = estimate(r, catalog());
    REQUIRE(answer.fit->shortfall_bytes > 0);
    const auto c = comparison_of(answer, r, catalog());
    CHECK(c.needed_bytes == *c.usable_bytes + answer.fit->shortfall_bytes);
    CHECK_FALSE(c.free_bytes);
  }
  SUBCASE("several devices: the one with the least to spare") {
    const auto r = request({"rtx-4090", "rtx-3060-12gb"});
    const auto answer = estimate(r, catalog());
    const auto c = comparison_of(answer, r, catalog());
    for (const auto& d : answer.memory->devices) {
      if (d.usable_bytes) CHECK(*c.free_bytes <= *d.usable_bytes - d.total_bytes());
    }
  }
}

TEST_CASE("Several devices cost and draw what they do together; one unknown makes the sum unknown") {
  auto r = request({"rtx-4090"});
  r.device_count = 4;
  const auto four = comparison_of(estimate(r, catalog()), r, catalog());
  CHECK(four.price_usd == 4 * 1599);
  CHECK(four.power_w == 4 * 450);
  const auto host = request({"cpu"});
  const auto c = comparison_of(estimate(host, catalog()), host, catalog());
  CHECK_FALSE(c.price_usd);
  CHECK_FALSE(c.power_w);
}

TEST_CASE("planner's own command line") {
  CHECK(planner_command(request({"rtx-4090"}, 131072)) ==
        "planner estimate --model deepseek-r1-distill-qwen-1.5b --quant Q4_K_M --gpu rtx-4090 --context 131072");
  auto r = request({"rtx-4090"});
  r.model = "my models/it's.gguf";
  r.device_count = 2;
  r.kv_type_k = r.kv_type_v = "q8_0";
  r.override_tensors = {"blk\\.1\\.=CPU"};
  CHECK(planner_command(r) ==
        "planner estimate --model 'my models/it'\\''s.gguf' --quant Q4_K_M --gpu rtx-4090 --gpus 2 --context 8192 --kv-type q8_0 --override-tensor "
        "'blk\\.1\\.=CPU'");
}

TEST_CASE("The engine's command line does what the answer says") {
  auto r = request({"rtx-4090"});
  r.concurrency = 4;
  r.kv_type_k = r.kv_type_v = "q8_0";
  const auto answer = estimate(r, catalog());
  CHECK(engine_command(r, answer, catalog()) == "llama-server -m DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf -c 32768 -np 4 -ngl 29 -ctk q8_0 -ctv q8_0");

  auto server = request({"h100-sxm"});
  server.engine = "vllm";
  server.quantization = "AWQ";
  server.device_count = 2;
  server.concurrency = 64;
  const auto served = estimate(server, catalog());
  CHECK(engine_command(server, served, catalog()) ==
        "vllm serve deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B --max-model-len 8192 --max-num-seqs 64 --tensor-parallel-size 2");

  server.engine = "exllamav2";
  CHECK(engine_command(server, served, catalog()).empty());
}
