#include "app/delegates.h"

#include <QApplication>
#include <QPainter>

#include "app/theme.h"
#include "logic/device_table_model.h"

namespace planner::gui {
namespace {

/// Everything of the cell but its text.
void paint_background(QPainter* painter, QStyleOptionViewItem option, const QStyledItemDelegate&) {
  option.text.clear();
  const auto* style = option.widget != nullptr ? option.widget->style() : QApplication::style();
  style->drawControl(QStyle::CE_ItemViewItem, &option, painter, option.widget);
}

}  // namespace

void VerdictDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  QStyleOptionViewItem o = option;
  initStyleOption(&o, index);
  const auto verdict = index.data(kVerdictRole);
  if (!verdict.isValid()) {
    QStyledItemDelegate::paint(painter, option, index);
    return;
  }
  const QString text = o.text;
  paint_background(painter, o, *this);
  const QColor colour = verdict_colour(static_cast<Verdict>(verdict.toInt()), o.palette);
  constexpr int kInset = 3, kRound = 4;
  QRect patch = o.rect.adjusted(kInset, kInset, -kInset, -kInset);
  patch.setWidth(std::min(patch.width(), o.fontMetrics.horizontalAdvance(text) + 4 * kInset + 2));
  if (o.displayAlignment.testFlag(Qt::AlignRight)) patch.moveRight(o.rect.right() - kInset);
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  painter->setPen(Qt::NoPen);
  constexpr double kTint = 0.18;
  painter->setBrush(blended(colour, o.palette.color(QPalette::Base), kTint));
  painter->drawRoundedRect(patch, kRound, kRound);
  QFont font = o.font;
  font.setBold(true);
  painter->setFont(font);
  painter->setPen(colour);
  painter->drawText(patch, Qt::AlignCenter, text);
  painter->restore();
}

void ShareDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  QStyleOptionViewItem o = option;
  initStyleOption(&o, index);
  const auto share = index.data(kShareRole);
  const QString text = o.text;
  paint_background(painter, o, *this);
  painter->save();
  if (share.isValid()) {
    const auto verdict = index.data(kVerdictRole);
    const QColor colour = verdict.isValid() ? verdict_colour(static_cast<Verdict>(verdict.toInt()), o.palette) : o.palette.color(QPalette::Highlight);
    constexpr int kHeight = 3, kInset = 4;
    QRect bar(o.rect.left() + kInset, o.rect.bottom() - kHeight - 1, o.rect.width() - 2 * kInset, kHeight);
    painter->fillRect(bar, o.palette.color(QPalette::Midlight));
    bar.setWidth(static_cast<int>(bar.width() * share.toDouble() + 0.5));
    painter->fillRect(bar, colour);
  }
  const bool selected = o.state.testFlag(QStyle::State_Selected);
  painter->setPen(o.palette.color(selected ? QPalette::HighlightedText : QPalette::Text));
  painter->setFont(o.font);
  constexpr int kMargin = 4;
  painter->drawText(o.rect.adjusted(kMargin, 0, -kMargin, -2), static_cast<int>(o.displayAlignment),
                    o.fontMetrics.elidedText(text, Qt::ElideRight, o.rect.width() - 2 * kMargin));
  painter->restore();
}

}  // namespace planner::gui
