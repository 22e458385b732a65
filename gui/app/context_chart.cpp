#include "app/context_chart.h"

#include <QEvent>
#include <QGraphicsLayout>
#include <QToolTip>
#include <QtCharts/QAreaSeries>
#include <QtCharts/QCategoryAxis>
#include <QtCharts/QChart>
#include <QtCharts/QLegend>
#include <QtCharts/QLegendMarker>
#include <QtCharts/QLineSeries>
#include <QtCharts/QValueAxis>
#include <algorithm>
#include <cmath>

#include "app/theme.h"
#include "logic/glossary.h"
#include "logic/words.h"
#include "planner/units.h"

namespace planner::gui {
namespace {

/// The axis of the context is logarithmic: a step is an octave.
double x_of(qint64 context) { return std::log2(static_cast<double>(std::max<qint64>(context, 1))); }

double y_of_bytes(std::int64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kGiB); }

/// 1, 2 or 5 times a power of ten: the step of about `steps` on an axis up to `top`.
double nice_step(double top, double steps) {
  if (!(top > 0)) return 1;
  const double rough = top / steps, decade = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * decade) return factor * decade;
  }
  return 10 * decade;
}

}  // namespace

ContextChart::ContextChart(Kind kind, QWidget* parent) : QChartView(parent), kind_(kind) {
  auto* c = chart();
  c->layout()->setContentsMargins(0, 0, 0, 0);
  c->setMargins(QMargins(4, 2, 16, 2));
  c->setBackgroundRoundness(0);
  c->setTitle(kind == Kind::decode ? QStringLiteral("Decode over context, tok/s") : QStringLiteral("Memory over context, GiB"));
  setToolTip(kind == Kind::decode ? meaning_of("decode") : meaning_of("memory"));
  setAccessibleName(c->title());
  x_ = new QCategoryAxis(c);
  x_->setLabelsPosition(QCategoryAxis::AxisLabelsPositionOnValue);
  y_ = new QValueAxis(c);
  c->addAxis(x_, Qt::AlignBottom);
  c->addAxis(y_, Qt::AlignLeft);
  c->legend()->setAlignment(Qt::AlignBottom);
  c->legend()->setMarkerShape(QLegend::MarkerShapeRectangle);
  setRenderHint(QPainter::Antialiasing);
  setFrameShape(QFrame::NoFrame);
  setFocusPolicy(Qt::NoFocus);
  colour();
}

void ContextChart::set_curves(const std::vector<Curve>& curves) {
  curves_ = curves;
  if (lines_.size() != curves_.size()) make_lines(curves_.size());
  fill();
  set_axes();
  setAccessibleDescription(in_words());
}

void ContextChart::set_context(qint64 context) {
  context_ = context;
  viewport()->update();
}

void ContextChart::make_lines(std::size_t n) {
  auto* c = chart();
  c->removeAllSeries();
  lines_.clear();
  const auto add = [&](QAbstractSeries* series) {
    c->addSeries(series);
    series->attachAxis(x_);
    series->attachAxis(y_);
  };
  for (std::size_t i = 0; i < n; ++i) {
    Line line;
    if (kind_ == Kind::decode) {
      line.low = new QLineSeries;
      line.high = new QLineSeries;
      line.band = new QAreaSeries(line.high, line.low);
      line.low->setParent(line.band);
      line.high->setParent(line.band);
      add(line.band);
    } else {
      line.usable = new QLineSeries;
      add(line.usable);
    }
    line.value = new QLineSeries;
    add(line.value);
    connect(line.value, &QLineSeries::hovered, this, [this](const QPointF& at, bool over) {
      if (!over) return QToolTip::hideText();
      const auto context = static_cast<qint64>(std::llround(std::exp2(at.x())));
      QToolTip::showText(
          QCursor::pos(),
          QStringLiteral("context %1: %2").arg(thousands(context), kind_ == Kind::decode ? rate(at.y()) : significant(at.y()) + QStringLiteral(" GiB")), this);
    });
    lines_.push_back(line);
  }
  for (auto* marker : c->legend()->markers()) {
    const bool shown = std::any_of(lines_.begin(), lines_.end(), [&](const Line& l) { return marker->series() == l.value; });
    marker->setVisible(shown && n > 1);
  }
  c->legend()->setVisible(n > 1);
  colour();
}

void ContextChart::fill() {
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    QList<QPointF> values, low, high, usable;
    for (const auto& p : curves_[i].points) {
      const double x = x_of(p.context);
      if (kind_ == Kind::memory) {
        values << QPointF(x, y_of_bytes(p.needed_bytes));
        if (curves_[i].usable_bytes) usable << QPointF(x, y_of_bytes(*curves_[i].usable_bytes));
      } else if (p.decode > 0) {
        values << QPointF(x, p.decode);
        low << QPointF(x, p.decode_low);
        high << QPointF(x, p.decode_high);
      }
    }
    auto& line = lines_[i];
    line.value->setName(to_qt(curves_[i].device->name));
    line.value->replace(values);
    if (line.band != nullptr) line.low->replace(low), line.high->replace(high);
    if (line.usable != nullptr) line.usable->replace(usable);
  }
}

