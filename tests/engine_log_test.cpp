// Logs of the engines as people posted them (tests/fixtures/logs), what is read from each, and what becomes of them when they are mangled.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "planner/check.h"
#include "planner/engine_log.h"
#include "planner/error.h"

namespace {

using namespace planner;

std::filesystem::path folder() { return std::filesystem::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "logs"; }

std::string text_of(const std::string& name) {
  std::ifstream in(folder() / (name + ".log"), std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

EngineLog log_of(const std::string& name) { return read_engine_log(text_of(name), name); }

/// Sum over the buffers of a place and term, in bytes; -1: none.
std::int64_t bytes(const EngineLog& log, const std::string& where, LogTerm term) {
  std::int64_t sum = -1;
  for (const auto& b : log.buffers) {
    if (b.where == where && b.term == term) sum = std::max<std::int64_t>(sum, 0) + b.amount;
  }
  return sum;
}

std::int64_t mib(double n) { return std::llround(n * 0x1p20); }
std::int64_t gib(double n) { return std::llround(n * 0x1p30); }

template <typename T, typename U>
void check_value(const MaybePrinted<T>& read, const U& expected) {
  REQUIRE(read.has_value());
  if constexpr (std::is_floating_point_v<T>)
    CHECK_EQ(read->value, doctest::Approx(expected));
  else
    CHECK_EQ(read->value, expected);
  CHECK_GT(read->line, 0);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string changed(const std::string& text, const std::function<std::string(std::string)>& change) {
  std::string out;
  for (const auto& line : lines_of(text)) out += change(line);
  return out;
}

/// The same log to the buffer.
void check_same(const EngineLog& a, const EngineLog& b) {
  CHECK_EQ(a.engine, b.engine);
  REQUIRE_EQ(a.buffers.size(), b.buffers.size());
  for (std::size_t i = 0; i < a.buffers.size(); ++i) {
    CHECK_EQ(a.buffers[i].where, b.buffers[i].where);
    CHECK_EQ(a.buffers[i].term, b.buffers[i].term);
    CHECK_EQ(a.buffers[i].amount, b.buffers[i].amount);
  }
  CHECK_EQ(a.settings.context.has_value(), b.settings.context.has_value());
  if (a.settings.context && b.settings.context) CHECK_EQ(a.settings.context->value, b.settings.context->value);
  if (a.model.parameters && b.model.parameters) CHECK_EQ(a.model.parameters->value, b.model.parameters->value);
}

/// Reads or refuses with one Error; nothing else may happen.
bool reads(const std::string& text) {
  try {
    const auto log = read_engine_log(text, "mangled");
    for (const auto& b : log.buffers) {
      CHECK_GE(b.amount, 0);
      CHECK_GT(b.line, 0);
      CHECK_LE(b.line, log.lines);
      for (const char c : b.where) CHECK_GE(static_cast<unsigned char>(c), 0x20);
    }
    return true;
  } catch (const Error& e) {
    CHECK_EQ(e.kind(), ErrorKind::invalid_file);
    CHECK_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return false;
  }
}

const CheckRow& row_of(const Check& check, const std::string& device, LogTerm term) {
  for (const auto& row : check.rows) {
    if (row.device == device && row.term == term) return row;
  }
  FAIL("no row for " << device);
  return check.rows.front();
}

const std::vector<std::string> kLogs = {"ik-cuda-qwen3.5-9b",
                                        "ik-cuda2-qwen3-235b",
                                        "ik-cuda4-deepseek-v3.1",
                                        "llama-b2797-metal-llama3-8b",
                                        "llama-b2833-cuda2-llama3-8b",
                                        "llama-b4623-cuda-pythia-2.8b",
                                        "llama-b9849-vulkan-gemma-4-12b",
                                        "llama-b9849-vulkan-qwen3.5-9b",
                                        "llama-cpu-graviton",
                                        "llama-cuda-docker-qwen3.6-27b-mtp",
                                        "llama-sycl-mistral-7b",
                                        "ollama-metal-granite-8b",
                                        "ollama-rocm-gemma3-27b",
                                        "vllm-0.16-qwen3.5-122b-tp2",
                                        "vllm-0.6-llama-3-8b",
                                        "vllm-0.8.5-llama-3.2-3b"};

}  // namespace

TEST_CASE("a log of llama.cpp of 2024: two CUDA devices") {
  const auto log = log_of("llama-b2833-cuda2-llama3-8b");
  CHECK_EQ(log.engine, LogEngine::llama_cpp);
  CHECK(log.complete);
  CHECK_EQ(log.loads, 1);
  check_value(log.version, "b2833");
  check_value(log.model.name, "Meta-Llama-3-8B");
  check_value(log.model.file, "./models/8B-v3/ggml-model-Q4_K_M.gguf");
  check_value(log.model.architecture, "llama");
  check_value(log.model.file_type, "Q4_K - Medium");
  check_value(log.model.layers, 32);
  check_value(log.model.hidden_size, 4096);
  check_value(log.model.heads, 32);
  check_value(log.model.kv_heads, 8);
  check_value(log.model.head_dim_k, 128);
  check_value(log.model.ffn_size, 14336);
  check_value(log.model.vocab_size, 128256);
  check_value(log.model.parameters, 8.03e9);
  CHECK_EQ(log.model.parameters_rounding, doctest::Approx(5e6));
  check_value(log.model.tensor_bytes, gib(4.58));
  check_value(log.settings.context, 8192);
  check_value(log.settings.batch, 2048);
  check_value(log.settings.ubatch, 512);
  check_value(log.settings.flash_attention, false);
  check_value(log.settings.kv_type_k, "f16");
  check_value(log.settings.kv_type_v, "f16");
  check_value(log.settings.gpu_layers, 33);
  check_value(log.settings.all_layers, 33);
  CHECK_FALSE(log.settings.sequences);
  REQUIRE_EQ(log.devices.size(), 2);
  CHECK_EQ(log.devices[1].where, "CUDA1");
  CHECK_EQ(log.devices[1].name, "NVIDIA GeForce RTX 3090");
  CHECK_EQ(bytes(log, "CPU", LogTerm::model), mib(281.81));
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::model), mib(2113.28));
  CHECK_EQ(bytes(log, "CUDA1", LogTerm::model), mib(2290.21));
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::kv), mib(544));
  CHECK_EQ(bytes(log, "CUDA1", LogTerm::kv), mib(480));
  CHECK_EQ(bytes(log, "CUDA_Host", LogTerm::output), mib(0.49));
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::compute), mib(640.01));
  CHECK_EQ(bytes(log, "CUDA1", LogTerm::compute), mib(640.02));
  CHECK_EQ(bytes(log, "CUDA_Host", LogTerm::compute), mib(72.02));
  CHECK_EQ(log.buffers.size(), 9);
  CHECK_EQ(log.buffers.front().rounding, mib(0.005));
}

