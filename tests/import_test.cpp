// llama-bench results in four forms, the damage that lines may have, and a profile that no end of its writer can spoil.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <sstream>

#include "core/text.h"
#include "planner/calibration.h"
#include "planner/error.h"
#include "planner/estimate.h"
#include "support/files.h"

namespace {

using namespace planner;

constexpr const char* kJson = R"([
  {"build_commit": "abc", "build_number": 9190, "cpu_info": "AMD Ryzen 9", "gpu_info": "NVIDIA GeForce RTX 3090", "backends": "CUDA",
   "model_filename": "models/Meta-Llama-3.1-8B-Q4_K_M.gguf", "model_type": "llama 8B Q4_K - Medium", "model_size": 4912898304, "model_n_params": 8030261312,
   "n_batch": 2048, "n_ubatch": 512, "type_k": "f16", "type_v": "f16", "n_gpu_layers": 99, "split_mode": "layer", "flash_attn": true,
   "n_prompt": 512, "n_gen": 0, "n_depth": 0, "test_time": "2026-05-11T10:00:00Z", "avg_ts": 5200.5, "stddev_ts": 12.0},
  {"build_commit": "abc", "build_number": 9190, "cpu_info": "AMD Ryzen 9", "gpu_info": "NVIDIA GeForce RTX 3090", "backends": "CUDA",
   "model_filename": "models/Meta-Llama-3.1-8B-Q4_K_M.gguf", "model_type": "llama 8B Q4_K - Medium", "model_size": 4912898304, "model_n_params": 8030261312,
   "n_batch": 2048, "n_ubatch": 512, "type_k": "f16", "type_v": "f16", "n_gpu_layers": 99, "split_mode": "layer", "flash_attn": true,
   "n_prompt": 0, "n_gen": 128, "n_depth": 0, "test_time": "2026-05-11T10:00:00Z", "avg_ts": 100.0, "stddev_ts": 0.4}
])";

constexpr const char* kTable =
    "ggml_cuda_init: found 1 CUDA devices:\n"
    "  Device 0: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes\n"
    "| model                          |       size |     params | backend    | ngl | fa |            test |                  t/s |\n"
    "| ------------------------------ | ---------: | ---------: | ---------- | --: | -: | --------------: | -------------------: |\n"
    "| llama 8B Q4_K - Medium         |   4.58 GiB |     8.03 B | CUDA       |  99 |  1 |           pp512 |       5200.50 ± 12.0 |\n"
    "| llama 8B Q4_K - Medium         |   4.58 GiB |     8.03 B | CUDA       |  99 |  1 |   tg128 @ d4096 |         90.00 ± 0.40 |\n"
    "\nbuild: abc (9190)\n";

constexpr const char* kHeading = "build_number,gpu_info,backends,model_filename,model_type,model_size,model_n_params,n_ubatch,n_gpu_layers,flash_attn,n_prompt,n_gen,n_depth,avg_ts\n";
std::string csv_line(const std::string& rate, const std::string& gpu = "NVIDIA GeForce RTX 3090", const std::string& file = "Meta-Llama-3.1-8B-Q4_K_M.gguf", const std::string& gen = "128") {
  return "9190," + gpu + ",CUDA," + file + ",llama 8B Q4_K - Medium,4912898304,8030261312,512,99,1,0," + gen + ",0," + rate + "\n";
}

ImportedFile import(const test::TemporaryFolder& folder, const std::string& name, const std::string& content, const ImportOptions& options = {}) {
  return import_bench(folder.write(name, content), options, Catalog::builtin());
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  return content.str();
}

}  // namespace

