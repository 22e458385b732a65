// Predicted against real GGUF headers, tensor for tensor: names, shapes, formats, bytes.
//
// The headers were written by llama.cpp's converter layout and quantizer of September 2026 without an importance matrix (the IQ4_XS one
// tells: its first ffn_down tensors are Q5_K). A few lie in tests/fixtures/gguf, so that a checkout alone runs; all are compared where the
// folder of facts is there.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/gguf.h"
#include "support/files.h"

namespace {

using namespace planner;
namespace fs = std::filesystem;

std::vector<fs::path> headers() {
  std::vector<fs::path> out;
  std::set<fs::path> seen;
  std::vector<fs::path> folders = {fs::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "gguf"};
  if (const auto facts = test::facts_folder()) folders.push_back(*facts / "gguf_headers");
  for (const auto& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& file : fs::directory_iterator(folder)) {
      auto json = file.path();
      json.replace_extension(".json");
      if (file.path().extension() == ".gguf" && fs::exists(json) && seen.insert(file.path().filename()).second) out.push_back(file.path());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

nlohmann::json description_of(fs::path header) {
  std::ifstream in(header.replace_extension(".json"));
  return nlohmann::json::parse(in);
}

/// Where a file is not the one that the model's config makes.
struct Known {
  std::string_view header;
  enum class Kind { vocabulary, legacy } kind;
  std::string_view reason;
};
constexpr Known kKnown[] = {
    {"gemma-3-4b", Known::Kind::vocabulary, "the converter cuts the 262,208 rows of the config to the tokenizer's 262,144"},
    {"gemma-3n-e4b", Known::Kind::vocabulary, "the converter cuts the 262,400 rows of the config to the tokenizer's 262,144"},
    {"deepseek-v2-lite-legacy", Known::Kind::legacy, "a file from before April 2025: attn_kv_b in one piece instead of attn_k_b and attn_v_b"},
};

const Known* known_of(const std::string& header) {
  const auto* it = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& k) { return k.header == header; });
  return it == std::end(kKnown) ? nullptr : it;
}

struct Predicted {
  const Tensor* tensor;
  FormatId format;
  std::int64_t bytes;
};
std::map<std::string, Predicted> predicted_tensors(const Model& model, const StoredModel& stored) {
  std::map<std::string, Predicted> out;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (stored.bytes[i] > 0) out[model.tensors[i].name] = {&model.tensors[i], stored.formats[i], stored.bytes[i]};
  }
  return out;
}

}  // namespace

TEST_CASE("headers: the architectures' descriptions predict every tensor from the file's own metadata") {
  REQUIRE_FALSE(headers().empty());
  for (const auto& path : headers()) {
    CAPTURE(path);
    for (const auto& difference : compare_with_description(read_gguf_header(path))) FAIL_CHECK(difference.text());
  }
}

TEST_CASE("headers: the catalog's configs predict names, shapes, formats and bytes of every tensor") {
  const auto& catalog = Catalog::builtin();
  std::size_t exact = 0;
  std::set<std::string_view> used;
  for (const auto& path : headers()) {
    const auto header = path.stem().string();
    CAPTURE(header);
    const auto file = read_gguf_header(path);
    const auto json = description_of(path);
    auto model = catalog.resolve_model(json["name"].get<std::string>()).model();
    model.release_date = "2026-09";  // when the files were made, whatever the age of the model
    std::unique_ptr<Quantization> made;
    const auto stored = store(model, catalog.resolve_quantization(json["quant"].get<std::string>(), made), false);
    auto predicted = predicted_tensors(model, stored);
    const auto* known = known_of(header);
    if (known != nullptr) used.insert(known->header);
    const bool is_legacy = known != nullptr && known->kind == Known::Kind::legacy;

    for (const auto& t : file.tensors) {
      CAPTURE(t.name);
      const auto it = predicted.find(t.name);
      if (it == predicted.end()) {
        CHECK_MESSAGE((is_legacy && t.name.find("attn_kv_b") != std::string::npos), "the file has a tensor that is not predicted");
        continue;
      }
      const auto p = it->second;
      predicted.erase(it);
      CHECK_EQ(tensor_format(p.format).name, tensor_format(t.format).name);
      if (known != nullptr && known->kind == Known::Kind::vocabulary && t.name == "token_embd.weight") {
        CHECK_EQ(p.tensor->shape[0], t.shape[0]);
        CHECK_GT(p.tensor->shape[1], t.shape[1]);
        continue;
      }
      CHECK_EQ(p.tensor->shape, t.shape);
      CHECK_EQ(p.bytes, t.bytes);
    }
    for (const auto& [name, p] : predicted) {
      CHECK_MESSAGE((is_legacy && (name.find("attn_k_b") != std::string::npos || name.find("attn_v_b") != std::string::npos)),
                    "predicted, but not in the file: " << name);
    }
    if (known == nullptr) {
      ++exact;
      CHECK_EQ(stored.tensor_bytes, file.tensor_bytes);
      CHECK_EQ(stored.tensor_bytes, json["tensor_bytes"].get<std::int64_t>());
    }
  }
  CHECK_GE(exact, test::facts_folder() ? 30 : 3);
  if (test::facts_folder()) CHECK_EQ(used.size(), std::size(kKnown));
}
