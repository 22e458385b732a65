// The main job: one question, one explained answer.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/batch.h"
#include "planner/error.h"
#include "planner/estimate.h"
#include "support/files.h"

namespace {

using namespace planner;
using nlohmann::json;
using text::contains;

const Catalog& catalog() { return Catalog::builtin(); }

EstimateRequest request(std::string model, std::string quantization, std::vector<std::string> devices = {}) {
  EstimateRequest r;
  r.model = std::move(model);
  r.quantization = std::move(quantization);
  r.devices = std::move(devices);
  return r;
}
Estimate answer(const EstimateRequest& r) { return estimate(r, catalog()); }
Estimate unsolved(EstimateRequest r) {
  r.solve = false;
  return answer(r);
}

struct Problem {
  ErrorKind kind = ErrorKind::usage;
  std::string text;
};
Problem problem(const EstimateRequest& r) {
  try {
    (void)answer(r);
  } catch (const Error& e) {
    CHECK_FALSE(contains(e.what(), "\n"));
    return {e.kind(), e.what()};
  }
  FAIL("no error");
  return {};
}

bool has_note(const Estimate& e, std::string_view part) {
  return std::any_of(e.notes.begin(), e.notes.end(), [&](const auto& note) { return contains(note, part); });
}

/// Models of many kinds: dense, mixtures, MLA, sliding, hybrid, recurrent, tied, with MTP layers.
const std::vector<std::string> kSample = {"deepseek-r1-distill-qwen-1.5b",
                                          "llama-3.1-8b-instruct",
                                          "llama-3.1-70b-instruct",
                                          "qwen3-0.6b",
                                          "qwen3-30b-a3b",
                                          "mixtral-8x7b-instruct-v0.1",
                                          "deepseek-v3",
                                          "gemma-3-27b-it",
                                          "gemma-3n-e4b-it",
                                          "gpt-oss-20b",
                                          "glm-4.5-air",
                                          "qwen3-next-80b-a3b-instruct",
                                          "falcon-mamba-7b",
                                          "granite-4.0-h-tiny",
                                          "phi-4"};

std::int64_t full_bytes(const Estimate& e) { return e.memory->total_bytes(); }

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// The question
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("estimate: the question of the README") {
  auto r = request("deepseek-r1-distill-qwen-1.5b", "Q4_K_M", {"rtx 4090"});
  r.context = 131072;
  const auto a = answer(r);
  CHECK_EQ(a.model.id, "deepseek-r1-distill-qwen-1.5b");
  CHECK_EQ(a.model.architecture, "qwen2");
  CHECK_EQ(a.model.parameters.total, 1777088000);
  CHECK_EQ(a.quantization->name, "Q4_K_M");
  CHECK_EQ(a.quantization->tensor_bytes, 1111370240);
  CHECK_EQ(format_gb(a.quantization->file_size_bytes), "1.12 GB");
  CHECK_EQ(a.memory->bytes(Component::kv), 7 * kGiB / 2);
  // Everything of the file is somewhere; the table of an untied model lies on the host.
  CHECK_EQ(a.memory->bytes(Component::weights), 1111370240);
  CHECK_EQ(a.fit->verdict, Verdict::fits);
  CHECK_EQ(a.fit->gpu_layers, 29);
  CHECK_EQ(a.fit->shortfall_bytes, 0);
  REQUIRE(a.throughput.has_value());
  CHECK_GT(a.throughput->decode_tokens_per_s, 50);
  CHECK_LT(a.throughput->decode_tokens_per_s, 1008e9 / 1.0e9);
  CHECK_LE(a.throughput->decode_low, a.throughput->decode_tokens_per_s);
  CHECK_GE(a.throughput->decode_high, a.throughput->decode_tokens_per_s);
  CHECK_GT(a.throughput->prefill_tokens_per_s, a.throughput->decode_tokens_per_s);
}

TEST_CASE("estimate: what is not said takes its default") {
  const auto a = unsolved(request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090"}));
  CHECK_EQ(a.workload.context, 8192);
  CHECK_EQ(a.workload.depth, 4096);
  CHECK_EQ(a.workload.prompt, 512);
  CHECK_EQ(a.workload.concurrency, 1);
  CHECK_EQ(a.workload.kv_type_k, FormatId::f16);
  CHECK_EQ(a.workload.kv_type_v, FormatId::f16);
  CHECK_EQ(a.engine, "llama.cpp");
  CHECK_FALSE(a.engine_version.empty());
  CHECK_EQ(a.backend, "cuda");
  CHECK_EQ(unsolved(request("gpt2", "F16", {"rtx 4090"})).workload.context, 1024);  // the model's own limit is smaller
  CHECK_EQ(unsolved(request("qwen3-8b", "Q4_K_M", {"m4 max"})).backend, "metal");
  CHECK_EQ(unsolved(request("qwen3-8b", "Q4_K_M", {"mi300x"})).backend, "rocm");
  CHECK_EQ(unsolved(request("qwen3-8b", "Q4_K_M", {"cpu"})).backend, "cpu");
  auto short_context = request("qwen3-8b", "Q4_K_M", {"rtx 4090"});
  short_context.context = 100;
  CHECK_EQ(unsolved(short_context).workload.prompt, 100);
  auto version = request("qwen3-8b", "Q4_K_M", {"rtx 4090"});
  version.engine = "llama.cpp@b4748";
  CHECK_EQ(unsolved(version).engine_version, "b4748");
}

TEST_CASE("estimate: names and values that cannot be") {
  const auto base = request("qwen3-8b", "Q4_K_M", {"rtx 4090"});
  const auto changed = [&](auto change) {
    auto r = base;
    change(r);
    return problem(r);
  };
  CHECK_EQ(changed([](auto& r) { r.context = 0; }).kind, ErrorKind::usage);
  CHECK(contains(changed([](auto& r) { r.context = 0; }).text, "context is 0"));
  CHECK(contains(changed([](auto& r) { r.context = 1000000000000; }).text, "context"));
  CHECK(contains(changed([](auto& r) { r.context = -5; }).text, "context"));
  CHECK(contains(changed([](auto& r) { r.context = std::numeric_limits<std::int64_t>::max(); }).text, "context"));
  CHECK(contains(changed([](auto& r) { r.context = 1024, r.depth = 2048; }).text, "depth"));
  CHECK(contains(changed([](auto& r) { r.depth = -1; }).text, "depth"));
  CHECK(contains(changed([](auto& r) { r.concurrency = 0; }).text, "concurrency"));
  CHECK(contains(changed([](auto& r) { r.prompt = 0; }).text, "prompt"));
  CHECK(contains(changed([](auto& r) { r.batch = 0; }).text, "batch"));
  CHECK(contains(changed([](auto& r) { r.context = std::int64_t{1} << 31, r.concurrency = 1 << 16; }).text, "context"));
  CHECK(contains(changed([](auto& r) { r.device_count = 0; }).text, "gpus"));
  CHECK(contains(changed([](auto& r) { r.device_count = 2, r.devices = {"rtx 4090", "rtx 3090"}; }).text, "one device"));
  CHECK_EQ(changed([](auto& r) { r.model = ""; }).kind, ErrorKind::usage);
  CHECK_EQ(changed([](auto& r) { r.model = "qwen3 9b"; }).kind, ErrorKind::unknown_name);
  CHECK(contains(changed([](auto& r) { r.model = "qwen3 9b"; }).text, "did you mean"));
  CHECK_EQ(changed([](auto& r) { r.quantization = "Q4_K_X"; }).kind, ErrorKind::unknown_name);
  CHECK_EQ(changed([](auto& r) { r.devices = {"rtx 9090"}; }).kind, ErrorKind::unknown_name);
  CHECK_EQ(changed([](auto& r) { r.engine = "vlm"; }).kind, ErrorKind::unknown_name);
  CHECK_EQ(changed([](auto& r) { r.kv_type_k = "q9_0"; }).kind, ErrorKind::unknown_name);
  CHECK_EQ(changed([](auto& r) { r.kv_type_v = "q6_k"; }).kind, ErrorKind::unknown_name);  // a format, but none that the engine caches
  CHECK_EQ(changed([](auto& r) { r.backend = "opengl"; }).kind, ErrorKind::unknown_name);
  CHECK_EQ(changed([](auto& r) { r.model = "/nonexistent/model.gguf"; }).kind, ErrorKind::invalid_file);
  CHECK_EQ(changed([](auto& r) { r.model = "/nonexistent/config.json"; }).kind, ErrorKind::invalid_file);
}

TEST_CASE("estimate: notes say what was assumed and what is odd") {
  CHECK(has_note(unsolved(request("qwen3-8b", "Q4_K_M", {"rtx 3060"})), "GeForce RTX 3060 12GB"));
  auto beyond = request("qwen3-8b", "Q4_K_M", {"rtx 4090"});
  beyond.context = 1000000;
  CHECK(has_note(unsolved(beyond), "beyond the model's own limit of 40960"));
  CHECK(has_note(unsolved(request("qwen3-8b", "AWQ", {"rtx 4090"})), "AWQ"));
  auto engine = request("qwen3-8b", "AWQ", {"rtx 4090"});
  engine.engine = "vllm";
  CHECK_FALSE(has_note(unsolved(engine), "not known to load"));
  CHECK(has_note(unsolved(request("llama-3.1-70b-instruct", "F16", {"m4 max 36gb"})), "does not fit"));
}

TEST_CASE("estimate: a model of one's own, from its config.json or a GGUF header") {
  const test::TemporaryFolder folder;
  folder.write("my-model/config.json", catalog().find_model("qwen3-8b")->config_json);
  for (const auto& path : {folder.path() / "my-model", folder.path() / "my-model" / "config.json"}) {
    const auto a = unsolved(request(path.string(), "Q4_K_M", {"rtx 4090"}));
    CHECK_EQ(a.model.id, "");
    CHECK_EQ(a.model.name, "my-model");
    CHECK_EQ(a.memory->bytes(Component::kv), unsolved(request("qwen3-8b", "Q4_K_M", {"rtx 4090"})).memory->bytes(Component::kv));
    CHECK_EQ(a.quantization->tensor_bytes, 5021827072);
  }
  const auto file = (std::filesystem::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "gguf" / "r1-distill-qwen-1.5b-Q2_K.gguf").string();
  const auto a = unsolved(request(file, "", {"rtx 4090"}));
  REQUIRE(a.quantization.has_value());
  CHECK_EQ(a.quantization->tensor_bytes, 746929664);
  CHECK_EQ(a.memory->bytes(Component::weights), 746929664);
  CHECK_EQ(a.model.parameters.total, 1777088000);
  CHECK_EQ(a.memory->devices.front().buffers.front().basis, Basis::file);
  CHECK(has_note(a, "header"));  // its data is cut off
  folder.write("broken.gguf", "GGUF\x03");
  CHECK_EQ(problem(request((folder.path() / "broken.gguf").string(), "", {"rtx 4090"})).kind, ErrorKind::invalid_file);
  folder.write("broken/config.json", "{\"model_type\": \"llama\"}");
  CHECK_EQ(problem(request((folder.path() / "broken").string(), "Q4_K_M", {"rtx 4090"})).kind, ErrorKind::invalid_file);
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("estimate: devices add up to the total, buffers to their device") {
  for (const auto& id : kSample) {
    for (const std::string engine : {"llama.cpp", "vllm", "mlx", "transformers"}) {
      for (const auto& devices : {std::vector<std::string>{"rtx 4090"}, {"rtx 4090", "rtx 3090"}, {"m4 max 64gb"}, {"cpu"}, {}}) {
        CAPTURE(id);
        CAPTURE(engine);
        CAPTURE(devices.size());
        auto r = request(id, "Q4_K_M", devices);
        r.engine = engine;
        const auto a = unsolved(r);
        const auto& m = *a.memory;
        std::int64_t total = 0;
        std::int64_t layers = 0;
        for (const auto& d : m.devices) {
          std::int64_t of_device = 0;
          for (const auto& b : d.buffers) {
            CHECK_GT(b.bytes, 0);
            CHECK_GE(b.uncertainty_bytes, 0);
            CHECK_FALSE(b.name.empty());
            of_device += b.bytes;
          }
          CHECK_EQ(of_device, d.total_bytes());
          total += of_device;
          layers += d.layers;
        }
        CHECK_EQ(total, m.total_bytes());
        std::int64_t terms = 0;
        for (const auto c : {Component::weights, Component::kv, Component::recurrent_state, Component::compute, Component::output, Component::overhead})
          terms += m.bytes(c);
        CHECK_EQ(terms, total);
        if (engine == "llama.cpp") CHECK_EQ(layers, a.model.layers);
        CHECK_GE(m.bytes(Component::weights), 9 * a.quantization->tensor_bytes / 10);
      }
    }
  }
}

TEST_CASE("estimate: memory grows with context, sequences and bits") {
  for (const auto& id : kSample) {
    CAPTURE(id);
    std::int64_t before = 0;
    for (const std::int64_t context : {256, 1024, 4096, 16384, 65536}) {
      auto r = request(id, "Q4_K_M");
      r.context = context;
      const auto bytes = full_bytes(unsolved(r));
      CHECK_GE(bytes, before);
      before = bytes;
    }
    before = 0;
    for (const std::int64_t sequences : {1, 2, 3, 8, 64}) {
      auto r = request(id, "Q4_K_M");
      r.context = 4096;
      r.concurrency = sequences;
      const auto bytes = full_bytes(unsolved(r));
      CHECK_GT(bytes, before);
      before = bytes;
    }
    before = 0;
    for (const std::string mix : {"IQ1_S", "IQ2_XXS", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"}) {
      CAPTURE(mix);
      const auto bytes = full_bytes(unsolved(request(id, mix)));
      if (id == "gpt-oss-20b") {
        CHECK_GE(bytes, before);  // its experts are the same in every mix
      } else {
        CHECK_GT(bytes, before);
      }
      before = bytes;
    }
  }
}

TEST_CASE("estimate: a cache of fewer bits is smaller by exactly its blocks") {
  auto r = request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090"});
  r.context = 32768;
  const auto f16 = unsolved(r).memory->bytes(Component::kv);
  CHECK_EQ(f16, 4 * kGiB);
  r.kv_type_k = r.kv_type_v = "q8_0";
  CHECK_EQ(unsolved(r).memory->bytes(Component::kv), f16 * 17 / 32);
  r.kv_type_k = r.kv_type_v = "q4_0";
  CHECK_EQ(unsolved(r).memory->bytes(Component::kv), f16 * 9 / 32);
  r.kv_type_k = "q8_0", r.kv_type_v = "f16";
  CHECK_EQ(unsolved(r).memory->bytes(Component::kv), f16 / 2 + f16 / 2 * 17 / 32);
}

TEST_CASE("estimate: what does not fit is offloaded, experts first, or is said not to fit") {
  const auto dense = answer(request("llama-3.1-70b-instruct", "Q4_K_M", {"rtx 4090"}));
  CHECK_EQ(dense.fit->verdict, Verdict::offload);
  CHECK_GT(dense.fit->gpu_layers, 20);
  CHECK_LT(dense.fit->gpu_layers, 81);
  CHECK_GT(dense.fit->shortfall_bytes, 15 * kGiB);
  CHECK_EQ(dense.fit->limiting_device, "GeForce RTX 4090");
  CHECK_EQ(dense.fit->limiting_term, "weights");
  CHECK(dense.memory->devices.front().fits());
  CHECK_FALSE(dense.fit->smallest_change.empty());

  const auto mixture = answer(request("qwen3-30b-a3b", "Q8_0", {"rtx 4090"}));
  CHECK_EQ(mixture.fit->verdict, Verdict::offload);
  CHECK_EQ(mixture.fit->gpu_layers, 49);  // all layers stay, experts leave
  CHECK_GT(mixture.throughput->decode_tokens_per_s, dense.throughput->decode_tokens_per_s);

  auto fixed = request("llama-3.1-70b-instruct", "Q4_K_M", {"rtx 4090"});
  fixed.gpu_layers = 81;
  CHECK_EQ(answer(fixed).fit->verdict, Verdict::no);
  fixed.gpu_layers = 10;
  const auto ten = answer(fixed);
  CHECK_EQ(ten.fit->verdict, Verdict::offload);
  CHECK_EQ(ten.fit->gpu_layers, 10);

  CHECK_EQ(answer(request("llama-3.1-70b-instruct", "F16", {"m4 max 36gb"})).fit->verdict, Verdict::no);
}

TEST_CASE("estimate: more devices hold more, each its share") {
  auto r = request("llama-3.1-70b-instruct", "Q4_K_M", {"rtx 4090"});
  r.device_count = 2;
  const auto two = answer(r);
  CHECK((two.fit->verdict == Verdict::fits || two.fit->verdict == Verdict::tight));
  REQUIRE_GE(two.memory->devices.size(), 2);
  CHECK_EQ(two.memory->devices[0].layers + two.memory->devices[1].layers, 80);
  CHECK_EQ(two.fit->min_gpus, 2);
  const auto node = unsolved(request("llama-3.1-70b-instruct", "F16", {"dgx h100"}));
  CHECK_GE(node.memory->devices.size(), 8);
  CHECK_EQ(node.fit->verdict, Verdict::fits);
}

TEST_CASE("estimate: a server's pool") {
  auto r = request("llama-3.1-8b-instruct", "FP16", {"rtx 4090"});
  r.engine = "vllm";
  const auto a = unsolved(r);
  REQUIRE(a.memory->kv_capacity_tokens.has_value());
  CHECK_GE(*a.memory->kv_capacity_tokens, 8192);
  // The pool is what the fraction leaves.
  const auto& device = a.memory->devices.front();
  CHECK_LE(device.total_bytes(), *device.usable_bytes);
  CHECK_GT(device.bytes(Component::kv), kGiB);
}

// ---------------------------------------------------------------------------------------------------------------------
// Speed
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("estimate: decode slows down with depth and bits, and reads no more than there is") {
  for (const auto& id : kSample) {
    CAPTURE(id);
    double before = 1e12;
    for (const std::int64_t depth : {0, 1024, 8192, 32000}) {
      auto r = request(id, "Q4_K_M", {"h100"});
      r.context = 32768;
      r.depth = depth;
      r.explain = true;
      const auto a = unsolved(r);
      if (!a.throughput) continue;
      CHECK_LE(a.throughput->decode_tokens_per_s, before);
      before = a.throughput->decode_tokens_per_s;
      CHECK_LE(a.throughput->bytes_read_per_token, a.memory->total_bytes());
      CHECK_GT(a.throughput->efficiency, 0);
      CHECK_LE(a.throughput->efficiency, 1);
      double sum = 0;
      for (const auto& term : a.throughput->terms) sum += term.seconds;
      CHECK_EQ(1 / sum, doctest::Approx(a.throughput->decode_tokens_per_s).epsilon(1e-6));
    }
    double bits_before = 1e12;
    for (const std::string mix : {"Q2_K", "Q4_K_M", "Q8_0"}) {
      const auto a = unsolved(request(id, mix, {"h200"}));
      if (!a.throughput) continue;
      CHECK_LE(a.throughput->decode_tokens_per_s, bits_before);
      bits_before = a.throughput->decode_tokens_per_s;
    }
  }
}

TEST_CASE("estimate: where a speed is not known, the reason is") {
  const auto a = unsolved(request("qwen3-8b", "Q4_K_M", {"cpu"}));
  CHECK_FALSE(a.throughput.has_value());
  CHECK(has_note(a, "no speed"));
}

// ---------------------------------------------------------------------------------------------------------------------
// What would fit
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("estimate: the largest context fits and one granule more does not") {
  const auto fits = [](const Estimate& e) { return e.fit->verdict == Verdict::fits || e.fit->verdict == Verdict::tight; };
  for (const auto& [id, mix, device] : std::initializer_list<std::array<std::string, 3>>{{"llama-3.1-8b-instruct", "Q8_0", "rtx 4070"},
                                                                                         {"qwen3-30b-a3b", "Q4_K_M", "rtx 4090"},
                                                                                         {"gemma-3-27b-it", "Q4_K_M", "rtx 3090"},
                                                                                         {"deepseek-r1-distill-qwen-1.5b", "F16", "rtx 3060 8gb"},
                                                                                         {"qwen3-8b", "Q4_K_M", "m4 max 36gb"}}) {
    CAPTURE(id);
    auto r = request(id, mix, {device});
    const auto a = answer(r);
    REQUIRE(a.fit->max_context.has_value());
    const auto most = *a.fit->max_context;
    REQUIRE_GT(most, 0);
    r.context = most;
    CHECK(fits(unsolved(r)));
    if (most < *a.model.context_max) {
      CHECK_EQ(most % 256, 0);
      r.context = most + 256;
      CHECK_FALSE(fits(unsolved(r)));
    } else {
      CHECK_EQ(most, *a.model.context_max);
    }
    r.context = std::nullopt;
    REQUIRE(a.fit->max_concurrency.has_value());
    if (*a.fit->max_concurrency > 0) {
      r.concurrency = *a.fit->max_concurrency;
      CHECK(fits(unsolved(r)));
      r.concurrency = *a.fit->max_concurrency + 1;
      CHECK_FALSE(fits(unsolved(r)));
    }
    r.concurrency = std::nullopt;
    r.quantization = a.fit->best_quantization;
    REQUIRE_FALSE(r.quantization.empty());
    CHECK(fits(unsolved(r)));
  }
}

TEST_CASE("estimate: the smallest change makes it fit") {
  auto r = request("qwen3-32b", "Q8_0", {"rtx 4090"});
  const auto a = answer(r);
  REQUIRE_EQ(a.fit->verdict, Verdict::offload);
  REQUIRE_FALSE(a.fit->smallest_change.empty());
  for (const auto& change : a.fit->smallest_change) {
    if (change.knob == "quantization")
      r.quantization = change.to;
    else if (change.knob == "context")
      r.context = text::parse_int(change.to);
    else if (change.knob == "kv_type")
      r.kv_type_k = r.kv_type_v = change.to;
    else if (change.knob == "gpus")
      r.device_count = *text::parse_int(change.to);
    else if (change.knob == "concurrency")
      r.concurrency = text::parse_int(change.to);
  }
  const auto after = unsolved(r);
  CHECK((after.fit->verdict == Verdict::fits || after.fit->verdict == Verdict::tight));
  for (const auto& knob : a.fit->knobs) {
    CHECK(contains(knob.step, " -> "));
    CHECK_GE(knob.bytes_freed, 0);
  }
}

TEST_CASE("estimate: without a quantization the whole table, without a device the ranking") {
  const auto table = answer(request("llama-3.1-8b-instruct", "", {"rtx 4090"}));
  CHECK_FALSE(table.quantization.has_value());
  CHECK_GE(table.quantizations.size(), 30);
  for (std::size_t i = 1; i < table.quantizations.size(); ++i)
    CHECK_GE(table.quantizations[i].quantization.bits_per_weight, table.quantizations[i - 1].quantization.bits_per_weight);
  const auto row = std::find_if(table.quantizations.begin(), table.quantizations.end(), [](const auto& r) { return r.quantization.name == "Q4_K_M"; });
  REQUIRE(row != table.quantizations.end());
  const auto one = answer(request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090"}));
  CHECK_EQ(row->total_bytes, full_bytes(one));
  CHECK_EQ(row->quantization.file_size_bytes, one.quantization->file_size_bytes);
  CHECK_EQ(row->decode_tokens_per_s, one.throughput->decode_tokens_per_s);
  CHECK(row->kl_divergence.has_value());

  const auto ranking = answer(request("llama-3.1-8b-instruct", "Q4_K_M"));
  CHECK_GE(ranking.devices_ranked.size(), 200);
  const std::vector<std::string> tiers = {"comfortable", "fits", "tight", "offload", "no"};
  std::ptrdiff_t before = 0;
  for (const auto& d : ranking.devices_ranked) {
    const auto at = std::find(tiers.begin(), tiers.end(), d.tier) - tiers.begin();
    CHECK_LT(at, 5);
    CHECK_GE(at, before);
    before = at;
  }
}

TEST_CASE("estimate: explanations have a formula, a basis and a source for each number") {
  auto r = request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090"});
  r.explain = true;
  const auto a = unsolved(r);
  CHECK_GE(a.explain.size(), 8);
  for (const auto& e : a.explain) {
    CAPTURE(e.term);
    CHECK_FALSE(e.formula.empty());
    CHECK_FALSE(e.unit.empty());
    CHECK_FALSE(e.basis.empty());
    CHECK_FALSE(e.source.empty());
    CHECK_LE(e.low, e.value);
    CHECK_GE(e.high, e.value);
  }
  r.explain = false;
  CHECK(unsolved(r).explain.empty());
}

TEST_CASE("estimate: every model of the catalog is answered") {
  for (const auto* m : catalog().models()) {
    if (m->find_model() == nullptr) continue;
    CAPTURE(m->id);
    const auto a = unsolved(request(m->id, "Q4_K_M", {"rtx 4090"}));
    CHECK_GT(a.memory->total_bytes(), 9 * a.quantization->tensor_bytes / 10);  // prediction layers in the file are not loaded
    CHECK_GT(a.quantization->bits_per_weight, 4);
    CHECK_LT(a.quantization->bits_per_weight, 9);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// JSON
// ---------------------------------------------------------------------------------------------------------------------

namespace {

void check_fields(const json& object, std::initializer_list<const char*> fields) {
  for (const char* field : fields) CHECK_MESSAGE(object.contains(field), "no field '" << field << "'");
}

}  // namespace

TEST_CASE("estimate: the JSON has all fields of the contract") {
  auto r = request("llama-3.1-70b-instruct", "Q4_K_M", {"rtx 4090"});
  r.explain = true;
  for (const bool solve : {true, false}) {
    r.solve = solve;
    const auto text = to_json(answer(r));
    CHECK_FALSE(contains(text, "\n"));
    const auto j = json::parse(text);
    CHECK_EQ(j["schema"], "planner.estimate/1");
    check_fields(j, {"model", "quantization", "workload", "engine", "memory", "fit", "kv_capacity_tokens", "throughput", "notes", "explain"});
    check_fields(j["model"], {"id", "name", "hf_id", "architecture", "parameters_total", "parameters_active", "layers", "kv_layers", "context_max"});
    check_fields(j["quantization"], {"name", "bits_per_weight", "file_size_bytes", "tensor_bytes"});
    check_fields(j["workload"], {"context", "depth", "prompt", "concurrency", "batch", "ubatch", "kv_type_k", "kv_type_v", "flash_attn"});
    check_fields(j["engine"], {"name", "version", "backend"});
    check_fields(j["memory"],
                 {"weights_bytes", "kv_cache_bytes", "recurrent_state_bytes", "compute_bytes", "output_bytes", "overhead_bytes", "total_bytes", "devices"});
    for (const auto& d : j["memory"]["devices"]) {
      check_fields(d, {"name", "kind", "capacity_bytes", "usable_bytes", "layers", "weights_bytes", "kv_cache_bytes", "recurrent_state_bytes", "compute_bytes",
                       "output_bytes", "overhead_bytes", "total_bytes", "fits", "buffers"});
      for (const auto& b : d["buffers"]) check_fields(b, {"name", "component", "bytes", "basis", "uncertainty_bytes"});
    }
    check_fields(j["fit"], {"verdict", "shortfall_bytes", "limiting_device", "limiting_term", "max_context", "max_concurrency", "gpu_layers", "min_gpus",
                            "best_quant", "smallest_change", "knobs"});
    check_fields(j["throughput"], {"decode_tokens_per_s", "decode_low", "decode_high", "prefill_tokens_per_s", "prefill_low", "prefill_high",
                                   "time_to_first_token_s", "aggregate_decode_tokens_per_s", "bytes_read_per_token", "efficiency", "bound", "basis"});
    REQUIRE_FALSE(j["explain"].empty());
    for (const auto& e : j["explain"]) check_fields(e, {"term", "device", "formula", "value", "unit", "low", "high", "basis", "source"});
    CHECK(j["memory"]["total_bytes"].is_number_integer());
    CHECK(j["quantization"]["file_size_bytes"].is_number_integer());
    CHECK_EQ(j["fit"]["verdict"], "offload");
    CHECK_EQ(j["fit"]["max_context"].is_null(), !solve);
    CHECK_EQ(j["fit"]["knobs"].is_null(), !solve);
    CHECK_EQ(j["workload"]["kv_type_k"], "f16");
  }
  const auto table = json::parse(to_json(answer(request("qwen3-8b", ""))));
  CHECK(table["quantization"].is_null());
  CHECK(table["memory"].is_null());
  for (const auto& row : table["quantizations"]) check_fields(row, {"name", "bits_per_weight", "file_size_bytes", "memory_bytes", "fit", "quality"});
  CHECK_FALSE(table["devices_ranked"].empty());
}

TEST_CASE("estimate: unknown numbers are null, and JSON of every sample is valid") {
  const auto cpu = json::parse(to_json(unsolved(request("qwen3-8b", "Q4_K_M", {"cpu"}))));
  CHECK(cpu["throughput"].is_null());
  CHECK(cpu["memory"]["devices"][0]["capacity_bytes"].is_null());
  for (const auto& id : kSample) {
    for (const std::string mix : {"Q4_K_M", "AWQ"}) {
      const auto j = json::parse(to_json(answer(request(id, mix, {"rtx 4090"}))));
      CHECK_EQ(j["model"]["id"], id);
    }
  }
}

TEST_CASE("estimate: a request from JSON") {
  const auto r = request_from_json(
      R"({"model": "qwen3-8b", "quant": "Q4_K_M", "gpu": ["rtx 4090", "rtx 3090"], "context": 16384, "depth": 0, "prompt": 2048, "cached_prompt": 100,
    "concurrency": 4, "batch": 1024, "ubatch": 256, "kv_type": "q8_0", "kv_type_v": "f16", "flash_attn": "on", "swa_full": true, "kv_unified": "on", "kv_offload": "off",
    "gpu_layers": 20, "n_cpu_moe": 3, "reserve": "1 GiB", "gpu_memory_utilization": 0.85, "engine": "llama.cpp@b4748", "backend": "vulkan", "solve": false, "explain": true})");
  CHECK_EQ(r.model, "qwen3-8b");
  CHECK_EQ(r.quantization, "Q4_K_M");
  CHECK_EQ(r.devices, std::vector<std::string>{"rtx 4090", "rtx 3090"});
  CHECK_EQ(r.context, 16384);
  CHECK_EQ(r.depth, 0);
  CHECK_EQ(r.prompt, 2048);
  CHECK_EQ(r.cached_prompt, 100);
  CHECK_EQ(r.concurrency, 4);
  CHECK_EQ(r.batch, 1024);
  CHECK_EQ(r.ubatch, 256);
  CHECK_EQ(r.kv_type_k, "q8_0");
  CHECK_EQ(r.kv_type_v, "f16");
  CHECK_EQ(r.flash_attention, FlashAttention::on);
  CHECK(r.swa_full);
  CHECK(r.kv_unified);
  CHECK_FALSE(r.kv_offload);
  CHECK_EQ(r.gpu_layers, 20);
  CHECK_EQ(r.n_cpu_moe, 3);
  CHECK_EQ(r.reserve_bytes, kGiB);
  CHECK_EQ(r.memory_fraction, 0.85);
  CHECK_EQ(r.engine, "llama.cpp@b4748");
  CHECK_EQ(r.backend, "vulkan");
  CHECK_FALSE(r.solve);
  CHECK(r.explain);
  CHECK_EQ(request_from_json(R"({"model": "x", "gpu": "rtx 4090"})").devices, std::vector<std::string>{"rtx 4090"});
  CHECK_FALSE(request_from_json(R"({"model": "x", "gpu_layers": "auto"})").gpu_layers.has_value());
  CHECK_FALSE(request_from_json(R"({"model": "x", "context": null})").context.has_value());
}

TEST_CASE("estimate: what is no request is told in one line") {
  const auto error_of = [](std::string_view text) -> std::string {
    try {
      (void)request_from_json(text);
    } catch (const Error& e) {
      CHECK_EQ(e.kind(), ErrorKind::usage);
      CHECK_FALSE(contains(e.what(), "\n"));
      return e.what();
    }
    return {};
  };
  CHECK(contains(error_of(R"({"model": "x", "contxt": 1})"), "unknown key 'contxt' (did you mean 'context'"));
  CHECK(contains(error_of(R"({"context": "8192"})"), "'context'"));
  CHECK(contains(error_of(R"({"context": 8192.5})"), "whole number"));
  CHECK(contains(error_of(R"({"context": 99999999999999999999})"), "'context'"));
  CHECK(contains(error_of(R"({"context": 18446744073709551615})"), "'context'"));
  CHECK(contains(error_of(R"({"gpu": [1]})"), "'gpu'"));
  CHECK(contains(error_of(R"({"gpu": {}})"), "'gpu'"));
  CHECK(contains(error_of(R"({"flash_attn": "maybe"})"), "on, off or auto"));
  CHECK(contains(error_of(R"({"swa_full": 1})"), "true, false, on or off"));
  CHECK(contains(error_of(R"({"gpu_layers": -1})"), "gpu_layers"));
  CHECK(contains(error_of(R"({"reserve": "1 parsec"})"), "parsec"));
  CHECK(contains(error_of(R"({"model": 7})"), "'model'"));
  for (const std::string bad : {"", "{", "[]", "7", "null", "\"x\"", "{\"model\": }", "{} {}", "\xff"}) {
    CAPTURE(bad);
    CHECK_NE(error_of(bad), "");
  }
}

TEST_CASE("estimate: a batch answers line by line") {
  const auto good = json::parse(answer_line(R"({"model": "qwen3-8b", "quant": "Q4_K_M", "gpu": ["rtx 4090"], "solve": false})", 1, catalog()));
  CHECK_EQ(good["schema"], "planner.estimate/1");
  CHECK(good["fit"]["max_context"].is_null());
  const auto bad = json::parse(answer_line(R"({"model": "qwen3-8b", "gpu": ["rtx 9090"]})", 7, catalog()));
  CHECK_EQ(bad["schema"], "planner.error/1");
  CHECK_EQ(bad["line"], 7);
  CHECK(contains(bad["error"].get<std::string>(), "rtx 9090"));
  CHECK_EQ(json::parse(answer_line("\xff\xfe", 2, catalog()))["schema"], "planner.error/1");
  CHECK_EQ(json::parse(answer_line("{\"model\": \"\xff\"}", 2, catalog()))["schema"], "planner.error/1");
}
