#include "logic/table_export.h"

#include <algorithm>
#include <vector>

namespace planner::gui {
namespace {

using Cells = std::vector<QStringList>;

Cells cells_of(const QAbstractItemModel& table, int most_rows) {
  Cells cells;
  QStringList header;
  for (int c = 0; c < table.columnCount(); ++c) header << table.headerData(c, Qt::Horizontal).toString();
  cells.push_back(header);
  for (int r = 0; r < std::min(table.rowCount(), most_rows); ++r) {
    QStringList line;
    for (int c = 0; c < table.columnCount(); ++c) line << table.index(r, c).data().toString();
    cells.push_back(line);
  }
  return cells;
}

QString csv(const Cells& cells) {
  QString out;
  for (const auto& line : cells) {
    QStringList fields;
    for (auto cell : line) {
      const bool quote = cell.contains(u',') || cell.contains(u'"') || cell.contains(u'\n');
      fields << (quote ? u'"' + cell.replace(u'"', QStringLiteral("\"\"")) + u'"' : cell);
    }
    out += fields.join(u',') + u'\n';
  }
  return out;
}

QString markdown(const Cells& cells) {
  QString out;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    QStringList fields;
    for (auto cell : cells[i]) fields << cell.replace(u'|', QStringLiteral("\\|")).replace(u'\n', u' ');
    out += QStringLiteral("| ") + fields.join(QStringLiteral(" | ")) + QStringLiteral(" |\n");
    if (i == 0) out += QStringLiteral("|") + QStringLiteral("---|").repeated(cells[0].size()) + u'\n';
  }
  return out;
}

QString text(const Cells& cells) {
  std::vector<qsizetype> widths(static_cast<std::size_t>(cells.front().size()), 0);
  for (const auto& line : cells) {
    for (qsizetype c = 0; c < line.size(); ++c) widths[static_cast<std::size_t>(c)] = std::max(widths[static_cast<std::size_t>(c)], line[c].size());
  }
  QString out;
  for (const auto& line : cells) {
    QString row;
    for (qsizetype c = 0; c < line.size(); ++c) row += line[c].leftJustified(widths[static_cast<std::size_t>(c)]) + QStringLiteral("  ");
    while (row.endsWith(u' ')) row.chop(1);
    out += row + u'\n';
  }
  return out;
}

}  // namespace

QString table_as(TableFormat format, const QAbstractItemModel& table) {
  const auto cells = cells_of(table, table.rowCount());
  switch (format) {
    case TableFormat::csv: return csv(cells);
    case TableFormat::markdown: return markdown(cells);
    case TableFormat::text: break;
  }
  return text(cells);
}

QString table_html(const QAbstractItemModel& table, int most_rows) {
  QString out = QStringLiteral("<table border='1' cellspacing='0' cellpadding='3'>");
  bool header = true;
  for (const auto& line : cells_of(table, most_rows)) {
    out += QStringLiteral("<tr>");
    for (const auto& cell : line) out += QStringLiteral("<%1>%2</%1>").arg(header ? QStringLiteral("th") : QStringLiteral("td"), cell.toHtmlEscaped());
    out += QStringLiteral("</tr>");
    header = false;
  }
  return out + QStringLiteral("</table>");
}

}  // namespace planner::gui
