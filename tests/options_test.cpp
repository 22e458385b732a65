// The switches of a request: machine files, tensors placed by hand, splits, drafts, projectors, files mapped and repacked, sweeps, engines side by side.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/breakdown.h"
#include "planner/error.h"
#include "planner/estimate.h"
#include "planner/machine.h"
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
  r.solve = false;
  return r;
}
Estimate answer(const EstimateRequest& r) { return estimate(r, catalog()); }

struct Problem {
  ErrorKind kind = ErrorKind::usage;
  std::string text;
};
template <typename F>
Problem problem_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    CHECK_FALSE(contains(e.what(), "\n"));
    return {e.kind(), e.what()};
  }
  FAIL("no error");
  return {};
}
Problem problem(const EstimateRequest& r) {
  return problem_of([&] { (void)answer(r); });
}
Problem machine_problem(std::string_view yaml) {
  return problem_of([&] { (void)machine_from_yaml(yaml, "box.yaml"); });
}

const Buffer* find_buffer(const MemoryEstimate& m, std::string_view name) {
  for (const auto& d : m.devices) {
    const auto it = std::find_if(d.buffers.begin(), d.buffers.end(), [&](const Buffer& b) { return b.name == name; });
    if (it != d.buffers.end()) return &*it;
  }
  return nullptr;
}
std::int64_t bytes_of(const Estimate& e, std::string_view name) {
  const auto* b = find_buffer(*e.memory, name);
  REQUIRE_MESSAGE(b != nullptr, "no buffer '" << name << "'");
  return b->bytes;
}
double mib_of(const Estimate& e, std::string_view name) { return static_cast<double>(bytes_of(e, name)) / static_cast<double>(kMiB); }
bool has_note(const Estimate& e, std::string_view part) {
  return std::any_of(e.notes.begin(), e.notes.end(), [&](const auto& note) { return contains(note, part); });
}

constexpr const char* kBox = R"(machine: Under the desk
gpus:
  - device: RTX 4090
    pcie: 4.0 x16
    reserve: 1.2 GiB
  - {device: rtx 3060 12gb, pcie: 3 x4}
host:
  memory: 64 GiB
  channels: 2
  speed: 6000 MT/s
  reserve: 4 GiB
)";

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Machine files
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("machine: what a file says") {
  const auto m = machine_from_yaml(kBox, "box.yaml");
  CHECK_EQ(m.name, "Under the desk");
  REQUIRE_EQ(m.gpus.size(), 2);
  CHECK_EQ(m.gpus[0].device, "RTX 4090");
  CHECK_EQ(m.gpus[0].pcie, "4.0 x16");
  CHECK_EQ(m.gpus[0].reserve_bytes, parse_bytes("1.2 GiB"));
  CHECK_EQ(m.gpus[1].pcie, "3.0 x4");
  CHECK_EQ(m.gpus[1].line, 6);
  CHECK_EQ(m.host.memory_bytes, 64 * kGiB);
  CHECK_EQ(m.host.bandwidth, BytesPerSecond(96e9));
  CHECK_EQ(machine_from_yaml("host: {bandwidth: 460.8 GB/s}", "b").host.bandwidth, BytesPerSecond(460.8e9));
  const auto linked = machine_from_yaml("gpus: [{device: rtx 3090, count: 2}]\nlinks: [{between: [0, 1], kind: NVLink, bandwidth: 112.5 GB/s}]", "b");
  REQUIRE_EQ(linked.links.size(), 1);
  CHECK_EQ(linked.links[0].between, std::vector<std::int64_t>{0, 1});
  CHECK_EQ(linked.gpus[0].count, 2);
}

