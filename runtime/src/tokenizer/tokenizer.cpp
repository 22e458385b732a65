#include "runtime/tokenizer.h"

#include <algorithm>
#include <cctype>
#include <variant>

#include "planner/error.h"
#include "tokenizer/merging.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"

namespace planner::runtime {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's space

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(from)) {
      out += to;
      at += from.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

[[noreturn]] void refuse(const GgufFile& file, const std::string& problem) { throw Error(ErrorKind::invalid_file, file.path.string() + ": " + problem); }

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(const GgufFile& file) : vocabulary(file), merging(make(file)) {
    const bool scored = std::holds_alternative<ScoredPieces>(*merging);
    if (scored) {
      if (!vocabulary.bos && vocabulary.size() > 1) vocabulary.bos = 1;  // SentencePiece's own, where the file is silent
      if (!vocabulary.eos && vocabulary.size() > 2) vocabulary.eos = 2;
      if (vocabulary.eos) vocabulary.ends[static_cast<std::size_t>(*vocabulary.eos)] = true;
    }
    vocabulary.adds_bos = file.find_bool("tokenizer.ggml.add_bos_token").value_or(vocabulary.adds_bos) && vocabulary.bos.has_value();
    vocabulary.adds_eos = file.find_bool("tokenizer.ggml.add_eos_token").value_or(false) && vocabulary.eos.has_value();
    space_prefix = scored && file.find_bool("tokenizer.ggml.add_space_prefix").value_or(true);
  }

  /// Part of a text without special tokens; `first`: at its begin or behind a special token.
  void encode_plain(std::string_view text, bool first, std::vector<TokenId>& out) const {
    if (text.empty()) return;
    if (const auto* pairs = std::get_if<BytePairs>(&*merging)) {
      pairs->encode(vocabulary, text, out);
    } else {
      const std::string spaced = (first && space_prefix ? std::string(kSpace) : std::string()) + replaced(text, " ", kSpace);
      std::get<ScoredPieces>(*merging).encode(vocabulary, spaced, out);
    }
  }

  void encode(std::string_view text, const EncodeOptions& options, std::vector<TokenId>& out) const {
    std::size_t begin = 0;  // of the plain part
    bool first = true;
    for (std::size_t at = 0; at < text.size();) {
      const auto* special = vocabulary.special_at(text, at, options.parse_special);
      if (special == nullptr) {
        ++at;
        continue;
      }
      encode_plain(text.substr(begin, at - begin), first, out);
      out.push_back(special->id);
      first = true;
      at += vocabulary.texts[static_cast<std::size_t>(special->id)].size();
      while (special->strips_right && at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
      begin = at;
    }
    encode_plain(text.substr(begin), first, out);
  }

  [[nodiscard]] std::string bytes(TokenId id, bool special) const {
    if (!vocabulary.contains(id)) return {};
    const auto text = vocabulary.texts[static_cast<std::size_t>(id)];
    const auto kind = vocabulary.kind(id);
    if (kind == TokenKind::control || kind == TokenKind::unknown) return special ? std::string(text) : std::string();
    if (kind == TokenKind::user_defined) return std::string(text);
    if (std::holds_alternative<BytePairs>(*merging)) return BytePairs::bytes(text);
    if (const int byte = ScoredPieces::byte_of(text); byte >= 0) return {static_cast<char>(byte)};
    return replaced(text, kSpace, " ");
  }

  Vocabulary vocabulary;
  bool space_prefix = false;
  std::unique_ptr<std::variant<BytePairs, ScoredPieces>> merging;

 private:
  std::unique_ptr<std::variant<BytePairs, ScoredPieces>> make(const GgufFile& file) {
    using Merging = std::variant<BytePairs, ScoredPieces>;
    const auto model = file.find_string("tokenizer.ggml.model").value_or("");
    if (model == "llama") {
      vocabulary.adds_bos = true;
      return std::make_unique<Merging>(std::in_place_type<ScoredPieces>, vocabulary, file);
    }
    if (model != "gpt2") refuse(file, "tokenizer '" + std::string(model) + "' (tokenizer.ggml.model) is not supported, expected 'gpt2' or 'llama'");
    const auto name = file.find_string("tokenizer.ggml.pre").value_or("default");
    const auto* family = find_pre_tokenizer(name);
    if (family == nullptr) {
      std::string known;
      for (const auto n : pre_tokenizers()) known += (known.empty() ? "" : ", ") + std::string(n);
      refuse(file, "pre-tokenizer '" + std::string(name) + "' (tokenizer.ggml.pre) is not supported, expected one of " + known);
    }
    vocabulary.adds_bos = family->adds_bos;
    return std::make_unique<Merging>(std::in_place_type<BytePairs>, vocabulary, file, *family);
  }
};

Tokenizer::Tokenizer(const GgufFile& file) : impl_(std::make_unique<Impl>(file)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::int32_t Tokenizer::size() const { return impl_->vocabulary.size(); }

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<TokenId> out;
  if (options.add_special && adds_bos()) out.push_back(*bos());
  impl_->encode(text, options, out);
  if (options.add_special && adds_eos()) out.push_back(*eos());
  return out;
}

std::string Tokenizer::bytes(TokenId id, bool special) const { return impl_->bytes(id, special); }

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool special) const {
  std::string out;
  for (const auto id : ids) out += bytes(id, special);
  if (impl_->space_prefix && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

std::optional<TokenId> Tokenizer::bos() const { return impl_->vocabulary.bos; }
std::optional<TokenId> Tokenizer::eos() const { return impl_->vocabulary.eos; }
bool Tokenizer::adds_bos() const { return impl_->vocabulary.adds_bos; }
bool Tokenizer::adds_eos() const { return impl_->vocabulary.adds_eos; }
bool Tokenizer::is_end(TokenId id) const { return impl_->vocabulary.contains(id) && impl_->vocabulary.ends[static_cast<std::size_t>(id)]; }

std::vector<std::string_view> pre_tokenizers() {
  std::vector<std::string_view> out;
  for (const auto& family : pre_tokenizer_families()) out.insert(out.end(), family.names.begin(), family.names.end());
  std::sort(out.begin(), out.end());
  return out;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string out;
  std::size_t at = 0;
  while (at < pending_.size()) {
    const std::string_view rest = std::string_view(pending_).substr(at);
    auto n = utf8_length(rest);
    if (n == 0) {
      if (utf8_may_continue(rest)) break;
      n = 1;
    }
    out += rest.substr(0, n);
    at += n;
  }
  pending_.erase(0, at);
  return out;
}

std::string Utf8Stream::finish() { return std::exchange(pending_, {}); }

}  // namespace planner::runtime
