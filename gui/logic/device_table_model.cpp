#include "logic/device_table_model.h"

#include <algorithm>
#include <array>

#include "logic/glossary.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

struct ColumnInfo {
  const char* title;
  std::string_view term;  ///< of the glossary
  bool text = false;      ///< left-aligned words instead of right-aligned numbers
};
constexpr std::array<ColumnInfo, DeviceTableModel::kColumns> kInfo = {{{"Device", "device", true},
                                                                       {"Verdict", "verdict", true},
                                                                       {"Needed / usable", "memory"},
                                                                       {"Decode tok/s", "decode"},
                                                                       {"Prefill tok/s", "prefill"},
                                                                       {"TTFT", "TTFT"},
                                                                       {"Price", "price"},
                                                                       {"tok/s per $", "tok/s per dollar"},
                                                                       {"Watts", "watts"}}};

QVariant optional(const std::optional<double>& v) { return v ? QVariant(*v) : QVariant(); }

QString interval(const Throughput& t) {
  return QStringLiteral("%1  (%2–%3)").arg(significant(t.decode_tokens_per_s), significant(t.decode_low), significant(t.decode_high));
}

QString shown(const DeviceAnswer& a, int column) {
  const auto* speed = a.speed();
  switch (column) {
    case DeviceTableModel::kVerdict: return a.answer ? word(a.line.verdict) : QStringLiteral("unknown");
    case DeviceTableModel::kMemory: return a.answer ? QStringLiteral("%1 / %2").arg(gib(a.line.needed_bytes), gib(a.line.usable_bytes)) : kDash;
    case DeviceTableModel::kDecode: return speed != nullptr ? interval(*speed) : kDash;
    case DeviceTableModel::kPrefill: return speed != nullptr && speed->prefill_tokens_per_s > 0 ? significant(speed->prefill_tokens_per_s) : kDash;
    case DeviceTableModel::kTtft: return speed != nullptr && speed->time_to_first_token_s > 0 ? seconds(speed->time_to_first_token_s) : kDash;
    case DeviceTableModel::kPrice: return dollars(a.line.price_usd);
    case DeviceTableModel::kPerDollar: return a.line.decode_per_dollar ? significant(*a.line.decode_per_dollar) : kDash;
    case DeviceTableModel::kWatts: return a.line.power_w ? significant(*a.line.power_w) : kDash;
    default: return {};
  }
}

QVariant sort_key(const DeviceAnswer& a, int column) {
  const auto* speed = a.speed();
  const auto positive = [](double v) { return v > 0 ? QVariant(v) : QVariant(); };
  switch (column) {
    case DeviceTableModel::kVerdict: return a.answer ? QVariant(static_cast<int>(a.line.verdict)) : QVariant();
    case DeviceTableModel::kMemory: return a.answer ? QVariant(static_cast<qint64>(a.line.needed_bytes)) : QVariant();
    case DeviceTableModel::kDecode: return speed != nullptr ? QVariant(speed->decode_tokens_per_s) : QVariant();
    case DeviceTableModel::kPrefill: return speed != nullptr ? positive(speed->prefill_tokens_per_s) : QVariant();
    case DeviceTableModel::kTtft: return speed != nullptr ? positive(speed->time_to_first_token_s) : QVariant();
    case DeviceTableModel::kPrice: return optional(a.line.price_usd);
    case DeviceTableModel::kPerDollar: return optional(a.line.decode_per_dollar);
    case DeviceTableModel::kWatts: return optional(a.line.power_w);
    default: return {};
  }
}

QString tool_tip(const DeviceAnswer& a, int column) {
  if (!a.problem.isEmpty()) return a.problem;
  QString text = meaning_of(kInfo[static_cast<std::size_t>(column)].term);
  if (column == DeviceTableModel::kVerdict && a.answer->fit) {
    const auto& fit = *a.answer->fit;
    if (fit.shortfall_bytes > 0)
      text = QStringLiteral("%1: %2 short on %3, of which %4 takes most.\n%5")
                 .arg(sentence(fit.verdict), gib(fit.shortfall_bytes), to_qt(fit.limiting_device), to_qt(fit.limiting_term), text);
    else if (a.line.free_bytes)
      text = QStringLiteral("%1, with %2 to spare.\n%3").arg(sentence(fit.verdict), gib(a.line.free_bytes), text);
  }
  if (column == DeviceTableModel::kDecode && a.speed() != nullptr) {
    text = QStringLiteral("%1 at a depth of %2 tokens, between %3 and %4; %5-bound; %6.\n%7")
               .arg(rate(a.speed()->decode_tokens_per_s), thousands(a.answer->workload.depth), significant(a.speed()->decode_low),
                    significant(a.speed()->decode_high), to_qt(to_string(a.speed()->bound)), to_qt(a.speed()->basis), text);
  }
  return text;
}

}  // namespace

