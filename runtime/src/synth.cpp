#include "runtime/synth.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <vector>

#include "planner/error.h"
#include "planner/gguf_size.h"
#include "planner/gguf_writer.h"
#include "planner/units.h"
#include "runtime/format.h"
#include "runtime/thread_pool.h"
#include "synthetic_vocabulary.h"

namespace planner::runtime {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& problem) {
  throw Error(ErrorKind::invalid_file, path.string() + ": " + problem);
}

// ---------------------------------------------------------------------------------------------------------------------
// Header
// ---------------------------------------------------------------------------------------------------------------------

void add_tokenizer(GgufHeaderWriter& header, const Tokenizer& t) {
  const auto v = make_vocabulary(t);
  header.add("tokenizer.ggml.model", t.model);
  if (!t.pre.empty()) header.add("tokenizer.ggml.pre", t.pre);
  header.add_array("tokenizer.ggml.tokens", v.tokens);
  if (!v.scores.empty()) header.add_array("tokenizer.ggml.scores", v.scores);
  header.add_array("tokenizer.ggml.token_type", v.types);
  if (!v.merges.empty()) header.add_array("tokenizer.ggml.merges", v.merges);
  // The ids always: engines otherwise take those of some real vocabulary.
  header.add("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(v.bos));
  header.add("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(v.eos));
  header.add("tokenizer.ggml.unknown_token_id", static_cast<std::uint32_t>(v.unknown));
  header.add("tokenizer.ggml.padding_token_id", static_cast<std::uint32_t>(v.padding));
  header.add("tokenizer.ggml.add_bos_token", !v.scores.empty());
}

/// Text that brings the header to the size that the real file's has: its chat template, licence texts and the like.
void add_filler(GgufHeaderWriter& header, std::int64_t missing) {
  constexpr std::string_view kKey = "general.description";
  constexpr std::string_view kText = "Random weights in the shape of this model, to measure speed and memory with; it says nothing sensible. ";
  const std::int64_t frame = 8 + static_cast<std::int64_t>(kKey.size()) + 4 + 8;
  std::string text(kText);
  const std::int64_t room = missing - frame;
  constexpr std::int64_t kMost = 64 << 10;
  if (room > static_cast<std::int64_t>(text.size()) && room <= kMost) text.resize(static_cast<std::size_t>(room), '.');
  header.add(kKey, text);
}

std::vector<std::int64_t> shape_of(const Tensor& t) { return {t.shape.begin(), t.shape.begin() + std::max(1, t.n_dims)}; }

// ---------------------------------------------------------------------------------------------------------------------
// Weights
// ---------------------------------------------------------------------------------------------------------------------

constexpr std::int64_t kChunkWeights = 1 << 20;  // the same on every machine: each has a seed of its own

/// How the values of a tensor are made.
struct Recipe {
  float mean = 0, deviation = 0;
  std::vector<float> values;  ///< given; else random
};

Recipe recipe_for(const Tensor& t, const Model& model, const ModelEntry& entry) {
  Recipe r;
  r.values = rope_factor_values(t.name, t.shape[0], model.hyperparameters, entry.config_json);
  if (t.name.ends_with("norm.weight")) {
    r.mean = 1;
    r.deviation = 0.1F;
  } else if (t.name.ends_with(".bias") || t.n_dims <= 1) {
    r.deviation = 0.02F;
  } else {
    r.deviation = 1.0F / std::sqrt(static_cast<float>(t.shape[0]));  // products of normed inputs stay near 1
  }
  return r;
}

void fill_chunk(std::byte* to, const Format& format, const Recipe& recipe, std::int64_t begin, std::int64_t n, std::uint64_t seed) {
  Random random(seed);
  if (recipe.values.empty() && recipe.mean == 0) return format.random_blocks(to, n, recipe.deviation, random);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    auto& v = values[static_cast<std::size_t>(i)];
    v = recipe.values.empty() ? recipe.mean + recipe.deviation * random.normal() : recipe.values[static_cast<std::size_t>(begin + i)];
  }
  format.quantize(values.data(), to, n);
}

// ---------------------------------------------------------------------------------------------------------------------

/// A file that appears under its name when it is whole.
class AtomicFile {
 public:
  AtomicFile(std::filesystem::path path, std::int64_t bytes) : path_(std::move(path)), temporary_(path_.string() + ".part") {
    std::error_code status;
    const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    if (!std::filesystem::is_directory(folder, status)) fail(folder, "no such folder");
    const auto space = std::filesystem::space(folder, status);
    if (!status && space.available < static_cast<std::uintmax_t>(bytes))
      fail(path_, fmt::format("needs {} of disk, {} are free", format_gib(bytes), format_gib(static_cast<std::int64_t>(space.available))));
    out_.open(temporary_, std::ios::binary | std::ios::trunc);
    if (!out_) fail(temporary_, "cannot be written");
  }
  ~AtomicFile() {
    if (done_) return;
    out_.close();
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::int64_t n) {
    if (!out_.write(static_cast<const char*>(bytes), n)) fail(temporary_, "cannot be written to its end");
  }
  void finish() {
    out_.close();
    if (!out_) fail(temporary_, "cannot be written to its end");
    std::error_code status;
    std::filesystem::rename(temporary_, path_, status);
    if (status) fail(path_, "cannot be put in place: " + status.message());
    done_ = true;
  }

 private:
  std::filesystem::path path_, temporary_;
  std::ofstream out_;
  bool done_ = false;
};

}  // namespace

