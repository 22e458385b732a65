// Servers with a KV pool, and engines in one process: rules against figures that the engines printed and against their own sources.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "decision/session.h"
#include "engine/server.h"
#include "engine/torch_allocator.h"
#include "planner/estimate.h"
#include "planner/units.h"

namespace {

using namespace planner;

const Catalog& catalog() { return Catalog::builtin(); }

/// A server's question, asked below the names: ranks without a limit of memory unless a test gives them one.
struct Asked {
  std::string engine = "vllm";
  std::string model, quantization = "FP16";
  std::int64_t tensor = 1, pipeline = 1;
  std::string kv_type = "bf16";
  std::int64_t context = 8192, concurrency = 1;
  std::int64_t tokens = 0, sequences = 0;
  std::optional<std::int64_t> pool_bytes, device_bytes;
  double fraction = 0;
};

MemoryEstimate memory_of(const Asked& q) {
  EstimateRequest r;
  r.model = q.model;
  r.quantization = q.quantization;
  r.engine = q.engine;
  r.backend = "cuda";
  r.context = q.context;
  r.concurrency = q.concurrency;
  r.kv_type_k = q.kv_type;
  std::vector<std::string> notes;
  const auto subject = decision::resolve_subject(q.model, catalog());
  auto d = decision::resolve_deployment(r, catalog(), notes);
  d.devices.assign(static_cast<std::size_t>(q.tensor * q.pipeline), DeploymentDevice());
  for (auto& device : d.devices) device.capacity_bytes = q.device_bytes;
  d.tensor_parallel = q.tensor;
  d.pipeline_parallel = q.pipeline;
  d.pool_bytes = q.pool_bytes;
  d.memory_fraction = q.fraction;
  auto w = decision::resolve_workload(r, subject, *d.engine, notes);
  w.max_batched_tokens = q.tokens;
  w.max_num_seqs = q.sequences;
  std::unique_ptr<Quantization> made;
  const auto weights = decision::weigh(*subject.model, catalog().resolve_quantization(q.quantization, made));
  const auto n = subject.model->hyperparameters.n_layers;
  const auto placement = place_layers(n, n + 1, std::vector<double>(d.devices.size(), 1.0));
  return estimate_memory(*subject.model, weights.map, w, d, placement, weights.basis);
}

std::int64_t weights_of(const MemoryEstimate& m, std::size_t rank = 0) { return m.devices[rank].bytes(Component::weights); }

std::int64_t buffer(const DeviceMemory& d, std::string_view name) {
  for (const auto& b : d.buffers) {
    if (b.name.ends_with(name)) return b.bytes;
  }
  return 0;
}

/// A printed figure in GiB, as bytes; half a digit of slack is the caller's.
double gib(std::int64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kGiB); }

}  // namespace

TEST_CASE("PyTorch's allocator: slack stays where splitting is not worth it") {
  using engine::torch_allocated_bytes;
  CHECK_EQ(torch_allocated_bytes({}), 0);
  CHECK_EQ(torch_allocated_bytes({1}), 512);
  CHECK_EQ(torch_allocated_bytes({0, -5}), 0);
  // Small ones are cut from segments of 2 MiB without slack.
  CHECK_EQ(torch_allocated_bytes({kMiB, kMiB}), 2 * kMiB);
  // 35 MiB get a segment of 36: the MiB over is not more than 1, and stays.
  CHECK_EQ(torch_allocated_bytes({35 * kMiB}), 36 * kMiB);
  // 34.5 + 1.5: the rest is split off, and the next one takes it.
  CHECK_EQ(torch_allocated_bytes({34 * kMiB + 512 * 1024, kMiB + 256 * 1024}), 36 * kMiB);
  // 6 MiB come from a segment of 20; three of them leave 2 MiB, which a fourth cannot use.
  CHECK_EQ(torch_allocated_bytes({6 * kMiB, 6 * kMiB, 6 * kMiB, 6 * kMiB}), 24 * kMiB);
}

