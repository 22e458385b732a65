#include "app/frozen_table.h"

#include <QHeaderView>
#include <QScrollBar>

namespace planner::gui {

FrozenTable::FrozenTable(QWidget* parent) : QTableView(parent), first_(new QTableView(this)) {
  first_->setFocusPolicy(Qt::NoFocus);
  first_->setFrameShape(QFrame::NoFrame);
  first_->setAccessibleName(QStringLiteral("Names of the rows"));
  first_->verticalHeader()->hide();
  first_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  first_->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  first_->setSelectionBehavior(QAbstractItemView::SelectRows);
  first_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  first_->setShowGrid(false);
  first_->setWordWrap(false);
  first_->setSortingEnabled(true);
  first_->horizontalHeader()->setHighlightSections(false);
  first_->horizontalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  first_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  setVerticalScrollMode(ScrollPerPixel);
  first_->setVerticalScrollMode(ScrollPerPixel);
  connect(verticalScrollBar(), &QScrollBar::valueChanged, first_->verticalScrollBar(), &QScrollBar::setValue);
  connect(first_->verticalScrollBar(), &QScrollBar::valueChanged, verticalScrollBar(), &QScrollBar::setValue);
  connect(horizontalHeader(), &QHeaderView::sectionResized, this, &FrozenTable::place);
  connect(horizontalHeader(), &QHeaderView::sortIndicatorChanged, this, [this](int section, Qt::SortOrder order) {
    const QSignalBlocker quiet(first_->horizontalHeader());
    first_->horizontalHeader()->setSortIndicator(section, order);
    first_->horizontalHeader()->viewport()->update();
  });
  connect(first_->horizontalHeader(), &QHeaderView::sortIndicatorChanged, this,
          [this](int section, Qt::SortOrder order) { horizontalHeader()->setSortIndicator(section, order); });
}

void FrozenTable::setModel(QAbstractItemModel* model) {
  QTableView::setModel(model);
  first_->setModel(model);
  first_->setSelectionModel(selectionModel());
  first_->setAlternatingRowColors(alternatingRowColors());
  first_->setSelectionBehavior(selectionBehavior());
  for (int c = 1; c < model->columnCount(); ++c) first_->setColumnHidden(c, true);
  viewport()->stackUnder(first_);
  place();
  first_->show();
}

void FrozenTable::place() {
  first_->verticalHeader()->setDefaultSectionSize(verticalHeader()->defaultSectionSize());
  first_->setColumnWidth(0, columnWidth(0));
  first_->setGeometry(frameWidth(), frameWidth(), columnWidth(0), viewport()->height() + horizontalHeader()->height());
}

void FrozenTable::resizeEvent(QResizeEvent* event) {
  QTableView::resizeEvent(event);
  place();
}

void FrozenTable::scrollTo(const QModelIndex& index, ScrollHint hint) {
  // Sideways only as far as it must: the first column hides what lies beneath it.
  const int across = horizontalScrollBar()->value();
  if (index.column() > 0) QTableView::scrollTo(index.siblingAtColumn(0), hint);
  horizontalScrollBar()->setValue(across);
  QTableView::scrollTo(index, hint);
  if (index.column() == 0 || hint != EnsureVisible) horizontalScrollBar()->setValue(across);
}

QModelIndex FrozenTable::moveCursor(CursorAction action, Qt::KeyboardModifiers modifiers) {
  const auto next = QTableView::moveCursor(action, modifiers);
  if (next.column() > 0 && visualRect(next).left() < first_->columnWidth(0))
    horizontalScrollBar()->setValue(horizontalScrollBar()->value() + visualRect(next).left() - first_->columnWidth(0));
  return next;
}

}  // namespace planner::gui
