// The list of tokens of a GGUF file, checked, with what each is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "planner/gguf.h"
#include "runtime/tokenizer.h"

namespace planner::runtime {

/// Values of tokenizer.ggml.token_type.
enum class TokenKind : std::uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

/// A token that is looked for in the text before anything else.
struct SpecialToken {
  TokenId id = 0;
  bool only_parsed = false;   ///< control or unknown: found only where special tokens are parsed
  bool strips_right = false;  ///< spaces behind it belong to it
};

class Vocabulary {
 public:
  explicit Vocabulary(const GgufFile& file);

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(texts.size()); }
  [[nodiscard]] bool contains(TokenId id) const { return id >= 0 && id < size(); }
  [[nodiscard]] std::optional<TokenId> find(std::string_view text) const;
  [[nodiscard]] TokenKind kind(TokenId id) const { return kinds[static_cast<std::size_t>(id)]; }
  /// The special token that begins at `at`, the longest one; null where none does.
  [[nodiscard]] const SpecialToken* special_at(std::string_view text, std::size_t at, bool parse_special) const;
  /// Id by a key of the file, "tokenizer.ggml." + name; checked against the vocabulary.
  [[nodiscard]] std::optional<TokenId> id_of(const GgufFile& file, std::string_view name) const;

  std::vector<std::string_view> texts;
  std::vector<TokenKind> kinds;
  std::vector<float> scores;  ///< empty where the file has none
  std::vector<bool> ends;     ///< generation ends with the token
  std::optional<TokenId> bos, eos, unknown;
  bool adds_bos = false, adds_eos = false;

 private:
  void read_kinds(const GgufFile& file);
  void find_ends(const GgufFile& file);
  void index_specials(const GgufFile& file);

  GgufArray tokens_;  // keeps the bytes that `texts` points into
  std::unordered_map<std::string_view, TokenId> ids_;
  std::vector<SpecialToken> specials_[256];  // by first byte, longest first
};

}  // namespace planner::runtime
