#include "catalog/tokenizers.h"

#include <algorithm>

#include "core/text.h"

namespace planner {
namespace {

/// How specific the best matching rule of a family is; -1: none matches. A name counts 4, a size 2, a type 1.
int match_score(const TokenizerRule& rule, const Hyperparameters& hp, std::string_view name) {
  const auto holds = [](const auto& list, const auto& matches) { return list.empty() || std::any_of(list.begin(), list.end(), matches); };
  int best = -1;
  for (const auto& a : rule.applies_to) {
    if (!holds(a.model_types, [&](const auto& type) { return type == hp.model_type; })) continue;
    if (!holds(a.vocab_sizes, [&](std::int64_t size) { return size == hp.vocab_size; })) continue;
    if (!holds(a.name_contains, [&](const auto& part) { return text::contains(text::to_lower(name), text::to_lower(part)); })) continue;
    best = std::max(best, (a.name_contains.empty() ? 0 : 4) + (a.vocab_sizes.empty() ? 0 : 2) + (a.model_types.empty() ? 0 : 1));
  }
  return best;
}

std::int64_t digits(std::int64_t n) {
  std::int64_t count = 1;
  while (n >= 10) n /= 10, ++count;
  return count;
}

/// Stored strings of a vocabulary padded from `rule.real_tokens` to `size` with "[PAD<i>]".
std::int64_t padded_token_bytes(const TokenizerRule& rule, std::int64_t size) {
  constexpr std::int64_t kBrackets = 5;
  std::int64_t bytes = rule.real_token_bytes;
  for (std::int64_t i = rule.real_tokens; i < size; ++i) bytes += kBrackets + digits(i);
  return bytes;
}

Tokenizer sized(const TokenizerRule& rule, std::int64_t vocab_size) {
  Tokenizer t = rule.tokenizer;
  const auto round_up = [&](std::int64_t to) { return (vocab_size + to - 1) / to * to; };
  std::int64_t size = t.tokens;
  switch (rule.stored) {
    case TokenizerRule::StoredTokens::fixed: return t;
    case TokenizerRule::StoredTokens::config: size = vocab_size; break;
    case TokenizerRule::StoredTokens::pad8: size = round_up(8); break;
    case TokenizerRule::StoredTokens::pad16: size = round_up(16); break;
  }
  if (size == t.tokens || rule.real_tokens == 0 || size < rule.real_tokens) return t;
  t.tokens = size;
  t.token_bytes = padded_token_bytes(rule, size);
  return t;
}

Tokenizer typical(std::span<const TokenizerAverages> averages, std::int64_t vocab_size) {
  Tokenizer t;
  t.tokens = vocab_size;
  t.basis = "estimated";
  // Large vocabularies are byte-level BPE, small ones SentencePiece.
  constexpr std::int64_t kByteLevelFrom = 48000;
  t.model = vocab_size >= kByteLevelFrom ? "gpt2" : "llama";
  const auto it = std::find_if(averages.begin(), averages.end(), [&](const auto& a) { return a.model == t.model && vocab_size <= a.max_tokens; });
  if (it == averages.end()) return t;
  const auto n = static_cast<double>(vocab_size);
  t.scores = it->scores;
  t.token_types = it->token_types;
  t.token_bytes = static_cast<std::int64_t>(n * it->token_bytes);
  t.merges = static_cast<std::int64_t>(n * it->merges_per_token);
  t.merge_bytes = static_cast<std::int64_t>(n * it->merges_per_token * it->merge_bytes);
  return t;
}

}  // namespace

Tokenizer pick_tokenizer(std::span<const TokenizerRule> rules, std::span<const TokenizerAverages> averages, const Hyperparameters& hp, std::string_view model_name) {
  const TokenizerRule* best = nullptr;
  int best_score = -1;
  for (const auto& rule : rules) {
    const int score = match_score(rule, hp, model_name);
    if (score > best_score) best = &rule, best_score = score;
  }
  return best != nullptr ? sized(*best, hp.vocab_size) : typical(averages, hp.vocab_size);
}

}  // namespace planner