TEST_CASE("import: json, jsonl, csv and md tell the same") {
  const test::TemporaryFolder folder;
  const auto json = import(folder, "a.json", kJson);
  REQUIRE_EQ(json.accepted.size(), 2);
  CHECK(json.refused.empty());
  const auto& m = json.accepted[1];
  CHECK_EQ(m.device, "rtx-3090");
  CHECK_EQ(m.model, "meta-llama-3.1-8b");
  CHECK_EQ(m.quantization, "Q4_K_M");
  CHECK_EQ(m.backend, "cuda");
  CHECK_EQ(m.version, "b9190");
  CHECK((m.test == MeasuredTest::decode && m.tokens == 128 && m.tokens_per_s == 100));
  CHECK(json.accepted[0].test == MeasuredTest::prefill);
  CHECK(m.flash_attention.value());
  CHECK(m.year == doctest::Approx(2026 + 4.5 / 12));

  std::string lines;
  for (const auto line : text::split(kJson, '\n')) lines += std::string(text::trim(line));
  lines = lines.substr(1, lines.size() - 2);
  lines.replace(lines.find("},{"), 3, "}\n{");
  const auto jsonl = import(folder, "a.jsonl", lines);
  REQUIRE_EQ(jsonl.accepted.size(), 2);
  CHECK_EQ(jsonl.accepted[1].tokens_per_s, 100);

  const auto csv = import(folder, "a.csv", kHeading + csv_line("100.0"));
  REQUIRE_EQ(csv.accepted.size(), 1);
  CHECK_EQ(csv.accepted[0].model, m.model);

  const auto table = import(folder, "a.md", kTable);
  REQUIRE_EQ(table.accepted.size(), 2);
  CHECK_EQ(table.accepted[0].device, "rtx-3090");
  CHECK_EQ(table.accepted[1].depth, 4096);
  CHECK_EQ(table.accepted[1].quantization, "Q4_K_M");
}

TEST_CASE("import: bad lines are refused one by one, with reasons") {
  const test::TemporaryFolder folder;
  const auto reason = [&](const std::string& line) {
    const auto f = import(folder, "bad.csv", kHeading + line);
    REQUIRE_EQ(f.refused.size(), 1);
    CHECK(f.accepted.empty());
    CHECK_EQ(f.refused[0].line, 2);
    return f.refused[0].reason;
  };
  CHECK(text::contains(reason(csv_line("nan")), "expected a number"));
  CHECK(text::contains(reason(csv_line("inf")), "expected a number"));
  CHECK(text::contains(reason(csv_line("-3")), "below zero"));
  CHECK(text::contains(reason(csv_line("0")), "zero"));
  CHECK(text::contains(reason(csv_line("fast")), "expected a number"));
  CHECK(text::contains(reason(csv_line("90000")), "times the bandwidth"));
  CHECK(text::contains(reason(csv_line("100", "Voodoo 2")), "unknown device"));
  CHECK(text::contains(reason(csv_line("100", "")), "--gpu"));
  CHECK(text::contains(reason("1,2,3\n"), "3 columns, the heading has 14"));
  CHECK(text::contains(reason(csv_line("100", "NVIDIA GeForce RTX 3090", "Meta-Llama-3.1-8B-Q4_K_M.gguf", "0")), "neither a prompt nor generated"));
  CHECK(text::contains(import(folder, "missing.csv", "n_prompt,avg_ts\n512,100\n").refused.at(0).reason, "no column 'n_gen'"));

  // A second model or device in one file: the first counts.
  const auto two = import(folder, "two.csv", kHeading + csv_line("100") + csv_line("90", "NVIDIA GeForce RTX 3090", "Qwen3-8B-Q4_K_M.gguf") + csv_line("95", "NVIDIA GeForce RTX 4090"));
  CHECK_EQ(two.accepted.size(), 1);
  REQUIRE_EQ(two.refused.size(), 2);
  CHECK(text::contains(two.refused[0].reason, "one model a file"));
  CHECK(text::contains(two.refused[1].reason, "one device a file"));

  const auto lines = import(folder, "mixed.jsonl", "{\"n_prompt\": 1}\nnot json\n{}\n[]\n");
  CHECK(lines.accepted.empty());
  CHECK_EQ(lines.refused.size(), 4);
}

TEST_CASE("import: what is no result at all is one error") {
  const test::TemporaryFolder folder;
  for (const std::string content : {"", "hello\n", "[{\"n_prompt\": 1", "| a | b |\n"}) {
    CAPTURE(content);
    CHECK_THROWS_AS((void)import(folder, "x", content), Error);
  }
  CHECK_THROWS_AS((void)import_bench(folder.path() / "absent", {}, Catalog::builtin()), Error);
  CHECK_THROWS_AS((void)import(folder, "a.json", kJson, {"voodoo 2", ""}), Error);
  CHECK_THROWS_AS((void)import(folder, "a.json", kJson, {"", "no such model"}), Error);
  // Noise: two megabytes of it are read and refused, a hundred are not read at all.
  std::string noise(2 << 20, '\0');
  std::mt19937 random(7);
  for (auto& c : noise) c = static_cast<char>(random());
  CHECK_THROWS_AS((void)import(folder, "noise", noise), Error);
  const auto refused = import(folder, "noise.jsonl", "{" + noise);
  CHECK(refused.accepted.empty());
  CHECK_FALSE(refused.refused.empty());
  const auto large = folder.write("large", "[");
  std::filesystem::resize_file(large, 100U << 20);  // sparse: takes no space
  CHECK_THROWS_WITH_AS((void)import_bench(large, {}, Catalog::builtin()), doctest::Contains("100 MiB"), Error);
}

