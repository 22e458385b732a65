#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "planner/error.h"

namespace planner::runtime {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::string key_of(std::string_view name) { return std::string(kPrefix) + std::string(name); }

[[noreturn]] void fail(const GgufFile& file, std::string_view name, const std::string& problem) {
  throw Error(ErrorKind::invalid_file, file.path.string() + ": key '" + key_of(name) + "' " + problem);
}

/// Tokens that end a turn or a text, whatever the file's own ids say: files name one of them, chats end with another.
/// Source: special_eog_ids in src/llama-vocab.cpp (ggml-org/llama.cpp).
constexpr std::array kEnds = std::to_array<std::string_view>({"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
                                                              "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
                                                              "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<｜end▁of▁sentence｜>"});

/// Tokens of GPT-OSS's message format that are shown although the file calls them control tokens.
constexpr std::array kShown = std::to_array<std::string_view>({"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"});

bool holds(const auto& list, std::string_view text) { return std::find(list.begin(), list.end(), text) != list.end(); }

}  // namespace

Vocabulary::Vocabulary(const GgufFile& file) {
  const auto* value = file.find(key_of("tokens"));
  const auto* array = value != nullptr ? std::get_if<GgufArray>(&value->value) : nullptr;
  if (array == nullptr || array->element_type() != GgufType::string || array->size() == 0)
    fail(file, "tokens", "is no list of texts: the file has no tokenizer");
  tokens_ = *array;
  texts = tokens_.strings();
  const auto* embedding = file.find_tensor("token_embd.weight");
  if (embedding != nullptr && embedding->shape[1] < static_cast<std::int64_t>(texts.size())) {
    fail(file, "tokens", "has " + std::to_string(texts.size()) + " tokens, token_embd.weight has rows for " + std::to_string(embedding->shape[1]));
  }
  ids_.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) ids_[texts[i]] = static_cast<TokenId>(i);

  for (const double score : file.numbers(key_of("scores"))) scores.push_back(static_cast<float>(score));
  if (!scores.empty() && scores.size() != texts.size()) {
    fail(file, "scores", "has " + std::to_string(scores.size()) + " entries for " + std::to_string(texts.size()) + " tokens");
  }
  read_kinds(file);
  bos = id_of(file, "bos_token_id");
  eos = id_of(file, "eos_token_id");
  unknown = id_of(file, "unknown_token_id");
  find_ends(file);
  index_specials(file);
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
  const auto it = ids_.find(text);
  return it == ids_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<TokenId> Vocabulary::id_of(const GgufFile& file, std::string_view name) const {
  const auto id = file.find_integer(key_of(name));
  if (!id || *id == 0xFFFFFFFF || *id == -1) return std::nullopt;  // how some converters say "none"
  if (*id < 0 || *id >= size()) fail(file, name, "is " + std::to_string(*id) + ", expected an id below " + std::to_string(size()));
  return static_cast<TokenId>(*id);
}

void Vocabulary::read_kinds(const GgufFile& file) {
  const auto numbers = file.integers(key_of("token_type"));
  if (numbers.empty()) {
    kinds.assign(texts.size(), TokenKind::normal);
    return;
  }
  if (numbers.size() != texts.size()) {
    fail(file, "token_type", "has " + std::to_string(numbers.size()) + " entries for " + std::to_string(texts.size()) + " tokens");
  }
  for (const auto n : numbers) kinds.push_back(n >= 0 && n <= 6 ? static_cast<TokenKind>(n) : TokenKind::undefined);
}

void Vocabulary::find_ends(const GgufFile& file) {
  ends.assign(texts.size(), false);
  for (const auto id : {eos, id_of(file, "eot_token_id"), id_of(file, "eom_token_id")}) {
    if (id) ends[static_cast<std::size_t>(*id)] = true;
  }
  for (const auto text : kEnds) {
    if (const auto id = find(text)) {
      ends[static_cast<std::size_t>(*id)] = true;
      kinds[static_cast<std::size_t>(*id)] = TokenKind::control;
    }
  }
  for (const auto text : kShown) {
    if (const auto id = find(text)) kinds[static_cast<std::size_t>(*id)] = TokenKind::user_defined;
  }
  // GPT-OSS ends a message with <|end|> and goes on with the next one: only <|return|> and <|call|> end the turn.
  const auto message_end = find("<|end|>");
  if (message_end && find("<|return|>") && find("<|call|>")) ends[static_cast<std::size_t>(*message_end)] = false;
}

void Vocabulary::index_specials(const GgufFile& file) {
  // GGUF has no key for it: Phi-3's special tokens, but three, take the spaces behind them along (tokenizer.json, rstrip).
  std::string name(file.find_string("general.name").value_or(""));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool phi3 = name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
  for (TokenId id = 0; id < size(); ++id) {
    const auto k = kind(id);
    const auto text = texts[static_cast<std::size_t>(id)];
    if (text.empty() || (k != TokenKind::control && k != TokenKind::user_defined && k != TokenKind::unknown)) continue;
    const bool strips = phi3 && text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
    specials_[static_cast<unsigned char>(text[0])].push_back({id, k != TokenKind::user_defined, strips});
  }
  for (auto& list : specials_) {
    std::stable_sort(list.begin(), list.end(), [&](const SpecialToken& a, const SpecialToken& b) {
      return texts[static_cast<std::size_t>(a.id)].size() > texts[static_cast<std::size_t>(b.id)].size();
    });
  }
}

const SpecialToken* Vocabulary::special_at(std::string_view text, std::size_t at, bool parse_special) const {
  for (const auto& special : specials_[static_cast<unsigned char>(text[at])]) {
    if (special.only_parsed && !parse_special) continue;
    if (text.substr(at).starts_with(texts[static_cast<std::size_t>(special.id)])) return &special;
  }
  return nullptr;
}

}  // namespace planner::runtime