void ContextChart::set_axes() {
  qint64 first = 0, last = 0;
  double top = 0;
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    for (const auto& p : curves_[i].points) {
      first = first == 0 ? p.context : std::min(first, p.context);
      last = std::max(last, p.context);
      if (kind_ == Kind::decode)
        top = std::max(top, p.decode_high);
      else
        top = std::max({top, y_of_bytes(p.needed_bytes), curves_.size() == 1 && curves_[i].usable_bytes ? y_of_bytes(*curves_[i].usable_bytes) : 0.0});
    }
  }
  if (last > first && (first != first_ || last != last_)) {
    first_ = first;
    last_ = last;
    for (const auto& label : x_->categoriesLabels()) x_->remove(label);
    const double from = x_of(first), to = x_of(last);
    x_->setRange(from, to);
    x_->setStartValue(from);
    constexpr double kMostLabels = 5;
    const int step = std::max(1, static_cast<int>(std::ceil((to - from) / kMostLabels)));
    for (qint64 c = first; c <= last; c <<= step) x_->append(tokens(c), x_of(c));
  }
  const double step = nice_step(top, height() < 180 ? 2 : 4);  // labels need room
  y_->setRange(0, std::max(step, std::ceil(top / step) * step));
  y_->setTickType(QValueAxis::TicksDynamic);
  y_->setTickAnchor(0);
  y_->setTickInterval(step);
  y_->setLabelFormat(step < 1 ? QStringLiteral("%.1f") : QStringLiteral("%.0f"));
}

void ContextChart::colour() {
  auto* c = chart();
  const auto& p = palette();
  const QColor text = p.color(QPalette::WindowText), grid = blended(text, p.color(QPalette::Base), 0.14);
  c->setBackgroundBrush(p.color(QPalette::Base));
  c->setBackgroundPen(Qt::NoPen);
  setBackgroundBrush(p.color(QPalette::Base));
  c->setTitleBrush(text);
  QFont title = font();
  title.setBold(true);
  c->setTitleFont(title);
  QFont small = font();
  small.setPointSizeF(small.pointSizeF() * 0.9);
  for (QAbstractAxis* axis : {static_cast<QAbstractAxis*>(x_), static_cast<QAbstractAxis*>(y_)}) {
    axis->setLabelsColor(quiet_text(p));
    axis->setLabelsFont(small);
    axis->setGridLinePen(QPen(grid, 1));
    axis->setLinePen(QPen(grid, 1));
  }
  c->legend()->setLabelColor(text);
  c->legend()->setFont(small);
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const QColor series = series_colour(static_cast<int>(i), p);
    lines_[i].value->setPen(QPen(series, 2));
    if (lines_[i].band != nullptr) {
      QColor tint = series;
      tint.setAlpha(45);
      lines_[i].band->setBrush(tint);
      lines_[i].band->setPen(Qt::NoPen);
    }
    if (lines_[i].usable != nullptr) lines_[i].usable->setPen(QPen(lines_.size() == 1 ? verdict_colour(Verdict::no, p) : series, 1.5, Qt::DashLine));
  }
}

QString ContextChart::in_words() const {
  QStringList lines;
  for (const auto& curve : curves_) {
    if (curve.points.empty()) continue;
    const auto say = [&](const CurvePoint& p) {
      return QStringLiteral("%1 at %2")
          .arg(kind_ == Kind::decode ? (p.decode > 0 ? rate(p.decode) : QStringLiteral("does not fit")) : gib(p.needed_bytes), tokens(p.context));
    };
    lines << QStringLiteral("%1: %2, %3").arg(to_qt(curve.device->name), say(curve.points.front()), say(curve.points.back()));
  }
  return lines.join(QStringLiteral(". "));
}

void ContextChart::changeEvent(QEvent* event) {
  QChartView::changeEvent(event);
  if (event->type() == QEvent::PaletteChange && x_ != nullptr) colour();
}

void ContextChart::drawForeground(QPainter* painter, const QRectF& rect) {
  QChartView::drawForeground(painter, rect);
  if (context_ <= 0 || curves_.empty() || x_->max() <= x_->min()) return;
  const double x = x_of(context_);
  if (x < x_->min() || x > x_->max()) return;
  const QRectF area = chart()->plotArea();
  const double at = area.left() + (x - x_->min()) / (x_->max() - x_->min()) * area.width();
  painter->setPen(QPen(quiet_text(palette()), 1, Qt::DotLine));
  painter->drawLine(QPointF(at, area.top()), QPointF(at, area.bottom()));
}

}  // namespace planner::gui
