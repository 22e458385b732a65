// Sizes of a service's replicas: what each needs and gives.
#pragma once

#include <QAbstractTableModel>

#include "planner/service.h"

namespace planner::gui {

class ServiceTableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column { kPerReplica, kReplicas, kDevices, kInFlight, kTtft, kTpot, kRequests, kTokens, kCapacity, kPrice, kPower, kEnergy, kGoals, kColumns };

  explicit ServiceTableModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

  void set_plan(const ServicePlan& plan);

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

 private:
  ServicePlan plan_;
};

}  // namespace planner::gui
