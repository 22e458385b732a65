#include "tokenizer/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>
#include <stdexcept>

#include "tokenizer/utf8.h"

namespace planner::runtime {
namespace {

// Characters with the property White_Space; PCRE2's own \s has U+180E besides.
constexpr std::string_view kSpaces = R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// \s and \S in the sense of White_Space, inside a class and outside.
std::string with_white_space(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 's') {
        out += in_class ? std::string(kSpaces) : "[" + std::string(kSpaces) + "]";
      } else if (next == 'S' && !in_class) {
        out += "[^" + std::string(kSpaces) + "]";
      } else {
        out += c;
        out += next;
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

// Parts that families share.
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define LEAD R"([^\r\n\p{L}\p{N}]?)"
#define SPACES R"(\s*[\r\n]+|\s+(?!\S)|\s+)"
#define CASED LEAD UPPER "*" LOWER "+" CONTRACTIONS "?|" LEAD UPPER "+" LOWER "*" CONTRACTIONS "?"
#define PUNCTUATED_WORDS R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|)" SPACES
constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 = CONTRACTIONS "|" LEAD R"(\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" SPACES;
constexpr std::string_view kQwen2 = CONTRACTIONS "|" LEAD R"(\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" SPACES;
// Cased letters as DeepSeek's tokenizer.json lists them.
constexpr std::string_view kDeepseekLetters =
    R"(\s?[)"
    R"(A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d})"
    R"(\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5})"
    R"(\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d})"
    R"(\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe})"
    R"(\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107})"
    R"(\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149})"
    R"(\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f})"
    R"(\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f})"
    R"(\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
    R"(]+)";

}  // namespace

// Patterns of the tokenizer.json files of the models; the names are those that converters write.
// Sources: tokenizer.json of the models named; llm_tokenizer_bpe in src/llama-vocab.cpp (ggml-org/llama.cpp) for the names.
const std::vector<PreTokenizerFamily>& pre_tokenizer_families() {
  static const std::vector<PreTokenizerFamily> families = {
      // Llama 3 and those that took its tokenizer's pattern
      {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
       .patterns = {kLlama3},
       .ignore_merges = true,
       .adds_bos = true},
      {.names = {"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, .patterns = {kLlama3}},
      // Qwen 2, 2.5, 3, and DeepSeek's distillations of them
      {.names = {"qwen2", "deepseek-r1-qwen", "stablelm2", "kormo", "f2llmv2", "megrez", "hunyuan", "solar-open", "grok-2"}, .patterns = {kQwen2}},
      {.names = {"qwen35"}, .patterns = {CONTRACTIONS "|" LEAD R"([\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" SPACES}},
      // GPT-2, OLMo, Granite ...
      {.names = {"gpt-2", "phi-2", "olmo", "mpt", "jais", "exaone4", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum", "modern-bert", "jina-es",
                 "jina-de", "jina-v2-es", "jina-v2-de"},
       .patterns = {kGpt2}},
      // The same with digits one by one
      {.names = {"command-r", "starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"}, .patterns = {R"(\p{N})", kGpt2}},
      // GPT-4o, gpt-oss, Llama 4
      {.names = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, .patterns = {CASED R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES}},
      // Mistral's Tekken
      {.names = {"tekken"},
       .patterns = {LEAD UPPER "*" LOWER "+|" LEAD UPPER "+" LOWER R"(*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES},
       .ignore_merges = true,
       .adds_bos = true},
      // Command A, Aya
      {.names = {"tiny_aya", "cohere2moe"}, .patterns = {R"(\d{1,3}(?=(?:\d{3})*\b))", CASED R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES}},
      // DeepSeek
      {.names = {"deepseek-llm"},
       .patterns = {R"([\r\n])", kDeepseekLetters, R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)", R"(\s+$)",
                    R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", R"(\p{N}+)"}},
      {.names = {"deepseek-coder"},
       .patterns = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", R"(\p{N})"}},
      {.names = {"deepseek-v3", "hunyuan-dense", "joyai-llm"},
       .patterns = {R"(\p{N}{1,3})", R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)", PUNCTUATED_WORDS}},
      {.names = {"falcon"}, .patterns = {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, R"([0-9][0-9][0-9])"}},
      {.names = {"bailingmoe", "bailingmoe2", "llada-moe"},
       .patterns = {R"('(?i:[sdmt]|ll|ve|re)|)" LEAD R"(\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
      {.names = {"seed-coder"}, .patterns = {CONTRACTIONS "|" LEAD R"(\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|)" SPACES}},
      {.names = {"minicpm5"}, .patterns = {R"(\p{N}{1,3})", CONTRACTIONS "|" LEAD R"(\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|)" SPACES}, .ignore_merges = true},
      {.names = {"poro-chat", "bloom", "gpt3-finnish"}, .patterns = {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)"}},
      {.names = {"viking"}, .patterns = {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)", R"(\p{N})"}},
      // Files that name none, from before the key existed
      {.names = {"default"}, .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
  };
  return families;
}

const PreTokenizerFamily* find_pre_tokenizer(std::string_view name) {
  for (const auto& family : pre_tokenizer_families()) {
    if (std::find(family.names.begin(), family.names.end(), name) != family.names.end()) return &family;
  }
  return nullptr;
}

struct PreTokenizer::Pattern {
  explicit Pattern(std::string_view text) {
    const auto pattern = with_white_space(text);
    int error = 0;
    PCRE2_SIZE where = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &where, nullptr);
    if (code == nullptr) throw std::logic_error("pattern of a pre-tokenizer, at " + std::to_string(where) + ": " + pattern);
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it the interpreter matches the same
  }
  ~Pattern() { pcre2_code_free(code); }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  /// Appends the matches in `piece`, which is UTF-8, and what lies between them.
  void split(std::string_view piece, pcre2_match_data* match, std::vector<std::string_view>& out) const {
    std::size_t at = 0;    // what is behind is in `out`
    std::size_t from = 0;  // where the next match is looked for
    while (from <= piece.size() && at < piece.size()) {
      const int n = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(), from, PCRE2_NO_UTF_CHECK, match, nullptr);
      if (n < 0) break;  // no more, or a limit of PCRE2: the rest is one word
      const auto* bounds = pcre2_get_ovector_pointer(match);
      if (bounds[1] == bounds[0]) {  // an empty match cuts nothing
        from = bounds[1] + (bounds[1] < piece.size() ? utf8_length(piece.substr(bounds[1])) : 1);
        continue;
      }
      if (bounds[0] > at) out.push_back(piece.substr(at, bounds[0] - at));
      out.push_back(piece.substr(bounds[0], bounds[1] - bounds[0]));
      at = from = bounds[1];
    }
    if (at < piece.size()) out.push_back(piece.substr(at));
  }

  pcre2_code* code = nullptr;
};

PreTokenizer::PreTokenizer(const PreTokenizerFamily& family) {
  for (const auto pattern : family.patterns) patterns_.push_back(std::make_unique<Pattern>(pattern));
}

PreTokenizer::~PreTokenizer() = default;

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  if (match == nullptr) throw std::bad_alloc();
  // Bytes that are no UTF-8 are words of their own: the patterns know characters only.
  std::vector<std::string_view> pieces;
  std::vector<std::string_view> next;
  for (std::size_t at = 0; at < text.size();) {
    const auto valid = utf8_prefix(text.substr(at));
    const auto length = valid > 0 ? valid : 1;
    pieces.push_back(text.substr(at, length));
    at += length;
  }
  for (const auto& pattern : patterns_) {
    next.clear();
    for (const auto piece : pieces) {
      if (utf8_length(piece) > 0) {
        pattern->split(piece, match.get(), next);
      } else {
        next.push_back(piece);
      }
    }
    pieces.swap(next);
  }
  return pieces;
}

}  // namespace planner::runtime
