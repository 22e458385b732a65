/// A GGUF file's own tokenizer: text to ids and back.
///
/// Two kinds (tokenizer.ggml.model): "gpt2", byte-level BPE with one of the pre-tokenizers that tokenizer.ggml.pre names, and "llama",
/// SentencePiece's merging of pieces by score with bytes as fallback. The ids are those of the model's original tokenizer.
///
/// Immutable once built: may be used by several threads at once.
/// Source of the keys: docs/gguf.md (ggml-org/ggml), section Tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/gguf.h"

namespace planner::runtime {

using TokenId = std::int32_t;

/// What is done to a text besides splitting it.
struct EncodeOptions {
  bool add_special = true;    ///< adds BOS before and EOS behind where the file asks for them (add_bos_token, add_eos_token)
  bool parse_special = true;  ///< "<|im_start|>" in the text is that token, not the characters
};

class Tokenizer {
 public:
  /// Reads tokenizer.ggml.* of a file. The file's header may go away afterwards.
  /// Throws Error (invalid_file): no tokenizer in the file; a kind or a pre-tokenizer that is not known (named, with those that are); lists
  /// whose lengths disagree with each other or with the embedding table; a merge or an id that points nowhere.
  explicit Tokenizer(const GgufFile& file);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  [[nodiscard]] std::int32_t size() const;  ///< number of tokens

  /// Ids of a text. Bytes that are no UTF-8 become byte tokens: nothing is lost, decode() gives them back.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// Bytes that a token stands for: often whole characters, sometimes a part of one (Utf8Stream puts them together). Control tokens are
  /// nothing unless `special`. An id outside the vocabulary (rows of padding in the embedding table) is nothing.
  [[nodiscard]] std::string bytes(TokenId id, bool special = false) const;
  /// bytes() of all of them; SentencePiece's leading space is taken off.
  [[nodiscard]] std::string decode(const std::vector<TokenId>& ids, bool special = false) const;

  [[nodiscard]] std::optional<TokenId> bos() const;
  [[nodiscard]] std::optional<TokenId> eos() const;
  [[nodiscard]] bool adds_bos() const;
  [[nodiscard]] bool adds_eos() const;
  /// Whether generation ends with this token: EOS, end of turn, end of message.
  [[nodiscard]] bool is_end(TokenId id) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Names of the pre-tokenizers of byte-level BPE that are known ("llama-bpe", "qwen2" ...).
[[nodiscard]] std::vector<std::string_view> pre_tokenizers();

/// Puts the bytes of tokens together to whole characters, for output while tokens still arrive.
class Utf8Stream {
 public:
  /// Appends bytes and returns what is complete by now; bytes that can be no UTF-8 are passed on as they are.
  [[nodiscard]] std::string push(std::string_view bytes);
  /// What is left, at the end.
  [[nodiscard]] std::string finish();

 private:
  std::string pending_;
};

}  // namespace planner::runtime
