// Up to four whole configurations side by side: a column each, a row a figure, the best of a row marked.
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "logic/device_answers.h"
#include "logic/heat_map_model.h"

namespace planner::gui {

class CompareModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  static constexpr int kMost = 4;

  explicit CompareModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

  /// One column per question; answers come with `set_answers`.
  void set_questions(const std::vector<Question>& questions);
  void set_answers(const std::vector<DeviceAnswer>& answers);
  [[nodiscard]] const std::vector<Question>& questions() const { return questions_; }
  [[nodiscard]] const std::vector<DeviceAnswer>& answers() const { return answers_; }

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

 private:
  [[nodiscard]] bool is_best(int row, int column) const;

  std::vector<Question> questions_;
  std::vector<DeviceAnswer> answers_;
};

/// The question's device on every engine that runs the model there, best known first; at most `CompareModel::kMost`.
[[nodiscard]] std::vector<Question> engines_side_by_side(const Question& question, const Facts& facts);

}  // namespace planner::gui
