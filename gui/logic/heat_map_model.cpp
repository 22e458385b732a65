#include "logic/heat_map_model.h"

#include <algorithm>

#include "logic/device_table_model.h"
#include "logic/model_tree_model.h"
#include "logic/words.h"
#include "planner/error.h"
#include "planner/listing.h"

namespace planner::gui {
namespace {

/// Mixes that most repositories offer; engines of other ecosystems show all they load.
const QStringList& usual_mixes() {
  static const QStringList names = {QStringLiteral("IQ2_XXS"), QStringLiteral("Q2_K"),   QStringLiteral("IQ3_XXS"), QStringLiteral("Q3_K_M"),
                                    QStringLiteral("IQ4_XS"),  QStringLiteral("Q4_K_M"), QStringLiteral("Q5_K_M"),  QStringLiteral("Q6_K"),
                                    QStringLiteral("Q8_0"),    QStringLiteral("BF16")};
  return names;
}

bool fits(Verdict v) { return v == Verdict::fits || v == Verdict::tight; }

}  // namespace

QStringList heat_map_quantizations(const Catalog& catalog, const Engine& engine) {
  constexpr qsizetype kMost = 12;
  std::vector<std::pair<double, QString>> found;
  bool gguf = false;
  for (const auto& q : catalog.quantizations_of(engine)) {
    gguf = gguf || q->is_gguf();
    if (q->native_only) continue;
    if (const auto bits = base_bits_per_weight(*q)) found.emplace_back(*bits, to_qt(q->name));
  }
  if (gguf) std::erase_if(found, [](const auto& q) { return !usual_mixes().contains(q.second); });
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  QStringList names;
  for (const auto& [bits, name] : found) {
    if (names.size() < kMost) names << name;
  }
  return names;
}

FitRow fit_row(const Question& question, const ModelEntry& model, const Device& device, const QStringList& quantizations, const Facts& facts,
               const Task& task) {
  FitRow row;
  row.model = &model;
  row.cells.resize(static_cast<std::size_t>(quantizations.size()));
  if (model.find_model() == nullptr) return row;
  const qint64 limit = model.context.value_or(question.context);
  for (qsizetype i = 0; i < quantizations.size() && !task.cancelled(); ++i) {
    auto& cell = row.cells[static_cast<std::size_t>(i)];
    Question q = question;
    q.model = to_qt(model.id);
    q.quantization = quantizations[i];
    q.context = std::min(question.context, limit);
    q.prompt = std::min(question.prompt, q.context);
    const auto here = ask(q, device, facts, Detail::line);
    if (!here.answer) continue;
    cell.known = true;
    cell.verdict = here.line.verdict;
    cell.needed_bytes = here.line.needed_bytes;
    if (here.speed() != nullptr) cell.decode = here.speed()->decode_tokens_per_s;
    // More bits need more memory: the last that fits is the best.
    if (fits(cell.verdict)) row.best = static_cast<int>(i);
    const auto stops = context_stops(limit);
    // Memory grows with the context: the first stop that does not fit ends it.
    const auto end = std::partition_point(stops.begin(), stops.end(), [&](qint64 context) {
      q.context = context;
      q.prompt = std::min(question.prompt, context);
      const auto there = ask(q, device, facts, Detail::line);
      return there.answer && fits(there.line.verdict);
    });
    if (end != stops.begin()) cell.largest_context = *std::prev(end);
  }
  return row;
}

HeatMapModel::HeatMapModel(const Facts& facts, QObject* parent) : QAbstractTableModel(parent), models_(facts->models()) {
  for (const auto* model : models_) counts_.push_back(model->published.total);
}

void HeatMapModel::start(const QStringList& quantizations) {
  beginResetModel();
  quantizations_ = quantizations;
  rows_.clear();
  endResetModel();
}

void HeatMapModel::set_rows(const std::vector<FitRow>& rows) {
  int first = rowCount(), last = -1;
  for (const auto& row : rows) {
    const auto at = std::find(models_.begin(), models_.end(), row.model);
    if (at == models_.end() || row.cells.size() != static_cast<std::size_t>(quantizations_.size())) continue;
    rows_[row.model] = row;
    counts_[static_cast<std::size_t>(at - models_.begin())] = parameter_count(*row.model);  // its geometry is there now
    first = std::min(first, static_cast<int>(at - models_.begin()));
    last = std::max(last, static_cast<int>(at - models_.begin()));
  }
  if (last >= first) emit dataChanged(index(first, 0), index(last, columnCount() - 1));
}

int HeatMapModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(models_.size()); }

int HeatMapModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int{kFirstQuantization} + static_cast<int>(quantizations_.size());
}

QVariant HeatMapModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& model = *models_[static_cast<std::size_t>(index.row())];
  if (role == kIdRole) return to_qt(model.id);
  if (role == Qt::TextAlignmentRole)
    return static_cast<int>(Qt::AlignVCenter | (index.column() == kModel ? Qt::AlignLeft : index.column() == kParameters ? Qt::AlignRight : Qt::AlignHCenter));
  if (index.column() == kModel) return role == Qt::DisplayRole || role == kSortRole ? QVariant(to_qt(model.name)) : QVariant();
  if (index.column() == kParameters) {
    const auto count = counts_[static_cast<std::size_t>(index.row())];
    if (role == kSortRole) return count ? QVariant(static_cast<qint64>(*count)) : QVariant();
    return role == Qt::DisplayRole ? QVariant(count ? parameters(*count) : kDash) : QVariant();
  }
  const auto found = rows_.find(&model);
  if (found == rows_.end()) return role == Qt::DisplayRole ? QVariant(QStringLiteral("…")) : QVariant();
  const int q = index.column() - kFirstQuantization;
  const auto& cell = found->second.cells[static_cast<std::size_t>(q)];
  if (!cell.known) return role == Qt::DisplayRole ? QVariant(kDash) : QVariant();
  const bool best = found->second.best == q;
  switch (role) {
    case Qt::DisplayRole: return (cell.largest_context > 0 ? tokens(cell.largest_context) : word(cell.verdict)) + (best ? QStringLiteral(" ★") : QString());
    case kVerdictRole: return static_cast<int>(cell.verdict);
    case kBestRole: return best;
    case kSortRole: return cell.largest_context > 0 ? QVariant(cell.largest_context) : QVariant();
    case Qt::AccessibleTextRole:
    case Qt::ToolTipRole:
      return QStringLiteral("%1 %2: %3, needs %4%5%6%7")
          .arg(to_qt(model.name), quantizations_[q], sentence(cell.verdict).toLower(), gib(cell.needed_bytes),
               cell.decode > 0 && cell.verdict != Verdict::no ? QStringLiteral(", ") + rate(cell.decode) : QString(),
               cell.largest_context > 0 ? QStringLiteral(", context up to %1").arg(tokens(cell.largest_context)) : QString(),
               best ? QStringLiteral("; the most bits that fit") : QString());
    default: return {};
  }
}

QVariant HeatMapModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  if (section == kModel) return QStringLiteral("Model");
  if (section == kParameters) return QStringLiteral("Parameters");
  return section - kFirstQuantization < quantizations_.size() ? QVariant(quantizations_[section - kFirstQuantization]) : QVariant();
}

HeatMapFilter::HeatMapFilter(HeatMapModel* models, QObject* parent) : QSortFilterProxyModel(parent), models_(models) {
  setSourceModel(models);
  setSortRole(kSortRole);
}

void HeatMapFilter::set_words(const QString& words) {
  words_ = words;
  invalidateFilter();
}

void HeatMapFilter::set_only_fitting(bool only) {
  only_fitting_ = only;
  invalidateFilter();
}

bool HeatMapFilter::filterAcceptsRow(int row, const QModelIndex&) const {
  if (!words_.trimmed().isEmpty() && !match_score(words_, *models_->models()[static_cast<std::size_t>(row)])) return false;
  if (!only_fitting_) return true;
  for (int c = HeatMapModel::kFirstQuantization; c < models_->columnCount(); ++c) {
    if (models_->index(row, c).data(kBestRole).toBool()) return true;
  }
  return false;
}

bool HeatMapFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
  const auto a = left.data(kSortRole), b = right.data(kSortRole);
  if (a.isValid() != b.isValid()) return sortOrder() == Qt::AscendingOrder ? a.isValid() : b.isValid();
  if (a.userType() == QMetaType::QString) return QString::compare(a.toString(), b.toString(), Qt::CaseInsensitive) < 0;
  return a.toDouble() < b.toDouble();
}

}  // namespace planner::gui
