/// Tokenizers as far as sizes go: what a model's vocabulary takes in a GGUF file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace planner {

/// What a model's tokenizer takes in a GGUF header.
struct Tokenizer {
  std::string id;     ///< family; empty: no family is known, averages were taken
  std::string model;  ///< tokenizer.ggml.model: gpt2 (byte-level BPE), llama (SentencePiece) ...
  std::string pre;    ///< tokenizer.ggml.pre; empty: not stored
  std::int64_t tokens = 0, token_bytes = 0, merges = 0, merge_bytes = 0;
  bool scores = false, token_types = true;
  std::int64_t other_bytes = 0;          ///< whole size of further large key-value pairs
  std::int64_t chat_template_bytes = 0;  ///< 0: none, or not known
  std::vector<std::string> small_keys;   ///< scalar keys under tokenizer.ggml.
  std::string basis;                     ///< measured, derived, estimated
  std::string source;

  /// Bytes of all its key-value pairs in the header: arrays of strings take 8 + length each, numbers 4 each, keys their own.
  /// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
  [[nodiscard]] std::int64_t header_bytes() const;
};

}  // namespace planner
