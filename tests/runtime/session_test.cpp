// Whole models against the logits of another engine: small ones of several architectures (tests/fixtures/tiny_models, made with llama.cpp
// v0.5.0), and all of the facts where PLANNER_FACTS is.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "planner/error.h"
#include "runtime/sampler.h"
#include "runtime/session.h"
#include "runtime/transformer.h"
#include "support/files.h"

using namespace planner;
using namespace planner::runtime;
namespace fs = std::filesystem;

namespace {

fs::path fixture(const std::string& name) { return fs::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "tiny_models" / name; }

const std::vector<std::string> kFixtures = {"cohere2", "deepseek3", "gemma3", "mixtral", "olmo3", "qwen2"};

std::vector<char> bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in, path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<float> floats(const fs::path& path) {
  const auto bytes = bytes_of(path);
  std::vector<float> out(bytes.size() / 4);
  std::memcpy(out.data(), bytes.data(), out.size() * 4);
  return out;
}

/// The tokens that the fixtures' logits are for, of the last four positions.
std::vector<TokenId> fixture_tokens() {
  std::vector<TokenId> out;
  for (int i = 0; i < 32; ++i) out.push_back((i * 37 + 11) % 63);
  return out;
}

struct Distance {
  double largest = 0, rms = 0;
};

Distance distance(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  Distance d;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = std::abs(double{a[i]} - b[i]);
    d.largest = std::max(d.largest, x);
    d.rms += x * x;
  }
  d.rms = std::sqrt(d.rms / static_cast<double>(a.size()));
  return d;
}

double range(std::span<const float> x) {
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  return double{*high} - *low;
}

/// Logits of the last `n` positions, the tokens cut into appends of `step`.
std::vector<float> logits_of(const Transformer& model, const SessionOptions& options, const std::vector<TokenId>& tokens, std::size_t n, std::size_t step,
                             int n_threads = 1) {
  ThreadPool pool(n_threads);
  Session session(model, pool, options);
  std::vector<float> out;
  for (std::size_t at = 0; at < tokens.size(); at += step) {
    const auto count = std::min(step, tokens.size() - at);
    const auto first_wanted = tokens.size() - n;
    const auto wanted = at + count > first_wanted ? at + count - std::max(at, first_wanted) : 0;
    const auto logits = session.append(0, std::span(tokens).subspan(at, count), static_cast<std::int64_t>(wanted));
    out.insert(out.end(), logits.begin(), logits.end());
  }
  CHECK(session.length() == static_cast<std::int64_t>(tokens.size()));
  return out;
}

constexpr std::size_t kAll = 1000;

SessionOptions reference(std::int64_t context = 256) {
  return {.context = context, .kv_type_k = FormatId::f32, .kv_type_v = FormatId::f32, .path = Path::reference};
}

}  // namespace

TEST_CASE("architectures against an engine's logits") {
  for (const auto& name : kFixtures) {
    CAPTURE(name);
    const Transformer model(fixture(name + ".gguf"));
    CHECK(model.notes().empty());
    const auto expected = floats(fixture(name + ".logits"));
    const auto got = logits_of(model, reference(), fixture_tokens(), 4, kAll);
    // The engine looks GELU up in a table of half precision.
    const double tolerance = name == "gemma3" ? 5e-4 : 3e-6;
    CHECK(distance(got, expected).largest <= tolerance * range(expected));
  }
}

TEST_CASE("a model in several files is one model, whichever is named") {
  const auto expected = floats(fixture("qwen2.logits"));
  for (const std::string shard : {"1", "3"}) {
    const Transformer model(fixture("qwen2-0000" + shard + "-of-00004.gguf"));
    CHECK(model.file().header().shards.size() == 4);
    CHECK(distance(logits_of(model, reference(), fixture_tokens(), 4, kAll), expected).largest <= 3e-6 * range(expected));
  }
}

