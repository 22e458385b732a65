#include "core/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace planner {

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
  const auto is_plain = [](char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; };
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    out_ += text;
    out_ += '"';
    return;
  }
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out_ += '\\', out_ += c;
    else if (c == '\n') out_ += "\\n";
    else if (c == '\t') out_ += "\\t";
    else if (u < 0x20) out_ += "\\u00", out_ += kHex[u >> 4], out_ += kHex[u & 15];
    else out_ += c;
  }
  out_ += '"';
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_ += ':';
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
