// How cells of tables are drawn: verdicts as a word in its colour, memory over a bar.
#pragma once

#include <QStyledItemDelegate>

namespace planner::gui {

/// A word in a rounded patch of the verdict's colour (kVerdictRole).
class VerdictDelegate : public QStyledItemDelegate {
  Q_OBJECT

 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// Text over a bar as long as its share (kShareRole), in the colour of the verdict.
class ShareDelegate : public QStyledItemDelegate {
  Q_OBJECT

 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

}  // namespace planner::gui