TEST_CASE("a log of llama.cpp of 2024: Metal") {
  const auto log = log_of("llama-b2797-metal-llama3-8b");
  check_value(log.version, "b2797");
  REQUIRE_EQ(log.devices.size(), 1);
  CHECK_EQ(log.devices[0].where, "Metal");
  CHECK_EQ(log.devices[0].name, "Apple M1 Max");
  CHECK_EQ(log.devices[0].free_bytes.value_or(0), 51539610000);
  CHECK_EQ(bytes(log, "Metal", LogTerm::model), mib(4403.50));
  CHECK_EQ(bytes(log, "Metal", LogTerm::kv), mib(1024));
  CHECK_EQ(bytes(log, "Metal", LogTerm::compute), mib(560));
  CHECK_EQ(bytes(log, "CPU", LogTerm::compute), mib(24.01));
}

TEST_CASE("a log of llama.cpp of 2025 with time stamps: CUDA") {
  const auto log = log_of("llama-b4623-cuda-pythia-2.8b");
  check_value(log.version, "b4623");
  check_value(log.model.architecture, "gptneox");
  check_value(log.model.file_type, "all F32 (guessed)");
  check_value(log.settings.sequences, 1);
  REQUIRE_EQ(log.devices.size(), 1);
  CHECK_EQ(log.devices[0].name, "Tesla V100-PCIE-16GB");
  CHECK_EQ(log.devices[0].free_bytes.value_or(0), mib(15841));
  CHECK_EQ(bytes(log, "CPU_Mapped", LogTerm::model), mib(245.62));
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::kv), mib(640));
}

TEST_CASE("a log of llama.cpp on SYCL") {
  const auto log = log_of("llama-sycl-mistral-7b");
  CHECK_FALSE(log.version);
  CHECK_EQ(log.style_version, "b5000");
  check_value(log.settings.ubatch, 1024);
  REQUIRE_EQ(log.devices.size(), 1);
  CHECK_EQ(log.devices[0].where, "SYCL0");
  CHECK_EQ(log.devices[0].name, "Intel Arc A770 Graphics");
  CHECK_EQ(log.devices[0].memory_bytes.value_or(0), mib(16225));
  CHECK_EQ(log.devices[0].free_bytes.value_or(0), mib(15473));
  CHECK_EQ(bytes(log, "SYCL0", LogTerm::compute), mib(164.01));
}

