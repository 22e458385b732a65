#include "support/csv.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace planner::test {
namespace {

class CsvReader {
 public:
  explicit CsvReader(std::string text) : text_(std::move(text)) {}

  /// Fields of the next record; empty at the end.
  std::vector<std::string> record(int& line) {
    std::vector<std::string> fields;
    line = line_;
    if (at_ >= text_.size()) return fields;
    while (true) {
      fields.push_back(field());
      if (at_ >= text_.size()) return fields;
      if (text_[at_++] == '\n') {
        ++line_;
        return fields;
      }
    }
  }

 private:
  std::string field() {
    std::string out;
    bool quoted = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (quoted) {
        if (c == '\n') ++line_;
        if (c != '"')
          out += c;
        else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"')
          out += text_[at_++];
        else
          quoted = false;
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',' || c == '\n') {
        break;
      } else if (c != '\r') {
        out += c;
      }
    }
    return out;
  }

  std::string text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

const std::string& CsvRow::operator[](std::string_view column) const {
  const auto it = fields.find(column);
  if (it == fields.end()) throw std::runtime_error("no column '" + std::string(column) + "'");
  return it->second;
}

std::vector<CsvRow> read_csv(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  std::stringstream content;
  content << in.rdbuf();
  CsvReader reader(content.str());
  int line = 0;
  const auto heading = reader.record(line);
  std::vector<CsvRow> rows;
  while (true) {
    const auto fields = reader.record(line);
    if (fields.empty()) return rows;
    if (fields.size() != heading.size())
      throw std::runtime_error(path.string() + ":" + std::to_string(line) + ": " + std::to_string(fields.size()) + " fields, expected " +
                               std::to_string(heading.size()));
    CsvRow row;
    row.line = line;
    for (std::size_t i = 0; i < fields.size(); ++i) row.fields.emplace(heading[i], fields[i]);
    rows.push_back(std::move(row));
  }
}

}  // namespace planner::test
