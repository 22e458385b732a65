// Measurement: what llama-bench's readers expect, and that bytes and rates add up.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/error.h"
#include "runtime/measurement.h"

using namespace planner;
using namespace planner::runtime;

namespace {

std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "tiny_models" / (name + ".gguf");
}

/// Fields of llama-bench that its readers go by, in its order.
const std::vector<std::string> kNames = {"build_commit",   "build_number", "cpu_info", "gpu_info",  "backends", "model_filename", "model_type",   "model_size",
                                         "model_n_params", "n_batch",      "n_ubatch", "n_threads", "type_k",   "type_v",         "n_gpu_layers", "flash_attn",
                                         "n_prompt",       "n_gen",        "n_depth",  "test_time", "avg_ns",   "stddev_ns",      "avg_ts",       "stddev_ts"};

BenchResult sample() {
  BenchResult r{.test = {.n_prompt = 0, .n_gen = 10, .n_depth = 100},
                .time = "2026-11-24T12:00:00Z",
                .samples_ns = {1000000, 3000000},
                .bytes = 8000000,
                .bandwidth_bytes_per_s = 8e9};
  return r;
}

}  // namespace

TEST_CASE("names of tests") {
  CHECK(BenchTest{512, 0, 0}.name() == "pp512");
  CHECK(BenchTest{0, 128, 4096}.name() == "tg128 @ d4096");
  CHECK(BenchTest{512, 128, 0}.name() == "pp512+tg128");
}

TEST_CASE("figures of a result") {
  const auto r = sample();
  CHECK(r.avg_ns() == doctest::Approx(2e6));
  CHECK(r.stddev_ns() == doctest::Approx(1414213.56));
  CHECK(r.samples_ts()[0] == doctest::Approx(10000));
  CHECK(r.avg_ts() == doctest::Approx((10000 + 10000 / 3.0) / 2));  // the mean of rates, as llama-bench has it
  CHECK(r.gb_per_s() == doctest::Approx(4));
  CHECK(r.bandwidth_share() == doctest::Approx(0.5));
}

TEST_CASE("a small model is measured") {
  const Transformer model(fixture("gemma3"));
  ThreadPool pool(2);
  std::vector<std::string> steps;
  BenchOptions options{.repetitions = 2, .ubatch = 16};
  options.progress = [&](const std::string& test, std::int64_t run, std::int64_t runs) {
    steps.push_back(test + " " + std::to_string(run) + "/" + std::to_string(runs));
  };
  const auto r = bench(model, pool, {.n_prompt = 40, .n_gen = 3, .n_depth = 20}, options);
  REQUIRE(r.samples_ns.size() == 2);
  CHECK(r.samples_ns[0] > 0);
  CHECK(r.avg_ts() > 0);
  CHECK(r.bandwidth_bytes_per_s > 1e8);
  CHECK(std::find(steps.begin(), steps.end(), "pp40+tg3 @ d20 2/2") != steps.end());
  // Weights: three ubatches and three tokens; the cache: at their ends. Six layers see 8 tokens, one all; 2 KV heads of 16, f16.
  const auto row = 2 * 16 * 2 * 2;
  std::int64_t cache = 0;
  for (const std::int64_t length : {20 + 16, 20 + 32, 20 + 40, 61, 62, 63}) cache += row * (6 * 8 + length);
  CHECK(r.bytes == 6 * model.weight_bytes_per_token() + cache);
  // The embedding table is the output head: all matrices are read.
  CHECK(model.weight_bytes_per_token() == model.weight_bytes());
  CHECK_THROWS_AS(bench(model, pool, {}, options), Error);
}

TEST_CASE("active experts are what a token reads") {
  const Transformer model(fixture("mixtral"));
  const auto& header = model.file().header();
  std::int64_t bytes = 0;
  for (const auto& tensor : header.tensors) {
    if (tensor.name == "token_embd.weight") continue;
    bytes += tensor.name.find("_exps") != std::string::npos ? tensor.bytes / 2 : tensor.bytes;  // 2 of 4
  }
  CHECK(model.weight_bytes_per_token() == bytes);
}

TEST_CASE("output formats") {
  const Transformer model(fixture("qwen2"));
  const auto context = bench_context(model, Catalog::builtin(), {.kv_type_k = FormatId::q8_0}, 2, "1.2.3");
  CHECK(context.model_type.starts_with("qwen2 "));
  const auto all = [&](BenchFormat format) {
    return bench_header(format, context) + bench_row(format, context, sample(), true) + bench_row(format, context, sample(), false) +
           bench_footer(format, context);
  };
  const auto json = nlohmann::ordered_json::parse(all(BenchFormat::json));
  REQUIRE(json.size() == 2);
  std::size_t at = 0;
  for (const auto& [key, value] : json[0].items()) at += at < kNames.size() && key == kNames[at] ? 1 : 0;
  CHECK(at == kNames.size());
  CHECK(json[0]["n_depth"] == 100);
  CHECK(json[0]["type_k"] == "q8_0");
  CHECK(json[0]["type_v"] == "f16");
  CHECK(json[0]["samples_ns"].size() == 2);
  CHECK(json[0]["bandwidth_share"].get<double>() == doctest::Approx(0.5));
  CHECK(json[0]["bandwidth_gb_per_s"].get<double>() == doctest::Approx(8));
  CHECK(json[0]["gb_per_s"].get<double>() == doctest::Approx(4));

  std::istringstream lines(all(BenchFormat::jsonl));
  int n = 0;
  for (std::string line; std::getline(lines, line); ++n) CHECK(nlohmann::json::parse(line)["avg_ns"] == 2000000);
  CHECK(n == 2);

  std::istringstream csv(all(BenchFormat::csv));
  std::string titles, row;
  REQUIRE(std::getline(csv, titles));
  REQUIRE(std::getline(csv, row));
  CHECK(std::count(titles.begin(), titles.end(), ',') + 1 == static_cast<std::ptrdiff_t>(json[0].size()) - 2);  // all but the samples
  CHECK(titles.starts_with("build_commit,build_number,"));
  CHECK(row.starts_with("\"1.2.3\",\"0\","));

  const auto md = all(BenchFormat::md);
  CHECK(md.find("| model ") == 0);
  CHECK(md.find("tg10 @ d100") != std::string::npos);
  CHECK(md.find("50.0 %") != std::string::npos);
  // Every line is as long as the others: a table that lines up.
  std::istringstream table(md.substr(0, md.find("\n\n")));
  std::size_t width = 0;
  for (std::string line; std::getline(table, line);) {
    const auto characters = static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    if (width == 0) width = characters;
    CHECK(characters == width);
  }
}

TEST_CASE("going back") {
  const std::vector<TokenId> tokens{1, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41, 45};
  for (const std::string name : {"qwen2", "gemma3"}) {
    CAPTURE(name);
    const Transformer model(fixture(name));
    ThreadPool pool(1);
    Session session(model, pool, {.context = 64, .ubatch = 4});
    const auto first = session.append(0, tokens);
    const std::vector<float> expected(first.begin(), first.end());
    REQUIRE(session.rewind(0, 10));
    CHECK(session.length() == 10);
    const auto again = session.append(0, std::span(tokens).subspan(10));
    CHECK(std::equal(again.begin(), again.end(), expected.begin(), [](float a, float b) { return std::abs(a - b) < 1e-3F; }));
    // A window of 8 and a ubatch of 4 keep 11 positions: from 12 back to 2 is too far.
    CHECK(session.rewind(0, 2) == (name == "qwen2"));
    CHECK_THROWS_AS(static_cast<void>(session.rewind(0, 13)), Error);
  }
}
