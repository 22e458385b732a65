// The model page: what is known of the question's model, and all its quantizations on the question's device.
#pragma once

#include <QWidget>

#include "logic/quantization_table_model.h"
#include "logic/session.h"

class QTableView;
class QTextBrowser;

namespace planner::gui {

class ModelView : public QWidget {
  Q_OBJECT

 public:
  explicit ModelView(Session& session, QWidget* parent = nullptr);

  [[nodiscard]] QTableView* table() const { return table_; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void work();

  Session& session_;
  QuantizationTableModel* quantizations_;
  QTextBrowser* page_;
  QTableView* table_;
  Question shown_;
  bool started_ = false;
};

}  // namespace planner::gui
