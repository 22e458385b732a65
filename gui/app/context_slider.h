// The context: a slider with ticks at powers of two up to the model's limit, and a field for any other number.
#pragma once

#include <QWidget>

#include "logic/context_scale.h"

class QSlider;
class QSpinBox;

namespace planner::gui {

class ContextSlider : public QWidget {
  Q_OBJECT

 public:
  explicit ContextSlider(QWidget* parent = nullptr);

  void set_limit(qint64 limit);
  void set_context(qint64 context);
  [[nodiscard]] QSlider* slider() const { return slider_; }
  [[nodiscard]] QSpinBox* field() const { return field_; }

 signals:
  void context_chosen(qint64 context);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  ContextScale scale_{131072};
  QSlider* slider_;
  QSpinBox* field_;
};

}  // namespace planner::gui
