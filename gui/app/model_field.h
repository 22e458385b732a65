// The model search: a field that shows the models found beneath it while somebody types.
#pragma once

#include <QLineEdit>

class QFrame;
class QLabel;
class QTreeView;

namespace planner::gui {

class ModelTreeModel;
class Session;

class ModelField : public QLineEdit {
  Q_OBJECT

 public:
  explicit ModelField(Session& session, QWidget* parent = nullptr);

  /// Shows or hides the list of models beneath the field.
  void show_list();
  void hide_list();
  [[nodiscard]] bool list_shown() const;
  [[nodiscard]] QTreeView* list() const { return tree_; }

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;

 private:
  void show_question();
  void place_list();
  void choose(const QModelIndex& index);
  void accept_text();

  Session& session_;
  ModelTreeModel* models_;
  QFrame* frame_;
  QTreeView* tree_;
  QLabel* nothing_;
};

}  // namespace planner::gui
