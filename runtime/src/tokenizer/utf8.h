// UTF-8 as far as a tokenizer needs it.
#pragma once

#include <cstddef>
#include <string_view>

namespace planner::runtime {

/// Bytes of the first character; 0 where the text is empty or does not begin with a whole, valid one.
[[nodiscard]] inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  const unsigned second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return n;
}

/// Bytes of the text that are valid UTF-8, up to the first that is not.
[[nodiscard]] inline std::size_t utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (const std::size_t n = utf8_length(text.substr(at))) at += n;
  return at;
}

/// Whether more bytes could make a valid character of these (which are not one yet).
[[nodiscard]] inline bool utf8_may_continue(std::string_view text) {
  if (text.empty()) return true;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0xC2 || first > 0xF4) return false;
  const std::size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (text.size() >= n) return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
  }
  return true;
}

}  // namespace planner::runtime
