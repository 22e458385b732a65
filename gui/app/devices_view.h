// All devices at once: the table, its filters, and beside it the memory, the curves and the reasons of what is selected.
#pragma once

#include <QSettings>
#include <QWidget>

#include "logic/device_filter_model.h"
#include "logic/explanation.h"
#include "logic/session.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QSplitter;
class QTabBar;
class QTableView;

namespace planner::gui {

class ContextChart;
class ExplanationPanel;
class MemoryBars;

class DevicesView : public QWidget {
  Q_OBJECT

 public:
  explicit DevicesView(Session& session, QWidget* parent = nullptr);

  [[nodiscard]] QTableView* table() const { return table_; }
  [[nodiscard]] DeviceFilterModel* filter() const { return filter_; }
  [[nodiscard]] ContextChart* decode_chart() const { return decode_; }
  [[nodiscard]] ContextChart* memory_chart() const { return memory_; }
  /// Both curves, for export.
  [[nodiscard]] QWidget* charts() const { return charts_; }
  void focus_filter();
  void save(QSettings& settings) const;
  void restore(QSettings& settings);

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;

 private:
  QWidget* make_filters();
  QWidget* make_side();
  void apply_filter();
  void take_selection();
  void show_selection();
  void show_details();
  void show_curves();
  void show_charts();
  void fit_columns();
  [[nodiscard]] Topic topic() const;

  Session& session_;
  DeviceFilterModel* filter_;
  QTableView* table_;
  QLineEdit* words_;
  QComboBox *vendor_, *kind_, *least_memory_, *highest_price_;
  QCheckBox* only_fitting_;
  QLabel* counted_;
  QSplitter* splitter_;
  MemoryBars* bars_;
  QTabBar* chart_tabs_;
  QWidget* charts_;
  ContextChart *decode_, *memory_;
  ExplanationPanel* why_;
  QString seen_model_;      ///< whose answers the table has scrolled to
  bool selecting_ = false;  ///< the selection is being set from the question
};

}  // namespace planner::gui
