#include "render.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace planner::cli {
namespace {

/// Cuts to `width` characters, the last an ellipsis. Painted text is left alone.
std::string shortened(const std::string& text, std::size_t width) {
  if (screen_width(text) <= width || text.find('\033') != std::string::npos) return text;
  std::string out;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < text.size() && taken + 1 < width;) {
    std::size_t length = 1;
    while (i + length < text.size() && (static_cast<unsigned char>(text[i + length]) & 0xC0U) == 0x80) ++length;
    out += text.substr(i, length);
    i += length;
    ++taken;
  }
  return out + "…";
}

}  // namespace

bool colours_on() {
  static const bool on = [] {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') && (term == nullptr || std::string_view(term) != "dumb");
  }();
  return on;
}

std::size_t terminal_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 80;
}

std::string paint(std::string_view text, Colour colour) {
  if (!colours_on() || colour == Colour::plain) return std::string(text);
  constexpr std::string_view kCodes[] = {"", "1", "2", "31", "32", "33", "34", "36"};
  return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<std::size_t>(colour)], text);
}

std::size_t screen_width(std::string_view text) {
  std::size_t width = 0;
  bool in_escape = false;
  for (const char c : text) {
    if (in_escape) {
      in_escape = c != 'm';
      continue;
    }
    if (c == '\033') in_escape = true;
    else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80) ++width;
  }
  return width;
}

std::string Table::text(std::size_t indent) const {
  constexpr std::size_t kGap = 2;
  std::vector<std::size_t> widths;
  for (const auto& c : columns_) widths.push_back(screen_width(c.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], screen_width(row[i]));
  }
  std::size_t total = indent + kGap * (columns_.size() - 1);
  for (const auto w : widths) total += w;
  const std::size_t limit = terminal_width();
  for (std::size_t i = 0; i < columns_.size() && total > limit; ++i) {
    if (!columns_[i].may_shrink) continue;
    const std::size_t least = std::min<std::size_t>(widths[i], 12);
    const std::size_t cut = std::min(total - limit, widths[i] - least);
    widths[i] -= cut;
    total -= cut;
  }

  std::string out;
  const auto line = [&](const std::vector<std::string>& cells, Colour colour) {
    std::string text(indent, ' ');
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string cell = columns_[i].may_shrink ? shortened(cells[i], widths[i]) : cells[i];
      const std::string fill(widths[i] - std::min(widths[i], screen_width(cell)), ' ');
      const bool right = columns_[i].align == Align::right;
      text += right ? fill + paint(cell, colour) : paint(cell, colour) + (i + 1 < cells.size() ? fill : "");
      if (i + 1 < cells.size()) text += std::string(kGap, ' ');
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  std::vector<std::string> titles;
  bool any_title = false;
  for (const auto& c : columns_) titles.push_back(c.title), any_title = any_title || !c.title.empty();
  if (any_title) line(titles, Colour::dim);
  for (const auto& row : rows_) line(row, Colour::plain);
  return out;
}

std::string bar(const std::vector<BarPart>& parts, std::int64_t whole, std::size_t width) {
  std::string out = "[";
  std::size_t drawn = 0;
  std::int64_t sum = 0;
  for (const auto& part : parts) {
    sum += part.amount;
    const auto until = whole > 0 ? static_cast<std::size_t>(std::llround(static_cast<double>(std::min(sum, whole)) / static_cast<double>(whole) * static_cast<double>(width))) : 0;
    const std::size_t cells = until > drawn ? until - drawn : 0;
    out += paint(std::string(cells, part.letter), part.colour);
    drawn += cells;
  }
  return out + std::string(width - std::min(width, drawn), ' ') + "]";
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t on_line = 0;
  while (!text.empty()) {
    const auto space = text.find(' ');
    const auto word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    const std::size_t length = screen_width(word);
    if (on_line > 0 && on_line + 1 + length > width) {
      out += "\n" + std::string(indent, ' ');
      on_line = indent;
    } else if (on_line > 0) {
      out += ' ';
      ++on_line;
    }
    out += word;
    on_line += length;
  }
  return out;
}

std::string thousands(std::int64_t n) {
  std::string digits = std::to_string(n < 0 ? -n : n);
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<std::size_t>(i), ",");
  return n < 0 ? "-" + digits : digits;
}

std::string significant(double v) {
  if (v == 0) return "0";
  const int decimals = std::abs(v) >= 100 ? 0 : std::abs(v) >= 10 ? 1 : std::abs(v) >= 1 ? 2 : 3;
  return fmt::format("{:.{}f}", v, decimals);
}

std::string parameters(std::int64_t n) {
  const auto d = static_cast<double>(n);
  if (n >= 1'000'000'000) return significant(d / 1e9) + " B";
  if (n >= 1'000'000) return significant(d / 1e6) + " M";
  return thousands(n);
}

}  // namespace planner::cli
