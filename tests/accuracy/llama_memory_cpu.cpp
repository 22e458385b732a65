// Predicted against allocated: what llama.cpp sets aside on a CPU for models of known geometry (llama_memory_cpu.csv), two versions of the engine, each
// model by its file's header and by its catalog id.
//
// Cache, recurrent state and output are exact to the printed decimals. Compute buffers are held to their bars architecture by architecture.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/estimate.h"
#include "support/csv.h"
#include "support/error_table.h"
#include "support/files.h"

namespace {

using namespace planner;

constexpr double kMiB = 0x1p20;

/// The file's models as the catalog names them, where the names differ.
const std::map<std::string, std::string, std::less<>> kCatalogIds = {
    {"command-r-08-2024", "c4ai-command-r-08-2024"},
    {"command-r-v01", "c4ai-command-r-v01"},
    {"gemma-2-9b", "gemma-2-9b-it"},
    {"gemma-3-4b", "gemma-3-4b-it"},
    {"gemma-3n-e4b", "gemma-3n-e4b-it"},
    {"granite-3.1-8b", "granite-3.1-8b-instruct"},
    {"mixtral-8x7b", "mixtral-8x7b-v0.1"},
    {"mistral-7b-v0.3", "mistral-7b-instruct-v0.3"},
    {"nemotron-nano-9b-v2", "nvidia-nemotron-nano-9b-v2"},
    {"phi-3-mini-4k", "phi-3-mini-4k-instruct"},
    {"qwen3-next-80b-a3b", "qwen3-next-80b-a3b-instruct"},
    {"r1-distill-qwen-1.5b", "deepseek-r1-distill-qwen-1.5b"},
    {"r1-distill-qwen-32b", "deepseek-r1-distill-qwen-32b"},
};
/// Models that the catalog cannot know: a geometry of files from before the engine's present format.
const std::set<std::string, std::less<>> kFileOnly = {"deepseek-v2-lite-legacy"};

struct Case {
  std::string name, architecture, model, engine;
  EstimateRequest request;
  std::map<Component, double> bytes;     ///< as printed, rows of one component summed
  std::map<Component, double> rounding;  ///< what the printed decimals leave open
};

std::optional<Component> component_of(const std::string& name) {
  if (name == "compute") return Component::compute;
  if (name == "output") return Component::output;
  if (name == "rs") return Component::recurrent_state;
  if (name.starts_with("kv")) return Component::kv;
  return std::nullopt;  // model rows: weights are gguf_sizes.cpp's subject
}

EstimateRequest request_of(const test::CsvRow& row) {
  static const std::regex tail("-u([01])-o([0-9]+)(-noalloc)?$");
  static const std::regex node_tail("-o([0-9]+)$");
  const auto integer = [&](std::string_view column) { return text::parse_int(row[column]).value(); };
  EstimateRequest r;
  r.engine = text::contains(row["engine"], "b4748") ? "llama.cpp@b4748" : "llama.cpp";
  r.devices = {"cpu"};
  r.solve = false;
  r.concurrency = integer("n_seq");
  r.context = integer("n_ctx") / *r.concurrency;
  r.batch = integer("n_batch");
  r.ubatch = integer("n_ubatch");
  r.kv_type_k = row["cache_type_k"];
  r.kv_type_v = row["cache_type_v"];
  r.flash_attention = row["flash_attn"] == "on" ? FlashAttention::on : FlashAttention::off;
  r.swa_full = row["swa_full"] == "1";
  r.outputs = "batch";
  std::smatch m;
  const auto& name = row["case"];
  if (std::regex_search(name, m, tail)) {
    r.kv_unified = m[1] == "1";
    if (m[2] != "0") r.outputs = m[2];
  } else if (std::regex_search(name, m, node_tail) && m[1] != "0") {
    r.outputs = m[1];
  }
  return r;
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::map<std::string, std::size_t> known;
  for (const auto& row : test::read_csv(path)) {
    const auto component = component_of(row["component"]);
    if (!component || row["n_ctx"].empty()) continue;
    const auto [it, is_new] = known.try_emplace(row["engine"] + " " + row["case"], cases.size());
    if (is_new) cases.push_back({row["case"], row["arch"], row["model"], row["engine"], request_of(row), {}, {}});
    auto& c = cases[it->second];
    c.bytes[*component] += text::parse_double(row["mib"]).value() * kMiB;
    // Compute buffers of the newer engine were taken to the byte; everything else is what it printed, with two decimals.
    constexpr double kPrinted = 0.005 * kMiB + 1;
    const auto point = row["mib"].find('.');
    const bool is_exact = *component == Component::compute && point != std::string::npos && row["mib"].size() - point > 3;
    c.rounding[*component] += is_exact ? 1 : kPrinted;
  }
  return cases;
}

std::string engine_name(const Case& c) { return text::contains(c.engine, "b4748") ? "b4748" : text::contains(c.engine, "node") ? "v0.5.0 (node)" : "v0.5.0"; }

struct Outcome {
  std::size_t cases = 0, inexact = 0;
  test::ErrorTable compute{"compute buffer"};
  std::set<std::string> groups;
  std::map<std::string, double> worst;

