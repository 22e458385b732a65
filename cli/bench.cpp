// planner bench: llama-bench's tests on this machine, with the bandwidth beside each rate.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "command.h"
#include "planner/error.h"
#include "planner/units.h"
#include "progress.h"
#include "runtime/measurement.h"
#include "runtime/synth.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string file, model, quantization;
  std::vector<std::int64_t> prompts, gens;
  std::vector<std::int64_t> depths{0};
  std::vector<std::string> pairs;
  int threads = 0;
  std::string kv_type_k = "f16", kv_type_v = "f16";
  std::string output = "md";
  bool no_warmup = false;
  runtime::BenchOptions bench;
};

FormatId format_of(const std::string& name) {
  const auto* format = find_tensor_format(name);
  if (format == nullptr) throw Error(ErrorKind::usage, "KV cache type '" + name + "' is not known, expected f32, f16 or q8_0");
  return format->id;
}

std::filesystem::path cache_folder() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') return std::filesystem::path(xdg) / "planner";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return std::filesystem::path(home) / ".cache" / "planner";
  return std::filesystem::temp_directory_path() / "planner";
}

/// The file to measure; a synthetic one is written on the way, once.
std::filesystem::path model_file(const Options& o) {
  if (o.file.empty() == o.model.empty()) throw Error(ErrorKind::usage, "give a file (-m FILE), or a model and its quantization (--model M --quant Q)");
  if (!o.file.empty()) return o.file;
  if (std::filesystem::is_regular_file(o.model)) return o.model;
  if (o.quantization.empty()) throw Error(ErrorKind::usage, "--model needs --quant");
  const auto& catalog = catalog_for(o.common);
  const auto& model = catalog.resolve_model(o.model);
  std::unique_ptr<Quantization> made;
  const auto& quantization = catalog.resolve_quantization(o.quantization, made);
  const auto path = cache_folder() / "synth" / (model.id + "-" + quantization.name + ".gguf");
  if (std::filesystem::exists(path)) return path;
  std::error_code status;
  std::filesystem::create_directories(path.parent_path(), status);
  if (status) throw Error(ErrorKind::invalid_file, path.parent_path().string() + ": cannot be made: " + status.message());
  std::fprintf(stderr, "planner: writing %s with random weights to %s\n", model.name.c_str(), path.c_str());
  runtime::SynthOptions synth{.n_threads = o.threads};
  ProgressBar bar;
  synth.progress = [&](std::int64_t done, std::int64_t total) { bar.show(done, total, fmt::format("{} of {}", format_gb(done), format_gb(total))); };
  runtime::synthesize(model, quantization, catalog, path, synth);
  bar.clear();
  return path;
}

/// "512,64" of -pg.
runtime::BenchTest pair_of(const std::string& text) {
  const auto comma = text.find(',');
  runtime::BenchTest test;
  const auto number = [&](std::size_t begin, std::size_t end, std::int64_t& value) {
    const auto [last, error] = std::from_chars(text.data() + begin, text.data() + end, value);
    return error == std::errc() && last == text.data() + end;
  };
  if (comma == std::string::npos || !number(0, comma, test.n_prompt) || !number(comma + 1, text.size(), test.n_gen)) {
    throw Error(ErrorKind::usage, "-pg '" + text + "', expected two numbers: 512,128");
  }
  return test;
}

/// In llama-bench's order: per depth the prompts, the generations, the pairs.
std::vector<runtime::BenchTest> tests_of(const Options& o) {
  const bool usual = o.prompts.empty() && o.gens.empty() && o.pairs.empty();
  std::vector<runtime::BenchTest> out;
  for (const auto depth : o.depths) {
    for (const auto n : usual ? std::vector<std::int64_t>{512} : o.prompts) {
      if (n > 0) out.push_back({n, 0, depth});
    }
    for (const auto n : usual ? std::vector<std::int64_t>{128} : o.gens) {
      if (n > 0) out.push_back({0, n, depth});
    }
    for (const auto& pair : o.pairs) {
      auto test = pair_of(pair);
      test.n_depth = depth;
      if (test.n_prompt + test.n_gen > 0) out.push_back(test);
    }
  }
  if (out.empty()) throw Error(ErrorKind::usage, "no test: every -p and -n is 0");
  return out;
}

