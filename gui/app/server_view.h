// Server planning: requests, lengths and goals in, devices out.
#pragma once

#include <QSettings>
#include <QWidget>

#include "logic/service_table_model.h"
#include "logic/session.h"

class QDoubleSpinBox;
class QLabel;
class QSpinBox;
class QTableView;

namespace planner::gui {

class ServerView : public QWidget {
  Q_OBJECT

 public:
  explicit ServerView(Session& session, QWidget* parent = nullptr);

  [[nodiscard]] QTableView* table() const { return table_; }
  void save(QSettings& settings) const;
  void restore(QSettings& settings);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void work();
  [[nodiscard]] ServiceGoals goals() const;

  Session& session_;
  ServiceTableModel* options_;
  QDoubleSpinBox *requests_, *ttft_, *tpot_;
  QSpinBox *prompt_, *output_;
  QLabel* answer_;
  QTableView* table_;
};

}  // namespace planner::gui