SynthFile synthesize(const ModelEntry& entry, const Quantization& quantization, const Catalog& catalog, const std::filesystem::path& path,
                     const SynthOptions& options) {
  const auto* recipe = std::get_if<GgufRecipe>(&quantization.recipe);
  if (recipe == nullptr) throw Error(ErrorKind::usage, "quantization '" + quantization.name + "' is none of GGUF files");
  const auto& model = entry.model();
  const auto stored = store(model, quantization);
  const auto tokenizer = catalog.tokenizer_of(model.hyperparameters, entry.name);
  SynthFile result;
  result.predicted_bytes = gguf_file_size(model, stored, tokenizer).total_bytes;

  GgufHeaderWriter header;
  add_model_metadata(header, model, entry.config_json, entry.id);
  header.add("general.type", "model");
  header.add("general.name", entry.name);
  header.add("general.quantization_version", std::uint32_t{2});
  if (recipe->file_type >= 0) header.add("general.file_type", static_cast<std::uint32_t>(recipe->file_type));
  add_tokenizer(header, tokenizer);

  struct Part {
    const Tensor* tensor;
    const Format* format;
    std::int64_t bytes;
  };
  std::vector<Part> parts;
  GgufHeaderWriter whole = header;  // with the directory, to know what is missing
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (stored.bytes[i] == 0) continue;
    const auto& t = model.tensors[i];
    const auto* format = find_format(stored.formats[i]);
    if (format == nullptr || (t.storage == Storage::integer))
      throw Error(ErrorKind::usage, entry.id + ": tensor '" + t.name + "' in " + std::string(tensor_format(stored.formats[i]).name) + " cannot be made");
    parts.push_back({&t, format, stored.bytes[i]});
    whole.add_tensor(t.name, shape_of(t), format->id);
  }
  add_filler(header, result.predicted_bytes - whole.file_bytes());
  for (const auto& p : parts) header.add_tensor(p.tensor->name, shape_of(*p.tensor), p.format->id);
  result.file_bytes = header.file_bytes();
  result.n_tensors = static_cast<std::int64_t>(parts.size());

  AtomicFile file(path, result.file_bytes);
  const auto bytes = header.bytes();
  file.write(bytes.data(), static_cast<std::int64_t>(bytes.size()));
  std::int64_t done = static_cast<std::int64_t>(bytes.size());
  ThreadPool pool(options.n_threads > 0 ? options.n_threads : ThreadPool::hardware_threads());
  std::vector<std::vector<std::byte>> chunks(static_cast<std::size_t>(4 * pool.size()));
  std::uint64_t seed = options.seed << 32;
  for (const auto& p : parts) {
    const auto weights = recipe_for(*p.tensor, model, entry);
    const std::int64_t n = p.tensor->n_elements(), n_chunks = (n + kChunkWeights - 1) / kChunkWeights;
    for (std::int64_t first = 0; first < n_chunks; first += static_cast<std::int64_t>(chunks.size())) {
      const auto count = std::min<std::int64_t>(static_cast<std::int64_t>(chunks.size()), n_chunks - first);
      pool.parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end, int) {
        for (auto i = begin; i < end; ++i) {
          const auto from = (first + i) * kChunkWeights, here = std::min(kChunkWeights, n - from);
          auto& chunk = chunks[static_cast<std::size_t>(i)];
          chunk.resize(static_cast<std::size_t>(p.format->row_bytes(here)));
          fill_chunk(chunk.data(), *p.format, weights, from, here, seed + static_cast<std::uint64_t>(first + i));
        }
      });
      for (std::int64_t i = 0; i < count; ++i) {
        const auto& chunk = chunks[static_cast<std::size_t>(i)];
        file.write(chunk.data(), static_cast<std::int64_t>(chunk.size()));
        done += static_cast<std::int64_t>(chunk.size());
      }
      if (options.progress) options.progress(done, result.file_bytes);
    }
    seed += static_cast<std::uint64_t>(n_chunks);
    static constexpr char kZeros[GgufHeaderWriter::kAlignment] = {};
    const auto padding = (GgufHeaderWriter::kAlignment - p.bytes % GgufHeaderWriter::kAlignment) % GgufHeaderWriter::kAlignment;
    file.write(kZeros, padding);
    done += padding;
  }
  file.finish();
  if (options.progress) options.progress(done, result.file_bytes);
  return result;
}

}  // namespace planner::runtime