TEST_CASE("vLLM: weights as its own line prints them") {
  // "Loading model weights took 14.9595 GB" (vLLM 0.4.1; it divides by 2^30): the matrices, and a rotary table of 8192 x 128.
  const auto llama = memory_of({.engine = "vllm@0.4.1", .model = "meta-llama-3-8b"});
  CHECK_EQ(gib(weights_of(llama)), doctest::Approx(14.9595).epsilon(0.0001));
  CHECK_EQ(buffer(llama.devices[0], "rotary tables"), 8192 * 128 * 2);

  // Two ranks of Qwen2.5-32B: 30.7098 GB each (https://github.com/vllm-project/vllm/issues/15815). Three matrices of every layer end 1 MiB short of the allocator's
  // unit: 192 MiB of slack.
  const auto qwen = memory_of({.model = "qwen2.5-32b-instruct", .tensor = 2});
  CHECK_EQ(gib(weights_of(qwen)), doctest::Approx(30.7098).epsilon(0.0002));
  // All but a few of the 192: small tensors fill what others leave over.
  CHECK_EQ(static_cast<double>(buffer(qwen.devices[0], "rounding of weights")), doctest::Approx(190.5 * static_cast<double>(kMiB)));

  // DeepSeek-Coder-V2-Lite on eight ranks: 3.97 GiB each with v0.7, where copies of the absorbed projections lie beside the weights.
  const auto mla = memory_of({.engine = "vllm@0.7.2", .model = "deepseek-coder-v2-lite-instruct", .tensor = 8});
  CHECK_EQ(gib(weights_of(mla)), doctest::Approx(3.97).epsilon(0.0015));
}

TEST_CASE("tensor parallel: what is cut, what every rank holds") {
  const auto one = memory_of({.model = "llama-3.1-8b-instruct"});
  const auto eight = memory_of({.model = "llama-3.1-8b-instruct", .tensor = 8});
  const auto sixteen = memory_of({.model = "llama-3.1-8b-instruct", .tensor = 16});
  REQUIRE_EQ(eight.devices.size(), 9);  // and the host
  const auto matrices = [](const MemoryEstimate& m) { return buffer(m.devices[0], " weights"); };
  // All but the norms is cut by eight.
  const std::int64_t norms = 2 * 4096 * (2 * 32 + 1);
  CHECK_EQ(matrices(eight), doctest::Approx(static_cast<double>((matrices(one) - norms) / 8 + norms)).epsilon(1e-6));
  // Beyond the eight KV heads each rank keeps a whole one: K and V stop shrinking.
  const std::int64_t kv = 2 * 2 * 4096 * 128 * 32;
  CHECK_EQ(matrices(sixteen), doctest::Approx(static_cast<double>((matrices(one) - norms - 8 * kv) / 16 + norms + kv)).epsilon(1e-6));
  CHECK_EQ(eight.devices[0].bytes(Component::kv) * 8, one.devices[0].bytes(Component::kv));
  CHECK_EQ(sixteen.devices[0].bytes(Component::kv), eight.devices[0].bytes(Component::kv));

  // A latent row is shared by all heads: every rank caches it whole.
  const auto mla = memory_of({.model = "deepseek-r1", .quantization = "FP8-block", .tensor = 8});
  const auto mla16 = memory_of({.model = "deepseek-r1", .quantization = "FP8-block", .tensor = 16});
  CHECK_EQ(mla.devices[0].bytes(Component::kv), mla16.devices[0].bytes(Component::kv));
  CHECK_EQ(mla.devices[0].bytes(Component::kv), std::int64_t{61} * 576 * 2 * 8192);

  // GPT-2's 50257 rows are padded to 50304.
  const auto gpt = memory_of({.model = "gpt2", .quantization = "FP16"});
  const auto exact = memory_of({.engine = "transformers", .model = "gpt2", .quantization = "FP16"});
  CHECK_EQ(matrices(gpt) - buffer(exact.devices[0], "weights"), (50304 - 50257) * 768 * 2);
}

TEST_CASE("pipeline parallel: stages, and the ends that hold tables") {
  using engine::stages_of;
  const auto sizes = [](std::int64_t n, std::int64_t stages) {
    std::vector<std::int64_t> out;
    for (const auto& s : stages_of(n, stages)) out.push_back(s.n_layers);
    return out;
  };
  CHECK_EQ(sizes(32, 2), std::vector<std::int64_t>{16, 16});
  CHECK_EQ(sizes(61, 2), std::vector<std::int64_t>{31, 30});
  CHECK_EQ(sizes(7, 4), std::vector<std::int64_t>{2, 2, 2, 1});
  const auto m = memory_of({.model = "llama-3.1-8b-instruct", .pipeline = 2});
  const std::int64_t table = 2 * 128256 * 4096;
  const std::int64_t layers = std::int64_t{2} * 16 * (4096 * 4096 * 2 + 4096 * 1024 * 2 + std::int64_t{3} * 4096 * 14336 + 2 * 4096);
  CHECK_EQ(buffer(m.devices[0], " weights"), table + layers);
  CHECK_EQ(buffer(m.devices[1], " weights"), table + layers + 2 * 4096);
  CHECK_EQ(stages_of(61, 2, true).back().n_layers, 31);
  CHECK_EQ(m.devices[0].layers, 16);
}

