// Names as people type them, and every name that the folder of facts knows (tests/data/names.csv).
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "catalog/names.h"
#include "core/text.h"
#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/units.h"
#include "support/csv.h"
#include "support/files.h"

namespace {

using namespace planner;
using text::contains;

const Catalog& catalog() { return Catalog::builtin(); }

std::string device(std::string_view typed) { return catalog().resolve_device(typed).device->id; }
std::string model(std::string_view typed) { return catalog().resolve_model(typed).id; }
std::string quantization(std::string_view typed) {
  std::unique_ptr<Quantization> made;
  return catalog().resolve_quantization(typed, made).name;
}

/// The message of the error that `resolve` throws; empty where it resolves.
template <typename Resolve>
std::string error_of(Resolve resolve) {
  try {
    (void)resolve();
  } catch (const Error& e) {
    CHECK_EQ(e.kind(), ErrorKind::unknown_name);
    return e.what();
  }
  return {};
}
std::string device_error(std::string_view typed) {
  return error_of([&] { return device(typed); });
}
std::string model_error(std::string_view typed) {
  return error_of([&] { return model(typed); });
}

struct Typed {
  std::string_view typed, id;
};

// ---------------------------------------------------------------------------------------------------------------------
// Names of the facts that mean no single entry
// ---------------------------------------------------------------------------------------------------------------------

struct Unresolved {
  std::string_view name, reason;
};
constexpr Unresolved kDevices[] = {
    {"24GB class GPUs", "a size class, no device named"},
    {"40GB class GPU", "a size class, no device named"},
    {"80GB class GPU", "a size class, no device named"},
    {"AMD ROCm", "a back end, no device named"},
    {"AMD ROCm 64 GiB", "a back end and a size, no device named"},
    {"AMD ROCm GPU", "a back end, no device named"},
    {"Apple Metal", "a back end, no device named"},
    {"CPU", "the host alone: front ends take it before the catalog is asked"},
    {"Vulkan", "a back end, no device named"},
    {"AMD Radeon gfx1035 iGPU", "a chip family (Ryzen 6000), memory not stated: 76.8 or 102.4 GB/s"},
    {"AMD Ryzen 8000 Series iGPU", "a series, memory not stated"},
    {"AMD Ryzen AI 9 300 Series iGPU", "a series, memory not stated"},
    {"AMD Ryzen Z1 Extreme iGPU", "the handheld is not stated: 102.4 or 120 GB/s"},
    {"Intel Core Ultra 200 Series iGPU", "a series (200V, 200H, 200U or 200S), memory not stated"},
    {"AMD Ryzen 9 7950X", "memory speed not stated, so no bandwidth: not in the catalog"},
};
constexpr Unresolved kModels[] = {
    {"Claude-3.5-Sonnet-1022", "a closed model"},
    {"GPT-4o-0513", "a closed model"},
    {"o1-mini", "a closed model"},
    {"DeepSeek-R1-Distill-Qwen-1.5B-uncensored", "a fine-tune; the hf_id of its rows resolves"},
    {"GLM-4.5-Iceblink-106B-A12B", "a fine-tune; the hf_id of its rows resolves"},
    {"LLaMA v2", "a generic label; the logged geometry is that of Llama-2-13B"},
    {"Qwen3 GGUF", "no size named"},
    {"Ministral-3-14B-Instruct/Reasoning-2512", "two candidates of one geometry"},
    {"Qwen3-30B-A3B-Instruct/Thinking-2507", "two candidates of one geometry"},
    {"Qwen3.5-122B-A10B NVFP4 resharded", "a resharded upload"},
    {"Qwythos-27B-v1 MTP", "a fine-tune without a known repository"},
    {"mistral3 Q8_0", "a generic label: some Mistral Small 3 of 24B"},
    {"model not named", "no model named"},
    {"qwen38-heretic", "a fine-tune without a known repository"},
};

/// The facts append remarks in brackets: "gemma3:12b (blob e8ad13eff07a)". Whole names are tried first: some brackets belong to names.
std::string without_remark(const std::string& name) { return name.substr(0, name.find(" (")); }

/// "2x NVIDIA GeForce RTX 4090; NVIDIA RTX A6000" -> the two names.
std::vector<std::string> machines_devices(const std::string& machine) {
  std::vector<std::string> out;
  for (auto part : text::split(machine, ';')) {
    part = text::trim(part);
    const auto x = part.find("x ");
    if (x != std::string_view::npos && text::parse_int(part.substr(0, x))) part.remove_prefix(x + 2);
    out.emplace_back(part);
  }
  return out;
}

}  // namespace