TEST_CASE("a log of llama.cpp on a CPU without a word on the model") {
  const auto log = log_of("llama-cpu-graviton");
  CHECK_FALSE(log.model.name);
  CHECK_EQ(log.style_version, "b4400");
  CHECK_EQ(bytes(log, "CPU_AARCH64", LogTerm::model), mib(3744));
  CHECK_EQ(bytes(log, "CPU_Mapped", LogTerm::model), mib(4437.82));
  CHECK_EQ(bytes(log, "CPU", LogTerm::kv), mib(512));
  CHECK_EQ(bytes(log, "CPU", LogTerm::compute), mib(296.01));
}

TEST_CASE("a log of llama-server of 2026: Vulkan, a cache in two parts") {
  const auto log = log_of("llama-b9849-vulkan-gemma-4-12b");
  CHECK_EQ(log.style_version, "");
  check_value(log.is_server, true);
  check_value(log.settings.context, 8192);
  check_value(log.settings.sequences, 4);
  check_value(log.settings.ubatch, 2048);
  check_value(log.settings.kv_unified, true);
  REQUIRE_EQ(log.devices.size(), 1);
  CHECK_EQ(log.devices[0].name, "NVIDIA GeForce RTX 3080 Ti");
  std::vector<std::string> parts;
  for (const auto& b : log.buffers) {
    if (b.term == LogTerm::kv) parts.push_back(fmt::format("{} {:.0f}", b.detail, static_cast<double>(b.amount) / 0x1p20));
  }
  CHECK_EQ(parts, std::vector<std::string>{"full 128", "sliding 1920"});
  CHECK_EQ(bytes(log, "Vulkan_Host", LogTerm::compute), mib(116.08));
}

TEST_CASE("a log of llama-server of 2026: recurrent state") {
  const auto log = log_of("llama-b9849-vulkan-qwen3.5-9b");
  check_value(log.settings.kv_unified, false);
  check_value(log.settings.draft_states, 0);
  CHECK_EQ(bytes(log, "Vulkan0", LogTerm::recurrent_state), mib(50.25));
  CHECK_EQ(bytes(log, "Vulkan0", LogTerm::kv), mib(256));
}

TEST_CASE("a log of llama-server in Docker: the context of the draft is left out") {
  const auto log = log_of("llama-cuda-docker-qwen3.6-27b-mtp");
  check_value(log.model.name, "Qwen3.6-27B");
  check_value(log.model.layers, 65);
  check_value(log.settings.context, 131072);
  check_value(log.settings.sequences, 4);
  check_value(log.settings.flash_attention, true);
  check_value(log.settings.kv_unified, true);
  check_value(log.settings.kv_type_k, "q8_0");
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::kv), mib(4352));
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::recurrent_state), mib(598.5));
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::compute), mib(495));
  CHECK_EQ(bytes(log, "CUDA_Host", LogTerm::compute), mib(276.29));
  CHECK_EQ(log.loads, 1);
}

TEST_CASE("logs of ik_llama.cpp") {
  const auto hybrid = log_of("ik-cuda-qwen3.5-9b");
  CHECK_EQ(hybrid.engine, LogEngine::ik_llama_cpp);
  check_value(hybrid.model.parameters, 8.954e9);
  check_value(hybrid.model.vocab_size, 248320);
  check_value(hybrid.settings.context, 512);
  check_value(hybrid.settings.attention_max_mib, 1024);
  CHECK_EQ(bytes(hybrid, "CUDA0", LogTerm::kv), mib(66.25));
  REQUIRE_FALSE(hybrid.devices.empty());
  CHECK_EQ(hybrid.devices[0].memory_bytes.value_or(0), mib(97886));
  CHECK_EQ(hybrid.devices[0].free_bytes.value_or(0), mib(95276));

  // The line with the context is glued to the end of another one.
  const auto mla = log_of("ik-cuda4-deepseek-v3.1");
  CHECK_EQ(mla.engine, LogEngine::ik_llama_cpp);
  check_value(mla.settings.context, 4096);
  check_value(mla.settings.ubatch, 4096);
  check_value(mla.settings.mla, 3);
  check_value(mla.settings.kv_type_k, "f16");
  check_value(mla.settings.other_overrides, true);
  CHECK_EQ(mla.settings.expert_layers_on_host.size(), 12);
  REQUIRE_EQ(mla.devices.size(), 4);
  CHECK_EQ(mla.devices[3].name, "NVIDIA GeForce RTX 5090");
  CHECK_EQ(bytes(mla, "CUDA3", LogTerm::kv), mib(22.5));
  CHECK_EQ(bytes(mla, "CUDA0", LogTerm::compute), mib(4404));
  CHECK_EQ(bytes(mla, "CPU", LogTerm::model), mib(72576));

  const auto moe = log_of("ik-cuda2-qwen3-235b");
  CHECK_EQ(moe.engine, LogEngine::ik_llama_cpp);
  check_value(moe.settings.copies, 1);
  check_value(moe.model.file_type, "IQ3_K - 3.4325 bpw");
  check_value(moe.model.experts, 128);
  check_value(moe.model.expert_ffn_size, 1536);
  CHECK_EQ(moe.settings.overridden_tensors, 5);
}