TEST_CASE("vLLM: tokens that a pool of a printed size holds, as printed") {
  struct Printed {
    const char* what;
    Asked asked;
    std::int64_t tokens;
    double requests;
  };
  const auto mib = [](double n) { return static_cast<std::int64_t>(n * static_cast<double>(kMiB)); };
  const Printed all[] = {
      // 53616.64 MiB, two A40: one kind of layers, blocks of 16.
      {"Ministral 3 14B", {.engine = "vllm@0.12", .model = "ministral-3-14b-instruct-2512", .tensor = 2, .context = 100000, .pool_bytes = mib(53616.64)}, 686320, 6.86},
      // Pages that hold a state: blocks of 4176 and 2096 tokens, three groups of recurrent layers beside one of attention, two pages each per request.
      {"Qwen3.5 122B", {.engine = "vllm@0.16", .model = "qwen3.5-122b-a10b", .kv_type = "fp8", .context = 131072, .pool_bytes = mib(21944.32)}, 467712, 11.79},
      // https://github.com/noonghunna/club-3090/issues/612: tokens are requests x context since v0.21.
      {"Qwen3.6 35B", {.engine = "vllm@0.24.0", .model = "qwen3.6-35b-a3b", .kv_type = "fp8", .context = 131072, .tokens = 8192, .pool_bytes = mib(6123.52)}, 567978, 4.33},
      // Five full layers and 25 sliding ones of twice the bytes: six groups, blocks of 32 and 16 tokens.
      {"Gemma 4 26B", {.engine = "vllm@0.16", .model = "gemma-4-26b-a4b-it", .kv_type = "fp8", .context = 131072, .tokens = 2048, .pool_bytes = mib(52858.88)}, 451040, 33.42},
  };
  for (const auto& p : all) {
    CAPTURE(p.what);
    const auto m = memory_of(p.asked);
    // The pool is printed to 0.01 GiB.
    CHECK_EQ(static_cast<double>(m.kv_capacity_tokens.value_or(0)), doctest::Approx(static_cast<double>(p.tokens)).epsilon(0.0015));
    CHECK_EQ(m.kv_capacity_requests.value_or(0), doctest::Approx(p.requests).epsilon(0.002));
  }
}

TEST_CASE("vLLM: generations of rules") {
  const auto rules = [](const std::string& version) {
    Deployment d;
    d.engine = &catalog().resolve_engine("vllm");
    d.engine_version = version;
    return engine::server_rules(d);
  };
  CHECK_EQ(rules("0.6.4.post1").pool, PoolKind::uniform);
  CHECK(rules("0.6.4").step_holds_context);
  CHECK_FALSE(rules("v0.8.5").step_holds_context);
  CHECK_EQ(rules("0.10").pool, PoolKind::shared_pages);
  CHECK_EQ(rules("0.11.2").tokens_printed, TokensPrinted::held);
  CHECK_EQ(rules("0.21").tokens_printed, TokensPrinted::context);
  CHECK(rules("").graphs_within);
  CHECK_EQ(rules("not a version").tokens_printed, rules("").tokens_printed);

  // "PIECEWISE=51 (largest=512), FULL=35 (largest=256)"; 35 and 19 with 128 sequences, 11 and 7 with 32; 67 before the steps of 16.
  const auto graphs = [&](const std::string& version, std::int64_t sequences) {
    const auto r = rules(version);
    return engine::captured_graphs(r.graphs, {2048, sequences, r.graphs.per_sequence * sequences});
  };
  CHECK_EQ(graphs("0.19", 256), 51 + 35);
  CHECK_EQ(graphs("0.21", 128), 35 + 19);
  CHECK_EQ(graphs("0.21", 32), 11 + 7);
  CHECK_EQ(graphs("0.9", 256), 67);
  CHECK_EQ(graphs("0.6", 256), 35);
}

