#include "app/memory_map_widget.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "app/theme.h"
#include "logic/words.h"
#include "planner/deployment.h"

namespace planner::gui {
namespace {

constexpr int kMargin = 10, kGap = 4, kBlockWidth = 56, kBlockHeight = 50;

}  // namespace

MemoryMapWidget::MemoryMapWidget(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(QStringLiteral("Layers on devices"));
  setMouseTracking(true);
  QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
}

void MemoryMapWidget::set_map(const MemoryMap& map) {
  map_ = map;
  if (!selected_ || selected_->layer >= map.layers.size() || (selected_->experts && map.layers[selected_->layer].expert_bytes == 0)) selected_ = Block{};
  arrange(width());
  setMinimumHeight(heightForWidth(width()));
  updateGeometry();
  update();
  emit selection_changed();
}

void MemoryMapWidget::clear() {
  map_.reset();
  blocks_.clear();
  lanes_.clear();
  selected_.reset();
  update();
}

void MemoryMapWidget::select(const Block& block) {
  selected_ = block;
  setAccessibleDescription(words_of(block));
  update();
  emit selection_changed();
}

QRect MemoryMapWidget::rect_of(const Block& block) const {
  for (const auto& drawn : blocks_) {
    if (drawn.block == block) return drawn.rect;
  }
  return {};
}

QRect MemoryMapWidget::lane_of(int device) const {
  for (const auto& lane : lanes_) {
    if (lane.device == device) return lane.rect;
  }
  return {};
}

int MemoryMapWidget::device_of(const Block& block) const { return block.experts ? map_->layers[block.layer].experts_device : map_->layers[block.layer].device; }

const DeviceMemory* MemoryMapWidget::memory_of(int device) const {
  const auto& devices = map_->answer.memory->devices;
  if (device != kHost) return static_cast<std::size_t>(device) < devices.size() ? &devices[static_cast<std::size_t>(device)] : nullptr;
  return devices.size() > map_->devices.size() ? &devices.back() : nullptr;
}

int MemoryMapWidget::arrange(int width) {
  blocks_.clear();
  lanes_.clear();
  if (!map_) return 200;
  const int line = fontMetrics().height() + 4;
  int y = kMargin;
  std::vector<int> devices;
  for (int i = 0; i < static_cast<int>(map_->devices.size()); ++i) devices.push_back(i);
  devices.push_back(kHost);
  for (const int device : devices) {
    const int top = y;
    y += line + 12;  // caption and bar
    int x = 2 * kMargin;
    bool any = false;
    const auto put = [&](const Block& block) {
      if (x + kBlockWidth > width - 2 * kMargin) x = 2 * kMargin, y += kBlockHeight + kGap;
      blocks_.push_back({block, QRect(x, y, kBlockWidth, kBlockHeight)});
      x += kBlockWidth + kGap;
      any = true;
    };
    for (std::size_t i = 0; i < map_->layers.size(); ++i) {
      const auto& layer = map_->layers[i];
      if (layer.device == device) put({i, false});
      if (layer.expert_bytes > 0 && layer.experts_device == device && layer.experts_device != layer.device) put({i, true});
    }
    y += (any ? kBlockHeight : line) + kMargin;
    lanes_.push_back({device, QRect(kMargin, top, width - 2 * kMargin, y - top - 2)});
    y += kMargin;
  }
  return y;
}

QSize MemoryMapWidget::sizeHint() const { return {700, 400}; }

int MemoryMapWidget::heightForWidth(int width) const {
  MemoryMapWidget& self = const_cast<MemoryMapWidget&>(*this);  // what is arranged is a cache
  const int height = self.arrange(width);
  self.arrange(this->width());
  return height;
}

void MemoryMapWidget::resizeEvent(QResizeEvent*) { setMinimumHeight(arrange(width())); }

const MemoryMapWidget::Drawn* MemoryMapWidget::at(const QPoint& point) const {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(), [&](const Drawn& d) { return d.rect.contains(point); });
  return found == blocks_.end() ? nullptr : &*found;
}

QString MemoryMapWidget::words_of(const Block& block) const {
  if (!map_ || block.layer >= map_->layers.size()) return {};
  const auto& layer = map_->layers[block.layer];
  const auto place = [&](int device) { return device == kHost ? QStringLiteral("the host") : to_qt(map_->devices[static_cast<std::size_t>(device)]); };
  if (block.experts) return QStringLiteral("Experts of layer %1: %2 on %3").arg(block.layer).arg(gib(layer.expert_bytes), place(layer.experts_device));
  QString text =
      QStringLiteral("Layer %1 on %2: weights %3, cache %4").arg(block.layer).arg(place(layer.device), gib(layer.dense_bytes), gib(layer.cache_bytes));
  if (layer.cache_device != layer.device) text += QStringLiteral(" on %1").arg(place(layer.cache_device));
  if (layer.expert_bytes > 0) text += QStringLiteral(", experts %1 on %2").arg(gib(layer.expert_bytes), place(layer.experts_device));
  return text;
}

