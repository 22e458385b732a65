// Stacked bars: what lies in each device's memory, what is free, what is missing.
#pragma once

#include <QWidget>
#include <vector>

#include "logic/device_answers.h"

namespace planner::gui {

class MemoryBars : public QWidget {
  Q_OBJECT

 public:
  explicit MemoryBars(QWidget* parent = nullptr);

  void set_answers(const std::vector<DeviceAnswer>& answers);
  /// The bars in words, for those who do not see them.
  [[nodiscard]] QString in_words() const;

  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  struct Part {
    QString name;
    std::int64_t bytes = 0;
    Component component = Component::weights;
    bool is_free = false;
  };
  struct Bar {
    QString title, figures;
    std::vector<Part> parts;
    std::int64_t room = 0;    ///< bytes that the whole width stands for
    std::int64_t usable = 0;  ///< 0: not known
    std::int64_t shortfall = 0;
  };
  [[nodiscard]] int bar_height() const;
  [[nodiscard]] int line_height() const;
  [[nodiscard]] QRect bar_rect(int n) const;
  [[nodiscard]] int legend_height(int width) const;
  int paint_legend(QPainter* painter, int width) const;

  std::vector<Bar> bars_;
};

}  // namespace planner::gui
