#include "app/memory_bars.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <array>

#include "app/theme.h"
#include "logic/glossary.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

constexpr std::array kParts = {Component::weights, Component::kv, Component::recurrent_state, Component::compute, Component::output, Component::overhead};
constexpr int kMargin = 8, kGap = 6;
constexpr std::size_t kMostBars = 8;

}  // namespace

MemoryBars::MemoryBars(QWidget* parent) : QWidget(parent) {
  setAccessibleName(QStringLiteral("Memory by device"));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void MemoryBars::set_answers(const std::vector<DeviceAnswer>& answers) {
  bars_.clear();
  for (const auto& a : answers) {
    if (!a.answer || !a.answer->memory) continue;
    const auto& fit = a.answer->fit;
    for (const auto& d : a.answer->memory->devices) {
      if (bars_.size() == kMostBars) break;
      Bar bar;
      bar.title = to_qt(d.name);
      if (answers.size() > 1 && d.kind == DeviceKind::cpu && a.answer->memory->devices.size() > 1)
        bar.title = QStringLiteral("host of %1").arg(to_qt(a.device->name));
      std::int64_t total = 0;
      for (const auto component : kParts) {
        const auto bytes = d.bytes(component);
        total += bytes;
        if (bytes > 0) bar.parts.push_back({component_name(component), bytes, component, false});
      }
      bar.usable = d.usable_bytes.value_or(0);
      if (fit && fit->shortfall_bytes > 0 && d.name == fit->limiting_device) bar.shortfall = fit->shortfall_bytes;
      if (bar.usable > total) bar.parts.push_back({QStringLiteral("free"), bar.usable - total, Component::overhead, true});
      bar.room = std::max(bar.usable, total);
      bar.figures = bar.usable > 0 ? QStringLiteral("%1 of %2").arg(gib(total), gib(bar.usable)) : gib(total);
      bars_.push_back(std::move(bar));
    }
  }
  setAccessibleDescription(in_words());
  updateGeometry();
  update();
}

QString MemoryBars::in_words() const {
  QStringList lines;
  for (const auto& bar : bars_) {
    QStringList parts;
    for (const auto& part : bar.parts) parts << QStringLiteral("%1 %2").arg(part.name, gib(part.bytes));
    lines << QStringLiteral("%1: %2%3 (%4)")
                 .arg(bar.title, bar.figures, bar.shortfall > 0 ? QStringLiteral(", %1 short").arg(gib(bar.shortfall)) : QString(),
                      parts.join(QStringLiteral(", ")));
  }
  return lines.join(QStringLiteral(". "));
}

int MemoryBars::bar_height() const { return fontMetrics().height() + 4; }

int MemoryBars::line_height() const { return fontMetrics().height() + 2; }

/// A caption, the bar, and beneath it what is missing.
QRect MemoryBars::bar_rect(int n) const {
  int top = kMargin;
  for (int i = 0; i < n; ++i) top += line_height() + bar_height() + kGap + (bars_[static_cast<std::size_t>(i)].shortfall > 0 ? line_height() : 0);
  return {kMargin, top + line_height(), width() - 2 * kMargin, bar_height()};
}

int MemoryBars::legend_height(int width) const { return paint_legend(nullptr, width); }

/// Draws the legend from the bars' end on; without a painter only measures it. Returns its height.
int MemoryBars::paint_legend(QPainter* painter, int width) const {
  const int line = fontMetrics().height() + 2, box = fontMetrics().height() - 4;
  int x = kMargin, y = bars_.empty() ? kMargin : bar_rect(static_cast<int>(bars_.size()) - 1).bottom() + kGap + (bars_.back().shortfall > 0 ? line : 0);
  const int top = y;
  const auto entry = [&](const QString& name, const QColor& colour, bool outlined) {
    const int needed = box + 4 + fontMetrics().horizontalAdvance(name) + 12;
    if (x + needed > width - kMargin && x > kMargin) x = kMargin, y += line;
    if (painter != nullptr) {
      const QRect square(x, y + 2, box, box);
      painter->fillRect(square, colour);
      if (outlined) {
        painter->setPen(palette().color(QPalette::Mid));
        painter->drawRect(square.adjusted(0, 0, -1, -1));
      }
      painter->setPen(palette().color(QPalette::WindowText));
      painter->drawText(QRect(x + box + 4, y, needed, line), Qt::AlignVCenter | Qt::AlignLeft, name);
    }
    x += needed;
  };
  for (const auto component : kParts) {
    const bool used = std::any_of(bars_.begin(), bars_.end(), [&](const Bar& b) {
      return std::any_of(b.parts.begin(), b.parts.end(), [&](const Part& p) { return !p.is_free && p.component == component; });
    });
    if (used) entry(component_name(component), component_colour(component, palette()), false);
  }
  entry(QStringLiteral("free"), palette().color(QPalette::Base), true);
  return y - top + line;
}

QSize MemoryBars::sizeHint() const {
  if (bars_.empty()) return {300, 80};
  const int missing = bars_.back().shortfall > 0 ? line_height() : 0;
  return {300, bar_rect(static_cast<int>(bars_.size()) - 1).bottom() + missing + kGap + legend_height(std::max(width(), 300)) + kMargin};
}

QSize MemoryBars::minimumSizeHint() const { return {200, sizeHint().height()}; }

void MemoryBars::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  if (bars_.empty()) {
    painter.setPen(quiet_text(palette()));
    painter.drawText(rect(), Qt::AlignCenter, QStringLiteral("Select a device to see its memory"));
    return;
  }
  for (std::size_t i = 0; i < bars_.size(); ++i) {
    const auto& bar = bars_[i];
    const QRect r = bar_rect(static_cast<int>(i));
    const QRect caption(r.left(), r.top() - fontMetrics().height() - 2, r.width(), fontMetrics().height());
    painter.setPen(palette().color(QPalette::WindowText));
    const int figures = fontMetrics().horizontalAdvance(bar.figures);
    painter.drawText(caption, Qt::AlignLeft, fontMetrics().elidedText(bar.title, Qt::ElideRight, caption.width() - figures - kGap));
    painter.setPen(quiet_text(palette()));
    painter.drawText(caption, Qt::AlignRight, bar.figures);
    if (bar.shortfall > 0) {
      painter.setPen(verdict_colour(Verdict::no, palette()));
      painter.drawText(QRect(r.left(), r.bottom() + 2, r.width(), line_height()), Qt::AlignLeft,
                       QStringLiteral("%1 short with everything on it").arg(gib(bar.shortfall)));
    }
    painter.fillRect(r, palette().color(QPalette::Base));
    double x = r.left();
    for (const auto& part : bar.parts) {
      const double w = bar.room > 0 ? static_cast<double>(part.bytes) / static_cast<double>(bar.room) * r.width() : 0;
      const QRectF piece(x, r.top(), w, r.height());
      if (!part.is_free) {
        painter.fillRect(piece, component_colour(part.component, palette()));
        const QString label = gib(part.bytes);
        if (fontMetrics().horizontalAdvance(label) + kGap < w) {
          painter.setPen(is_dark(palette()) ? Qt::black : Qt::white);
          painter.drawText(piece, Qt::AlignCenter, label);
        }
      }
      x += w;
    }
    if (bar.usable > 0 && bar.room > bar.usable) {  // what lies beyond the usable memory
      const double from = r.left() + static_cast<double>(bar.usable) / static_cast<double>(bar.room) * r.width();
      painter.fillRect(QRectF(from, r.top(), r.right() + 1 - from, r.height()), QBrush(verdict_colour(Verdict::no, palette()), Qt::BDiagPattern));
      painter.setPen(QPen(verdict_colour(Verdict::no, palette()), 2));
      painter.drawLine(QPointF(from, r.top() - 2), QPointF(from, r.bottom() + 2));
    }
    painter.setPen(palette().color(QPalette::Mid));
    painter.drawRect(r.adjusted(0, 0, -1, -1));
  }
  paint_legend(&painter, width());
}

bool MemoryBars::event(QEvent* event) {
  if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) update();
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  for (std::size_t i = 0; i < bars_.size(); ++i) {
    const QRect r = bar_rect(static_cast<int>(i));
    if (!r.contains(help->pos()) || bars_[i].room <= 0) continue;
    double x = r.left();
    for (const auto& part : bars_[i].parts) {
      x += static_cast<double>(part.bytes) / static_cast<double>(bars_[i].room) * r.width();
      if (help->pos().x() > x) continue;
      const auto term = part.name.toStdString();
      QToolTip::showText(help->globalPos(), QStringLiteral("%1: %2 (%3 bytes)\n%4").arg(part.name, gib(part.bytes), thousands(part.bytes), meaning_of(term)),
                         this);
      return true;
    }
  }
  QToolTip::hideText();
  return true;
}

}  // namespace planner::gui
