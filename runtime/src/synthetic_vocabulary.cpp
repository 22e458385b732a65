#include "synthetic_vocabulary.h"

#include <algorithm>
#include <unordered_map>

#include "planner/error.h"

namespace planner::runtime {
namespace {

std::string utf8(std::uint32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

/// How byte-level BPE writes a byte: printable ones of Latin-1 as they are, the others from U+0100 on.
/// Source: bytes_to_unicode, https://github.com/openai/gpt-2/blob/master/src/encoder.py
std::string byte_text(int byte) {
  const auto printable = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff); };
  if (printable(byte)) return utf8(static_cast<std::uint32_t>(byte));
  int rank = 0;
  for (int b = 0; b < byte; ++b) rank += !printable(b);
  return utf8(static_cast<std::uint32_t>(0x100 + rank));
}

/// Letters by how often English has them: what comes first in a vocabulary.
constexpr std::string_view kLetters = "etaoinsrhldcumfpgwybvkxjqz";

/// Pieces of text, each but the single characters made of two that came before: short ones first, long ones as many as are wanted.
class Pieces {
 public:
  struct Piece {
    std::string text;
    std::int32_t left = -1, right = -1;
  };

  explicit Pieces(std::vector<std::string> characters, std::string space) : space_(std::move(space)) {
    for (auto& c : characters) add(std::move(c), -1, -1);
  }

  [[nodiscard]] const std::vector<Piece>& all() const { return pieces_; }
  [[nodiscard]] std::int32_t find(const std::string& text) const {
    const auto it = ids_.find(text);
    return it != ids_.end() ? it->second : -1;
  }

  /// Adds until there are n pieces of about `bytes` in all.
  void fill(std::size_t n, std::int64_t bytes) {
    limit_ = n;
    std::vector<std::string> letters;
    for (const char c : kLetters) letters.emplace_back(1, c);
    std::vector<std::string> pairs;
    for (const auto& a : letters) {
      for (const auto& b : letters) pairs.push_back(a + b);
    }
    for (const auto& c : letters) merge(space_, c);
    for (std::size_t i = 0; i < pairs.size(); ++i) merge(pairs[i].substr(0, 1), pairs[i].substr(1));
    for (const auto& p : pairs) merge(space_, p);
    std::vector<std::string> fours;
    const std::size_t n_fours = bytes < 8 * static_cast<std::int64_t>(n) ? n / 2 : n / 6;
    for (std::size_t i = 0; i < pairs.size() * pairs.size() && fours.size() < n_fours && !full(); ++i) {
      // A walk through all pairs of pairs that meets each once, in no order: 7,919 is a prime that their number does not have.
      const std::size_t at = i * 7919 % (pairs.size() * pairs.size());
      const auto &a = pairs[at / pairs.size()], &b = pairs[at % pairs.size()];
      if (merge(a, b)) fours.push_back(a + b);
    }
    // Longer ones of 4 + 4 and 8 + 4 letters, whichever brings the sum of bytes nearer to what it should be by now.
    std::vector<std::string> eights;
    std::int64_t sum = 0;
    for (const auto& p : pieces_) sum += static_cast<std::int64_t>(p.text.size());
    for (std::size_t i = 0; !full() && !fours.empty(); ++i) {
      const auto done = static_cast<std::int64_t>(pieces_.size());
      const auto due = bytes * done / static_cast<std::int64_t>(n);
      const std::size_t at = i * 7919 % (fours.size() * fours.size());
      const auto &a = fours[at / fours.size()], &b = fours[at % fours.size()];
      if (sum < due && i < eights.size() * fours.size()) {
        if (merge(eights[i % eights.size()], b)) sum += 12;
      } else if (merge(a, b)) {
        eights.push_back(a + b);
        sum += 8;
      }
      if (i > 8 * n) break;  // nothing new to be found
    }
  }

  /// Whether a piece can be split otherwise, into which two.
  template <class Fn>
  void other_splits(const Piece& p, const Fn& fn) const {
    for (std::size_t at = 1; at < p.text.size(); ++at) {
      const auto left = find(p.text.substr(0, at));
      if (left < 0 || left == p.left) continue;
      if (const auto right = find(p.text.substr(at)); right >= 0) fn(left, right);
    }
  }

 private:
  [[nodiscard]] bool full() const { return pieces_.size() >= limit_; }
  bool merge(const std::string& a, const std::string& b) {
    if (full()) return false;
    const auto left = find(a), right = find(b);
    return left >= 0 && right >= 0 && add(a + b, left, right);
  }
  bool add(std::string text, std::int32_t left, std::int32_t right) {
    const auto [it, added] = ids_.emplace(text, static_cast<std::int32_t>(pieces_.size()));
    (void)it;
    if (added) pieces_.push_back({std::move(text), left, right});
    return added;
  }