TEST_CASE("names: devices as people type them") {
  for (const auto& [typed, id] : std::initializer_list<Typed>{{"rtx4090", "rtx-4090"},
                                                              {"RTX 4090", "rtx-4090"},
                                                              {"rtx-4090", "rtx-4090"},
                                                              {"RTX_4090", "rtx-4090"},
                                                              {"RTX 4090 24GB", "rtx-4090"},
                                                              {"nvidia geforce rtx 4090", "rtx-4090"},
                                                              {"NVIDIA GeForce RTX 4090", "rtx-4090"},
                                                              {"4090", "rtx-4090"},
                                                              {"4090 laptop", "rtx-4090-laptop"},
                                                              {"rtx 4090 d", "rtx-4090-d"},
                                                              {"3090 ti", "rtx-3090-ti"},
                                                              {"rtx 2080ti", "rtx-2080-ti"},
                                                              {"rtx 3060 8gb", "rtx-3060-8gb"},
                                                              {"rtx 3060 12 GB", "rtx-3060-12gb"},
                                                              {"4060 ti 16gb", "rtx-4060-ti-16gb"},
                                                              {"h100", "h100-sxm"},
                                                              {"H100 80GB", "h100-sxm"},
                                                              {"mi300x", "mi300x"},
                                                              {"AMD Instinct MI300X", "mi300x"},
                                                              {"rx 7900 xtx", "rx-7900-xtx"},
                                                              {"7900 xtx", "rx-7900-xtx"},
                                                              {"m4 max 64gb", "m4-max-40c"},
                                                              {"Apple M2 Ultra 192GB", "m2-ultra"},
                                                              {"strix halo", "ryzen-ai-max-395"},
                                                              {"dgx spark", "dgx-spark"},
                                                              {"dgx h100", "dgx-h100"},
                                                              {"L40S", "l40s"},
                                                              {"T4", "t4"}}) {
    CAPTURE(typed);
    CHECK_EQ(device(typed), id);
  }
}

TEST_CASE("names: the memory size of a device") {
  CHECK_EQ(catalog().resolve_device("m4 max 64gb").memory_bytes, 64 * kGiB);
  CHECK_EQ(catalog().resolve_device("m2 ultra 192 GB").memory_bytes, 192 * kGiB);
  CHECK_EQ(catalog().resolve_device("RTX 4090").memory_bytes, 0);
  CHECK_EQ(device("m4 max 36gb"), "m4-max-32c");  // sold with the 32-core GPU alone
  const auto wrong = device_error("rtx 4090 48gb");
  CHECK(contains(wrong, "GeForce RTX 4090"));
  CHECK(contains(wrong, "24.0 GiB"));
}

TEST_CASE("names: the most common variant answers where nothing else is said, with a note") {
  for (const std::string typed : {"rtx 3060", "h100", "a100", "m4 max", "arc a770", "rtx 4060 ti", "v100"}) {
    CAPTURE(typed);
    const auto match = catalog().resolve_device(typed);
    CHECK(contains(match.note, match.device->name));
    CHECK(contains(match.note, "most common"));
  }
  CHECK_EQ(catalog().resolve_device("rtx 4090").note, "");
}

