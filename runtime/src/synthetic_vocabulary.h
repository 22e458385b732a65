// Vocabularies made by rule: as many tokens and bytes as a real one has, and any text can be split with them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/tokenizer.h"

namespace planner::runtime {

struct SyntheticVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;   ///< LLAMA_TOKEN_TYPE: 1 normal, 2 unknown, 3 control, 5 unused, 6 byte
  std::vector<std::string> merges;   ///< byte-level BPE: "left right", in order of rank
  std::vector<float> scores;         ///< SentencePiece
  std::int32_t bos = -1, eos = -1, unknown = -1, padding = -1;
};

/// Byte-level BPE (tokenizer.model "gpt2"): the 256 bytes, merged tokens, then control tokens.
/// SentencePiece ("llama"): control tokens, the 256 bytes, then pieces by falling score.
/// Throws Error (usage) for other kinds, naming the tokenizer, and for vocabularies that have no room for 256 bytes.
[[nodiscard]] SyntheticVocabulary make_vocabulary(const Tokenizer& tokenizer);

}  // namespace planner::runtime
