#include "app/heat_map_view.h"

#include <QCheckBox>
#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include "app/frozen_table.h"
#include "app/theme.h"
#include "logic/device_table_model.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

const QString kChannel = QStringLiteral("heat map");

/// A cell filled with the verdict's colour; the best of a row has a frame.
class CellDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const auto verdict = index.data(kVerdictRole);
    if (!verdict.isValid()) return QStyledItemDelegate::paint(painter, option, index);
    const QColor colour = verdict_colour(static_cast<Verdict>(verdict.toInt()), option.palette);
    const bool best = index.data(kBestRole).toBool();
    painter->save();
    constexpr double kTint = 0.16, kStrong = 0.34;
    painter->fillRect(option.rect.adjusted(1, 1, 0, 0), blended(colour, option.palette.color(QPalette::Base), best ? kStrong : kTint));
    QFont font = option.font;
    font.setBold(best);
    painter->setFont(font);
    painter->setPen(best ? option.palette.color(QPalette::Text) : colour);
    painter->drawText(option.rect, Qt::AlignCenter, index.data().toString());
    if (option.state.testFlag(QStyle::State_Selected) || option.state.testFlag(QStyle::State_HasFocus)) {
      painter->setPen(QPen(option.palette.color(QPalette::Highlight), 2));
      painter->drawRect(option.rect.adjusted(1, 1, -1, -1));
    }
    painter->restore();
  }
};

}  // namespace

HeatMapView::HeatMapView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      cells_(new HeatMapModel(session.facts(), this)),
      filter_(new HeatMapFilter(cells_, this)),
      table_(new FrozenTable(this)),
      device_(new QComboBox(this)),
      words_(new QLineEdit(this)),
      title_(new QLabel(this)),
      progress_(new QProgressBar(this)) {
  device_->setAccessibleName(QStringLiteral("My device"));
  device_->setMaxVisibleItems(24);
  device_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  device_->setMinimumContentsLength(22);
  for (const auto* d : session.facts()->devices()) device_->addItem(to_qt(d->name), to_qt(d->id));
  device_->model()->sort(0);
  words_->setPlaceholderText(QStringLiteral("Filter models"));
  words_->setAccessibleName(QStringLiteral("Filter models by words"));
  words_->setClearButtonEnabled(true);
  auto* only = new QCheckBox(QStringLiteral("Only what &fits"), this);
  auto* cancel = new QPushButton(QStringLiteral("Stop"), this);
  cancel->setAccessibleName(QStringLiteral("Stop filling the map"));
  cancel_ = cancel;
  progress_->setAccessibleName(QStringLiteral("Progress"));
  progress_->setMaximumWidth(140);
  progress_->setTextVisible(false);
  auto* row = new QHBoxLayout;
  row->setContentsMargins(8, 6, 8, 6);
  row->setSpacing(8);
  auto* label = new QLabel(QStringLiteral("M&y device"), this);
  label->setBuddy(device_);
  row->addWidget(label);
  row->addWidget(device_);
  row->addWidget(words_, 1);
  row->addWidget(only);
  row->addWidget(progress_);
  row->addWidget(cancel_);
  title_->setContentsMargins(8, 0, 8, 6);
  title_->setWordWrap(true);

  table_->setAccessibleName(QStringLiteral("Models by quantizations"));
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setSortingEnabled(true);
  table_->setShowGrid(false);
  table_->setWordWrap(false);
  table_->setTabKeyNavigation(false);
  table_->setFrameShape(QFrame::NoFrame);
  table_->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  table_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
  table_->setItemDelegate(new CellDelegate(this));
  table_->viewport()->installEventFilter(this);
  table_->horizontalHeader()->setHighlightSections(false);

  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(row);
  column->addWidget(title_);
  column->addWidget(table_, 1);

  connect(device_, &QComboBox::currentIndexChanged, this, [this] {
    const QString id = device_->currentData().toString();
    session_.ask([&](Question& q) { q.devices = QStringList{id}; });
  });
  connect(words_, &QLineEdit::textChanged, filter_, &HeatMapFilter::set_words);
  connect(only, &QCheckBox::toggled, filter_, &HeatMapFilter::set_only_fitting);
  connect(table_, &QTableView::activated, this, &HeatMapView::choose);
  connect(cancel, &QPushButton::clicked, this, [this] {
    session_.slow().cancel(kChannel);
    progress_->hide();
    cancel_->hide();
  });
  connect(&session_.slow(), &Estimator::progressed, this, [this](const QString& channel, int done, int total) {
    if (channel != kChannel || started_ == false) return;
    progress_->setRange(0, total);
    progress_->setValue(done);
    progress_->setVisible(done < total);
    cancel_->setVisible(done < total);
  });
  connect(&session_, &Session::question_changed, this, &HeatMapView::question_changed);
  cells_->start(heat_map_quantizations(*session_.facts(), session_.engine()));
  table_->setModel(filter_);
  filter_->sort(HeatMapModel::kModel);
  question_changed();
}