TEST_CASE("machine: what is wrong is told with file and line") {
  const auto fails = [](std::string_view yaml, std::string_view place, std::string_view what) {
    const auto p = machine_problem(yaml);
    CAPTURE(p.text);
    CHECK_EQ(p.kind, ErrorKind::invalid_file);
    CHECK(p.text.starts_with(place));
    CHECK(contains(p.text, what));
  };
  fails("gpus:\n  - device: RTX 4090\n    pci: 4.0 x16", "box.yaml:3: ", "unknown key 'pci' in a GPU (did you mean 'pcie'");
  fails("gpus:\n  - device: RTX 4090\n    pcie: 16 lanes", "box.yaml:3: ", "expected generation and lanes");
  fails("gpus:\n  - pcie: 4.0 x16", "box.yaml:2: ", "lacks 'device'");
  fails("gpus:\n  - {device: x, count: 0}", "box.yaml:2: ", "expected a whole number from 1 to 1024");
  fails("gpus:\n  - {device: x, memory: 24}", "box.yaml:2: ", "'memory' is 24");
  fails("gpus: RTX 4090", "box.yaml:1: ", "is no list");
  fails("gpus: [{device: x}]\nlinks:\n  - between: [0, 3]", "box.yaml:3: ", "names card 3, expected 0 to 0");
  fails("host: {channels: 2}", "box.yaml:1: ", "both are needed");
  fails("host: {channels: 2, speed: 6000}", "box.yaml:1: ", "expected MT/s or GT/s");
  fails("host: {channels: 2, speed: 6000 MT/s, bandwidth: 90 GB/s}", "box.yaml:1: ", "one of them");
  fails("machine: empty", "box.yaml:1: ", "neither");
  fails("gpu: [{device: x}]", "box.yaml:1: ", "unknown key 'gpu' in the machine (did you mean 'gpus'");
  fails("gpus: [{device: x, device: y}]", "box.yaml:1: ", "twice");
  fails("gpus:\n  - [", "box.yaml:", "not YAML");
  fails("- a\n- b", "box.yaml:1: ", "no map");
  const test::TemporaryFolder folder;
  CHECK_EQ(problem_of([&] { (void)read_machine(folder.path() / "none.yaml"); }).kind, ErrorKind::invalid_file);
}

TEST_CASE("machine: an estimate on one") {
  const test::TemporaryFolder folder;
  folder.write("box.yaml", kBox);
  auto r = request("qwen3-30b-a3b", "Q8_0");
  r.machine = (folder.path() / "box.yaml").string();
  const auto a = answer(r);
  CHECK_EQ(a.machine, "Under the desk");
  REQUIRE_EQ(a.memory->devices.size(), 3);
  CHECK_EQ(a.memory->devices[0].name, "GeForce RTX 4090");
  CHECK_EQ(a.memory->devices[0].usable_bytes, 24 * kGiB - parse_bytes("1.2 GiB"));
  CHECK_EQ(a.memory->devices[2].usable_bytes, 60 * kGiB);
  REQUIRE(a.throughput.has_value());
  // The unequal cards share in proportion to what they have free.
  CHECK_GT(a.memory->devices[0].layers, a.memory->devices[1].layers);
  CHECK_EQ(json::parse(to_json(a))["machine"], "Under the desk");

  // The host's own bandwidth counts for what lies there.
  auto host = request("qwen3-8b", "Q4_K_M", {"cpu"});
  host.machine = r.machine;
  const auto slow = answer(host);
  REQUIRE(slow.throughput.has_value());
  folder.write("fast.yaml", "host: {memory: 384 GiB, channels: 12, speed: 6000 MT/s}");
  host.machine = (folder.path() / "fast.yaml").string();
  CHECK_GT(answer(host).throughput->decode_tokens_per_s, 3 * slow.throughput->decode_tokens_per_s);

  folder.write("typo.yaml", "gpus:\n  - device: rtx 9090");
  r.machine = (folder.path() / "typo.yaml").string();
  const auto p = problem(r);
  CHECK_EQ(p.kind, ErrorKind::unknown_name);
  CHECK(contains(p.text, "typo.yaml:2: "));
  folder.write("cpu.yaml", "gpus:\n  - device: epyc-9004-12ch-ddr5-4800");
  r.machine = (folder.path() / "cpu.yaml").string();
  CHECK(contains(problem(r).text, "is no GPU"));
  // A host too small for the rest of the layers.
  folder.write("small.yaml", "gpus: [{device: rtx 3060 12gb}]\nhost: {memory: 8 GiB, channels: 2, speed: 3200 MT/s}");
  auto large = request("llama-3.3-70b-instruct", "Q4_K_M");
  large.machine = (folder.path() / "small.yaml").string();
  CHECK_EQ(answer(large).fit->verdict, Verdict::no);
}

