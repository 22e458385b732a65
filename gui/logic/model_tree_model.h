// The catalog's models as a search shows them: recent ones first, then families; with words typed, the best matches first.
#pragma once

#include <QAbstractItemModel>
#include <QStringList>
#include <optional>
#include <vector>

#include "logic/facts.h"

namespace planner::gui {

/// How well `words` (typed, any case) fit a model: each must occur, letters in order; whole words and beginnings count most. Nothing: they do not.
[[nodiscard]] std::optional<int> match_score(const QString& typed, const ModelEntry& entry);

class ModelTreeModel : public QAbstractItemModel {
  Q_OBJECT

 public:
  enum Column { kName, kParameters, kContext, kColumns };

  explicit ModelTreeModel(const Facts& facts, QObject* parent = nullptr);

  /// Shows what fits `typed`; empty: everything.
  void search(const QString& typed);
  void set_recent(const QStringList& ids);
  void set_facts(const Facts& facts);

  /// Null for families.
  [[nodiscard]] const ModelEntry* entry(const QModelIndex& index) const;
  /// The best match, or an invalid index.
  [[nodiscard]] QModelIndex first() const;
  [[nodiscard]] int matches() const;

  [[nodiscard]] QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  [[nodiscard]] QModelIndex parent(const QModelIndex& child) const override;
  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;
  [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;

 private:
  struct Group {
    QString name;
    std::vector<const ModelEntry*> models;
    int best = 0;
  };
  void rebuild();

  Facts facts_;
  QString typed_;
  QStringList recent_;
  std::vector<Group> groups_;
};

}  // namespace planner::gui