void MemoryMapWidget::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  if (!map_) return;
  const auto& p = palette();
  std::int64_t largest = 1;
  for (const auto& l : map_->layers)
    largest = std::max(largest, l.dense_bytes + (l.experts_device == l.device ? l.expert_bytes : 0) + (l.cache_device == l.device ? l.cache_bytes : 0));
  for (const auto& lane : lanes_) {
    const bool target = dragged_ && lane.rect.contains(dragged_to_) && lane.device != device_of(*dragged_);
    painter.fillRect(lane.rect, target ? blended(p.color(QPalette::Highlight), p.color(QPalette::Base), 0.15) : p.color(QPalette::Base));
    painter.setPen(target ? p.color(QPalette::Highlight) : p.color(QPalette::Midlight));
    painter.drawRect(lane.rect.adjusted(0, 0, -1, -1));
    const auto* memory = memory_of(lane.device);
    const QRect caption = lane.rect.adjusted(kMargin, 4, -kMargin, 0);
    QFont bold = font();
    bold.setBold(true);
    painter.setFont(bold);
    painter.setPen(p.color(QPalette::Text));
    const QString title =
        lane.device == kHost ? QStringLiteral("host")
                             : to_qt(map_->devices[static_cast<std::size_t>(lane.device)] + "  (" + map_->buffers[static_cast<std::size_t>(lane.device)] + ")");
    painter.drawText(caption, Qt::AlignLeft | Qt::AlignTop, title);
    const int title_width = QFontMetrics(bold).horizontalAdvance(title) + 2 * kMargin;
    painter.setFont(font());
    if (memory != nullptr) {
      const bool over = !memory->fits();
      painter.setPen(over ? verdict_colour(Verdict::no, p) : quiet_text(p));
      const QString figures =
          memory->usable_bytes
              ? QStringLiteral("%1 of %2%3").arg(gib(memory->total_bytes()), gib(memory->usable_bytes), over ? QStringLiteral(", too much") : QString())
              : gib(memory->total_bytes());
      painter.drawText(caption, Qt::AlignRight | Qt::AlignTop, figures);
      QStringList terms;
      for (const auto c : {Component::weights, Component::kv, Component::recurrent_state, Component::compute, Component::output, Component::overhead}) {
        if (const auto bytes = memory->bytes(c); bytes > 0) terms << QStringLiteral("%1 %2").arg(component_name(c), gib(bytes));
      }
      const int left = caption.left() + title_width, room = caption.right() - fontMetrics().horizontalAdvance(figures) - 2 * kMargin - left;
      painter.setPen(quiet_text(p));
      if (room > 80)
        painter.drawText(QRect(left, caption.top(), room, fontMetrics().height() + 2), Qt::AlignLeft | Qt::AlignTop,
                         fontMetrics().elidedText(terms.join(QStringLiteral("  ·  ")), Qt::ElideRight, room));
      if (memory->usable_bytes && *memory->usable_bytes > 0) {
        QRect bar(caption.left(), caption.top() + fontMetrics().height() + 2, caption.width(), 4);
        painter.fillRect(bar, p.color(QPalette::Midlight));
        bar.setWidth(static_cast<int>(bar.width() * std::min(1.0, static_cast<double>(memory->total_bytes()) / static_cast<double>(*memory->usable_bytes))));
        painter.fillRect(bar, over ? verdict_colour(Verdict::no, p) : p.color(QPalette::Highlight));
      }
    } else {
      painter.setPen(quiet_text(p));
      painter.drawText(caption, Qt::AlignRight | Qt::AlignTop, QStringLiteral("nothing"));
    }
  }
  QFont small = font();
  small.setPointSizeF(small.pointSizeF() * 0.85);
  painter.setFont(small);
  const QFontMetrics metrics(small);
  for (const auto& drawn : blocks_) {
    const auto& layer = map_->layers[drawn.block.layer];
    const QRect r = drawn.rect;
    painter.fillRect(r, p.color(QPalette::AlternateBase));
    // Filled from below: weights, experts, cache, on the scale of the largest layer.
    const int label = metrics.height();
    int y = r.bottom() + 1;
    const int room = r.height() - label;
    const auto stack = [&](std::int64_t bytes, const QColor& colour) {
      const int h = static_cast<int>(static_cast<double>(bytes) / static_cast<double>(largest) * room + 0.5);
      painter.fillRect(QRect(r.left(), y - h, r.width(), h), colour);
      y -= h;
    };
    if (drawn.block.experts) {
      stack(layer.expert_bytes, component_colour(Component::compute, p));
    } else {
      stack(layer.dense_bytes, component_colour(Component::weights, p));
      if (layer.experts_device == layer.device) stack(layer.expert_bytes, component_colour(Component::compute, p));
      if (layer.cache_device == layer.device) stack(layer.cache_bytes, component_colour(Component::kv, p));
    }
    const bool is_selected = selected_ == drawn.block;
    painter.setPen(QPen(is_selected ? p.color(QPalette::Highlight) : p.color(QPalette::Mid), is_selected ? 2 : 1));
    painter.drawRect(is_selected ? r : r.adjusted(0, 0, -1, -1));
    painter.setPen(p.color(QPalette::Text));
    painter.drawText(r.adjusted(0, 1, 0, 0), Qt::AlignHCenter | Qt::AlignTop,
                     drawn.block.experts ? QStringLiteral("%1 exp").arg(drawn.block.layer) : QString::number(drawn.block.layer));
  }
  if (dragged_) {
    const QRect ghost(dragged_to_ - QPoint(kBlockWidth / 2, kBlockHeight / 2), QSize(kBlockWidth, kBlockHeight));
    painter.setOpacity(0.7);
    painter.fillRect(ghost, p.color(QPalette::Highlight));
    painter.setPen(p.color(QPalette::HighlightedText));
    painter.drawText(ghost, Qt::AlignCenter, QString::number(dragged_->layer));
  }
}