// ---------------------------------------------------------------------------------------------------------------------
// Placement by hand
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("override-tensor: the first pattern found in a name counts, host and devices") {
  auto r = request("qwen3-30b-a3b", "Q4_K_M", {"rtx 3090", "rtx 3090"});
  r.gpu_layers = 100;
  const auto plain = answer(r);
  r.override_tensors = {R"(blk\.[0-9]\.ffn_.*_exps=CPU,_exps=CUDA1)"};
  const auto a = answer(r);
  CHECK_EQ(a.memory->bytes(Component::weights), plain.memory->bytes(Component::weights));
  const auto& model = catalog().find_model("qwen3-30b-a3b")->model();
  const auto* q = catalog().find_quantization("Q4_K_M");
  const auto stored = store(model, *q);
  std::int64_t on_host = 0, on_second = 0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (model.tensors[i].is_expert) (model.tensors[i].layer < 10 ? on_host : on_second) += stored.bytes[i];
  }
  CHECK_EQ(bytes_of(a, "CPU_Mapped model"), bytes_of(plain, "CPU_Mapped model") + on_host);
  CHECK_GE(bytes_of(a, "CUDA1 model"), on_second);
  // The other way round the second rule never comes to count.
  r.override_tensors = {"_exps=CUDA1", R"(blk\.[0-9]\.ffn_.*_exps=CPU)"};
  CHECK_EQ(bytes_of(answer(r), "CPU_Mapped model"), bytes_of(plain, "CPU_Mapped model"));
  // All experts on the host are what --n-cpu-moe of all layers does.
  r.override_tensors = {R"(\.ffn_(up|down|gate)_exps=CPU)"};
  const auto by_hand = answer(r);
  r.override_tensors.clear();
  r.n_cpu_moe = 48;
  const auto by_switch = answer(r);
  CHECK_EQ(bytes_of(by_hand, "CPU_Mapped model"), bytes_of(by_switch, "CPU_Mapped model"));
  CHECK_LT(by_hand.throughput->decode_tokens_per_s, plain.throughput->decode_tokens_per_s);
  // A pattern that would try every way to match nothing still ends.
  r.n_cpu_moe = 0;
  r.override_tensors = {"(.*)*(.*)*(.*)*(.*)*(.*)*x{9}=CPU"};
  CHECK_EQ(bytes_of(answer(r), "CPU_Mapped model"), bytes_of(plain, "CPU_Mapped model"));
  // A tied table lies where both of its uses find it.
  auto tied = request("qwen3-0.6b", "Q8_0", {"rtx 3090"});
  const auto twice = answer(tied).memory->bytes(Component::weights);
  tied.override_tensors = {"token_embd=CUDA0"};
  CHECK_LT(answer(tied).memory->bytes(Component::weights), twice);
}

TEST_CASE("override-tensor, split, tensor-split: what cannot be") {
  const auto with = [](auto change) {
    auto r = request("qwen3-8b", "Q4_K_M", {"rtx 4090", "rtx 3060 12gb"});
    change(r);
    return problem(r).text;
  };
  CHECK(contains(with([](auto& r) { r.override_tensors = {"exps"}; }), "expected REGEX=BUFFER"));
  CHECK(contains(with([](auto& r) { r.override_tensors = {"exps=CUDA2"}; }), "did you mean 'CUDA0' or 'CUDA1'"));
  CHECK(contains(with([](auto& r) { r.override_tensors = {"ex(ps=CPU"}; }), "no regular expression"));
  CHECK(contains(with([](auto& r) { r.override_tensors = {std::string(100000, '(') + "=CPU"}; }), "override-tensor"));
  CHECK(contains(with([](auto& r) { r.override_tensors = {std::string(500, '(') + "=CPU"}; }), "no regular expression"));
  CHECK(contains(with([](auto& r) { r.split = "tensor"; }), "expected layer or row"));
  CHECK(contains(with([](auto& r) { r.tensor_split = {1}; }), "one for each of 2 devices"));
  CHECK(contains(with([](auto& r) { r.tensor_split = {0, 0}; }), "not all 0"));
  CHECK(contains(with([](auto& r) { r.tensor_split = {-1, 2}; }), "from 0 on"));
  CHECK_EQ(parse_shares("3, 1.5"), std::vector<double>{3, 1.5});
  CHECK(contains(problem_of([] { (void)parse_shares("3,x"); }).text, "'x' is no number"));
  CHECK(contains(with([](auto& r) { r.engine = "vllm", r.tensor_parallel = 4; }), "tensor-parallel x pipeline-parallel is 4, but there are 2 devices"));
  CHECK(contains(with([](auto& r) { r.engine = "vllm", r.tensor_parallel = 0; }), "tensor-parallel is 0"));
  CHECK(contains(with([](auto& r) { r.engine = "vllm", r.max_num_seqs = 0; }), "max-num-seqs"));
  CHECK(contains(with([](auto& r) { r.sweep = "contxt"; }), "did you mean 'context'"));
}

