// Which devices are shown, and in what order. Unknown figures come last, whichever way is sorted.
#pragma once

#include <QSortFilterProxyModel>
#include <QStringList>
#include <optional>

#include "logic/device_table_model.h"

namespace planner::gui {

struct DeviceFilter {
  QString text;                              ///< words that the name, vendor, family or generation must have
  QString vendor, kind;                      ///< empty: all
  std::optional<std::int64_t> least_memory;  ///< bytes
  std::optional<double> highest_price;       ///< US dollars, of all devices together
  bool only_fitting = false;

  bool operator==(const DeviceFilter&) const = default;
};

class DeviceFilterModel : public QSortFilterProxyModel {
  Q_OBJECT

 public:
  explicit DeviceFilterModel(DeviceTableModel* devices, QObject* parent = nullptr);

  void set_filter(const DeviceFilter& filter);
  [[nodiscard]] const DeviceFilter& filter() const { return filter_; }
  [[nodiscard]] const DeviceTableModel& devices() const { return *devices_; }

 protected:
  [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
  [[nodiscard]] bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

 private:
  DeviceTableModel* devices_;
  DeviceFilter filter_;
  QStringList words_;
};

}  // namespace planner::gui