TEST_CASE("shares: of the device, of what is free before loading, of what is left") {
  const auto ask = [](const std::string& engine) {
    return memory_of({.engine = engine, .model = "llama-3.1-8b-instruct", .device_bytes = 80 * kGiB});
  };
  const auto pool = [](const MemoryEstimate& m) { return m.devices[0].bytes(Component::kv); };
  const auto vllm = ask("vllm@0.21");
  const auto& d = vllm.devices[0];
  const std::int64_t outside = buffer(d, "context");
  CHECK_EQ(d.total_bytes() - outside, static_cast<std::int64_t>(0.92 * static_cast<double>(80 * kGiB)));
  CHECK(vllm.fits());
  // Before v0.21 graphs come on top.
  const auto before = ask("vllm@0.12");
  const auto& b = before.devices[0];
  CHECK_EQ(b.total_bytes() - buffer(b, "context") - buffer(b, "CUDA graphs"), static_cast<std::int64_t>(0.9 * static_cast<double>(80 * kGiB)));

  // 512 MiB + 1.5 MiB x 8192 + 2 MiB x 256 + 1 GiB / 8 are kept of 80 GiB; the rest is the share of what the context leaves, weights included.
  const auto sglang = ask("sglang");
  const auto& s = sglang.devices[0];
  const std::int64_t free_before = 80 * kGiB - buffer(s, "context") - buffer(s, "non-torch");
  const double share = 1 - (512 + 1.5 * 8192 + 2 * 256 + 128) / 81920;
  CHECK_EQ(static_cast<double>(pool(sglang) + s.bytes(Component::weights)), doctest::Approx(share * static_cast<double>(free_before)).epsilon(1e-6));

  const auto trt = ask("tensorrt-llm");
  const auto& t = trt.devices[0];
  const std::int64_t taken = t.total_bytes() - pool(trt) - buffer(t, "CUDA graphs");
  CHECK_EQ(pool(trt), static_cast<std::int64_t>(0.9 * static_cast<double>(80 * kGiB - taken)));

  // A pool that cannot hold the workload does not fit, however large the device.
  const auto small = memory_of({.model = "llama-3.1-8b-instruct", .context = 131072, .device_bytes = 80 * kGiB, .fraction = 0.3});
  CHECK_FALSE(small.fits());
}

TEST_CASE("servers: properties over the catalog") {
  for (const std::string engine : {"vllm", "sglang", "tensorrt-llm"}) {
    for (const auto* entry : catalog().models()) {
      if (entry->find_model() == nullptr) continue;
      CAPTURE(engine);
      CAPTURE(entry->id);
      Asked q{.engine = engine, .model = entry->id, .context = 4096};
      const auto one = memory_of(q);
      q.context = 8192;
      const auto longer = memory_of(q);
      q.concurrency = 4;
      const auto more = memory_of(q);
      CHECK_LE(one.total_bytes(), longer.total_bytes());
      CHECK_LE(longer.total_bytes(), more.total_bytes());
      q.tensor = 2;
      const auto two = memory_of(q);
      REQUIRE_GE(two.devices.size(), 3);
      CHECK_LE(weights_of(two), weights_of(more));
      CHECK_GE(2 * buffer(two.devices[0], " weights"), buffer(more.devices[0], " weights"));
      q = {.engine = engine, .model = entry->id, .pipeline = 2, .context = 4096};
      const auto stages = memory_of(q);
      CHECK_EQ(stages.devices[0].layers + stages.devices[1].layers, entry->model().hyperparameters.n_layers);
      CHECK_GE(buffer(stages.devices[0], " weights") + buffer(stages.devices[1], " weights"), buffer(one.devices[0], " weights"));
    }
  }
}

TEST_CASE("one process: caches by the engine's own steps") {
  const auto kv = [](const MemoryEstimate& m) { return m.bytes(Component::kv); };
  // MLX grows in steps of 256 tokens.
  CHECK_EQ(kv(memory_of({.engine = "mlx", .model = "llama-3.1-8b-instruct", .context = 1000})), std::int64_t{1024} * 2 * 8 * 128 * 2 * 32);
  // ExLlamaV3 keeps ceil((window + 512) / 256) pages of a sliding layer: 1536 tokens of Gemma 3's 1024.
  const auto gemma = memory_of({.engine = "exllamav3", .model = "gemma-3-27b-it", .quantization = "EXL3-4.0", .kv_type = "f16", .context = 32768});
  const std::int64_t token = 2 * 2 * 16 * 128;
  CHECK_EQ(kv(gemma), token * (52 * 1536 + 10 * 32768));
  // transformers caches the full heads of MLA models.
  CHECK_EQ(kv(memory_of({.engine = "transformers", .model = "deepseek-v2-lite"})), std::int64_t{8192} * 27 * 16 * (192 + 128) * 2);
  CHECK_EQ(kv(memory_of({.engine = "mlx", .model = "deepseek-v2-lite"})), std::int64_t{8192} * 27 * 576 * 2);
  // ExLlama leaves the embedding table on the host.
  const auto exl = memory_of({.engine = "exllamav2", .model = "llama-3.1-8b-instruct", .quantization = "EXL2-4.0", .kv_type = "f16"});
  REQUIRE_EQ(exl.devices.size(), 2);
  CHECK_EQ(exl.devices[1].bytes(Component::weights), 2 * 128256 * 4096);
}