TEST_CASE("every path, cut and number of threads gives the same") {
  const auto tokens = fixture_tokens();
  for (const auto& name : kFixtures) {
    CAPTURE(name);
    const Transformer model(fixture(name + ".gguf"));
    const auto truth = logits_of(model, reference(), tokens, 8, kAll);
    const double whole = range(truth);
    const auto near = [&](const SessionOptions& options, std::size_t step, int n_threads, double tolerance) {
      CHECK(distance(logits_of(model, options, tokens, 8, step, n_threads), truth).largest <= tolerance * whole);
    };
    near(reference(), 1, 1, 3e-6);  // token by token
    auto small = reference();
    small.ubatch = 5;  // a prompt longer than the ubatch, and than the window of 8
    near(small, kAll, 1, 3e-6);
    small.ubatch = 1;
    near(small, 7, 2, 3e-6);
    for (const auto path : available_paths()) {
      CAPTURE(std::string(to_string(path)));
      SessionOptions options{.context = 64, .path = path};
      near(options, kAll, 2, 4e-3);
      near(options, 1, 1, 4e-3);
      options.ubatch = 3;
      near(options, 5, 2, 4e-3);
    }
  }
}

TEST_CASE("KV cache of eight bits") {
  // Heads of 16 cannot have it; MLA's latent row of 32 + 8 neither.
  ThreadPool pool(1);
  for (const auto& name : {"gemma3", "deepseek3"}) {
    const Transformer model(fixture(std::string(name) + ".gguf"));
    CHECK_THROWS_AS(Session(model, pool, {.context = 64, .kv_type_k = FormatId::q8_0, .kv_type_v = FormatId::q8_0}), Error);
    CHECK_THROWS_AS(Session(model, pool, {.context = 64, .kv_type_k = FormatId::q4_0}), Error);
  }
  const auto facts = test::facts_folder();
  if (!facts) return;
  const Transformer model(*facts / "tiny_models" / "qwen3.f16.gguf");
  const auto tokens = fixture_tokens();
  const auto truth = logits_of(model, reference(), tokens, 8, kAll);
  for (const auto path : available_paths()) {
    CAPTURE(std::string(to_string(path)));
    const SessionOptions options{.context = 64, .kv_type_k = FormatId::q8_0, .kv_type_v = FormatId::q8_0, .path = path};
    CHECK(distance(logits_of(model, options, tokens, 8, kAll), truth).rms < 0.02 * range(truth));
    CHECK(distance(logits_of(model, options, tokens, 8, 1, 2), truth).rms < 0.02 * range(truth));
  }
}

TEST_CASE("sequences do not know of each other") {
  const auto tokens = fixture_tokens();
  for (const auto& name : kFixtures) {
    CAPTURE(name);
    const Transformer model(fixture(name + ".gguf"));
    const auto vocab = static_cast<std::size_t>(model.vocabulary_size());
    ThreadPool pool(2);
    Session session(model, pool, {.context = 64, .n_sequences = 3});
    Session alone(model, pool, {.context = 64});
    const std::vector<TokenId> other(tokens.rbegin(), tokens.rend());
    static_cast<void>(session.append(0, tokens, 0));
    static_cast<void>(session.append(1, std::span(other).first(9), 0));
    session.copy(0, 2);
    // All three go on together, with different tokens.
    const std::vector<SequenceToken> next = {{0, 5}, {2, 7}, {1, 9}};
    const auto together = session.append_each(next);
    REQUIRE(together.size() == 3 * vocab);
    for (std::size_t i = 0; i < next.size(); ++i) {
      alone.clear();
      auto prompt = next[i].sequence == 1 ? std::vector<TokenId>(other.begin(), other.begin() + 9) : tokens;
      prompt.push_back(next[i].token);
      const auto expected = alone.append(0, prompt);
      CHECK(distance(together.subspan(i * vocab, vocab), expected).largest < 2e-3 * range(expected));
    }
    CHECK(session.length(0) == 33);
    CHECK(session.length(1) == 10);
    session.clear(1);
    CHECK(session.length(1) == 0);
    CHECK_THROWS_AS(session.append_each(std::vector<SequenceToken>{{0, 1}, {0, 2}}), Error);
  }
}

