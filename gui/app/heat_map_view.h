// What fits my card? The device first: every model at every quantization, the best one marked, the largest context in each cell.
#pragma once

#include <QWidget>

#include "logic/heat_map_model.h"
#include "logic/session.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QProgressBar;
class QTableView;

namespace planner::gui {

class HeatMapView : public QWidget {
  Q_OBJECT

 public:
  explicit HeatMapView(Session& session, QWidget* parent = nullptr);

  [[nodiscard]] QTableView* table() const { return table_; }
  [[nodiscard]] HeatMapModel* cells() const { return cells_; }

 signals:
  /// Somebody wants to see a model at a quantization: the question has it now.
  void chosen();

 protected:
  void showEvent(QShowEvent* event) override;
  bool eventFilter(QObject* object, QEvent* event) override;

 private:
  void question_changed();
  void fit_columns();
  void work();
  void choose(const QModelIndex& index);

  Session& session_;
  HeatMapModel* cells_;
  HeatMapFilter* filter_;
  QTableView* table_;
  QComboBox* device_;
  QLineEdit* words_;
  QLabel* title_;
  QProgressBar* progress_;
  QWidget* cancel_;
  Question shown_;  ///< whose cells are shown or under way
  bool started_ = false;
};

}  // namespace planner::gui