TEST_CASE("tensor-split: layers follow the shares as the engine counts them") {
  auto r = request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090", "rtx 4090"});
  r.tensor_split = {3, 1};
  const auto a = answer(r);
  // 33 pieces, the output the last: those below 0.75 go to the first device.
  CHECK_EQ(a.memory->devices[0].layers, 25);
  CHECK_EQ(a.memory->devices[1].layers, 7);
  r.split = "row";
  const auto rows = answer(r);
  CHECK_EQ(rows.memory->bytes(Component::weights), a.memory->bytes(Component::weights));
  CHECK_EQ(static_cast<double>(bytes_of(rows, "CUDA0 model")) / static_cast<double>(bytes_of(rows, "CUDA1 model")), doctest::Approx(3).epsilon(0.01));
  r.tensor_split = {0, 1};
  r.split = "layer";
  CHECK_EQ(answer(r).memory->devices[0].layers, 0);
}

TEST_CASE("switches that an engine does not have are noted") {
  auto r = request("qwen3-8b", "AWQ", {"rtx 4090"});
  r.engine = "vllm";
  r.n_cpu_moe = 3;
  r.swa_full = true;
  CHECK(has_note(answer(r), "vLLM takes no n-cpu-moe, swa-full"));
  auto l = request("qwen3-8b", "Q4_K_M", {"rtx 4090"});
  l.max_num_seqs = 8;
  CHECK(has_note(answer(l), "llama.cpp takes no max-num-seqs"));
}

// ---------------------------------------------------------------------------------------------------------------------
// What is loaded beside the model
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("draft: a second model with a context of its own") {
  auto r = request("qwen3-32b", "Q4_K_M", {"rtx 4090"});
  r.context = 4096;
  r.kv_type_k = r.kv_type_v = "q8_0";
  const auto alone = answer(r);
  r.draft = "qwen3-0.6b";
  r.acceptance = 0.7;
  const auto a = answer(r);
  CHECK_EQ(a.draft, "Qwen3-0.6B Q4_K_M");
  auto small = request("qwen3-0.6b", "Q4_K_M", {"rtx 4090"});
  small.context = 4096;
  const auto draft = answer(small);
  // Its cache is in F16 whatever the model's is.
  CHECK_EQ(bytes_of(a, "CUDA0 draft KV"), bytes_of(draft, "CUDA0 KV"));
  CHECK_EQ(bytes_of(a, "CUDA0 draft model"), bytes_of(draft, "CUDA0 model"));
  CHECK_EQ(bytes_of(a, "CUDA0 draft compute"), bytes_of(draft, "CUDA0 compute"));
  CHECK_EQ(a.memory->bytes(Component::overhead), alone.memory->bytes(Component::overhead));
  CHECK_EQ(a.workload.draft_tokens, 3);
  CHECK_EQ(a.workload.acceptance, 0.7);
  r.draft_quantization = "Q8_0";
  CHECK_GT(bytes_of(answer(r), "CUDA0 draft model"), bytes_of(a, "CUDA0 draft model"));
  r.draft = "llama-3.2-1b-instruct";
  CHECK(has_note(answer(r), "cannot draft for it without translation"));
  r.draft = "no such model";
  CHECK_EQ(problem(r).kind, ErrorKind::unknown_name);
  r.draft = "qwen3-0.6b";
  r.acceptance = 1.5;
  CHECK(contains(problem(r).text, "acceptance is 1.5"));
  r.draft.clear();
  CHECK_EQ(problem(r).kind, ErrorKind::usage);
  // A pool gives way.
  auto v = request("qwen3-8b", "AWQ", {"rtx 4090"});
  v.engine = "vllm";
  const auto before = answer(v);
  v.draft = "qwen3-0.6b";
  const auto after = answer(v);
  CHECK_EQ(after.memory->total_bytes(), doctest::Approx(static_cast<double>(before.memory->total_bytes())).epsilon(0.01));
  CHECK_LT(*after.memory->kv_capacity_tokens, *before.memory->kv_capacity_tokens);
}