TEST_CASE("names: unknown and ambiguous devices") {
  CHECK(contains(device_error("rtx 409O"), "rtx-4090"));
  CHECK(contains(device_error("RTX 409"), "did you mean"));
  CHECK(contains(device_error("no such thing"), "unknown device 'no such thing'"));
  const auto ambiguous = device_error("jetson orin");
  CHECK(contains(ambiguous, "ambiguous"));
  CHECK(contains(ambiguous, "jetson-agx-orin-64gb"));
  CHECK_EQ(device("a100 40gb"), "a100-sxm-40gb");  // a common name with a size in it
  CHECK_NE(device_error(""), "");
  CHECK_NE(device_error("   "), "");
  CHECK_NE(device_error("gpu"), "");
  CHECK_NE(device_error(std::string(10000, 'x')), "");
}

TEST_CASE("names: models as people type them") {
  for (const auto& [typed, id] : std::initializer_list<Typed>{{"deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "deepseek-r1-distill-qwen-1.5b"},
                                                              {"DEEPSEEK-AI/deepseek-r1-distill-qwen-1.5b", "deepseek-r1-distill-qwen-1.5b"},
                                                              {"r1 1.5b", "deepseek-r1-distill-qwen-1.5b"},
                                                              {"deepseek r1 1.5b", "deepseek-r1-distill-qwen-1.5b"},
                                                              {"deepseek-r1:1.5b", "deepseek-r1-distill-qwen-1.5b"},
                                                              {"qwen3 8b", "qwen3-8b"},
                                                              {"Qwen3-8B", "qwen3-8b"},
                                                              {"Qwen/Qwen3-8B-GGUF", "qwen3-8b"},
                                                              {"unsloth/Qwen3-8B-GGUF", "qwen3-8b"},
                                                              {"qwen3 30b", "qwen3-30b-a3b"},
                                                              {"llama 3.1 8b", "llama-3.1-8b"},
                                                              {"llama3.1 8b", "llama-3.1-8b"},
                                                              {"meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct"},
                                                              {"gemma3:27b", "gemma-3-27b-it"},
                                                              {"gemma 3 27b", "gemma-3-27b-it"},
                                                              {"mixtral 8x7b", "mixtral-8x7b-v0.1"},
                                                              {"gpt-oss 20b", "gpt-oss-20b"},
                                                              {"deepseek r1", "deepseek-r1"},
                                                              {"phi 4", "phi-4"},
                                                              {"glm 4.6", "glm-4.6"}}) {
    CAPTURE(typed);
    CHECK_EQ(model(typed), id);
  }
}

TEST_CASE("names: unknown and ambiguous models") {
  CHECK(contains(model_error("qwen3 9b"), "did you mean"));
  CHECK(contains(model_error("lama 3.1 8b"), "llama-3.1-8b"));
  const auto ambiguous = model_error("mixtral");
  CHECK(contains(ambiguous, "ambiguous"));
  CHECK(contains(ambiguous, "mixtral-8x22b-v0.1"));
  CHECK(contains(model_error("qwen3"), "more"));  // a long list is cut
  CHECK_NE(model_error(""), "");
  CHECK_NE(model_error("/"), "");
}

TEST_CASE("names: quantizations, by any spelling and with bits in the name") {
  for (const auto& [typed, name] : std::initializer_list<Typed>{{"Q4_K_M", "Q4_K_M"},
                                                                {"q4_k_m", "Q4_K_M"},
                                                                {"q4km", "Q4_K_M"},
                                                                {"Q4_K", "Q4_K_M"},
                                                                {"F16", "F16"},
                                                                {"bf16", "BF16"},
                                                                {"iq2_xxs", "IQ2_XXS"},
                                                                {"MXFP4_MOE", "MXFP4"},
                                                                {"AWQ", "AWQ"},
                                                                {"gptq", "GPTQ"},
                                                                {"FP8", "FP8"},
                                                                {"nf4", "NF4"},
                                                                {"W4A16", "W4A16"},
                                                                {"EXL2-4.0", "EXL2-4"},
                                                                {"exl2-4.25", "EXL2-4.25"},
                                                                {"EXL2 5.0bpw", "EXL2-5"},
                                                                {"MLX-4", "MLX-4"},
                                                                {"mlx 4bit", "MLX-4"},
                                                                {"EXL3-3", "EXL3-3"}}) {
    CAPTURE(typed);
    CHECK_EQ(quantization(typed), name);
  }
  const auto quantization_error = [](std::string_view typed) { return error_of([&] { return quantization(typed); }); };
  CHECK(contains(quantization_error("Q4_K_X"), "did you mean 'Q4_K_S'"));
  CHECK(contains(quantization_error("EXL2-9"), "2 to 8"));
  CHECK_NE(quantization_error(""), "");
  std::unique_ptr<Quantization> made;
  CHECK_EQ(std::get<GroupScheme>(catalog().resolve_quantization("EXL2-4.25", made).recipe).bits, 4.25);
  CHECK(made != nullptr);
}

TEST_CASE("names: engines, with or without a version") {
  for (const auto& [typed, id] : std::initializer_list<Typed>{{"llama.cpp", "llama.cpp"},
                                                              {"llamacpp", "llama.cpp"},
                                                              {"llama.cpp@b4748", "llama.cpp"},
                                                              {"vLLM", "vllm"},
                                                              {"vllm@0.11", "vllm"},
                                                              {"ollama", "ollama"},
                                                              {"ik_llama.cpp", "ik_llama.cpp"},
                                                              {"mlx", "mlx"}}) {
    CAPTURE(typed);
    CHECK_EQ(catalog().resolve_engine(typed).id, id);
  }
  CHECK(contains(error_of([] { return catalog().resolve_engine("vlm").id; }), "did you mean 'vllm'"));
}

TEST_CASE("names: every entry answers to its own names") {
  for (const auto* d : catalog().devices()) {
    CAPTURE(d->id);
    CHECK_EQ(device(d->id), d->id);
    CHECK_EQ(device(d->name), d->id);
    if (d->kind == DeviceKind::gpu) CHECK_EQ(device(d->vendor + " " + d->name), d->id);
  }
  for (const auto* m : catalog().models()) {
    CAPTURE(m->id);
    CHECK_EQ(model(m->id), m->id);
    CHECK_EQ(model(m->name), m->id);
    if (!m->hf_id.empty()) CHECK_EQ(model(m->hf_id), m->id);
  }
  for (const auto* q : catalog().quantizations()) {
    CAPTURE(q->name);
    CHECK_EQ(quantization(q->name), q->name);
    for (const auto& alias : q->aliases) CHECK_EQ(quantization(alias), q->name);
  }
  for (const auto* e : catalog().engines()) CHECK_EQ(catalog().resolve_engine(e->id).id, e->id);
}

TEST_CASE("names: whose file of a mix is meant") {
  constexpr std::pair<std::string_view, std::string_view> kForms[] = {
      {"Q4_K_M@bartowski", "Q4_K_M@bartowski"},
      {"q4_k_m@LMStudio-Community", "Q4_K_M@bartowski"},
      {"Q4_K@bartowski-2026-03", "Q4_K_M@bartowski-2026-03"},
      {"Q6_K_L", "Q6_K_L@bartowski"},
      {"q3_k_xl@bartowski", "Q3_K_XL@bartowski"},
      {"bartowski/Qwen_Qwen3-30B-A3B-GGUF:Q4_K_M", "Q4_K_M@bartowski"},
      {"bartowski/Qwen_Qwen3-30B-A3B-Q4_K_M.gguf", "Q4_K_M@bartowski"},
      {"bartowski/Some-GGUF/Some-Q6_K_L/Some-Q6_K_L-00001-of-00002.gguf", "Q6_K_L@bartowski"},
      {"mradermacher/VibeThinker-1.5B-GGUF:Q4_K_S", "Q4_K_S@mradermacher"},
      {"mradermacher/VibeThinker-1.5B-i1-GGUF:Q4_K_S", "Q4_K_S@mradermacher-i1"},
      {"mradermacher/VibeThinker-1.5B.i1-Q4_K_S.gguf", "Q4_K_S@mradermacher-i1"},
      {"Q4_K_M+untied+output=q8_0", "Q4_K_M+untied+output=Q8_0"},
      {"Q4_K_M@qwen+static", "Q4_K_M@qwen+static"},
  };
  for (const auto& [typed, name] : kForms) {
    CAPTURE(typed);
    CHECK_EQ(quantization(typed), name);
  }
  constexpr std::pair<std::string_view, std::string_view> kErrors[] = {
      {"Q4_K_M@bartowsky", "unknown publisher 'bartowsky' (did you mean 'bartowski'?)"},
      {"nobody/Some-GGUF:Q4_K_M", "unknown publisher 'nobody'"},
      {"Q4_K_N@bartowski", "unknown quantization 'Q4_K_N' (did you mean"},
      {"Q6_K_L@unsloth", "unknown quantization 'Q6_K_L'"},
      {"bartowski/Some-GGUF", "no known mix at the end"},
      {"AWQ@bartowski", "GGUF mixes only"},
      {"Q4_K_M+imatriks", "unknown option 'imatriks' (did you mean 'imatrix'?)"},
      {"Q4_K_M+output=Q9_0", "unknown format 'Q9_0'"},
      {"Q4_K_M+", "unknown option ''"},
      {"Q4_K_M@", "unknown publisher ''"},
      {"@bartowski", "unknown quantization ''"},
      {"IQ2_XXS+static", "cannot be made without an importance matrix"},
      {"UD-Q4_K_XL", "Unsloth chooses the formats of these files tensor by tensor"},
      {"unsloth/Qwen3-30B-A3B-GGUF/Qwen3-30B-A3B-UD-Q4_K_XL.gguf", "publishes no recipe"},
  };
  for (const auto& [typed, message] : kErrors) {
    CAPTURE(typed);
    CHECK_NE(error_of([&, t = typed] { return quantization(t); }).find(message), std::string::npos);
    CAPTURE(error_of([&, t = typed] { return quantization(t); }));
  }
}

TEST_CASE("names: every name of the facts resolves, or is listed with its reason") {
  std::map<std::string_view, bool> used;
  for (const auto& u : kDevices) used[u.name] = false;
  for (const auto& u : kModels) used[u.name] = false;
  const auto is_listed = [&](const std::string& name) {
    const auto it = used.find(name);
    if (it != used.end()) it->second = true;
    return it != used.end();
  };
  const auto check = [&](const std::string& name, const auto& error) {
    CAPTURE(name);
    if (error(name).empty()) return;
    const auto shorter = without_remark(name);
    if (shorter != name && error(shorter).empty()) return;
    CHECK_MESSAGE(is_listed(shorter), error(name));
  };
  const auto rows = test::read_csv(test::data_file("names.csv"));
  CHECK_GE(rows.size(), 1000);
  for (const auto& row : rows) {
    CAPTURE(row.line);
    if (row["column"] == "device" || row["file"] == "hardware.csv") {
      for (const auto& name : machines_devices(row["name"])) check(name, device_error);
    } else {
      check(row["name"], model_error);
    }
  }
  for (const auto& [name, was] : used) CHECK_MESSAGE(was, "listed, but it resolves or does not occur: " << name);
}

TEST_CASE("names: keys and words") {
  using namespace names;
  CHECK_EQ(device_key("GeForce RTX 4090"), "rtx4090");
  CHECK_EQ(device_key("NVIDIA"), "nvidia");  // a name of noise alone stays
  CHECK_EQ(model_key("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"), "deepseekr1distillqwen1.5b");
  CHECK_EQ(plain_key("Q4_K_M"), "q4km");
  CHECK_EQ(device_words("rtx4090"), std::vector<std::string>{"rtx", "4090"});
  CHECK_EQ(model_words("Qwen/Qwen3-8B"), std::vector<std::string>{"qwen3", "8b"});
  CHECK_EQ(split_memory("RTX 3060 12GB").name, "RTX 3060");
  CHECK_EQ(split_memory("RTX 3060 12 GiB").gib, 12);
  CHECK_EQ(split_memory("RTX 3060").gib, 0);
  CHECK_EQ(split_memory("12GB").gib, 0);  // a size alone is no name
  CHECK_EQ(split_memory("MI300X192GB").gib, 0);
}
