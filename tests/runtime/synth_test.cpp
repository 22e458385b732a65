// Synthetic models: files that the library reads back as the model that was asked for.

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <unordered_set>

#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/gguf.h"
#include "planner/gguf_writer.h"
#include "runtime/format.h"
#include "runtime/synth.h"
#include "support/files.h"

using namespace planner;
using namespace planner::runtime;

namespace {

std::vector<std::byte> data_of(const GgufFile& file, const GgufTensor& t) {
  std::ifstream in(file.shards[t.shard].path, std::ios::binary);
  in.seekg(file.position(t));
  std::vector<std::byte> bytes(static_cast<std::size_t>(t.bytes));
  in.read(reinterpret_cast<char*>(bytes.data()), t.bytes);
  REQUIRE(in);
  return bytes;
}

const Quantization& quantization(const char* name) { return *Catalog::builtin().find_quantization(name); }

/// A catalog of one small model; the tokenizer is that of the model type and vocabulary size.
std::unique_ptr<Catalog> small_catalog(const test::TemporaryFolder& folder, const std::string& config) {
  folder.write("small.yaml", "id: small\nname: Small\npublisher: none\nfamily: Small\nsources: [https://example.org]\nconfig: " + config + "\n");
  const std::filesystem::path folders[] = {folder.path()};
  return Catalog::with_overlays(folders);
}

}  // namespace

TEST_CASE("metadata read back gives the catalog's geometry: every model of an architecture whose files can be written") {
  const test::TemporaryFolder folder;
  int models = 0;
  std::set<std::string> architectures;
  for (const auto* entry : Catalog::builtin().models()) {
    const auto* model = entry->find_model();
    if (model == nullptr || !has_gguf_metadata(model->hyperparameters.architecture)) continue;
    GgufHeaderWriter header;
    add_model_metadata(header, *model, entry->config_json, entry->id);
    for (const auto& t : model->tensors) {
      const bool in_file = t.part == ModelPart::text || (t.part == ModelPart::mtp && model->file_holds_mtp);
      if (in_file) header.add_tensor(t.name, std::span(t.shape).first(static_cast<std::size_t>(std::max(1, t.n_dims))), FormatId::f32);
    }
    const auto path = folder.write("header.gguf", header.bytes());
    INFO(entry->id);
    const auto file = read_gguf_header(path);
    CHECK(file.declared_file_bytes == header.file_bytes());
    const auto differences = compare_with_description(file);
    CHECK_MESSAGE(differences.empty(), differences.size(), " differences, first ", differences.empty() ? "" : differences.front().text());
    std::string note;
    const auto back = model_from_gguf(file, &note);
    CHECK(note == "");
    CHECK(back.layers.size() == (model->file_holds_mtp ? model->layers.size() : static_cast<std::size_t>(model->hyperparameters.n_layers)));
    const auto &a = back.hyperparameters, &b = model->hyperparameters;
    CHECK(a.context_length == (b.context_length > 0 ? b.context_length : 8192));
    if (!model->llama_cpp_ignores_window) {  // read as llama.cpp takes it, without one
      CHECK(a.sliding_window == b.sliding_window);
      CHECK(a.layer_kinds == b.layer_kinds);
    }
    CHECK(a.n_experts_active == b.n_experts_active);
    CHECK(a.head_dim == (b.kv_lora_rank > 0 ? a.head_dim : b.head_dim));
    CHECK(a.kv_lora_rank == b.kv_lora_rank);
    ++models;
    architectures.insert(b.architecture);
  }
  CHECK(models >= 100);
  CHECK(architectures.size() >= 13);
}

