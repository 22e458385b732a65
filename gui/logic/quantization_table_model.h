// A model's quantizations on a device: bits, sizes, memory with the context, speed, quality.
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "planner/estimate.h"

namespace planner::gui {

class QuantizationTableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column { kName, kBits, kFile, kMemory, kVerdict, kDecode, kDivergence, kQuality, kColumns };

  explicit QuantizationTableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

  void set_rows(const std::vector<QuantizationRow>& rows);

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

 private:
  std::vector<QuantizationRow> rows_;
};

}  // namespace planner::gui