void MemoryMapWidget::move_selected(int step) {
  if (!map_ || !selected_) return;
  const int now = device_of(*selected_), n = static_cast<int>(map_->devices.size());
  const int place = now == kHost ? n : now;
  const int next = std::clamp(place + step, 0, n);
  if (next != place) emit moved(selected_->layer, selected_->experts, next == n ? kHost : next);
}

void MemoryMapWidget::keyPressEvent(QKeyEvent* event) {
  if (!map_ || blocks_.empty()) return QWidget::keyPressEvent(event);
  const bool shift = event->modifiers().testFlag(Qt::ShiftModifier);
  const auto now = std::find_if(blocks_.begin(), blocks_.end(), [&](const Drawn& d) { return selected_ == d.block; });
  const auto go = [&](std::ptrdiff_t step) {
    const auto at = now == blocks_.end() ? 0 : now - blocks_.begin();
    select(blocks_[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(at + step, 0, static_cast<std::ptrdiff_t>(blocks_.size()) - 1))].block);
  };
  const int in_row = std::max(1, (width() - 4 * kMargin + kGap) / (kBlockWidth + kGap));
  switch (event->key()) {
    case Qt::Key_Left: return go(-1);
    case Qt::Key_Right: return go(1);
    case Qt::Key_Home: return go(-static_cast<std::ptrdiff_t>(blocks_.size()));
    case Qt::Key_End: return go(static_cast<std::ptrdiff_t>(blocks_.size()));
    case Qt::Key_Up: return shift ? move_selected(-1) : go(-in_row);
    case Qt::Key_Down: return shift ? move_selected(1) : go(in_row);
    case Qt::Key_E:
      if (selected_ && map_->layers[selected_->layer].expert_bytes > 0) select({selected_->layer, !selected_->experts});
      return;
    default: QWidget::keyPressEvent(event);
  }
}

void MemoryMapWidget::mousePressEvent(QMouseEvent* event) {
  setFocus(Qt::MouseFocusReason);
  const auto* drawn = at(event->pos());
  if (event->button() != Qt::LeftButton || drawn == nullptr) return;
  pressed_ = event->pos();
  select(drawn->block);
}

void MemoryMapWidget::mouseMoveEvent(QMouseEvent* event) {
  constexpr int kDragDistance = 6;
  if (!event->buttons().testFlag(Qt::LeftButton) || !selected_ || !rect_of(*selected_).contains(pressed_)) return;
  if (!dragged_ && (event->pos() - pressed_).manhattanLength() < kDragDistance) return;
  dragged_ = selected_;
  dragged_to_ = event->pos();
  setCursor(Qt::ClosedHandCursor);
  update();
}

void MemoryMapWidget::mouseReleaseEvent(QMouseEvent* event) {
  if (!dragged_) return;
  const Block block = *dragged_;
  dragged_.reset();
  unsetCursor();
  update();
  for (const auto& lane : lanes_) {
    if (lane.rect.contains(event->pos()) && lane.device != device_of(block)) {
      emit moved(block.layer, block.experts, lane.device);
      return;
    }
  }
}

bool MemoryMapWidget::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    if (const auto* drawn = at(help->pos()))
      QToolTip::showText(help->globalPos(), words_of(drawn->block), this);
    else
      QToolTip::hideText();
    return true;
  }
  return QWidget::event(event);
}

}  // namespace planner::gui
