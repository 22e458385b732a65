#include "logic/device_filter_model.h"

#include <algorithm>

#include "logic/words.h"

namespace planner::gui {

DeviceFilterModel::DeviceFilterModel(DeviceTableModel* devices, QObject* parent) : QSortFilterProxyModel(parent), devices_(devices) {
  setSourceModel(devices);
  setSortRole(kSortRole);
  setDynamicSortFilter(true);
}

void DeviceFilterModel::set_filter(const DeviceFilter& filter) {
  if (filter == filter_) return;
  filter_ = filter;
  words_ = filter.text.toLower().split(u' ', Qt::SkipEmptyParts);
  invalidateFilter();
}

bool DeviceFilterModel::filterAcceptsRow(int row, const QModelIndex&) const {
  const auto& d = devices_->device(row);
  if (!filter_.vendor.isEmpty() && to_qt(d.vendor) != filter_.vendor) return false;
  if (!filter_.kind.isEmpty() && to_qt(to_string(d.kind)) != filter_.kind) return false;
  if (filter_.least_memory && d.memory_bytes.value_or(0) < *filter_.least_memory) return false;
  if (!words_.isEmpty()) {
    const QString haystack = to_qt(d.name + ' ' + d.id + ' ' + d.vendor + ' ' + d.family + ' ' + d.generation + ' ' + d.market).toLower();
    if (!std::all_of(words_.begin(), words_.end(), [&](const QString& w) { return haystack.contains(w); })) return false;
  }
  const auto* answer = devices_->answer(row);
  if (filter_.highest_price && (answer == nullptr || !answer->line.price_usd || *answer->line.price_usd > *filter_.highest_price)) return false;
  return !filter_.only_fitting || (answer != nullptr && answer->answer && (answer->line.verdict == Verdict::fits || answer->line.verdict == Verdict::tight));
}

bool DeviceFilterModel::lessThan(const QModelIndex& left, const QModelIndex& right) const {
  const auto a = left.data(kSortRole), b = right.data(kSortRole);
  if (a.isValid() != b.isValid()) return sortOrder() == Qt::AscendingOrder ? a.isValid() : b.isValid();
  if (!a.isValid()) return left.row() < right.row();
  if (a.userType() == QMetaType::QString) return QString::compare(a.toString(), b.toString(), Qt::CaseInsensitive) < 0;
  return a.toDouble() < b.toDouble();
}

}  // namespace planner::gui
