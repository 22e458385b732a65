// Writes JSON text straight into a string: answers are produced by the ten thousand a second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace planner {

class JsonWriter {
 public:
  JsonWriter() { out_.reserve(kUsualSize); }

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool b);
  JsonWriter& value(std::int64_t n);
  JsonWriter& value(int n) { return value(static_cast<std::int64_t>(n)); }
  /// Shortest text that reads back to the same double; not finite becomes null.
  JsonWriter& value(double d);
  JsonWriter& null();
  template <typename T>
  JsonWriter& value(const std::optional<T>& v) {
    return v ? value(*v) : null();
  }
  /// Empty text is an unknown: null.
  JsonWriter& text_or_null(std::string_view text) { return text.empty() ? null() : value(text); }

  template <typename T>
  JsonWriter& field(std::string_view name, const T& v) {
    key(name);
    return value(v);
  }

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  static constexpr std::size_t kUsualSize = 4096;
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();
  void quote(std::string_view text);

  std::string out_;
  bool first_ = true;  ///< nothing stands before in the innermost bracket
  bool after_key_ = false;
};

}  // namespace planner
