// The catalog's devices with their answers, a row each.
#pragma once

#include <QAbstractTableModel>

#include "logic/device_answers.h"

namespace planner::gui {

/// Roles that the tables of this program share, beside Qt's own.
enum Role {
  kSortRole = Qt::UserRole + 1,  ///< a number or text to sort by; invalid: unknown
  kVerdictRole,                  ///< Verdict as int
  kIdRole,                       ///< id of the device, model or quantization of the row
  kLowRole,
  kHighRole,   ///< ends of an interval, as text
  kShareRole,  ///< 0 to 1: how much of the room a bar fills
};

class DeviceTableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column { kDevice, kVerdict, kMemory, kDecode, kPrefill, kTtft, kPrice, kPerDollar, kWatts, kColumns };

  explicit DeviceTableModel(const Facts& facts, QObject* parent = nullptr);

  /// New answers to the same devices; rows keep their place.
  void set_answers(DeviceAnswers answers);
  void set_facts(const Facts& facts);

  [[nodiscard]] const Device& device(int row) const { return *devices_[static_cast<std::size_t>(row)]; }
  /// Null: there is none yet.
  [[nodiscard]] const DeviceAnswer* answer(int row) const;
  [[nodiscard]] int row_of(const QString& id) const;

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

 private:
  Facts facts_;
  std::vector<const Device*> devices_;
  DeviceAnswers answers_;
};

}  // namespace planner::gui
