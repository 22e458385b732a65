#include "tokenizer/merging.h"

#include <algorithm>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "planner/error.h"
#include "tokenizer/utf8.h"

namespace planner::runtime {
namespace {

std::string utf8(unsigned code_point) {  // below U+0800
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 0x3F))};
}

/// Bytes that are printable in Latin-1 stand for themselves; the others follow from U+0100 on, in order.
/// Source: bytes_to_unicode in src/encoder.py (openai/gpt-2).
std::array<unsigned, 256> byte_code_points() {
  std::array<unsigned, 256> out{};
  unsigned next = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE);
    out[b] = printable ? b : next++;
  }
  return out;
}

const std::array<unsigned, 256>& code_points() {
  static const auto table = byte_code_points();
  return table;
}

std::string in_code_points(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += utf8(code_points()[static_cast<unsigned char>(c)]);
  return out;
}

/// Pieces in a row, each with its neighbours.
struct Piece {
  std::int32_t id;  // BytePairs: of the piece; ScoredPieces: not used
  std::int32_t previous, next;
  std::size_t begin, length;  // in the text; 0 length: merged away
};

std::uint64_t hash(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  return x ^ (x >> 29);
}

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

// --- Byte-level BPE --------------------------------------------------------------------------------------------------

BytePairs::BytePairs(const Vocabulary& vocabulary, const GgufFile& file, const PreTokenizerFamily& family)
    : pre_tokenizer_(family), ignore_merges_(family.ignore_merges) {
  // Pieces by text; those that are no tokens get ids behind the vocabulary.
  std::unordered_map<std::string, std::int32_t> others;
  const auto id_of = [&](std::string_view text, std::int32_t left, std::int32_t right) {
    if (const auto id = vocabulary.find(text)) return *id;
    const auto [it, added] = others.try_emplace(std::string(text), vocabulary.size() + static_cast<std::int32_t>(parts_.size()));
    if (added) parts_.emplace_back(left, right);
    return it->second;
  };
  for (unsigned b = 0; b < 256; ++b) byte_ids_[b] = id_of(utf8(code_points()[b]), -1, -1);

  const auto list = file.strings("tokenizer.ggml.merges");
  std::size_t capacity = 16;
  while (capacity < 2 * list.size()) capacity *= 2;
  merges_.resize(capacity);
  std::string merged;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto space = list[i].find(' ', 1);
    if (space == std::string_view::npos || space + 1 == list[i].size()) {
      throw Error(ErrorKind::invalid_file, file.path.string() + ": key 'tokenizer.ggml.merges' has no pair at " + std::to_string(i));
    }
    const auto left = id_of(list[i].substr(0, space), -1, -1);
    const auto right = id_of(list[i].substr(space + 1), -1, -1);
    merged.assign(list[i].substr(0, space)).append(list[i].substr(space + 1));
    add(left, right, static_cast<std::uint32_t>(i), id_of(merged, left, right));
  }
}

void BytePairs::add(std::int32_t left, std::int32_t right, std::uint32_t rank, std::int32_t result) {
  const auto key = pair_key(left, right);
  auto slot = hash(key) & (merges_.size() - 1);
  while (merges_[slot].pair != kFree) {
    if (merges_[slot].pair == key) return;  // named twice: the first counts
    slot = (slot + 1) & (merges_.size() - 1);
  }
  merges_[slot] = {key, rank, result};
}

const BytePairs::Merge* BytePairs::find(std::int32_t left, std::int32_t right) const {
  const auto key = pair_key(left, right);
  for (auto slot = hash(key) & (merges_.size() - 1);; slot = (slot + 1) & (merges_.size() - 1)) {
    if (merges_[slot].pair == key) return &merges_[slot];
    if (merges_[slot].pair == kFree) return nullptr;
  }
}

void BytePairs::encode_word(const Vocabulary& vocabulary, std::string_view word, std::vector<TokenId>& out) const {
  if (ignore_merges_) {
    if (const auto id = vocabulary.find(in_code_points(word))) {
      out.push_back(*id);
      return;
    }
  }
  std::vector<Piece> pieces;
  pieces.reserve(word.size());
  const auto n = static_cast<std::int32_t>(word.size());
  for (std::int32_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    pieces.push_back({byte_ids_[static_cast<unsigned char>(word[at])], i - 1, i + 1 < n ? i + 1 : -1, at, 1});
  }
  const auto piece = [&](std::int32_t i) -> Piece& { return pieces[static_cast<std::size_t>(i)]; };

  // Lowest rank first, then leftmost. The ids of both sides tell whether an entry is out of date.
  using Candidate = std::tuple<std::uint32_t, std::int32_t, std::int32_t, const Merge*>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    if (const auto* merge = find(piece(left).id, piece(right).id)) queue.emplace(merge->rank, left, right, merge);
  };
  for (std::int32_t i = 0; i + 1 < n; ++i) consider(i, i + 1);
  while (!queue.empty()) {
    const auto [rank, left, right, merge] = queue.top();
    queue.pop();
    auto& l = piece(left);
    auto& r = piece(right);
    if (l.length == 0 || r.length == 0 || l.next != right || pair_key(l.id, r.id) != merge->pair) continue;
    l.id = merge->result;
    l.length += r.length;
    r.length = 0;
    l.next = r.next;
    if (r.next >= 0) piece(r.next).previous = left;
    consider(l.previous, left);
    consider(left, l.next);
  }

  const auto emit = [&](const auto& self, std::int32_t id) -> void {
    if (id < vocabulary.size()) {
      out.push_back(id);
      return;
    }
    const auto [left, right] = parts_[static_cast<std::size_t>(id - vocabulary.size())];
    if (left < 0) {  // a byte that the vocabulary lacks
      if (vocabulary.unknown) out.push_back(*vocabulary.unknown);
      return;
    }
    self(self, left);
    self(self, right);
  };
  for (std::int32_t i = n > 0 ? 0 : -1; i >= 0; i = piece(i).next) emit(emit, piece(i).id);
}

