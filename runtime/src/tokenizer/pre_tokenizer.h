// Pre-tokenizers of byte-level BPE: how a text is cut into the words inside which pieces are merged.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace planner::runtime {

/// One family: a row of the table.
struct PreTokenizerFamily {
  std::vector<std::string_view> names;     ///< values of tokenizer.ggml.pre
  std::vector<std::string_view> patterns;  ///< applied in turn, each to the pieces that the one before left
  bool ignore_merges = false;              ///< a word that is a token as a whole is that token, whatever the merges say
  bool adds_bos = false;                   ///< where the file does not say
};

[[nodiscard]] const std::vector<PreTokenizerFamily>& pre_tokenizer_families();
/// Null where nobody of that name is known.
[[nodiscard]] const PreTokenizerFamily* find_pre_tokenizer(std::string_view name);

/// Compiled patterns of one family. Immutable: may be used by several threads at once.
class PreTokenizer {
 public:
  explicit PreTokenizer(const PreTokenizerFamily& family);
  ~PreTokenizer();
  PreTokenizer(const PreTokenizer&) = delete;
  PreTokenizer& operator=(const PreTokenizer&) = delete;

  /// The words of `text`, in order; together they are the text.
  [[nodiscard]] std::vector<std::string_view> split(std::string_view text) const;

 private:
  struct Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;
};

}  // namespace planner::runtime
