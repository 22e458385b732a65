#include "calibration/table.h"

namespace planner::calibration {

void read_table(std::string_view text, const std::function<void(std::int64_t, const std::vector<std::string>&)>& row) {
  std::vector<std::string> fields(1);
  std::int64_t line = 1, begun = 1;
  bool quoted = false, any = false;
  const auto finish = [&] {
    if (any) row(begun, fields);
    fields.assign(1, {});
    any = false;
    begun = line + 1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') fields.back() += text[++i];
      else if (c == '"') quoted = false;
      else fields.back() += c;
      if (c == '\n') ++line;
    } else if (c == '\n') {
      finish();
      ++line;
    } else if (c == '"') {
      quoted = any = true;
    } else if (c == ',') {
      fields.emplace_back();
      any = true;
    } else if (c != '\r') {
      fields.back() += c;
      any = true;
    }
  }
  finish();
}

std::string table_field(std::string_view value) {
  if (value.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(value);
  std::string out = "\"";
  for (const char c : value) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace planner::calibration
