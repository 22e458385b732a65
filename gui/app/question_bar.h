// The question, on top of every view: model, quantization, context, cache format, engine, backend, sequences, number of devices.
#pragma once

#include <QWidget>

class QComboBox;
class QLabel;
class QSpinBox;

namespace planner::gui {

class ContextSlider;
class ModelField;
class Session;

class QuestionBar : public QWidget {
  Q_OBJECT

 public:
  explicit QuestionBar(Session& session, QWidget* parent = nullptr);

  [[nodiscard]] ModelField* model_field() const { return model_; }
  [[nodiscard]] ContextSlider* context() const { return context_; }

 private:
  void show_question();
  void show_summary();

  Session& session_;
  ModelField* model_;
  QComboBox *quantization_, *kv_type_, *engine_, *backend_;
  QSpinBox *concurrency_, *prompt_, *count_;
  ContextSlider* context_;
  QLabel* summary_;
};

}  // namespace planner::gui