TEST_CASE("a synthetic file: whole, of the size predicted, its blocks valid, its vocabulary without doubles") {
  const test::TemporaryFolder folder;
  const auto catalog = small_catalog(folder,
                                     "{model_type: qwen2, hidden_size: 256, intermediate_size: 512, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, "
                                     "vocab_size: 151936, max_position_embeddings: 4096, rms_norm_eps: 0.000001, rope_theta: 1000000, tie_word_embeddings: true}");
  const auto& entry = *catalog->find_model("small");
  for (const auto* mix : {"Q4_K_M", "IQ2_XXS", "F16", "Q8_0"}) {
    const auto path = folder.path() / (std::string(mix) + ".gguf");
    std::int64_t last = 0;
    SynthOptions options;
    options.n_threads = 2;
    options.progress = [&](std::int64_t done, std::int64_t total) {
      CHECK(done >= last);
      CHECK(done <= total);
      last = done;
    };
    const auto made = synthesize(entry, quantization(mix), *catalog, path, options);
    CHECK(last == made.file_bytes);
    CHECK(static_cast<std::int64_t>(std::filesystem::file_size(path)) == made.file_bytes);
    CHECK(made.file_bytes == made.predicted_bytes);
    CHECK(!std::filesystem::exists(path.string() + ".part"));
    const auto file = read_gguf_header(path);
    CHECK(file.is_complete());
    CHECK(compare_with_description(file).empty());
    CHECK(static_cast<std::int64_t>(file.tensors.size()) == made.n_tensors);
    for (const auto& t : file.tensors) {
      const auto& format = *find_format(t.format);
      const auto bytes = data_of(file, t);
      std::int64_t at = 0;
      CHECK_MESSAGE(format.check(bytes.data(), t.n_elements(), &at).empty(), t.name);
      std::vector<float> values(static_cast<std::size_t>(t.n_elements()));
      format.dequantize(bytes.data(), values.data(), t.n_elements());
      double squares = 0;
      for (const float v : values) squares += static_cast<double>(v) * v;
      const double size = std::sqrt(squares / static_cast<double>(values.size()));
      const double expected = t.name.ends_with("norm.weight") ? 1.0 : t.name.ends_with(".bias") ? 0.02 : 1 / std::sqrt(static_cast<double>(t.shape[0]));
      CHECK_MESSAGE(std::abs(size / expected - 1) < 0.15, t.name, ": ", size);
    }
    const auto tokens = file.strings("tokenizer.ggml.tokens");
    CHECK(tokens.size() == 151936);
    const std::unordered_set<std::string_view> distinct(tokens.begin(), tokens.end());
    CHECK(distinct.size() == tokens.size());
    for (const auto merge : file.strings("tokenizer.ggml.merges")) {
      const auto space = merge.find(' ');
      REQUIRE(space != std::string_view::npos);
      REQUIRE(distinct.contains(merge.substr(0, space)));
      REQUIRE(distinct.contains(merge.substr(space + 1)));
      REQUIRE(distinct.contains(std::string(merge.substr(0, space)) + std::string(merge.substr(space + 1))));
    }
  }
}

TEST_CASE("synthetic weights are the same on any number of threads and differ with the seed") {
  const test::TemporaryFolder folder;
  const auto catalog = small_catalog(folder,
                                     "{model_type: llama, hidden_size: 256, intermediate_size: 512, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 4, "
                                     "vocab_size: 32000, max_position_embeddings: 4096, rms_norm_eps: 0.00001, rope_theta: 10000, tie_word_embeddings: false}");
  const auto& entry = *catalog->find_model("small");
  const auto write = [&](const char* name, int threads, std::uint64_t seed) {
    SynthOptions options;
    options.n_threads = threads;
    options.seed = seed;
    (void)synthesize(entry, quantization("Q4_0"), *catalog, folder.path() / name, options);
    std::ifstream in(folder.path() / name, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  const auto one = write("one.gguf", 1, 1);
  CHECK(one == write("three.gguf", 3, 1));
  CHECK(one != write("other.gguf", 1, 2));
  const auto file = read_gguf_header(folder.path() / "one.gguf");
  CHECK(file.find_string("tokenizer.ggml.model") == "llama");
  CHECK(file.strings("tokenizer.ggml.tokens").size() == 32000);
  CHECK(file.numbers("tokenizer.ggml.scores").size() == 32000);
}

TEST_CASE("what cannot be made is an error that says so") {
  const test::TemporaryFolder folder;
  const auto& catalog = Catalog::builtin();
  const auto message = [&](const ModelEntry& model, const Quantization& quant, const std::filesystem::path& path) {
    try {
      (void)synthesize(model, quant, catalog, path);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto& qwen = catalog.resolve_model("deepseek-r1-distill-qwen-1.5b");
  CHECK(message(qwen, quantization("Q4_0"), folder.path() / "none" / "x.gguf").find("no such folder") != std::string::npos);
  CHECK(message(qwen, quantization("AWQ"), folder.path() / "x.gguf").find("none of GGUF") != std::string::npos);
  CHECK(message(catalog.resolve_model("deepseek-v3"), quantization("F16"), folder.path() / "x.gguf").find("of disk") != std::string::npos);
  CHECK(message(catalog.resolve_model("falcon-mamba-7b"), quantization("Q4_0"), folder.path() / "x.gguf").find("architecture 'mamba'") != std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
}