TEST_CASE("what a session refuses, and its memory") {
  const Transformer model(fixture("qwen2.gguf"));
  ThreadPool pool(1);
  CHECK_THROWS_AS(Session(model, pool, {.context = -1}), Error);
  CHECK_THROWS_AS(Session(model, pool, {.context = 8, .n_sequences = 0}), Error);
  CHECK_THROWS_AS(Session(model, pool, {.context = 8, .ubatch = 0}), Error);
  CHECK_THROWS_AS(Session(model, pool, {.context = 2147483647, .n_sequences = 4096}), Error);  // 1 PB
  Session session(model, pool, {.context = 8});
  const std::vector<TokenId> tokens{1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK_THROWS_AS(session.append(0, tokens), Error);
  CHECK_THROWS_AS(session.append(0, std::vector<TokenId>{64}), Error);
  CHECK_THROWS_AS(session.append(0, std::vector<TokenId>{-1}), Error);
  CHECK_THROWS_AS(session.append(1, std::vector<TokenId>{1}), Error);
  CHECK(session.length() == 0);
  CHECK(session.append(0, std::span(tokens).first(8)).size() == 64);
  CHECK_THROWS_AS(session.append(0, std::vector<TokenId>{1}), Error);
  // 2 layers, 2 KV heads of 8, keys and values, f16, 8 tokens
  CHECK(session.memory().kv_cache_bytes == 2 * 2 * 8 * 2 * 2 * 8);
  CHECK(session.memory().buffer_bytes == session_memory(model, {.context = 8}, 1).buffer_bytes);
  CHECK(Session(model, pool, {}).context() == 512);  // the model's own
}

TEST_CASE("models that cannot run") {
  const test::TemporaryFolder folder;
  const auto bytes = bytes_of(fixture("qwen2.gguf"));
  const std::string file(bytes.begin(), bytes.end());
  const auto error_of = [&](const std::string& content) -> std::string {
    try {
      const Transformer model(folder.write("x.gguf", content));
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::invalid_file);
      return e.what();
    }
    return "";
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string out = file;
    const auto at = out.find(from);
    REQUIRE(at != std::string::npos);
    return error_of(out.replace(at, to.size(), to));
  };
  CHECK(error_of(file).empty());
  CHECK(error_of(file.substr(0, file.size() - 64)).find("cut off") != std::string::npos);
  CHECK(with("blk.1.ffn_up.weight", "blk.1.ffn_xx.weight").find("blk.1.ffn_up.weight") != std::string::npos);
  // An architecture nobody runs: all its keys are named after it, so that only the first error is told.
  CHECK(with("qwen2", "qwenX").find("qwenX") != std::string::npos);
  // Weights that are no numbers: the norm before the head.
  auto damaged = file;
  const Transformer model(fixture("qwen2.gguf"));
  const auto* norm = model.file().find("output_norm.weight");
  REQUIRE(norm != nullptr);
  const float infinity = INFINITY;
  std::memcpy(damaged.data() + model.file().header().position(*norm) + 12, &infinity, 4);
  const Transformer broken(folder.write("y.gguf", damaged));
  try {
    broken.file().check_blocks();
    FAIL("found nothing");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("output_norm.weight") != std::string::npos);
  }
  ThreadPool pool(1);
  Session session(broken, pool, {.context = 8});
  CHECK_THROWS_AS(session.append(0, std::vector<TokenId>{1}), Error);
  CHECK(session.length() == 0);
}

TEST_CASE("damage of any kind runs or ends in one error") {
  const test::TemporaryFolder folder;
  ThreadPool pool(1);
  std::uint32_t state = 12345;
  const auto random = [&](std::size_t n) {
    state = state * 1664525U + 1013904223U;
    return static_cast<std::size_t>(state >> 8) % n;
  };
  int refused = 0, ran = 0;
  for (const auto& name : kFixtures) {
    const auto bytes = bytes_of(fixture(name + ".gguf"));
    const std::string file(bytes.begin(), bytes.end());
    const auto header = static_cast<std::size_t>(Transformer(fixture(name + ".gguf")).file().header().data_offset);
    for (int i = 0; i < 60; ++i) {
      auto damaged = file;
      const int kind = i % 4;
      if (kind == 0) {
        damaged.resize(random(file.size()));
      } else if (kind == 1) {  // a bit of the header
        damaged[random(header)] ^= static_cast<char>(1 << random(8));
      } else if (kind == 2) {  // a number of the header: absurd
        const auto at = random(header - 4);
        for (std::size_t j = 0; j < 4; ++j) damaged[at + j] = static_cast<char>(random(2) != 0 ? 0xFF : 0);
      } else {  // weights
        for (int j = 0; j < 64; ++j) damaged[header + random(file.size() - header)] = static_cast<char>(random(256));
      }
      CAPTURE(name);
      CAPTURE(i);
      try {
        const Transformer model(folder.write("x.gguf", damaged));
        Session session(model, pool, {.context = 16});
        static_cast<void>(session.append(0, std::vector<TokenId>{1, 2, 3}));
        const Tokenizer tokenizer(model.file().header());
        static_cast<void>(tokenizer.encode("abc"));
        ++ran;
      } catch (const Error& e) {
        CHECK(std::string(e.what()).find('\n') == std::string::npos);
        ++refused;
      }
    }
  }
  CHECK(refused > 100);
  CHECK(ran > 20);
}

