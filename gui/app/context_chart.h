// Decode speed or memory over the context, a line a device: with its band, or with the line of what is usable.
#pragma once

#include <QtCharts/QChartView>
#include <vector>

#include "logic/device_answers.h"

class QAreaSeries;
class QCategoryAxis;
class QLineSeries;
class QValueAxis;

namespace planner::gui {

class ContextChart : public QChartView {
  Q_OBJECT

 public:
  enum class Kind { decode, memory };

  explicit ContextChart(Kind kind, QWidget* parent = nullptr);

  void set_curves(const std::vector<Curve>& curves);
  /// Where the question's context is.
  void set_context(qint64 context);
  /// The lines in words, for those who do not see them.
  [[nodiscard]] QString in_words() const;

  [[nodiscard]] QSize sizeHint() const override { return {320, 190}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {200, 130}; }

 protected:
  void changeEvent(QEvent* event) override;
  void drawForeground(QPainter* painter, const QRectF& rect) override;

 private:
  struct Line {
    QLineSeries* value = nullptr;
    QLineSeries* low = nullptr;  ///< band: decode only
    QLineSeries* high = nullptr;
    QAreaSeries* band = nullptr;
    QLineSeries* usable = nullptr;  ///< memory only
  };
  void make_lines(std::size_t n);
  void fill();
  void colour();
  void set_axes();

  Kind kind_;
  std::vector<Curve> curves_;
  qint64 context_ = 0;
  qint64 first_ = 0, last_ = 0;  ///< what the axis is made for
  std::vector<Line> lines_;
  QCategoryAxis* x_ = nullptr;
  QValueAxis* y_ = nullptr;
};

}  // namespace planner::gui
