#include "app/context_slider.h"

#include <QHBoxLayout>
#include <QPainter>
#include <QSignalBlocker>
#include <QSlider>
#include <QSpinBox>
#include <QStyle>
#include <QVBoxLayout>
#include <limits>

#include "app/theme.h"
#include "logic/glossary.h"
#include "logic/words.h"

namespace planner::gui {

ContextSlider::ContextSlider(QWidget* parent) : QWidget(parent), slider_(new QSlider(Qt::Horizontal, this)), field_(new QSpinBox(this)) {
  slider_->setAccessibleName(QStringLiteral("Context"));
  slider_->setToolTip(meaning_of("context"));
  slider_->setTickPosition(QSlider::NoTicks);
  slider_->setPageStep(ContextScale::kStepsPerOctave);
  field_->setAccessibleName(QStringLiteral("Context in tokens"));
  field_->setToolTip(meaning_of("context"));
  field_->setRange(1, std::numeric_limits<int>::max());
  field_->setGroupSeparatorShown(true);
  field_->setLocale(QLocale(QLocale::English, QLocale::UnitedStates));
  field_->setKeyboardTracking(false);
  field_->setSingleStep(1024);
  field_->setAlignment(Qt::AlignRight);
  field_->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("1,048,576")) + 40);

  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  auto* column = new QVBoxLayout;
  column->setSpacing(0);
  column->addWidget(slider_);
  column->addSpacing(fontMetrics().height());  // the ticks' labels
  row->addLayout(column, 1);
  row->addWidget(field_, 0, Qt::AlignTop);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);

  connect(slider_, &QSlider::valueChanged, this, [this](int position) {
    const qint64 context = scale_.context_at(position);
    const QSignalBlocker quiet(field_);
    field_->setValue(static_cast<int>(context));
    emit context_chosen(context);
  });
  connect(field_, &QSpinBox::valueChanged, this, [this](int context) {
    const QSignalBlocker quiet(slider_);
    slider_->setValue(scale_.position_of(context));
    emit context_chosen(context);
  });
  set_limit(scale_.limit());
}

void ContextSlider::set_limit(qint64 limit) {
  scale_ = ContextScale(limit);
  const QSignalBlocker quiet(slider_), quiet_too(field_);
  slider_->setRange(0, scale_.last());
  field_->setMaximum(static_cast<int>(std::min<qint64>(limit, std::numeric_limits<int>::max())));
  update();
}

void ContextSlider::set_context(qint64 context) {
  const QSignalBlocker quiet(slider_), quiet_too(field_);
  if (scale_.context_at(slider_->value()) != context) slider_->setValue(scale_.position_of(context));
  if (!field_->hasFocus() || field_->value() != context) field_->setValue(static_cast<int>(context));
}

void ContextSlider::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  QFont small = font();
  small.setPointSizeF(small.pointSizeF() * 0.85);
  painter.setFont(small);
  const QFontMetrics metrics(small);
  const QRect r = slider_->geometry();
  const int handle = style()->pixelMetric(QStyle::PM_SliderLength, nullptr, slider_);
  const int span = r.width() - handle, y = r.bottom() + 1;
  int free_to = r.right() + metrics.height();  // labels from the right, so that the limit always has one
  const auto ticks = scale_.ticks();
  for (auto tick = ticks.rbegin(); tick != ticks.rend(); ++tick) {
    const int x = r.left() + handle / 2 + QStyle::sliderPositionFromValue(0, scale_.last(), tick->position, span);
    painter.setPen(palette().color(QPalette::Dark));
    painter.drawLine(x, y - 3, x, y);
    const QString label = tokens(tick->context);
    const int w = metrics.horizontalAdvance(label);
    const int left = std::clamp(x - w / 2, 0, std::max(0, r.right() - w));
    if (left + w + 6 > free_to) continue;
    free_to = left;
    painter.setPen(quiet_text(palette()));
    painter.drawText(QRect(left, y, w + 1, metrics.height()), Qt::AlignCenter, label);
  }
}

}  // namespace planner::gui