Status run(Options& o) {
  using runtime::BenchFormat;
  const auto tests = tests_of(o);
  o.bench.kv_type_k = format_of(o.kv_type_k);
  o.bench.kv_type_v = format_of(o.kv_type_v);
  o.bench.warmup = !o.no_warmup;
  const auto format = o.output == "json"    ? BenchFormat::json
                      : o.output == "jsonl" ? BenchFormat::jsonl
                      : o.output == "csv"   ? BenchFormat::csv
                                            : BenchFormat::md;
  const runtime::Transformer model(model_file(o));
  for (const auto& note : model.notes()) std::fprintf(stderr, "note: %s\n", note.c_str());
  const int threads = o.threads > 0 ? o.threads : runtime::ThreadPool::hardware_threads();
  runtime::ThreadPool pool(threads);
  const auto context = runtime::bench_context(model, catalog_for(o.common), o.bench, threads, PLANNER_VERSION);

  ProgressBar bar;
  std::size_t index = 0;
  o.bench.progress = [&](const std::string& test, std::int64_t i, std::int64_t n) {
    const auto total = static_cast<std::int64_t>(tests.size()) * n;
    bar.show(static_cast<std::int64_t>(index) * n + std::max<std::int64_t>(0, i - 1), total, i > 0 ? fmt::format("{}, run {} of {}", test, i, n) : test);
  };
  const auto print = [&](const std::string& text) {
    bar.clear();
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  };
  bool started = false;  // nothing is printed before the first test has run: an error then leaves no half table
  for (const auto& test : tests) {
    const auto result = runtime::bench(model, pool, test, o.bench);
    if (!started) print(bench_header(format, context));
    print(bench_row(format, context, result, !started));
    started = true;
    ++index;
  }
  print(bench_footer(format, context));
  return Status::answered;
}

}  // namespace

Command add_bench(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("bench", "Measures prefill and decode speed on this machine's CPU, in llama-bench's terms");
  app->add_option("-m", o->file, "A .gguf file");
  app->add_option("--model", o->model, "A model of the catalog: measured with random weights, written once to the cache folder");
  app->add_option("--quant,-q", o->quantization, "With --model: a GGUF mix or format");
  app->add_option("-p,--n-prompt", o->prompts, "Tests of so many prompt tokens (default: 512)")->delimiter(',')->check(CLI::NonNegativeNumber);
  app->add_option("-n,--n-gen", o->gens, "Tests of so many generated tokens (default: 128)")->delimiter(',')->check(CLI::NonNegativeNumber);
  app->add_option("--pg", o->pairs, "Tests of a prompt and generated tokens: 512,128; repeatable");
  app->add_option("-d,--n-depth", o->depths, "Tokens in the cache beforehand")->delimiter(',')->check(CLI::NonNegativeNumber)->capture_default_str();
  app->add_option("-t,--threads", o->threads, "Threads (default: all)")->check(CLI::Range(0, 1024));
  app->add_option("-r,--repetitions", o->bench.repetitions, "Runs of each test")->capture_default_str()->check(CLI::PositiveNumber);
  app->add_option("--ubatch", o->bench.ubatch, "Prompt tokens that go through the model at once")->capture_default_str()->check(CLI::PositiveNumber);
  app->add_option("--ctk,--cache-type-k", o->kv_type_k, "Type of the cached keys: f16, f32, q8_0")->capture_default_str();
  app->add_option("--ctv,--cache-type-v", o->kv_type_v, "Type of the cached values")->capture_default_str();
  app->add_option("-o,--output", o->output, "md, json, jsonl or csv")->capture_default_str()->check(CLI::IsMember({"md", "json", "jsonl", "csv"}));
  app->add_flag("--no-warmup", o->no_warmup, "Counts the first run too");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
