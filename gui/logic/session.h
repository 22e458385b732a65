// What the window shows: one question, its answers, and who works on them. Views read it and change the question; nobody else keeps state.
#pragma once

#include <QObject>
#include <QSettings>
#include <functional>
#include <optional>
#include <vector>

#include "logic/device_answers.h"
#include "logic/device_table_model.h"
#include "logic/estimator.h"
#include "logic/facts.h"
#include "logic/question.h"

namespace planner::gui {

/// What cannot be is put right: a quantization that the engine does not load, a context beyond the model's, devices that nobody knows.
void put_right(Question& question, const Facts& facts);

class Session : public QObject {
  Q_OBJECT

 public:
  explicit Session(const Facts& facts, QObject* parent = nullptr);

  [[nodiscard]] const Facts& facts() const { return facts_; }
  [[nodiscard]] const Question& question() const { return question_; }
  [[nodiscard]] const Engine& engine() const;
  /// The model's own limit, or a usual one where it is not known.
  [[nodiscard]] qint64 context_limit() const;
  [[nodiscard]] QString model_name() const;
  /// Of the question's engine, in order of their bits.
  [[nodiscard]] QStringList quantizations() const;

  /// Changes the question and asks again. What cannot be is put right: a quantization that the engine does not load, a context beyond the model's.
  void ask(const std::function<void(Question&)>& change);
  /// Takes a model by any name or path. A file is read in the background; what cannot be used leaves the question as it is and says why.
  void open_model(const QString& name_or_path);
  void set_facts(const Facts& facts);

  [[nodiscard]] DeviceTableModel& devices() { return devices_; }
  /// The question that the table's answers are to; a moment behind `question`.
  [[nodiscard]] const Question& answered() const { return answered_; }
  /// Full answers for the selected devices, the current one first; they may be a moment behind the question.
  [[nodiscard]] const std::vector<DeviceAnswer>& details() const { return details_; }
  [[nodiscard]] const std::vector<Curve>& curves() const { return curves_; }
  /// Summary of the model: of the newest answer.
  [[nodiscard]] const std::optional<Estimate>& summary() const { return summary_; }

  [[nodiscard]] const QStringList& recent_models() const { return recent_; }
  [[nodiscard]] Estimator& quick() { return quick_; }
  [[nodiscard]] Estimator& slow() { return slow_; }
  /// No work is under way.
  [[nodiscard]] bool idle() const { return quick_.idle() && slow_.idle(); }

  void save(QSettings& settings) const;
  void restore(QSettings& settings);

 signals:
  void question_changed();
  void details_changed();
  void curves_changed();
  void answers_changed();
  /// Bad input, told in one line; empty: all is well again.
  void message(const QString& text);

 private:
  void work();

  Facts facts_;
  Question question_, answered_;
  std::optional<qint64> file_context_;  ///< limit of a model file
  QString file_name_;
  DeviceTableModel devices_;
  std::vector<DeviceAnswer> details_;
  std::vector<Curve> curves_;
  std::optional<Estimate> summary_;
  QStringList recent_;
  Estimator quick_, slow_;  // last: they stop before what their jobs deliver to goes
};

}  // namespace planner::gui