TEST_CASE("logs of Ollama") {
  const auto metal = log_of("ollama-metal-granite-8b");
  CHECK_EQ(metal.engine, LogEngine::ollama);
  check_value(metal.version, "b3871");
  check_value(metal.settings.sequences, 4);
  check_value(metal.settings.context, 32768);
  CHECK_EQ(bytes(metal, "Metal", LogTerm::kv), mib(4608));
  CHECK_EQ(bytes(metal, "Metal", LogTerm::compute), mib(2144));
  REQUIRE_EQ(metal.forecasts.size(), 4);
  CHECK_EQ(metal.forecasts[0].detail, "memory.required.full");
  CHECK_EQ(metal.forecasts[0].amount, gib(11.6));

  const auto rocm = log_of("ollama-rocm-gemma3-27b");
  check_value(rocm.model.architecture, "gemma3");
  check_value(rocm.model.file_type, "Q4_K_M");
  check_value(rocm.settings.gpu_layers, 63);
  check_value(rocm.settings.sequences, 2);
  check_value(rocm.settings.batch, 512);
  CHECK_EQ(bytes(rocm, "ROCm0", LogTerm::model), gib(16.2));
  CHECK_EQ(bytes(rocm, "ROCm0", LogTerm::compute), gib(1.1));
  CHECK_EQ(bytes(rocm, "CPU", LogTerm::compute), mib(10.5));
  REQUIRE_FALSE(rocm.devices.empty());
  CHECK_EQ(rocm.devices[0].where, "ROCm0");
  CHECK_EQ(rocm.devices[0].name, "AMD Radeon 780M Graphics");
}

TEST_CASE("logs of vLLM") {
  const auto v08 = log_of("vllm-0.8.5-llama-3.2-3b");
  CHECK_EQ(v08.engine, LogEngine::vllm);
  CHECK(v08.complete);
  check_value(v08.version, "0.8.5.post1");
  check_value(v08.model.name, "unsloth/Llama-3.2-3B-Instruct");
  check_value(v08.settings.context, 2048);
  check_value(v08.settings.tensor_parallel, 1);
  check_value(v08.settings.memory_fraction, 0.59);
  check_value(v08.settings.dtype, "torch.float16");
  CHECK_FALSE(v08.model.file_type);
  CHECK_FALSE(v08.settings.kv_type_k);
  CHECK_EQ(bytes(v08, "rank 0", LogTerm::model), gib(6.2473));
  CHECK_EQ(bytes(v08, "rank 0", LogTerm::non_torch), gib(0.03));
  CHECK_EQ(bytes(v08, "rank 0", LogTerm::compute), gib(0.75));
  CHECK_EQ(bytes(v08, "rank 0", LogTerm::kv_pool), gib(1.74));
  CHECK_EQ(bytes(v08, "ALL", LogTerm::kv_tokens), 1017 * 16);
  CHECK_EQ(bytes(v08, "rank 0", LogTerm::graphs), gib(0.21));
  REQUIRE_EQ(v08.devices.size(), 1);
  CHECK_EQ(v08.devices[0].memory_bytes.value_or(0), gib(14.74));

  const auto v06 = log_of("vllm-0.6-llama-3-8b");
  check_value(v06.model.name, "meta-llama/Meta-Llama-3-8B");
  check_value(v06.settings.memory_fraction, 0.9);
  CHECK_EQ(bytes(v06, "rank 0", LogTerm::model), gib(14.96));
  CHECK_EQ(bytes(v06, "rank 0", LogTerm::non_torch), gib(1.79));
  CHECK_EQ(bytes(v06, "rank 0", LogTerm::kv_pool), gib(53.29));

  const auto v16 = log_of("vllm-0.16-qwen3.5-122b-tp2");
  check_value(v16.version, "0.16.1rc1.dev111+gafd089f23");
  check_value(v16.model.name, "qwen3.5-122");
  check_value(v16.model.file_type, "compressed-tensors");
  check_value(v16.settings.tensor_parallel, 2);
  check_value(v16.settings.context, 131072);
  check_value(v16.settings.sequences, 6);
  check_value(v16.settings.batch, 8192);
  check_value(v16.settings.kv_type_k, "fp8");
  CHECK_EQ(bytes(v16, "rank 0", LogTerm::model), gib(36.73));
  CHECK_EQ(bytes(v16, "rank 0", LogTerm::kv_pool), gib(1.73));
  CHECK_EQ(bytes(v16, "ALL", LogTerm::kv_tokens), 75168);
}

// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("logs read the same with prefixes, colours and other line ends") {
  for (const auto& name : kLogs) {
    CAPTURE(name);
    const auto text = text_of(name);
    const auto log = read_engine_log(text, name);
    check_same(log, read_engine_log(changed(text, [](const std::string& line) { return line + "\r\n"; }), name));
    check_same(log, read_engine_log(changed(text, [](const std::string& line) { return "Nov 24 10:00:00 host ollama[4711]: " + line + "\n"; }), name));
    check_same(log, read_engine_log(changed(text, [](const std::string& line) { return "\x1b[34m0.00.612.795\x1b[0m \x1b[32mI \x1b[0m" + line + "\x1b[0m\n"; }),
                                    name));
    check_same(
        log, read_engine_log(
                 changed(text, [](const std::string& line) { return "\x1b]0;title\x07noise: x = 1\n[12345] " + line + "\nGET /health 200 buffer\n"; }), name));
    check_same(log, read_engine_log("prose before\n\n" + text + "\n\n{\"json\": [1, 2, 3]}\n", name));
  }
}

TEST_CASE("the last complete load counts, and the log says so") {
  const auto first = text_of("llama-b2833-cuda2-llama3-8b");
  const auto second = text_of("llama-sycl-mistral-7b");
  auto log = read_engine_log(first + second, "two");
  CHECK_EQ(log.loads, 2);
  check_value(log.model.name, "mistralai_mistral-7b-instruct-v0.1");
  CHECK_EQ(bytes(log, "CUDA0", LogTerm::kv), -1);
  REQUIRE_FALSE(log.notes.empty());
  CHECK_NE(log.notes.front().find("2 loads"), std::string::npos);

  // One that broke off does not replace a whole one.
  const auto broken = second.substr(0, second.find("llama_kv_cache_init:"));
  log = read_engine_log(first + broken, "broken");
  CHECK_EQ(log.loads, 2);
  check_value(log.model.name, "Meta-Llama-3-8B");
  CHECK(log.complete);
}

TEST_CASE("a log that is cut short reads, or is refused, wherever it is cut") {
  for (const auto& name : kLogs) {
    CAPTURE(name);
    const auto text = text_of(name);
    const auto lines = lines_of(text);
    std::string so_far;
    bool was_read = false;
    for (const auto& line : lines) {
      CAPTURE(line);
      const bool half = reads(so_far + line.substr(0, line.size() / 2));
      so_far += line + "\n";
      const bool whole = reads(so_far);
      // What can be read once stays readable as more follows.
      CHECK((whole || !was_read));
      was_read = whole || half;
    }
    CHECK(was_read);
  }
}

