#include "logic/service_table_model.h"

#include <array>

#include "logic/device_table_model.h"
#include "logic/glossary.h"
#include "logic/heat_map_model.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

struct ColumnInfo {
  const char* title;
  std::string_view term;
};
constexpr std::array<ColumnInfo, ServiceTableModel::kColumns> kInfo = {{{"Per replica", "tensor parallel"},
                                                                        {"Replicas", "several of these"},
                                                                        {"Devices", "several of these"},
                                                                        {"In flight", "concurrency"},
                                                                        {"TTFT", "TTFT"},
                                                                        {"TPOT", "TPOT"},
                                                                        {"Requests/s", "requests per second"},
                                                                        {"Output tok/s", "decode"},
                                                                        {"KV capacity", "KV capacity"},
                                                                        {"Price", "price"},
                                                                        {"Watts", "watts"},
                                                                        {"J per token", "watts"},
                                                                        {"Goals", "TPOT"}}};

QString number(const std::optional<double>& v) { return v ? significant(*v) : kDash; }

}  // namespace

void ServiceTableModel::set_plan(const ServicePlan& plan) {
  beginResetModel();
  plan_ = plan;
  endResetModel();
}

int ServiceTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(plan_.options.size()); }

int ServiceTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : kColumns; }

QVariant ServiceTableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& o = plan_.options[static_cast<std::size_t>(index.row())];
  const bool best = plan_.best() == &o;
  if (role == kBestRole) return best;
  if (role == Qt::TextAlignmentRole) return static_cast<int>(Qt::AlignVCenter | (index.column() == kGoals ? Qt::AlignLeft : Qt::AlignRight));
  if (role == Qt::ToolTipRole) return o.reason.empty() ? meaning_of(kInfo[static_cast<std::size_t>(index.column())].term) : to_qt(o.reason);
  if (role != Qt::DisplayRole) return {};
  if (index.column() == kPerReplica) return thousands(o.devices_per_replica);
  if (index.column() == kGoals) return o.meets_goals() ? (best ? QStringLiteral("met, fewest devices ★") : QStringLiteral("met")) : to_qt(o.reason);
  if (index.column() == kTtft) return o.ttft_s > 0 ? seconds(o.ttft_s) : kDash;
  if (index.column() == kTpot) return o.tpot_s > 0 ? seconds(o.tpot_s) : kDash;
  if (index.column() == kCapacity) return o.kv_capacity_tokens ? thousands(*o.kv_capacity_tokens) : kDash;
  if (!o.meets_goals()) return kDash;
  switch (index.column()) {
    case kReplicas: return thousands(o.replicas);
    case kDevices: return thousands(o.devices);
    case kInFlight: return thousands(o.concurrency);
    case kRequests: return significant(o.requests_per_s);
    case kTokens: return significant(o.output_tokens_per_s);
    case kPrice: return dollars(o.price_usd);
    case kPower: return number(o.power_w);
    case kEnergy: return number(o.joules_per_token);
    default: return {};
  }
}

QVariant ServiceTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= kColumns) return {};
  if (role == Qt::DisplayRole) return QString::fromLatin1(kInfo[static_cast<std::size_t>(section)].title);
  if (role == Qt::ToolTipRole) return meaning_of(kInfo[static_cast<std::size_t>(section)].term);
  return {};
}

}  // namespace planner::gui