  std::string space_;
  std::size_t limit_ = ~std::size_t{0};
  std::vector<Piece> pieces_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6;
constexpr std::int64_t kControlBytes = 14;  // "<|special_12|>" and the like

SyntheticVocabulary byte_level(const Tokenizer& t) {
  // One merge a token at most: where the real one has several, its merged tokens are all but some 300.
  const std::int64_t controls = t.merges > 0 && t.tokens - 256 > t.merges ? t.tokens - 256 - t.merges : std::min<std::int64_t>(256, t.tokens / 16);
  const std::int64_t n_pieces = t.tokens - controls;
  if (n_pieces < 512) throw Error(ErrorKind::usage, "tokenizer '" + t.id + "': " + std::to_string(t.tokens) + " tokens are too few for a synthetic one");
  std::vector<std::string> bytes;
  for (int b = 0; b < 256; ++b) bytes.push_back(byte_text(b));
  Pieces pieces(bytes, byte_text(' '));
  pieces.fill(static_cast<std::size_t>(n_pieces), t.token_bytes - controls * kControlBytes);
  SyntheticVocabulary v;
  for (const auto& p : pieces.all()) {
    v.tokens.push_back(p.text);
    if (p.left < 0) continue;
    const auto& all = pieces.all();
    v.merges.push_back(all[static_cast<std::size_t>(p.left)].text + " " + all[static_cast<std::size_t>(p.right)].text);
  }
  for (const auto& p : pieces.all()) {
    if (static_cast<std::int64_t>(v.merges.size()) >= t.merges) break;
    if (p.left < 0) continue;
    pieces.other_splits(p, [&](std::int32_t left, std::int32_t right) {
      if (static_cast<std::int64_t>(v.merges.size()) < t.merges)
        v.merges.push_back(pieces.all()[static_cast<std::size_t>(left)].text + " " + pieces.all()[static_cast<std::size_t>(right)].text);
    });
  }
  v.types.assign(v.tokens.size(), kNormal);
  for (std::int64_t i = 0; static_cast<std::int64_t>(v.tokens.size()) < t.tokens; ++i) {
    v.tokens.push_back(i == 0 ? "<|begin_of_text|>" : i == 1 ? "<|end_of_text|>" : "<|special_" + std::to_string(i) + "|>");
    v.types.push_back(kControl);
  }
  v.bos = static_cast<std::int32_t>(pieces.all().size());
  v.eos = v.bos + 1;
  v.unknown = v.padding = v.eos;
  return v;
}

SyntheticVocabulary sentence_piece(const Tokenizer& t) {
  constexpr std::int64_t kFixed = 4 + 256;
  if (t.tokens < kFixed + 512) throw Error(ErrorKind::usage, "tokenizer '" + t.id + "': " + std::to_string(t.tokens) + " tokens are too few for a synthetic one");
  SyntheticVocabulary v;
  v.tokens = {"<unk>", "<s>", "</s>", "<|endoftext|>"};  // the last is asked for by name in models called Phi-3
  v.types = {kUnknown, kControl, kControl, kControl};
  v.unknown = 0;
  v.bos = 1;
  v.eos = 2;
  v.padding = 3;
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (std::size_t b = 0; b < 256; ++b) {
    v.tokens.push_back(std::string("<0x") + kHex[b / 16] + kHex[b % 16] + ">");
    v.types.push_back(kByte);
  }
  std::int64_t bytes = 0;
  for (const auto& token : v.tokens) bytes += static_cast<std::int64_t>(token.size());
  const std::string space = "\xe2\x96\x81";  // U+2581
  std::vector<std::string> characters = {space};
  for (char c = '!'; c <= '~'; ++c) characters.emplace_back(1, c);
  Pieces pieces(characters, space);
  pieces.fill(static_cast<std::size_t>(t.tokens - kFixed), t.token_bytes - bytes);
  // Longer pieces later, but single characters last: the lower the score, the later two pieces are joined.
  std::vector<const Pieces::Piece*> order;
  for (const auto& p : pieces.all()) {
    if (p.left >= 0) order.push_back(&p);
  }
  for (const auto& p : pieces.all()) {
    if (p.left < 0) order.push_back(&p);
  }
  v.scores.assign(v.tokens.size(), 0.0F);
  for (const auto* p : order) {
    v.tokens.push_back(p->text);
    v.types.push_back(kNormal);
    v.scores.push_back(-static_cast<float>(v.scores.size() - static_cast<std::size_t>(kFixed)));
  }
  return v;
}

}  // namespace

SyntheticVocabulary make_vocabulary(const Tokenizer& tokenizer) {
  if (tokenizer.model == "gpt2") return byte_level(tokenizer);
  if (tokenizer.model == "llama") return sentence_piece(tokenizer);
  throw Error(ErrorKind::usage, "tokenizer '" + tokenizer.id + "' of kind '" + tokenizer.model + "' cannot be made by rule, expected gpt2 or llama");
}

}  // namespace planner::runtime
