// A table whose first column stays while the others scroll sideways: figures without a name say nothing.
#pragma once

#include <QTableView>

namespace planner::gui {

class FrozenTable : public QTableView {
  Q_OBJECT

 public:
  explicit FrozenTable(QWidget* parent = nullptr);

  void setModel(QAbstractItemModel* model) override;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void scrollTo(const QModelIndex& index, ScrollHint hint = EnsureVisible) override;
  QModelIndex moveCursor(CursorAction action, Qt::KeyboardModifiers modifiers) override;

 private:
  void place();

  QTableView* first_;
};

}  // namespace planner::gui