TEST_CASE("import: measurements shift the estimates of their device, and of no other") {
  const test::TemporaryFolder folder;
  auto rows = import(folder, "a.json", kJson).accepted;
  // A machine that is a fifth slower than what is published.
  rows[1].tokens_per_s = 80;
  store_measurements(folder.path() / "planner", rows);
  CHECK_EQ(stored_measurements(folder.path() / "planner").size(), 2);
  store_measurements(folder.path() / "planner", rows);  // again: replaced, not doubled
  CHECK_EQ(stored_measurements(folder.path() / "planner").size(), 2);

  const std::filesystem::path folders[] = {folder.path() / "planner"};
  const auto calibrated = Catalog::with_overlays(folders);
  const auto decode = [&](const Catalog& catalog, const std::string& model, const std::string& device, std::string* basis) {
    EstimateRequest r;
    r.model = model, r.quantization = "Q4_K_M", r.devices = {device}, r.depth = 64, r.solve = false;
    const auto t = *estimate(r, catalog).throughput;
    if (basis != nullptr) *basis = t.basis;
    return t.decode_tokens_per_s;
  };
  std::string basis;
  const double now = decode(*calibrated, "llama-3.1-8b", "rtx 3090", &basis);
  CHECK_EQ(basis, "calibrated");
  CHECK(now == doctest::Approx(80).epsilon(0.06));
  CHECK(decode(Catalog::builtin(), "llama-3.1-8b", "rtx 3090", nullptr) > now * 1.1);
  // A model that was not run is slower too; another device is not.
  CHECK(decode(*calibrated, "qwen3-14b", "rtx 3090", nullptr) < 0.9 * decode(Catalog::builtin(), "qwen3-14b", "rtx 3090", nullptr));
  CHECK(decode(*calibrated, "llama-3.1-8b", "rtx 4090", nullptr) == doctest::Approx(decode(Catalog::builtin(), "llama-3.1-8b", "rtx 4090", nullptr)));
}

TEST_CASE("import: killing the writer leaves the old profile or the new") {
  const test::TemporaryFolder folder;
  const auto home = folder.path() / "planner";
  auto rows = import(folder, "a.json", kJson).accepted;
  store_measurements(home, rows);
  // The writer goes back and forth between two profiles, so that what is found can be told from a mixture of both.
  auto others = rows;
  for (auto& m : others) m.tokens_per_s *= 0.9;
  const auto first = content_of(home / "measurements.csv");
  store_measurements(home, others);
  const auto second = content_of(home / "measurements.csv");
  REQUIRE_NE(first, second);
  std::mt19937 random(11);
  bool seen_first = false, seen_second = false;
  for (int i = 0; i < 25; ++i) {
    const pid_t child = ::fork();
    REQUIRE_GE(child, 0);
    if (child == 0) {
      for (;;) {
        store_measurements(home, rows);
        store_measurements(home, others);
      }
    }
    ::usleep(1000 + static_cast<useconds_t>(random() % 20000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto found = content_of(home / "measurements.csv");
    seen_first = seen_first || found == first, seen_second = seen_second || found == second;
    const bool whole = found == first || found == second;
    CHECK(whole);
    const std::filesystem::path folders[] = {home};
    CHECK_NOTHROW((void)Catalog::with_overlays(folders));
    CHECK_EQ(stored_measurements(home).size(), 2);
  }
  CHECK((seen_first || seen_second));
  // Whatever a killed writer left beside the files is in nobody's way.
  CHECK_NOTHROW(store_measurements(home, rows));
  CHECK_EQ(content_of(home / "measurements.csv"), first);
}