TEST_CASE("models of the facts") {
  const auto facts = test::facts_folder();
  if (!facts) {
    MESSAGE("no facts beside the repository or at PLANNER_FACTS: models skipped");
    return;
  }
  const auto folder = *facts / "tiny_models";
  std::ifstream in(folder / "index.json");
  const auto index = nlohmann::json::parse(in);
  const auto tokens = index["tokens"].get<std::vector<TokenId>>();
  const auto vocab = index["n_vocab"].get<std::size_t>();
  int n = 0;
  for (const auto& m : index["models"]) {
    CAPTURE(m["name"].get<std::string>());
    const Transformer model(folder / m["file"].get<std::string>());
    CHECK(model.notes().empty());
    const auto blob = floats(folder / m["logits_file"].get<std::string>());
    for (std::size_t c = 0; c < m["n_ctx"].size(); ++c) {
      const auto context = m["n_ctx"][c].get<std::int64_t>();
      const auto array = [&](const std::string& name) {
        const auto whole = c == 0 ? name : name + "@ctx" + std::to_string(context);
        for (const auto& a : m["arrays"]) {
          if (a["name"] == whole) return std::span(blob).subspan(a["offset"].get<std::size_t>() / 4, 4 * vocab);
        }
        FAIL("no array " << whole);
        return std::span<const float>();
      };
      const auto truth = array("reference");
      const auto engine = distance(array("engine_native"), truth);
      CHECK(distance(logits_of(model, reference(context), tokens, 4, kAll), truth).largest <= 1e-4 * range(truth));
      CHECK(distance(logits_of(model, reference(context), tokens, 4, 1), truth).largest <= 1e-4 * range(truth));
      for (const auto path : available_paths()) {
        if (path == Path::reference) continue;
        CAPTURE(std::string(to_string(path)));
        const SessionOptions fast{.context = context, .path = path};
        CHECK(distance(logits_of(model, fast, tokens, 4, kAll), truth).rms <= 1.25 * engine.rms);
        CHECK(distance(logits_of(model, fast, tokens, 4, 1), truth).rms <= 1.25 * engine.rms);
      }
    }
    ++n;
  }
  CHECK(n >= 39);
}

TEST_CASE("sampling") {
  const std::vector<float> logits{1.0F, 3.0F, 2.0F, 3.0F, -1.0F};
  Sampler greedy({.temperature = 0});
  CHECK(greedy.sample(logits) == 1);
  Sampler first({.temperature = 1, .top_k = 1});
  CHECK(first.sample(logits) == 1);
  // The same seed, the same draws; another seed, others.
  const auto draw = [&](const SamplerOptions& options) {
    Sampler sampler(options);
    std::vector<TokenId> out;
    for (int i = 0; i < 400; ++i) out.push_back(sampler.sample(logits));
    return out;
  };
  const SamplerOptions plain{.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = 7};
  auto other = plain;
  other.seed = 8;
  CHECK(draw(plain) == draw(plain));
  CHECK(draw(plain) != draw(other));
  // Frequencies of the softmax: e^0 : e^-1 : e^0 : e^-2 : e^-4
  const auto drawn = draw(plain);
  const double likely = 1 / (2 + std::exp(-1.0) + std::exp(-2.0) + std::exp(-4.0));
  CHECK(static_cast<double>(std::count(drawn.begin(), drawn.end(), 3)) / 400 == doctest::Approx(likely).epsilon(0.15));
  const auto only = [&](const SamplerOptions& options, const std::vector<TokenId>& allowed) {
    for (const auto id : draw(options)) CHECK(std::find(allowed.begin(), allowed.end(), id) != allowed.end());
  };
  only({.temperature = 2, .top_k = 3, .top_p = 1, .min_p = 0}, {1, 2, 3});
  only({.temperature = 2, .top_k = 0, .top_p = 0.7F, .min_p = 0}, {1, 3});
  only({.temperature = 2, .top_k = 0, .top_p = 1, .min_p = 0.2F}, {1, 2, 3});
  CHECK_THROWS_AS(Sampler({.temperature = -1}), Error);
  CHECK_THROWS_AS(Sampler({.temperature = 1, .top_k = -1}), Error);
  CHECK_THROWS_AS(Sampler({.temperature = 1, .top_p = 2}), Error);
}
