// A table as text that other programs take.
#pragma once

#include <QAbstractItemModel>
#include <QString>

namespace planner::gui {

enum class TableFormat { text, csv, markdown };
/// Header and all rows of a table as they are shown (in the order of a proxy). CSV quotes cells with a comma, quote or line break.
[[nodiscard]] QString table_as(TableFormat format, const QAbstractItemModel& table);
/// A table as HTML.
[[nodiscard]] QString table_html(const QAbstractItemModel& table, int most_rows);

}  // namespace planner::gui