TEST_CASE("draft by prediction layers: cache and graph as a server printed them") {
  // b9849, -c 8192 --ubatch 2048 --parallel 4, two tokens ahead: states 1795.50 MiB, MTP cache 32.00, MTP compute 520.06 on the device and 112.07 on the host.
  auto r = request("qwen3.6-27b", "Q4_K_M", {"rtx 3090"});
  r.context = 2048;
  r.concurrency = 4;
  r.ubatch = 2048;
  r.kv_unified = true;
  r.draft = "mtp";
  r.draft_tokens = 2;
  const auto a = answer(r);
  CHECK_EQ(mib_of(a, "CUDA0 recurrent state"), doctest::Approx(1795.5));
  CHECK_EQ(mib_of(a, "CUDA0 MTP KV"), doctest::Approx(32));
  CHECK_EQ(mib_of(a, "CUDA0 MTP compute"), doctest::Approx(520.06).epsilon(1e-4));
  CHECK_GT(mib_of(a, "CUDA0 MTP layers"), 200);
  CHECK(has_note(a, "keeps its multi-token-prediction layers"));
  CHECK_EQ(a.draft, "1 multi-token-prediction layer");
  CHECK(contains(problem([] {
                   auto q = request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 3090"});
                   q.draft = "mtp";
                   return q;
                 }())
                     .text,
                 "no multi-token-prediction layers"));
}

TEST_CASE("mmproj: the model's own tower, or a file") {
  auto r = request("qwen3.6-27b", "Q4_K_M", {"rtx 4090"});
  const auto alone = answer(r);
  r.mmproj = "auto";
  const auto a = answer(r);
  // Printed for Qwen3.6's tower: 887.99 MiB in BF16 with its patch table in F32 (3.38 MiB more than in F16), 248.10 MiB and 24.93 for its graph.
  CHECK_EQ(mib_of(a, "CUDA0 projector"), doctest::Approx(884.62).epsilon(1e-4));
  CHECK_EQ(mib_of(a, "CUDA0 projector compute"), doctest::Approx(248.10).epsilon(1e-4));
  CHECK_EQ(mib_of(a, "CPU projector compute"), doctest::Approx(24.93).epsilon(1e-3));
  CHECK_EQ(a.memory->total_bytes() - alone.memory->total_bytes(), bytes_of(a, "CUDA0 projector") + bytes_of(a, "CUDA0 projector compute") + bytes_of(a, "CPU projector compute"));
  auto text_only = request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090"});
  text_only.mmproj = "auto";
  CHECK(contains(problem(text_only).text, "no vision or audio tower"));
  text_only.mmproj = "/nonexistent/mmproj.gguf";
  CHECK_EQ(problem(text_only).kind, ErrorKind::invalid_file);
  text_only.mmproj = (std::filesystem::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "gguf" / "r1-distill-qwen-1.5b-Q2_K.gguf").string();
  CHECK(contains(problem(text_only).text, "is no projector"));
}