DeviceTableModel::DeviceTableModel(const Facts& facts, QObject* parent) : QAbstractTableModel(parent), facts_(facts), devices_(facts->devices()) {}

void DeviceTableModel::set_facts(const Facts& facts) {
  beginResetModel();
  facts_ = facts;
  devices_ = facts->devices();
  answers_.reset();
  endResetModel();
}

void DeviceTableModel::set_answers(DeviceAnswers answers) {
  if (answers == nullptr || answers->size() != devices_.size()) return;  // of another catalog, or cancelled
  answers_ = std::move(answers);
  if (!devices_.empty()) emit dataChanged(index(0, kVerdict), index(static_cast<int>(devices_.size()) - 1, kColumns - 1));
}

const DeviceAnswer* DeviceTableModel::answer(int row) const {
  return answers_ == nullptr || row < 0 || static_cast<std::size_t>(row) >= answers_->size() ? nullptr : &(*answers_)[static_cast<std::size_t>(row)];
}

int DeviceTableModel::row_of(const QString& id) const {
  const auto wanted = id.toStdString();
  const auto found = std::find_if(devices_.begin(), devices_.end(), [&](const Device* d) { return d->id == wanted; });
  return found == devices_.end() ? -1 : static_cast<int>(found - devices_.begin());
}

int DeviceTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(devices_.size()); }

int DeviceTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : kColumns; }

QVariant DeviceTableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& d = device(index.row());
  const int column = index.column();
  if (role == kIdRole) return to_qt(d.id);
  if (role == Qt::TextAlignmentRole)
    return static_cast<int>(Qt::AlignVCenter | (kInfo[static_cast<std::size_t>(column)].text ? Qt::AlignLeft : Qt::AlignRight));
  if (column == kDevice) {
    if (role == Qt::DisplayRole || role == kSortRole || role == Qt::AccessibleTextRole) return to_qt(d.name);
    if (role == Qt::ToolTipRole) {
      return QStringLiteral("%1, %2, %3%4")
          .arg(to_qt(d.name), to_qt(d.vendor), to_qt(d.family), d.memory_bytes ? QStringLiteral(", ") + gib(d.memory_bytes) : QString());
    }
    if (role != kVerdictRole) return {};
  }
  const auto* a = answer(index.row());
  if (a == nullptr) return role == Qt::DisplayRole ? QVariant(QStringLiteral("…")) : QVariant();
  switch (role) {
    case Qt::DisplayRole: return shown(*a, column);
    case Qt::AccessibleTextRole: return QStringLiteral("%1: %2").arg(QString::fromLatin1(kInfo[static_cast<std::size_t>(column)].title), shown(*a, column));
    case Qt::ToolTipRole: return tool_tip(*a, column);
    case kSortRole: return sort_key(*a, column);
    case kVerdictRole: return a->answer ? QVariant(static_cast<int>(a->line.verdict)) : QVariant();
    case kLowRole: return a->speed() != nullptr ? QVariant(a->speed()->decode_low) : QVariant();
    case kHighRole: return a->speed() != nullptr ? QVariant(a->speed()->decode_high) : QVariant();
    case kShareRole:
      if (column != kMemory || !a->line.usable_bytes || *a->line.usable_bytes <= 0) return {};
      return std::min(1.0, static_cast<double>(a->line.needed_bytes) / static_cast<double>(*a->line.usable_bytes));
    default: return {};
  }
}

QVariant DeviceTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= kColumns) return {};
  const auto& info = kInfo[static_cast<std::size_t>(section)];
  switch (role) {
    case Qt::DisplayRole: return QString::fromLatin1(info.title);
    case Qt::ToolTipRole: return meaning_of(info.term);
    case Qt::TextAlignmentRole: return static_cast<int>(Qt::AlignVCenter | (info.text ? Qt::AlignLeft : Qt::AlignRight));
    default: return {};
  }
}

}  // namespace planner::gui