void BytePairs::encode(const Vocabulary& vocabulary, std::string_view text, std::vector<TokenId>& out) const {
  for (const auto word : pre_tokenizer_.split(text)) encode_word(vocabulary, word, out);
}

std::string BytePairs::bytes(std::string_view token) {
  static const auto bytes_of = [] {
    std::array<int, 0x200> table{};
    table.fill(-1);
    for (unsigned b = 0; b < 256; ++b) table[code_points()[b]] = static_cast<int>(b);
    return table;
  }();
  std::string out;
  for (std::size_t i = 0; i < token.size();) {
    const auto n = std::max<std::size_t>(1, utf8_length(token.substr(i)));
    const auto first = static_cast<unsigned char>(token[i]);
    const unsigned code_point = n == 1 ? first : n == 2 ? (first & 0x1Fu) << 6 | (static_cast<unsigned char>(token[i + 1]) & 0x3Fu) : 0xFFFF;
    if (code_point < bytes_of.size() && bytes_of[code_point] >= 0) {
      out += static_cast<char>(bytes_of[code_point]);
    } else {
      out += token.substr(i, n);  // written as it is: tokens that were added later
    }
    i += n;
  }
  return out;
}

// --- SentencePiece ---------------------------------------------------------------------------------------------------

int ScoredPieces::byte_of(std::string_view token) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = digit(token[3]), low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

ScoredPieces::ScoredPieces(const Vocabulary& vocabulary, const GgufFile& file) {
  if (vocabulary.scores.empty()) {
    throw Error(ErrorKind::invalid_file, file.path.string() + ": key 'tokenizer.ggml.scores' is absent, a SentencePiece tokenizer needs it");
  }
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (unsigned b = 0; b < 256; ++b) {
    const std::string name = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
    auto id = vocabulary.find(name);
    if (!id) id = vocabulary.find(std::string(1, static_cast<char>(b)));
    if (!id) id = vocabulary.unknown;
    byte_ids_[b] = id.value_or(-1);
  }
}

void ScoredPieces::encode(const Vocabulary& vocabulary, std::string_view text, std::vector<TokenId>& out) const {
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = std::max<std::size_t>(1, utf8_length(text.substr(at)));
    const auto i = static_cast<std::int32_t>(pieces.size());
    pieces.push_back({0, i - 1, at + length < text.size() ? i + 1 : -1, at, length});
    at += length;
  }
  const auto piece = [&](std::int32_t i) -> Piece& { return pieces[static_cast<std::size_t>(i)]; };

  // Best score first, then leftmost. The length tells whether an entry is out of date.
  struct Candidate {
    float score;
    std::int32_t left, right;
    std::size_t length;
    bool operator<(const Candidate& other) const { return score < other.score || (score == other.score && left > other.left); }
  };
  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const auto length = piece(left).length + piece(right).length;
    if (const auto id = vocabulary.find(text.substr(piece(left).begin, length))) {
      queue.push({vocabulary.scores[static_cast<std::size_t>(*id)], left, right, length});
    }
  };
  for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(pieces.size()); ++i) consider(i, i + 1);
  while (!queue.empty()) {
    const auto candidate = queue.top();
    queue.pop();
    auto& l = piece(candidate.left);
    auto& r = piece(candidate.right);
    if (l.length == 0 || r.length == 0 || l.length + r.length != candidate.length) continue;
    l.length += r.length;
    r.length = 0;
    l.next = r.next;
    if (r.next >= 0) piece(r.next).previous = candidate.left;
    consider(l.previous, candidate.left);
    consider(candidate.left, l.next);
  }

  for (std::int32_t i = pieces.empty() ? -1 : 0; i >= 0; i = piece(i).next) {
    const auto part = text.substr(piece(i).begin, piece(i).length);
    if (const auto id = vocabulary.find(part)) {  // merged pieces always are tokens
      out.push_back(*id);
      continue;
    }
    for (const char c : part) {
      if (const auto id = byte_ids_[static_cast<unsigned char>(c)]; id >= 0) out.push_back(id);
    }
  }
}

}  // namespace planner::runtime
