#include "core/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace planner {
namespace {

/// Bytes of the UTF-8 character at the start of `s`, which begins with a byte from 0x80 on; 0 where there is none (RFC 3629).
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned>(static_cast<unsigned char>(s[i])) : 0U; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4) return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

/// Whether nothing has to be escaped. Without a branch, so that many characters are looked at in one step: nearly all text is plain.
bool is_plain(std::string_view text) {
  unsigned special = 0;
  for (const char c : text) special |= static_cast<unsigned>(c == '"') | static_cast<unsigned>(c == '\\') | static_cast<unsigned>(c < 0x20) | static_cast<unsigned>(c == 0x7f);
  return special == 0;
}

}  // namespace

void JsonWriter::separate() {
  if (after_key_) after_key_ = false;
  else if (!first_) out_ += ',';
  first_ = false;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

void JsonWriter::quote(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out_ += '"';
  if (is_plain(text)) {
    out_ += text;
    out_ += '"';
    return;
  }
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80) {
      // Names from files are kept byte for byte: what is no UTF-8 becomes the replacement character.
      const std::size_t length = utf8_length(text.substr(i));
      if (length == 0) out_ += "\xef\xbf\xbd";
      else out_ += text.substr(i, length);
      i += std::max<std::size_t>(1, length);
      continue;
    }
    if (c == '"' || c == '\\') out_ += '\\', out_ += c;
    else if (c == '\n') out_ += "\\n";
    else if (c == '\t') out_ += "\\t";
    else if (u < 0x20) out_ += "\\u00", out_ += kHex[u >> 4], out_ += kHex[u & 15];
    else out_ += c;
    ++i;
  }
  out_ += '"';
}

JsonWriter& JsonWriter::key(std::string_view name) {
  if (!is_plain(name)) {
    separate();
    quote(name);
    out_ += ':';
    after_key_ = true;
    return *this;
  }
  const std::size_t begin = out_.size();
  const std::size_t comma = first_ ? 0 : 1;
  out_.resize(begin + comma + name.size() + 3, '"');
  char* to = out_.data() + begin;
  if (comma != 0) *to++ = ',';
  std::memcpy(to + 1, name.data(), name.size());
  to[name.size() + 2] = ':';
  first_ = false;
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  quote(text);
  return *this;
}

JsonWriter& JsonWriter::value(bool b) {
  separate();
  out_ += b ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t n) {
  separate();
  std::array<char, 24> buffer;
  const auto [end, status] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), n);
  (void)status;
  out_.append(buffer.data(), end);
  return *this;
}

JsonWriter& JsonWriter::value(double d) {
  if (!std::isfinite(d)) return null();
  separate();
  std::array<char, 40> buffer;
  const auto [end, status] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), d);
  (void)status;
  out_.append(buffer.data(), end);
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

}  // namespace planner
