#include "logic/quantization_table_model.h"

#include <array>

#include "logic/device_table_model.h"
#include "logic/glossary.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

struct ColumnInfo {
  const char* title;
  std::string_view term;
  bool text = false;
};
constexpr std::array<ColumnInfo, QuantizationTableModel::kColumns> kInfo = {{{"Quantization", "quantization", true},
                                                                             {"Bits", "bits per weight"},
                                                                             {"File", "weights"},
                                                                             {"With context", "memory"},
                                                                             {"Verdict", "verdict", true},
                                                                             {"Decode tok/s", "decode"},
                                                                             {"KLD", "KL divergence"},
                                                                             {"Quality", "quantization", true}}};

}  // namespace

void QuantizationTableModel::set_rows(const std::vector<QuantizationRow>& rows) {
  beginResetModel();
  rows_ = rows;
  endResetModel();
}

int QuantizationTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(rows_.size()); }

int QuantizationTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : kColumns; }

QVariant QuantizationTableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& row = rows_[static_cast<std::size_t>(index.row())];
  if (role == kIdRole) return to_qt(row.quantization.name);
  if (role == Qt::TextAlignmentRole)
    return static_cast<int>(Qt::AlignVCenter | (kInfo[static_cast<std::size_t>(index.column())].text ? Qt::AlignLeft : Qt::AlignRight));
  if (role == kVerdictRole) return static_cast<int>(row.verdict);
  if (role == Qt::ToolTipRole) return index.column() == kQuality ? to_qt(row.quality) : meaning_of(kInfo[static_cast<std::size_t>(index.column())].term);
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case kName: return to_qt(row.quantization.name);
    case kBits: return significant(row.quantization.bits_per_weight);
    case kFile: return gb(row.quantization.file_size_bytes > 0 ? row.quantization.file_size_bytes : row.quantization.tensor_bytes);
    case kMemory: return gib(row.total_bytes);
    case kVerdict: return word(row.verdict);
    case kDecode: return row.decode_tokens_per_s && row.verdict != Verdict::no ? significant(*row.decode_tokens_per_s) : kDash;
    case kDivergence: return row.kl_divergence ? significant(*row.kl_divergence) : kDash;
    case kQuality: return to_qt(row.quality);
    default: return {};
  }
}

QVariant QuantizationTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= kColumns) return {};
  const auto& info = kInfo[static_cast<std::size_t>(section)];
  if (role == Qt::DisplayRole) return QString::fromLatin1(info.title);
  if (role == Qt::ToolTipRole) return meaning_of(info.term);
  if (role == Qt::TextAlignmentRole) return static_cast<int>(Qt::AlignVCenter | (info.text ? Qt::AlignLeft : Qt::AlignRight));
  return {};
}

}  // namespace planner::gui
