#include "app/memory_map_view.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include "app/memory_map_widget.h"
#include "app/theme.h"
#include "logic/glossary.h"
#include "logic/words.h"
#include "planner/commands.h"
#include "planner/deployment.h"
#include "planner/error.h"

namespace planner::gui {
namespace {

const QString kChannel = QStringLiteral("memory map");

}  // namespace

MemoryMapView::MemoryMapView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      blocks_(new MemoryMapWidget(this)),
      totals_(new QLabel(this)),
      selection_(new QLabel(this)),
      move_(new QPushButton(QStringLiteral("&Move to"), this)),
      reset_(new QPushButton(QStringLiteral("&Reset"), this)),
      targets_(new QMenu(this)),
      command_(new QLineEdit(this)) {
  totals_->setTextFormat(Qt::RichText);
  totals_->setWordWrap(true);
  totals_->setAccessibleName(QStringLiteral("Totals of the map"));
  selection_->setWordWrap(true);
  selection_->setAccessibleName(QStringLiteral("Selected block"));
  move_->setMenu(targets_);
  move_->setToolTip(QStringLiteral("Moves the selected block; Shift+Up and Shift+Down do it too. E takes the experts instead of the layer."));
  move_->setAccessibleName(QStringLiteral("Move the selected block to a device"));
  reset_->setAccessibleName(QStringLiteral("Everything back where the engine puts it"));
  command_->setReadOnly(true);
  command_->setAccessibleName(QStringLiteral("The engine's command line for this map"));
  QFont fixed = command_->font();
  fixed.setFamily(QStringLiteral("monospace"));
  command_->setFont(fixed);

  auto* top = new QHBoxLayout;
  top->setContentsMargins(10, 6, 10, 2);
  top->addWidget(totals_, 1);
  top->addWidget(move_);
  top->addWidget(reset_);
  auto* legend = new QLabel(this);
  legend->setText(
      QStringLiteral("Blocks are layers, filled with <span style='color:%1'>■</span> weights, <span style='color:%2'>■</span> experts, <span "
                     "style='color:%3'>■</span> cache. Drag one to another device, or select it and press Shift+↑ / Shift+↓; E selects a layer's experts.")
          .arg(component_colour(Component::weights, palette()).name(), component_colour(Component::compute, palette()).name(),
               component_colour(Component::kv, palette()).name()));
  legend->setWordWrap(true);
  legend->setContentsMargins(10, 0, 10, 4);
  legend->setToolTip(meaning_of("layer") + u'\n' + meaning_of("experts"));
  auto* scroll = new QScrollArea(this);
  scroll->setWidget(blocks_);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setFocusPolicy(Qt::NoFocus);
  auto* bottom = new QVBoxLayout;
  bottom->setContentsMargins(10, 4, 10, 6);
  bottom->addWidget(selection_);
  bottom->addWidget(command_);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(2);
  column->addLayout(top);
  column->addWidget(legend);
  column->addWidget(scroll, 1);
  column->addLayout(bottom);

  connect(blocks_, &MemoryMapWidget::moved, this, &MemoryMapView::move);
  connect(blocks_, &MemoryMapWidget::selection_changed, this, &MemoryMapView::show_selection);
  connect(reset_, &QPushButton::clicked, this, [this] {
    started_ = false;
    start();
  });
  connect(&session_, &Session::question_changed, this, [this] {
    if (isVisible()) start();
  });
}

void MemoryMapView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  start();
}

void MemoryMapView::start() {
  if (started_ && shown_ == session_.question()) return;
  shown_ = session_.question();
  started_ = true;
  first_.reset();
  if (shown_.devices.isEmpty()) {
    totals_->setText(QStringLiteral("Select a device (or several) in the table of devices."));
    return;
  }
  ask(request_for_all_together(shown_));
}

void MemoryMapView::ask(const EstimateRequest& request) {
  session_.quick().submit(kChannel, [this, request, facts = session_.facts()](const Task&) -> std::function<void()> {
    try {
      auto map = memory_map(request, *facts);
      return [this, map = std::move(map)] {
        map_ = map;
        if (!first_) first_ = map;
        show_map();
      };
    } catch (const Error& e) {
      return [this, text = QString::fromUtf8(e.what())] {
        map_.reset();
        blocks_->clear();
        totals_->setText(text.toHtmlEscaped());
        command_->clear();
        show_selection();
      };
    }
  });
}

void MemoryMapView::show_map() {
  blocks_->set_map(*map_);
  const auto& answer = map_->answer;
  const QString verdict = answer.memory->fits() ? sentence(answer.fit->verdict) : QStringLiteral("Too much on one device");
  QString text = QStringLiteral("<b>%1</b> &nbsp;·&nbsp; %2 in all").arg(verdict, gib(answer.memory->total_bytes()));
  if (answer.throughput) {
    text += QStringLiteral(" &nbsp;·&nbsp; decode <b>%1</b> (%2 to %3)")
                .arg(rate(answer.throughput->decode_tokens_per_s), significant(answer.throughput->decode_low), significant(answer.throughput->decode_high));
    const bool changed = first_ && first_->answer.throughput && first_->request.override_tensors != map_->request.override_tensors;
    if (changed) text += QStringLiteral(", before the moves %1").arg(rate(first_->answer.throughput->decode_tokens_per_s));
  }
  totals_->setText(text);
  command_->setText(to_qt(engine_command(map_->request, answer, *session_.facts())));
  command_->setCursorPosition(0);
  reset_->setEnabled(!map_->request.override_tensors.empty());
  show_selection();
}

void MemoryMapView::show_selection() {
  const auto block = blocks_->selected();
  move_->setEnabled(map_ && block);
  targets_->clear();
  if (!map_ || !block) {
    selection_->clear();
    return;
  }
  blocks_->setAccessibleDescription(selection_->text());
  const auto& layer = map_->layers[block->layer];
  const auto name = [&](int device) {
    return device == kHost ? QStringLiteral("host")
                           : to_qt(map_->devices[static_cast<std::size_t>(device)] + " (" + map_->buffers[static_cast<std::size_t>(device)] + ")");
  };
  selection_->setText(
      block->experts
          ? QStringLiteral("Experts of layer %1: %2 on %3").arg(block->layer).arg(gib(layer.expert_bytes), name(layer.experts_device))
          : QStringLiteral("Layer %1: weights %2 on %3, cache %4 on %5%6")
                .arg(QString::number(block->layer), gib(layer.dense_bytes), name(layer.device), gib(layer.cache_bytes), name(layer.cache_device),
                     layer.expert_bytes > 0 ? QStringLiteral(", experts %1 on %2").arg(gib(layer.expert_bytes), name(layer.experts_device)) : QString()));
  for (int device = 0; device <= static_cast<int>(map_->devices.size()); ++device) {
    const int target = device == static_cast<int>(map_->devices.size()) ? kHost : device;
    targets_->addAction(name(target), this, [this, block = *block, target] { move(block.layer, block.experts, target); });
  }
}

void MemoryMapView::move(std::size_t layer, bool experts, int device) {
  if (!map_) return;
  ask(experts ? with_experts_on(*map_, layer, device) : with_layer_on(*map_, layer, device));
}

}  // namespace planner::gui