TEST_CASE("repack: what llama.cpp keeps for its CPU kernels, to the printed MiB") {
  struct Row {
    std::string model, quantization;
    double repacked, rest;
  };
  // v0.5.0 on a CPU with AVX-512, read without mapping.
  const std::vector<Row> rows = {{"llama-3.1-8b-instruct", "Q4_K_M", 3204.0, 1481.304932}, {"llama-3.1-8b-instruct", "Q4_0", 3744.0, 693.804932},
                                 {"llama-3.1-8b-instruct", "Q2_K", 1458.0, 1566.383057},   {"mixtral-8x7b-instruct-v0.1", "Q4_K_M", 20448.0, 6681.867188},
                                 {"llama-3.2-1b-instruct", "Q4_0", 522.0, 205.746216}};
  for (const auto& row : rows) {
    CAPTURE(row.model);
    CAPTURE(row.quantization);
    auto r = request(row.model, row.quantization, {"epyc-9004-12ch-ddr5-4800"});
    r.mmap = false;
    const auto a = answer(r);
    CHECK_EQ(mib_of(a, "CPU_REPACK model"), doctest::Approx(row.repacked).epsilon(1e-6));
    CHECK_EQ(mib_of(a, "CPU model"), doctest::Approx(row.rest).epsilon(1e-6));
    r.repack = false;
    CHECK_EQ(mib_of(answer(r), "CPU model"), doctest::Approx(row.repacked + row.rest).epsilon(1e-6));
  }
  for (const std::string quantization : {"Q8_0", "IQ4_XS"}) {
    auto r = request("llama-3.1-8b-instruct", quantization, {"epyc-9004-12ch-ddr5-4800"});
    CHECK(find_buffer(*answer(r).memory, "CPU_REPACK model") == nullptr);
  }
  // With an accelerator the host's part lies mapped, or pinned; nothing is repacked.
  auto r = request("llama-3.3-70b-instruct", "Q4_0", {"rtx 4090"});
  CHECK_GT(bytes_of(answer(r), "CPU_Mapped model"), 10 * kGiB);
  r.mmap = false;
  CHECK_GT(bytes_of(answer(r), "CUDA_Host model"), 10 * kGiB);
}

// ---------------------------------------------------------------------------------------------------------------------
// Many answers in one
// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("sweep: memory and speed along an axis") {
  auto r = request("qwen3-8b", "Q4_K_M", {"rtx 3060 12gb"});
  for (const std::string axis : {"context", "concurrency", "prompt"}) {
    CAPTURE(axis);
    r.sweep = axis;
    const auto a = answer(r);
    REQUIRE_GE(a.sweep.size(), 5);
    CHECK_EQ(a.sweep_axis, axis);
    for (std::size_t i = 1; i < a.sweep.size(); ++i) {
      CHECK_GT(a.sweep[i].at, a.sweep[i - 1].at);
      CHECK_GE(a.sweep[i].kv_bytes, a.sweep[i - 1].kv_bytes);
    }
    const auto asked = axis == "context" ? a.workload.context : axis == "prompt" ? a.workload.prompt : a.workload.concurrency;
    const auto point = std::find_if(a.sweep.begin(), a.sweep.end(), [&](const SweepPoint& p) { return p.at == asked; });
    REQUIRE(point != a.sweep.end());
    CHECK_EQ(point->total_bytes, a.memory->total_bytes());
    CHECK_EQ(point->decode_tokens_per_s, a.throughput->decode_tokens_per_s);
    const auto j = json::parse(to_json(a));
    CHECK_EQ(j["sweep"]["axis"], axis);
    CHECK_EQ(j["sweep"]["points"].size(), a.sweep.size());
    CHECK_EQ(j["sweep"]["points"][0][axis], a.sweep[0].at);
  }
  r.quantization.clear();
  CHECK(contains(problem(r).text, "a sweep needs a quantization"));
}