TEST_CASE("damage of any kind is read around") {
  std::uint64_t state = 1;
  const auto random = [&] { return state = state * 6364136223846793005U + 1442695040888963407U, state >> 33U; };
  for (const auto& name : kLogs) {
    CAPTURE(name);
    const auto text = text_of(name);
    std::string noise;
    for (int i = 0; i < 100000; ++i) noise += static_cast<char>(random());
    reads(noise);
    reads(noise + text + noise);
    for (int round = 0; round < 20; ++round) {
      auto damaged = text;
      for (int i = 0; i < 200; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
      reads(damaged);
    }
    // Numbers that no machine has.
    for (const std::string_view number : {"99999999999999999999999.99", "-1", "1e308", "0x7f", ",", "..", "999999999999999999"}) {
      reads(changed(text, [&](std::string line) {
        const auto at = line.find_first_of("0123456789", line.find('=') == std::string::npos ? 0 : line.find('='));
        return (at == std::string::npos ? line : line.substr(0, at) + std::string(number) + line.substr(at)) + "\n";
      }));
    }
  }
  reads(std::string(3, '\0'));
  CHECK_FALSE(reads(""));
  CHECK_FALSE(reads("\n\n\n"));
}

TEST_CASE("a line of a megabyte takes no more than a line") {
  const auto text = text_of("llama-b2833-cuda2-llama3-8b");
  const std::string megabyte(1 << 20, 'x');
  check_same(log_of("llama-b2833-cuda2-llama3-8b"), read_engine_log(megabyte + "\n" + text + megabyte + " buffer size = 1.00 MiB\n", "long"));
  std::string repeated;
  for (int i = 0; i < 20000; ++i) repeated += "load_tensors: CUDA0 model buffer size = 1.00 MiB ";
  reads(repeated + "\n" + text);
  std::string many;
  for (int i = 0; i < 20000; ++i) many += fmt::format("llama_kv_cache: CUDA{} KV buffer size = 1.00 MiB\n", i);
  CHECK_LE(read_engine_log(many, "many").buffers.size(), 4096);
}

TEST_CASE("SGLang: weights, pool and graphs of each rank") {
  // Lines of https://github.com/sgl-project/sglang/pull/4826 and pull/12978.
  const auto log = read_engine_log(
      "[2025-03-27 21:32:55] server_args=ServerArgs(model_path='google/gemma-3-4b-it', dtype='auto', kv_cache_dtype='auto', quantization=None, context_length=None, "
      "mem_fraction_static=0.85, chunked_prefill_size=8192, tp_size=1, page_size=1)\n"
      "[2025-03-27 21:33:29 TP0] Init torch distributed ends. mem usage=0.00 GB\n"
      "[2025-03-27 21:33:30 TP0] Load weight end. type=Gemma3ForConditionalGeneration, dtype=torch.bfloat16, avail mem=131.08 GB, mem usage=8.13 GB.\n"
      "[2025-03-27 21:33:31 TP0] KV Cache is allocated. #tokens: 834615, K size: 54.12 GB, V size: 54.12 GB\n"
      "[2025-03-27 21:33:31 TP0] Memory pool end. avail mem=14.61 GB\n"
      "[2025-03-27 21:34:09 TP0] Capture cuda graph end. Time elapsed: 11.39 s. mem usage=1.00 GB. avail mem=11.17 GB.\n"
      "[2025-03-27 21:34:10 TP0] max_total_num_tokens=834615, chunked_prefill_size=8192, max_prefill_tokens=16384, max_running_requests=4096, context_len=131072\n",
      "sglang.log");
  CHECK_EQ(log.engine, LogEngine::sglang);
  CHECK(log.complete);
  REQUIRE(log.model.name);
  CHECK_EQ(log.model.name->value, "google/gemma-3-4b-it");
  CHECK_EQ(log.settings.context->value, 131072);
  CHECK_EQ(log.settings.memory_fraction->value, doctest::Approx(0.85));
  CHECK_EQ(bytes(log, "rank 0", LogTerm::model), gib(8.13));
  CHECK_EQ(bytes(log, "rank 0", LogTerm::kv_pool), gib(54.12) + gib(54.12));
  CHECK_EQ(bytes(log, "rank 0", LogTerm::graphs), gib(1.0));
  CHECK_EQ(bytes(log, "ALL", LogTerm::kv_tokens), 834615);

  // The cache of that version held every token in every layer; the tokens are the pool's, to the rounding of what is printed.
  CheckOptions options;
  auto old = log;
  old.version = Printed<std::string>{"0.4.4", 1};
  const auto check = check_log(old, options, Catalog::builtin());
  for (const auto& row : check.rows) {
    CAPTURE(to_string(row.term));
    if (row.term == LogTerm::kv_tokens) CHECK_EQ(row.error().value_or(1), doctest::Approx(0).epsilon(1e-4));
    // What the device has less after loading: whole segments of the allocator, kernels.
    if (row.term == LogTerm::model) CHECK_LE(std::abs(row.error().value_or(1)), 0.02);
  }
}

TEST_CASE("TensorRT-LLM: the pool and its tokens") {
  // A line of https://github.com/NVIDIA/TensorRT-LLM/issues/1400.
  const auto log = read_engine_log(
      "[TensorRT-LLM] TensorRT-LLM version: 0.8.0\n"
      "[TensorRT-LLM][INFO] [MemUsageChange] Allocated 64.75 GiB for max tokens in paged KV cache (132608).\n",
      "trt.log");
  CHECK_EQ(log.engine, LogEngine::tensorrt_llm);
  CHECK_EQ(log.version->value, "0.8.0");
  CHECK_EQ(bytes(log, "rank 0", LogTerm::kv_pool), gib(64.75));
  CHECK_EQ(bytes(log, "ALL", LogTerm::kv_tokens), 132608);
}

TEST_CASE("what is no engine's log is refused in one line") {
  const auto message = [](const std::string& text) -> std::string {
    try {
      static_cast<void>(read_engine_log(text, "x.log"));
    } catch (const Error& e) {
      return e.what();
    }
    return "read";
  };
  CHECK_EQ(message("Hello\nworld: this = that\n"), "x.log: no line of this log is llama.cpp's, ik_llama.cpp's, Ollama's, vLLM's, SGLang's or TensorRT-LLM's (2 lines read)");
  CHECK_NE(message("print_info: arch             = llama\n").find("no line says what it allocated"), std::string::npos);
}

// ---------------------------------------------------------------------------------------------------------------------

TEST_CASE("a log against the prediction: everything there is exact") {
  const auto check = check_log(log_of("llama-b2797-metal-llama3-8b"), {}, Catalog::builtin());
  CHECK_EQ(check.model.id, "meta-llama-3-8b");
  CHECK_EQ(check.quantization, "Q4_K_M");
  CHECK_EQ(check.request.engine, "llama.cpp@b2797");
  CHECK_EQ(check.request.context.value_or(0), 8192);
  CHECK_EQ(check.request.gpu_layers.value_or(0), 33);
  CHECK_EQ(check.compared(), 6);
  CHECK(check.holds());
  CHECK_EQ(row_of(check, "Metal", LogTerm::kv).verdict, CheckVerdict::exact);
  CHECK_EQ(row_of(check, "host", LogTerm::model).verdict, CheckVerdict::exact);
  CHECK_EQ(row_of(check, "host", LogTerm::output).verdict, CheckVerdict::exact);
  CHECK_EQ(check.totals.size(), 2);
}

TEST_CASE("a log whose one number is edited shows that row as the outlier") {
  const auto text = text_of("llama-b2797-metal-llama3-8b");
  const std::vector<std::tuple<std::string, std::string, std::string, LogTerm>> edits = {
      {"Metal buffer size =  4403.50", "Metal buffer size =  5403.50", "Metal", LogTerm::model},
      {"Metal KV buffer size =  1024.00", "Metal KV buffer size =  1124.00", "Metal", LogTerm::kv},
      {"Metal compute buffer size =   560.00", "Metal compute buffer size =   760.00", "Metal", LogTerm::compute},
      {"CPU buffer size =   281.81", "CPU buffer size =   381.81", "host", LogTerm::model},
      {"CPU  output buffer size =     0.49", "CPU  output buffer size =     0.89", "host", LogTerm::output},
  };
  for (const auto& [from, to, device, term] : edits) {
    CAPTURE(to);
    auto edited = text;
    const auto at = edited.find(from);
    REQUIRE_NE(at, std::string::npos);
    edited.replace(at, from.size(), to);
    const auto check = check_log(read_engine_log(edited, "edited"), {}, Catalog::builtin());
    CHECK_FALSE(check.holds());
    REQUIRE(check.worst() != nullptr);
    CHECK_EQ(check.worst()->device, device);
    CHECK_EQ(check.worst()->term, term);
    CHECK_EQ(check.worst()->verdict, CheckVerdict::outside);
    std::size_t outside = 0;
    for (const auto& row : check.rows) outside += row.verdict == CheckVerdict::outside ? 1 : 0;
    CHECK_EQ(outside, 1);
    // The line is where the number stands.
    REQUIRE_EQ(check.worst()->lines.size(), 1);
    CHECK_NE(lines_of(edited)[static_cast<std::size_t>(check.worst()->lines.front()) - 1].find(to), std::string::npos);
  }
}

TEST_CASE("the model of a log: by name, by geometry, by hand, or not at all") {
  const auto& catalog = Catalog::builtin();
  auto log = log_of("llama-sycl-mistral-7b");
  CHECK_EQ(check_log(log, {}, catalog).model.id, "mistral-7b-instruct-v0.1");

  // A name that nobody knows: the geometry decides.
  log.model.name->value = "my-merge";
  log.model.file.reset();
  const auto by_geometry = check_log(log, {}, catalog);
  CHECK_EQ(row_of(by_geometry, "SYCL0", LogTerm::kv).verdict, CheckVerdict::exact);
  CHECK_FALSE(by_geometry.notes.empty());

  // A name that the geometry contradicts is not believed.
  log.model.name->value = "Meta-Llama-3-8B";
  CHECK_NE(check_log(log, {}, catalog).model.id, "meta-llama-3-8b");

  // A model that no catalog has: what the log prints of it makes one.
  const auto unlisted = check_log(log_of("llama-b4623-cuda-pythia-2.8b"), {}, catalog);
  CHECK(unlisted.model.id.empty());
  CHECK_EQ(row_of(unlisted, "CUDA0", LogTerm::kv).verdict, CheckVerdict::exact);

  CHECK_THROWS_AS(static_cast<void>(check_log(log_of("llama-cpu-graviton"), {}, catalog)), Error);
  CheckOptions options;
  options.model = "meta-llama-3-8b";
  CHECK_THROWS_AS(static_cast<void>(check_log(log_of("llama-b4623-cuda-pythia-2.8b"), options, catalog)), Error);
  options.model = "llama-3.1-8b-instruct";
  options.quantization = "Q4_0";
  const auto cpu = check_log(log_of("llama-cpu-graviton"), options, catalog);
  CHECK_EQ(row_of(cpu, "host", LogTerm::kv).verdict, CheckVerdict::exact);
  CHECK_EQ(row_of(cpu, "CPU_AARCH64", LogTerm::model).verdict, CheckVerdict::not_compared);
}

TEST_CASE("a model that no catalog has is taken from the metadata that its log prints") {
  const std::string text =
      "llama_model_loader: loaded meta data with 20 key-value pairs and 219 tensors from /models/mine-Q8_0.gguf (version GGUF V3 (latest))\n"
      "llama_model_loader: - kv   0:                       general.architecture str              = llama\n"
      "llama_model_loader: - kv   1:                               general.name str              = A model of my own\n"
      "llama_model_loader: - kv   2:                          llama.block_count u32              = 24\n"
      "llama_model_loader: - kv   3:                     llama.embedding_length u32              = 2048\n"
      "llama_model_loader: - kv   4:                  llama.feed_forward_length u32              = 5632\n"
      "llama_model_loader: - kv   5:                 llama.attention.head_count u32              = 16\n"
      "llama_model_loader: - kv   6:              llama.attention.head_count_kv u32              = 8\n"
      "llama_model_loader: - kv   7:                      tokenizer.ggml.tokens arr[str,32000]   = [\"<unk>\", ...\n"
      "print_info: arch             = llama\n"
      "print_info: n_layer          = 24\n"
      "print_info: n_embd           = 2048\n"
      "print_info: n_head           = 16\n"
      "print_info: n_head_kv        = 8\n"
      "print_info: n_vocab          = 32000\n"
      "print_info: model params     = PARAMS B\n"
      "print_info: file type   = Q8_0\n"
      "load_tensors:   CPU_Mapped model buffer size =  1279.00 MiB\n"
      "llama_context: n_seq_max     = 1\n"
      "llama_context: n_ctx         = 4096\n"
      "llama_context: flash_attn    = enabled\n"
      "llama_kv_cache:        CPU KV buffer size =   384.00 MiB\n"
      "llama_context:        CPU compute buffer size =    80.00 MiB\n";
  const auto with = [&](const std::string& params) {
    auto t = text;
    return read_engine_log(t.replace(t.find("PARAMS"), 6, params), "own.log");
  };
  const auto check = check_log(with("1.26"), {}, Catalog::builtin());
  CHECK_EQ(check.model.name, "A model of my own");
  CHECK_EQ(row_of(check, "host", LogTerm::kv).verdict, CheckVerdict::exact);
  CHECK_LT(std::abs(row_of(check, "host", LogTerm::model).error().value_or(1)), 0.005);
  CHECK(nlohmann::json::parse(to_json(check)).at("model").at("id").is_null());
  // A count of parameters that the sizes do not make: something about the model is not printed.
  CHECK_THROWS_AS(static_cast<void>(check_log(with("2.26"), {}, Catalog::builtin())), Error);
}

TEST_CASE("what cannot be compared says why") {
  const auto& catalog = Catalog::builtin();
  const auto docker = check_log(log_of("llama-cuda-docker-qwen3.6-27b-mtp"), {}, catalog);
  CHECK_NE(row_of(docker, "CUDA0", LogTerm::model).reason.find("no stock Q4_K_M"), std::string::npos);
  CHECK_EQ(row_of(docker, "CUDA0", LogTerm::kv).verdict, CheckVerdict::exact);
  CHECK_EQ(row_of(docker, "CUDA0", LogTerm::recurrent_state).verdict, CheckVerdict::exact);

  const auto moe = check_log(log_of("ik-cuda2-qwen3-235b"), {}, catalog);
  CHECK_NE(row_of(moe, "CUDA1", LogTerm::model).reason.find("IQ3_K"), std::string::npos);
  CHECK_EQ(row_of(moe, "CUDA0", LogTerm::kv).verdict, CheckVerdict::exact);
  CHECK_EQ(row_of(moe, "CUDA1", LogTerm::kv).verdict, CheckVerdict::exact);

  CheckOptions options;
  options.model = "gemma-3-27b-it";
  const auto ollama = check_log(log_of("ollama-rocm-gemma3-27b"), options, catalog);
  CHECK_EQ(ollama.forecasts.size(), 4);
  for (const auto& row : ollama.forecasts) CHECK_EQ(row.verdict, CheckVerdict::not_compared);
}

TEST_CASE("every log is answered as JSON or refused with one Error") {
  std::size_t answered = 0;
  for (const auto& name : kLogs) {
    CAPTURE(name);
    try {
      const auto check = check_log(log_of(name), {}, Catalog::builtin());
      const auto json = nlohmann::json::parse(to_json(check));
      CHECK_EQ(json["schema"], "planner.check/1");
      CHECK_EQ(json["rows"].size(), check.rows.size());
      CHECK_EQ(json["holds"], check.holds());
      for (const auto& row : json["rows"]) {
        CHECK_GT(row["line"].get<std::int64_t>(), 0);
        CHECK((row["verdict"] != "not_compared" || row["reason"].is_string()));
      }
      ++answered;
    } catch (const Error& e) {
      CHECK_EQ(e.kind(), ErrorKind::unknown_name);
    }
  }
  CHECK_GE(answered, 12);
}
