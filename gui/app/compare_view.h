// Compare: up to four whole configurations side by side.
#pragma once

#include <QSettings>
#include <QWidget>

#include "logic/compare_model.h"
#include "logic/session.h"

class QTableView;

namespace planner::gui {

class CompareView : public QWidget {
  Q_OBJECT

 public:
  explicit CompareView(Session& session, QWidget* parent = nullptr);

  /// The question as it is becomes a column.
  void add_question();
  [[nodiscard]] CompareModel* configurations() const { return model_; }
  void save(QSettings& settings) const;
  void restore(QSettings& settings);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void set(const std::vector<Question>& questions);
  void work();

  Session& session_;
  CompareModel* model_;
  QTableView* table_;
};

}  // namespace planner::gui
