// planner run: generates text with a model file, or writes logits for checks against other engines.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>

#include "command.h"
#include "planner/error.h"
#include "planner/units.h"
#include "render.h"
#include "runtime/sampler.h"
#include "runtime/session.h"
#include "runtime/tokenizer.h"
#include "runtime/transformer.h"

namespace planner::cli {
namespace {

using Clock = std::chrono::steady_clock;
using runtime::TokenId;

struct Options {
  std::string model;
  std::string prompt;
  std::vector<TokenId> tokens;
  std::string logits;
  std::int64_t last = 1;
  std::int64_t n_predict = 128;
  std::int64_t context = 0;
  std::int64_t ubatch = 512;
  int threads = 0;
  std::string kv_type, kv_type_k, kv_type_v;
  std::string path;
  bool reference = false;
  bool check = true;
  bool ignore_eos = false;
  bool special = false;
  runtime::SamplerOptions sampler;
  std::int64_t seed = -1;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

FormatId kv_type(const std::string& given, const std::string& both, FormatId otherwise) {
  const auto& name = given.empty() ? both : given;
  if (name.empty()) return otherwise;
  const auto* format = find_tensor_format(name);
  if (format == nullptr) throw Error(ErrorKind::usage, "KV cache type '" + name + "' is not known, expected f32, f16 or q8_0");
  return format->id;
}

runtime::Path path_of(const Options& o) {
  if (o.reference) return runtime::Path::reference;
  if (o.path.empty()) return runtime::best_path();
  std::string known;
  for (const auto p : runtime::available_paths()) {
    if (runtime::to_string(p) == o.path) return p;
    known += (known.empty() ? "" : ", ") + std::string(runtime::to_string(p));
  }
  throw Error(ErrorKind::usage, "path '" + o.path + "' is not available here, expected one of " + known);
}

runtime::SessionOptions session_options(const Options& o) {
  const auto type = o.reference ? FormatId::f32 : FormatId::f16;
  return {.context = o.context,
          .n_sequences = 1,
          .ubatch = o.ubatch,
          .kv_type_k = kv_type(o.kv_type_k, o.kv_type, type),
          .kv_type_v = kv_type(o.kv_type_v, o.kv_type, type),
          .path = path_of(o)};
}

Status write_logits(const Options& o, runtime::Session& session) {
  if (o.last < 1 || o.last > static_cast<std::int64_t>(o.tokens.size())) {
    throw Error(ErrorKind::usage, fmt::format("--last {} of {} tokens", o.last, o.tokens.size()));
  }
  const auto logits = session.append(0, o.tokens, o.last);
  std::ofstream out(o.logits, std::ios::binary);
  out.write(reinterpret_cast<const char*>(logits.data()), static_cast<std::streamsize>(logits.size_bytes()));
  out.close();
  if (!out) throw Error(ErrorKind::invalid_file, o.logits + ": cannot be written");
  return Status::answered;
}

Status generate(const Options& o, const runtime::Transformer& model, runtime::Session& session, Clock::time_point started) {
  const runtime::Tokenizer tokenizer(model.file().header());
  const auto prompt = o.tokens.empty() ? tokenizer.encode(o.prompt) : o.tokens;
  if (prompt.empty()) throw Error(ErrorKind::usage, "an empty prompt, and the model has no token to begin with");
  auto sampler_options = o.sampler;
  sampler_options.seed = o.seed >= 0 ? static_cast<std::uint64_t>(o.seed) : std::random_device()();
  runtime::Sampler sampler(sampler_options);

  const double load = seconds_since(started);
  const auto prefill_start = Clock::now();
  auto logits = session.append(0, prompt);
  const double prefill = seconds_since(prefill_start);
  runtime::Utf8Stream stream;
  const auto decode_start = Clock::now();
  std::int64_t n = 0;
  double first = 0;
  while (n < o.n_predict) {
    const auto token = sampler.sample(logits);
    if (n++ == 0) first = seconds_since(started);
    if (tokenizer.is_end(token) && !o.ignore_eos) break;
    const auto text = stream.push(tokenizer.bytes(token, o.special));
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    if (n >= o.n_predict || session.length() >= session.context()) break;
    logits = session.append(0, {&token, 1});
  }
  const double decode = seconds_since(decode_start);
  std::fputs((stream.finish() + "\n").c_str(), stdout);
  std::fflush(stdout);
  const auto memory = session.memory();
  const auto decoded = session.length() - static_cast<std::int64_t>(prompt.size());
  std::fprintf(
      stderr, "%s\n",
      fmt::format("prompt {} tokens in {:.2f} s ({} tok/s), {} tokens in {:.2f} s ({} tok/s); loaded in {:.2f} s, first token after {:.2f} s; seed {}; "
                  "weights {}, KV cache {}, buffers {}",
                  prompt.size(), prefill, significant(static_cast<double>(prompt.size()) / prefill), n, decode,
                  decoded > 0 ? significant(static_cast<double>(decoded) / decode) : "-", load, first, sampler_options.seed, format_gb(model.weight_bytes()),
                  format_gb(memory.kv_cache_bytes), format_gb(memory.buffer_bytes))
          .c_str());
  return Status::answered;
}

Status run(const Options& o) {
  const auto started = Clock::now();
  if (!o.logits.empty() && o.tokens.empty()) throw Error(ErrorKind::usage, "--logits needs --tokens");
  const auto options = session_options(o);
  const int threads = o.threads > 0 ? o.threads : runtime::ThreadPool::hardware_threads();
  const runtime::Transformer model(o.model);
  for (const auto& note : model.notes()) std::fprintf(stderr, "note: %s\n", note.c_str());
  runtime::ThreadPool pool(threads);
  if (o.check) model.file().check_blocks(&pool);
  runtime::Session session(model, pool, options);
  return o.logits.empty() ? generate(o, model, session, started) : write_logits(o, session);
}

}  // namespace

Command add_run(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("run", "Generates text with a GGUF model, on the CPU; speed goes to standard error");
  app->add_option("-m,--model", o->model, "A .gguf file, the first shard of a split one")->required();
  auto* prompt = app->add_option("-p,--prompt", o->prompt, "The text to go on from");
  app->add_option("--tokens", o->tokens, "Ids in place of a text; no token is added")->delimiter(',')->excludes(prompt);
  app->add_option("-n,--predict", o->n_predict, "Tokens to generate at most")->capture_default_str()->check(CLI::NonNegativeNumber);
  app->add_option("-c,--context", o->context, "Tokens that the sequence may hold (default: the smaller of the model's limit and 8192)");
  app->add_option("-t,--threads", o->threads, "Threads (default: all)")->check(CLI::Range(0, 1024));
  app->add_option("--temp", o->sampler.temperature, "Temperature; 0: the likeliest token always")->capture_default_str();
  app->add_option("--top-k", o->sampler.top_k, "Of the k likeliest tokens; 0: of all")->capture_default_str();
  app->add_option("--top-p", o->sampler.top_p, "Of the likeliest tokens with this probability together")->capture_default_str();
  app->add_option("--min-p", o->sampler.min_p, "Of tokens at least this times as likely as the likeliest")->capture_default_str();
  app->add_option("--seed", o->seed, "Of the random numbers (default: another one each time)");
  app->add_flag("--ignore-eos", o->ignore_eos, "Goes on behind an end of text");
  app->add_flag("--special", o->special, "Shows control tokens");
  app->add_option("--ubatch", o->ubatch, "Prompt tokens that go through the model at once")->capture_default_str();
  app->add_option("--kv-type", o->kv_type, "Type of the KV cache: f16, f32, q8_0");
  app->add_option("--kv-type-k,--ctk", o->kv_type_k, "Type of the keys");
  app->add_option("--kv-type-v,--ctv", o->kv_type_v, "Type of the values");
  app->add_option("--logits", o->logits, "With --tokens: writes float32 logits (little-endian) to this file and generates nothing");
  app->add_option("--last", o->last, "With --logits: of so many last positions")->capture_default_str();
  app->add_flag("--reference", o->reference, "The float path with a float KV cache: slow, the truth for the fast one");
  app->add_option("--path", o->path, "Kernels: portable, avx2 ... (default: the best of this machine)");
  app->add_flag("!--no-check", o->check, "Does not look for damaged blocks first");
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
