// The two ways in which pieces of text are merged to tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace planner::runtime {

/// Byte-level BPE: every byte is a piece, and the pair that the list of merges names first is merged until none is left.
/// Tokens are written with a printable character per byte (GPT-2's bytes_to_unicode).
class BytePairs {
 public:
  BytePairs(const Vocabulary& vocabulary, const GgufFile& file, const PreTokenizerFamily& family);

  void encode(const Vocabulary& vocabulary, std::string_view text, std::vector<TokenId>& out) const;
  /// The bytes that a token's text stands for.
  [[nodiscard]] static std::string bytes(std::string_view token);

 private:
  struct Merge {
    std::uint64_t pair = kFree;  // left id, right id
    std::uint32_t rank = 0;
    std::int32_t result = 0;
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};

  void add(std::int32_t left, std::int32_t right, std::uint32_t rank, std::int32_t result);
  [[nodiscard]] const Merge* find(std::int32_t left, std::int32_t right) const;
  void encode_word(const Vocabulary& vocabulary, std::string_view word, std::vector<TokenId>& out) const;

  PreTokenizer pre_tokenizer_;
  bool ignore_merges_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<Merge> merges_;  // open addressing; size a power of two
  // Pieces on the way to a token that are no tokens themselves have ids behind the vocabulary; what they are made of.
  std::vector<std::pair<std::int32_t, std::int32_t>> parts_;
};

/// SentencePiece: every character is a piece, and the two neighbours whose union is the token of the best score are merged until no union
/// is a token. Characters without a token become bytes.
class ScoredPieces {
 public:
  ScoredPieces(const Vocabulary& vocabulary, const GgufFile& file);

  /// `text` has U+2581 for spaces.
  void encode(const Vocabulary& vocabulary, std::string_view text, std::vector<TokenId>& out) const;
  /// The byte of a token "<0x0A>"; -1 where it is none.
  [[nodiscard]] static int byte_of(std::string_view token);

 private:
  std::array<std::int32_t, 256> byte_ids_{};  // -1: none
};

}  // namespace planner::runtime
