// Models by quantizations on one device: which fit, and with how much context.
#pragma once

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <map>
#include <vector>

#include "logic/device_answers.h"

namespace planner::gui {

/// One model at one quantization.
struct FitCell {
  Verdict verdict = Verdict::no;
  qint64 largest_context = 0;  ///< of the slider's stops up to the model's limit, with everything on the device; 0: not even the shortest
  double decode = 0;           ///< at the question's context; 0: not known
  std::int64_t needed_bytes = 0;
  bool known = false;
};
/// One model at every quantization of the map.
struct FitRow {
  const ModelEntry* model = nullptr;
  std::vector<FitCell> cells;
  int best = -1;  ///< the quantization with the most bits that fits at the question's context; -1: none
};

/// The quantizations that the map has columns for: of the engine, from few bits to many.
[[nodiscard]] QStringList heat_map_quantizations(const Catalog& catalog, const Engine& engine);
[[nodiscard]] FitRow fit_row(const Question& question, const ModelEntry& model, const Device& device, const QStringList& quantizations, const Facts& facts,
                             const Task& task);

class HeatMapModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column { kModel, kParameters, kFirstQuantization };

  explicit HeatMapModel(const Facts& facts, QObject* parent = nullptr);

  /// Forgets all cells and shows other columns.
  void start(const QStringList& quantizations);
  void set_rows(const std::vector<FitRow>& rows);
  [[nodiscard]] const QStringList& quantizations() const { return quantizations_; }
  [[nodiscard]] const std::vector<const ModelEntry*>& models() const { return models_; }

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

 private:
  std::vector<const ModelEntry*> models_;
  std::vector<std::optional<std::int64_t>> counts_;  ///< parameters of each
  QStringList quantizations_;
  std::map<const ModelEntry*, FitRow> rows_;
};

/// Filters by words and by "fits at all"; sorts unknown last.
class HeatMapFilter : public QSortFilterProxyModel {
  Q_OBJECT

 public:
  explicit HeatMapFilter(HeatMapModel* models, QObject* parent = nullptr);
  void set_words(const QString& words);
  void set_only_fitting(bool only);

 protected:
  [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
  [[nodiscard]] bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

 private:
  HeatMapModel* models_;
  QString words_;
  bool only_fitting_ = false;
};

/// Whether a cell is the best of its row.
inline constexpr int kBestRole = Qt::UserRole + 20;

}  // namespace planner::gui
