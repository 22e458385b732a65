// Text for people: aligned tables, bars, colour on a terminal, numbers with their units.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace planner::cli {

enum class Colour { plain, bold, dim, red, green, yellow, blue, cyan };

/// Whether standard output is a terminal that takes colour (NO_COLOR respected).
[[nodiscard]] bool colours_on();
/// Columns of the terminal; 80 in a pipe.
[[nodiscard]] std::size_t terminal_width();
/// `text` in a colour where colours are on.
[[nodiscard]] std::string paint(std::string_view text, Colour colour);

enum class Align { left, right };

/// A table with aligned columns. Cells may be painted: escape sequences take no width. UTF-8 counts by character.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::left;
    bool may_shrink = false;  ///< cut with an ellipsis where the line would be wider than the terminal
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// All lines, each indented by `indent` spaces.
  [[nodiscard]] std::string text(std::size_t indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "[#####...  ]" of `width` characters: parts of a whole, each with its own letter.
struct BarPart {
  std::int64_t amount = 0;
  char letter = '#';
  Colour colour = Colour::plain;
};
[[nodiscard]] std::string bar(const std::vector<BarPart>& parts, std::int64_t whole, std::size_t width);

/// Characters that `text` takes on the screen.
[[nodiscard]] std::size_t screen_width(std::string_view text);
/// `text` broken at spaces to lines of at most `width`, all but the first indented.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

/// 1234567 -> "1,234,567"
[[nodiscard]] std::string thousands(std::int64_t n);
/// 1777088000 -> "1.78 B", 494032768 -> "494 M"
[[nodiscard]] std::string parameters(std::int64_t n);
/// Three significant digits: 123, 45.6, 7.89
[[nodiscard]] std::string significant(double v);

}  // namespace planner::cli