/// The names take what the cells leave.
void HeatMapView::fit_columns() {
  int others = 0;
  for (int c = 1; c < cells_->columnCount(); ++c) {
    const int width = (c == HeatMapModel::kParameters ? 12 : 10) * fontMetrics().averageCharWidth() + 6;
    table_->setColumnWidth(c, width);
    others += width;
  }
  const int least = 25 * fontMetrics().averageCharWidth();
  table_->setColumnWidth(0, std::max(least, table_->viewport()->width() - others));
}

bool HeatMapView::eventFilter(QObject* object, QEvent* event) {
  if (object == table_->viewport() && event->type() == QEvent::Resize) fit_columns();
  return QWidget::eventFilter(object, event);
}

void HeatMapView::question_changed() {
  const auto& q = session_.question();
  if (!q.devices.isEmpty()) {
    const QSignalBlocker quiet(device_);
    device_->setCurrentIndex(device_->findData(q.devices.front()));
  }
  if (isVisible()) work();
}

void HeatMapView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  work();
}

/// Fills the map for the question's device, context and engine; the model and quantization of the question do not matter here.
void HeatMapView::work() {
  Question q = session_.question();
  if (q.devices.isEmpty()) {
    title_->setText(QStringLiteral("Choose your device above."));
    return;
  }
  q.devices = QStringList{q.devices.front()};
  q.model = shown_.model;
  q.quantization = shown_.quantization;
  if (started_ && q == shown_) return;
  shown_ = q;
  started_ = true;
  const auto* device = session_.facts()->find_device(q.devices.front().toStdString());
  const auto quantizations = heat_map_quantizations(*session_.facts(), session_.engine());
  title_->setText(
      QStringLiteral("%1%2, %3: the largest context that fits with everything on the device; colours are for a context of %4; ★ is the most bits that fit "
                     "there. Enter takes a cell into the question.")
          .arg(q.count > 1 ? QStringLiteral("%1 × ").arg(q.count) : QString(), to_qt(device->name), to_qt(session_.engine().name), tokens(q.context)));
  if (cells_->quantizations() != quantizations || cells_->columnCount() == 0) cells_->start(quantizations);
  fit_columns();
  progress_->setValue(0);
  progress_->show();
  cancel_->show();
  session_.slow().submit(
      kChannel,
      [this, q, device, quantizations, facts = session_.facts(), models = cells_->models()](const Task& task) -> std::function<void()> {
        std::vector<FitRow> rows;
        for (std::size_t i = 0; i < models.size() && !task.cancelled(); ++i) {
          rows.push_back(fit_row(q, *models[i], *device, quantizations, facts, task));
          task.progress(static_cast<int>(i) + 1, static_cast<int>(models.size()));
        }
        return [this, rows = std::move(rows)] {
          cells_->set_rows(rows);
          filter_->invalidate();
          progress_->hide();
          cancel_->hide();
        };
      },
      Estimator::Running::cancel);
}

void HeatMapView::choose(const QModelIndex& index) {
  const QString id = index.data(kIdRole).toString();
  const int column = index.column() - HeatMapModel::kFirstQuantization;
  session_.open_model(id);
  if (column >= 0) session_.ask([&](Question& q) { q.quantization = cells_->quantizations()[column]; });
  emit chosen();
}

}  // namespace planner::gui