TEST_CASE("engine all: side by side, with what differs and why") {
  auto r = request("llama-3.1-8b-instruct", "Q4_K_M", {"rtx 4090"});
  r.engine = "all";
  const auto a = answer(r);
  REQUIRE_EQ(a.engines.size(), catalog().engines().size());
  CHECK_EQ(a.engines.front().id, "llama.cpp");
  CHECK_EQ(a.engines.front().difference, "");
  for (const auto& row : a.engines) {
    CAPTURE(row.id);
    if (!row.error.empty()) continue;
    CHECK_GT(row.answer.memory->total_bytes(), 4 * kGiB);
    if (row.id != "llama.cpp") CHECK_FALSE(row.difference.empty());
    if (row.id == "vllm") {
      CHECK(has_note(row.answer, "does not load Q4_K_M"));
    }
  }
  const auto j = json::parse(to_json(a));
  CHECK_EQ(j["engine"]["name"], "all");
  CHECK(j["memory"].is_null());
  REQUIRE_EQ(j["engines"].size(), a.engines.size());
  for (const auto& e : j["engines"]) CHECK((e.contains("error") || e["schema"] == "planner.estimate/1"));
  // On a Mac those for other back ends say so.
  r.devices = {"m4 max 64gb"};
  const auto mac = answer(r);
  const auto cuda_only = std::find_if(mac.engines.begin(), mac.engines.end(), [](const EngineRow& row) { return row.id == "exllamav3"; });
  REQUIRE(cuda_only != mac.engines.end());
  CHECK_EQ(cuda_only->error, "no metal back end");
}

TEST_CASE("breakdown: a row per device, equal ones together, with basis and uncertainty") {
  auto r = request("deepseek-v3", "Q4_K_M", {"dgx h100"});
  const auto a = answer(r);
  const auto rows = breakdown(*a.memory);
  REQUIRE_EQ(rows.size(), 2);
  CHECK_EQ(rows[0].equals, 8);
  CHECK_EQ(rows[1].device, "host");
  std::int64_t most = 0;
  for (std::size_t i = 0; i < 8; ++i) most = std::max(most, a.memory->devices[i].total_bytes());
  CHECK_EQ(rows[0].total.bytes, most);
  CHECK_EQ(basis_of(rows, Component::weights), Basis::config);
  CHECK_EQ(basis_of(rows, Component::overhead), Basis::assumption);
  const auto each = breakdown(*a.memory, 100);
  REQUIRE_EQ(each.size(), a.memory->devices.size());
  for (std::size_t i = 0; i < each.size(); ++i) {
    std::int64_t sum = 0, uncertain = 0;
    for (const auto& t : each[i].terms) sum += t.bytes, uncertain += t.uncertainty_bytes;
    CHECK_EQ(sum, a.memory->devices[i].total_bytes());
    CHECK_EQ(uncertain, each[i].total.uncertainty_bytes);
  }
}

TEST_CASE("request JSON: the newer switches") {
  const auto r = request_from_json(R"({"model": "x", "machine": "box.yaml", "override_tensor": ["exps=CPU"], "split": "row", "tensor_split": [3, 1], "mmap": "off", "repack": false,
    "draft": "y", "draft_quant": "Q8_0", "draft_tokens": 5, "acceptance": 0.8, "mmproj": "auto", "tensor_parallel": 2, "pipeline_parallel": 3, "max_num_seqs": 64,
    "max_batched_tokens": 4096, "block_size": 32, "sweep": "context"})");
  CHECK_EQ(r.machine, "box.yaml");
  CHECK_EQ(r.override_tensors, std::vector<std::string>{"exps=CPU"});
  CHECK_EQ(r.split, "row");
  CHECK_EQ(r.tensor_split, std::vector<double>{3, 1});
  CHECK_FALSE(r.mmap);
  CHECK_FALSE(r.repack);
  CHECK_EQ(r.draft, "y");
  CHECK_EQ(r.draft_quantization, "Q8_0");
  CHECK_EQ(r.draft_tokens, 5);
  CHECK_EQ(r.acceptance, 0.8);
  CHECK_EQ(r.mmproj, "auto");
  CHECK_EQ(r.tensor_parallel, 2);
  CHECK_EQ(r.pipeline_parallel, 3);
  CHECK_EQ(r.max_num_seqs, 64);
  CHECK_EQ(r.max_batched_tokens, 4096);
  CHECK_EQ(r.block_size, 32);
  CHECK_EQ(r.sweep, "context");
  CHECK_EQ(request_from_json(R"({"model": "x", "tensor_split": "3,1"})").tensor_split, std::vector<double>{3, 1});
  CHECK(contains(problem_of([] { (void)request_from_json(R"({"model": "x", "tensor_split": ["a"]})"); }).text, "'tensor_split'"));
  CHECK(contains(problem_of([] { (void)request_from_json(R"({"model": "x", "overide_tensor": []})"); }).text, "did you mean 'override_tensor'"));
}