  void add(const Case& c, const MemoryEstimate& memory) {
    ++cases;
    for (const auto& [component, bytes] : c.bytes) {
      const auto predicted = static_cast<double>(memory.bytes(component));
      if (component == Component::compute) {
        const double error = (predicted - bytes) / bytes;
        const auto group = fmt::format("{} {}", engine_name(c), c.architecture);
        compute.add(group, error, c.rounding.at(component) / bytes);
        groups.insert(group);
        worst[group] = std::max(worst[group], std::abs(error));
      } else if (std::abs(predicted - bytes) > c.rounding.at(component)) {
        ++inexact;
        if (inexact < 20) fmt::print("{} {}: {} is {:.0f}, predicted {:.0f}\n", c.engine, c.name, to_string(component), bytes, predicted);
      }
    }
  }

  void check(const std::string& what) const {
    constexpr double kMedian = 0.005, kMost = 0.05, kMostShare = 0.95, kWorst = 0.15;
    fmt::print("{} by {}; predicted - allocated, in per cent\n{}\n", cases, what, compute.text());
    CHECK_EQ(inexact, 0);
    for (const auto& group : groups) {
      CAPTURE(group);
      CHECK_LE(compute.median(group), kMedian);
      CHECK_GE(compute.share_within(group, kMost), kMostShare);
      CHECK_LE(worst.at(group), kWorst);
    }
  }
};

}  // namespace

TEST_CASE("accuracy: llama.cpp's buffers on a CPU") {
  const auto& catalog = Catalog::builtin();
  const auto facts = test::facts_folder();
  const auto path = facts ? *facts / "llama_memory_cpu.csv" : test::data_file("llama_memory_cpu.csv");
  const auto cases = read_cases(path);
  fmt::print("{} cases of {}{}\n", cases.size(), path.string(), facts ? "" : " (no folder of facts: the repository's copy)");
  REQUIRE_FALSE(cases.empty());

  Outcome by_id;
  for (const auto& c : cases) {
    if (kFileOnly.contains(c.model)) continue;
    CAPTURE(c.name);
    auto request = c.request;
    const auto it = kCatalogIds.find(c.model);
    request.model = it == kCatalogIds.end() ? c.model : it->second;
    request.quantization = "Q4_K_M";
    by_id.add(c, estimate(request, catalog).memory.value());
  }
  by_id.check("catalog id");

  if (!facts) return;
  Outcome by_file;
  for (const auto& c : cases) {
    CAPTURE(c.name);
    auto request = c.request;
    request.model = (*facts / "gguf_headers" / (c.model + ".gguf")).string();
    by_file.add(c, estimate(request, catalog).memory.value());
  }
  by_file.check("header file");
}
