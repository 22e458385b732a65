// Tokenizers against the ids of the real ones: parts of two vocabularies (tests/fixtures/tokenizers), whole ones where PLANNER_FACTS is.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "planner/error.h"
#include "planner/gguf.h"
#include "runtime/tokenizer.h"
#include "support/files.h"

using namespace planner;
using namespace planner::runtime;
namespace fs = std::filesystem;

namespace {

fs::path fixtures() { return fs::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "tokenizers"; }

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in, path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> texts(const fs::path& path) {
  const std::string all = content(path), separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> out;
  for (std::size_t at = 0;;) {
    const auto end = all.find(separator, at);
    out.push_back(all.substr(at, end == std::string::npos ? end : end - at));
    if (end == std::string::npos) return out;
    at = end + separator.size();
  }
}

std::vector<std::vector<TokenId>> ids(const fs::path& path) {
  std::istringstream lines(content(path));
  std::vector<std::vector<TokenId>> out;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    out.emplace_back(std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>());
  }
  return out;
}

/// Ids as expected, and the text again from the ids.
void check(const fs::path& vocabulary, const fs::path& inputs, const fs::path& outputs) {
  CAPTURE(vocabulary.string());
  const Tokenizer tokenizer(read_gguf_header(vocabulary));
  const auto in = texts(inputs);
  const auto expected = ids(outputs);
  REQUIRE(expected.size() > 40);
  REQUIRE(in.size() >= expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(in[i]);
    const auto got = tokenizer.encode(in[i], {.add_special = false});
    CHECK(got == expected[i]);
    // SentencePiece puts a space behind special tokens.
    if (in[i].find("<s>") == std::string::npos) CHECK(tokenizer.decode(got, true) == in[i]);
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  REQUIRE(from.size() == to.size());
  return text.replace(at, from.size(), to);
}

/// What() of the Error; empty: none.
std::string error_of(const fs::path& path) {
  try {
    const Tokenizer tokenizer(read_gguf_header(path));
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::invalid_file);
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("ids of parts of real vocabularies") {
  for (const std::string name : {"llama-bpe", "spm"}) check(fixtures() / (name + ".gguf"), fixtures() / "texts.inp", fixtures() / (name + ".out"));
}

TEST_CASE("ids of whole vocabularies") {
  const auto facts = test::facts_folder();
  if (!facts) {
    MESSAGE("no facts beside the repository or at PLANNER_FACTS: whole vocabularies skipped");
    return;
  }
  int n = 0;
  for (const auto& entry : fs::directory_iterator(*facts / "tokenizers")) {
    if (entry.path().extension() != ".gguf") continue;
    ++n;
    check(entry.path(), entry.path().string() + ".inp", entry.path().string() + ".out");
  }
  CHECK(n >= 5);
}

TEST_CASE("special tokens") {
  const Tokenizer bpe(read_gguf_header(fixtures() / "llama-bpe.gguf"));
  const auto text = "<|begin_of_text|>a<|eot_id|>";
  const auto parsed = bpe.encode(text, {.add_special = false});
  REQUIRE(parsed.size() == 3);
  CHECK(parsed.front() == bpe.bos());
  CHECK(bpe.is_end(parsed.back()));
  CHECK_FALSE(bpe.is_end(parsed[1]));
  CHECK(bpe.encode(text, {.add_special = false, .parse_special = false}).size() > 10);
  CHECK(bpe.decode(parsed) == "a");  // control tokens are not text
  CHECK(bpe.decode(parsed, true) == text);

  // Llama 3 begins with BOS although the file does not say; SentencePiece does too.
  CHECK(bpe.adds_bos());
  CHECK_FALSE(bpe.adds_eos());
  CHECK(bpe.encode("").front() == bpe.bos());
  const Tokenizer spm(read_gguf_header(fixtures() / "spm.gguf"));
  CHECK(spm.encode("") == std::vector<TokenId>{1});
  CHECK(spm.is_end(2));
}

TEST_CASE("bytes that are no UTF-8 come back") {
  std::string text = "a\xff\xfe";
  text += "b\xc3";          // the begin of a character
  text += " \xed\xa0\x80";  // a surrogate
  text += '\0';
  for (const auto* name : {"llama-bpe.gguf", "spm.gguf"}) {
    const Tokenizer tokenizer(read_gguf_header(fixtures() / name));
    CHECK(tokenizer.decode(tokenizer.encode(text, {.add_special = false})) == text);
  }
}

TEST_CASE("long texts take time in proportion") {
  const Tokenizer tokenizer(read_gguf_header(fixtures() / "llama-bpe.gguf"));
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "The quick brown fox, ";
  const auto got = tokenizer.encode(text, {.add_special = false});
  CHECK(tokenizer.decode(got) == text);
  // One word of a million letters, and a million spaces.
  for (const char c : {'x', ' '}) {
    const std::string word(1000000, c);
    CHECK(tokenizer.decode(tokenizer.encode(word, {.add_special = false})) == word);
  }
}

TEST_CASE("characters come whole from a stream of bytes") {
  Utf8Stream stream;
  CHECK(stream.push("a\xf0\x9f") == "a");
  CHECK(stream.push("\xa6") == "");
  CHECK(stream.push("\x99z") == "\xf0\x9f\xa6\x99z");
  CHECK(stream.push("\xc3") == "");
  CHECK(stream.push("(") == "\xc3(");  // it was none after all
  CHECK(stream.push("\xe2\x82") == "");
  CHECK(stream.finish() == "\xe2\x82");
  CHECK(stream.finish() == "");
}

TEST_CASE("tokenizers that cannot be") {
  const test::TemporaryFolder folder;
  const auto file = content(fixtures() / "llama-bpe.gguf");
  const auto damaged = [&](const std::string& from, const std::string& to) { return error_of(folder.write("x.gguf", replaced(file, from, to))); };
  CHECK(damaged("llama-bpe", "llama-xyz").find("pre-tokenizer 'llama-xyz'") != std::string::npos);
  CHECK(damaged("gpt2", "gpt9").find("tokenizer 'gpt9'") != std::string::npos);
  CHECK(damaged("tokenizer.ggml.tokens", "tokenizer.ggml.tokenz").find("no tokenizer") != std::string::npos);
  // BOS id 1756 (0x6dc) to one beyond the vocabulary.
  std::string id = "tokenizer.ggml.bos_token_id";
  id += std::string("\x04\0\0\0", 4);
  CHECK(damaged(id + std::string("\xdc\x06\0\0", 4), id + std::string("\xdc\x66\0\0", 4)).find("bos_token_id") != std::string::npos);
  CHECK(error_of(fixtures() / "llama-bpe.gguf").empty());
  const auto spm = content(fixtures() / "spm.gguf");
  CHECK(error_of(folder.write("y.gguf", replaced(spm, "tokenizer.ggml.scores", "tokenizer.ggml.scorez"))).find("scores") != std::string::npos);
}

TEST_CASE("pre-tokenizers of the families") {
  const auto known = pre_tokenizers();
  for (const auto* name : {"llama-bpe", "qwen2", "deepseek-llm", "deepseek-v3", "deepseek-r1-qwen", "gpt-2", "gpt-4o", "command-r", "tekken", "starcoder",
                           "falcon", "smollm", "olmo", "default"}) {
    CHECK_MESSAGE(std::find(known.begin(), known.end(), name) != known.end(), name);
  }
}
