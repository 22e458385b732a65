#include "app/devices_view.h"

#include <QCheckBox>
#include <QComboBox>
#include <QEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QItemSelectionModel>
#include <QLabel>
#include <QLineEdit>
#include <QScrollArea>
#include <QScrollBar>
#include <QSplitter>
#include <QTabBar>
#include <QTableView>
#include <QVBoxLayout>
#include <set>

#include "app/context_chart.h"
#include "app/delegates.h"
#include "app/explanation_panel.h"
#include "app/frozen_table.h"
#include "app/memory_bars.h"
#include "app/theme.h"
#include "logic/words.h"
#include "planner/units.h"

namespace planner::gui {
namespace {

/// Widths of the columns in characters.
constexpr int kColumnCharacters[DeviceTableModel::kColumns] = {25, 9, 19, 18, 9, 8, 9, 9, 7};

/// A chart beneath another is worth its place from here on.
constexpr int kChartHeight = 165;

}  // namespace

DevicesView::DevicesView(Session& session, QWidget* parent)
    : QWidget(parent), session_(session), filter_(new DeviceFilterModel(&session.devices(), this)), table_(new FrozenTable(this)) {
  table_->setAccessibleName(QStringLiteral("Devices"));
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  table_->setSortingEnabled(true);
  table_->setAlternatingRowColors(true);
  table_->setShowGrid(false);
  table_->setWordWrap(false);
  table_->setTabKeyNavigation(false);
  table_->setFrameShape(QFrame::NoFrame);
  table_->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  table_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 10);
  table_->setModel(filter_);
  table_->setItemDelegateForColumn(DeviceTableModel::kVerdict, new VerdictDelegate(this));
  table_->setItemDelegateForColumn(DeviceTableModel::kMemory, new ShareDelegate(this));
  table_->setContextMenuPolicy(Qt::ActionsContextMenu);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  auto* header = table_->horizontalHeader();
  header->setHighlightSections(false);
  header->setMinimumSectionSize(40);
  for (int c = 0; c < DeviceTableModel::kColumns; ++c) table_->setColumnWidth(c, kColumnCharacters[c] * fontMetrics().averageCharWidth() + 16);
  header->setTextElideMode(Qt::ElideRight);
  table_->sortByColumn(DeviceTableModel::kDecode, Qt::DescendingOrder);
  table_->viewport()->installEventFilter(this);

  auto* left = new QWidget(this);
  auto* column = new QVBoxLayout(left);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(make_filters());
  column->addWidget(table_, 1);
  splitter_ = new QSplitter(Qt::Horizontal, this);
  splitter_->addWidget(left);
  splitter_->addWidget(make_side());
  splitter_->setStretchFactor(0, 3);
  splitter_->setStretchFactor(1, 1);
  splitter_->setChildrenCollapsible(false);
  splitter_->setSizes({940, 440});
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(splitter_);

  connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this, &DevicesView::take_selection);
  connect(table_->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& now, const QModelIndex& before) {
    if (now.row() != before.row())
      take_selection();
    else
      show_details();
  });
  connect(&session_, &Session::question_changed, this, [this] {
    show_selection();
    decode_->set_context(session_.question().context);
    memory_->set_context(session_.question().context);
  });
  connect(&session_, &Session::details_changed, this, &DevicesView::show_details);
  connect(&session_, &Session::curves_changed, this, &DevicesView::show_curves);
  connect(&session_, &Session::answers_changed, this, [this] {
    if (filter_->filter().only_fitting || filter_->filter().highest_price) filter_->invalidate();
    counted_->setText(QStringLiteral("%1/%2").arg(filter_->rowCount()).arg(filter_->devices().rowCount()));
    show_selection();
    const bool current = session_.answered() == session_.question();
    if (current && seen_model_ != session_.question().model) {
      table_->scrollTo(table_->currentIndex(), QAbstractItemView::PositionAtCenter);
      seen_model_ = session_.question().model;
    }
  });
  show_selection();
  show_details();
}

QWidget* DevicesView::make_filters() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(8, 6, 8, 6);
  row->setSpacing(6);
  words_ = new QLineEdit(bar);
  words_->setPlaceholderText(QStringLiteral("Filter devices (Ctrl+F)"));
  words_->setAccessibleName(QStringLiteral("Filter devices by words"));
  words_->setClearButtonEnabled(true);
  vendor_ = new QComboBox(bar);
  kind_ = new QComboBox(bar);
  least_memory_ = new QComboBox(bar);
  highest_price_ = new QComboBox(bar);
  only_fitting_ = new QCheckBox(QStringLiteral("Only what &fits"), bar);
  counted_ = new QLabel(bar);
  counted_->setAccessibleName(QStringLiteral("Devices shown"));
  std::set<QString> vendors, kinds;
  for (const auto* d : session_.facts()->devices()) vendors.insert(to_qt(d->vendor)), kinds.insert(to_qt(to_string(d->kind)));
  vendor_->addItem(QStringLiteral("Vendor"), QString());
  for (const auto& v : vendors) vendor_->addItem(v, v);
  kind_->addItem(QStringLiteral("Kind"), QString());
  for (const auto& k : kinds) kind_->addItem(k, k);
  least_memory_->addItem(QStringLiteral("Memory"), 0);
  for (const int gibibytes : {8, 12, 16, 24, 32, 48, 64, 96, 128, 192}) least_memory_->addItem(QStringLiteral("≥ %1 GiB").arg(gibibytes), gibibytes);
  highest_price_->addItem(QStringLiteral("Price"), 0);
  for (const int usd : {300, 500, 750, 1000, 2000, 5000, 10000}) highest_price_->addItem(QStringLiteral("≤ $%1").arg(thousands(usd)), usd);
  vendor_->setAccessibleName(QStringLiteral("Vendor"));
  kind_->setAccessibleName(QStringLiteral("Kind of device"));
  least_memory_->setAccessibleName(QStringLiteral("Least memory"));
  highest_price_->setAccessibleName(QStringLiteral("Highest price"));
  words_->setMinimumWidth(100);
  row->addWidget(words_, 1);
  for (auto* box : {vendor_, kind_, least_memory_, highest_price_}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(6);
    row->addWidget(box);
    connect(box, &QComboBox::currentIndexChanged, this, &DevicesView::apply_filter);
  }
  row->addWidget(only_fitting_);
  row->addWidget(counted_);
  connect(words_, &QLineEdit::textChanged, this, &DevicesView::apply_filter);
  connect(only_fitting_, &QCheckBox::toggled, this, &DevicesView::apply_filter);
  return bar;
}

QWidget* DevicesView::make_side() {
  auto* side = new QWidget(this);
  side->setMinimumWidth(260);
  bars_ = new MemoryBars(side);
  auto* scroll = new QScrollArea(side);
  scroll->setWidget(bars_);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setFocusPolicy(Qt::NoFocus);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setMinimumHeight(110);
  charts_ = new QWidget(side);
  chart_tabs_ = new QTabBar(charts_);
  chart_tabs_->addTab(QStringLiteral("Decode"));
  chart_tabs_->addTab(QStringLiteral("Memory"));
  chart_tabs_->setAccessibleName(QStringLiteral("Curve over context"));
  chart_tabs_->setDrawBase(false);
  decode_ = new ContextChart(ContextChart::Kind::decode, charts_);
  memory_ = new ContextChart(ContextChart::Kind::memory, charts_);
  auto* column = new QVBoxLayout(charts_);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(1);
  column->addWidget(chart_tabs_);
  column->addWidget(decode_, 1);
  column->addWidget(memory_, 1);
  charts_->installEventFilter(this);
  charts_->setMinimumHeight(150);
  connect(chart_tabs_, &QTabBar::currentChanged, this, &DevicesView::show_charts);
  why_ = new ExplanationPanel(side);
  auto* parts = new QSplitter(Qt::Vertical, side);
  parts->setChildrenCollapsible(false);
  parts->addWidget(scroll);
  parts->addWidget(charts_);
  parts->addWidget(why_);
  parts->setStretchFactor(0, 0);
  parts->setStretchFactor(1, 3);
  parts->setStretchFactor(2, 2);
  parts->setSizes({200, 340, 220});
  auto* all = new QVBoxLayout(side);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(parts);
  return side;
}

bool DevicesView::eventFilter(QObject* object, QEvent* event) {
  if (object == charts_ && event->type() == QEvent::Resize) show_charts();
  if (object == table_->viewport() && event->type() == QEvent::Resize) fit_columns();
  return QWidget::eventFilter(object, event);
}

/// The names take what the figures leave.
void DevicesView::fit_columns() {
  int others = 0;
  for (int c = 1; c < DeviceTableModel::kColumns; ++c) others += table_->isColumnHidden(c) ? 0 : table_->columnWidth(c);
  const int least = kColumnCharacters[0] * fontMetrics().averageCharWidth() + 16;
  table_->setColumnWidth(DeviceTableModel::kDevice, std::max(least, table_->viewport()->width() - others));
}

/// Both curves where there is room, else the one chosen.
void DevicesView::show_charts() {
  const bool both = charts_->height() >= 2 * kChartHeight;
  chart_tabs_->setVisible(!both);
  decode_->setVisible(both || chart_tabs_->currentIndex() == 0);
  memory_->setVisible(both || chart_tabs_->currentIndex() == 1);
}

void DevicesView::apply_filter() {
  DeviceFilter f;
  f.text = words_->text();
  f.vendor = vendor_->currentData().toString();
  f.kind = kind_->currentData().toString();
  if (const int gibibytes = least_memory_->currentData().toInt(); gibibytes > 0) f.least_memory = gibibytes * kGiB;
  if (const int usd = highest_price_->currentData().toInt(); usd > 0) f.highest_price = usd;
  f.only_fitting = only_fitting_->isChecked();
  filter_->set_filter(f);
  counted_->setText(QStringLiteral("%1/%2").arg(filter_->rowCount()).arg(filter_->devices().rowCount()));
  show_selection();
}

/// The rows selected become the question's devices, the current one first.
void DevicesView::take_selection() {
  if (selecting_) return;
  QStringList ids;
  const auto current = table_->selectionModel()->currentIndex();
  if (current.isValid() && table_->selectionModel()->isRowSelected(current.row(), {})) ids << current.data(kIdRole).toString();
  for (const auto& index : table_->selectionModel()->selectedRows()) {
    const QString id = index.data(kIdRole).toString();
    if (!ids.contains(id)) ids << id;
  }
  if (!ids.isEmpty() && ids != session_.question().devices) session_.ask([&](Question& q) { q.devices = ids; });
}

/// The question's devices become the rows selected.
void DevicesView::show_selection() {
  auto* model = table_->selectionModel();
  QItemSelection wanted;
  QModelIndex first;
  const int column = model->currentIndex().isValid() ? model->currentIndex().column() : int{DeviceTableModel::kDecode};
  for (const auto& id : session_.question().devices) {
    const auto index = filter_->mapFromSource(session_.devices().index(session_.devices().row_of(id), column));
    if (!index.isValid()) continue;
    if (!first.isValid()) first = index;
    wanted.select(index, index);
  }
  selecting_ = true;
  std::set<int> now, then;
  for (const auto& index : model->selectedRows()) now.insert(index.row());
  for (const auto& index : wanted.indexes()) then.insert(index.row());
  if (now != then) model->select(wanted, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
  if (first.isValid() && model->currentIndex().row() != first.row()) {
    const int across = table_->horizontalScrollBar()->value();
    model->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
    table_->horizontalScrollBar()->setValue(across);
    seen_model_.clear();
  }
  selecting_ = false;
}

Topic DevicesView::topic() const {
  switch (table_->selectionModel()->currentIndex().column()) {
    case DeviceTableModel::kVerdict: return Topic::verdict;
    case DeviceTableModel::kMemory: return Topic::memory;
    case DeviceTableModel::kPrefill: return Topic::prefill;
    case DeviceTableModel::kTtft: return Topic::ttft;
    case DeviceTableModel::kDevice:
    case DeviceTableModel::kPrice:
    case DeviceTableModel::kWatts: return Topic::device;
    default: return Topic::decode;
  }
}

void DevicesView::show_details() {
  bars_->set_answers(session_.details());
  why_->explain(session_.details().empty() ? DeviceAnswer{} : session_.details().front(), topic());
}

void DevicesView::show_curves() {
  decode_->set_curves(session_.curves());
  memory_->set_curves(session_.curves());
}

void DevicesView::focus_filter() {
  words_->setFocus(Qt::ShortcutFocusReason);
  words_->selectAll();
}

void DevicesView::save(QSettings& settings) const {
  settings.setValue(QStringLiteral("devices/header"), table_->horizontalHeader()->saveState());
  settings.setValue(QStringLiteral("devices/splitter"), splitter_->saveState());
  settings.setValue(QStringLiteral("devices/words"), words_->text());
  settings.setValue(QStringLiteral("devices/vendor"), vendor_->currentData());
  settings.setValue(QStringLiteral("devices/kind"), kind_->currentData());
  settings.setValue(QStringLiteral("devices/only_fitting"), only_fitting_->isChecked());
}

void DevicesView::restore(QSettings& settings) {
  if (const auto state = settings.value(QStringLiteral("devices/header")).toByteArray(); !state.isEmpty()) table_->horizontalHeader()->restoreState(state);
  if (const auto state = settings.value(QStringLiteral("devices/splitter")).toByteArray(); !state.isEmpty()) splitter_->restoreState(state);
  words_->setText(settings.value(QStringLiteral("devices/words")).toString());
  vendor_->setCurrentIndex(std::max(0, vendor_->findData(settings.value(QStringLiteral("devices/vendor")).toString())));
  kind_->setCurrentIndex(std::max(0, kind_->findData(settings.value(QStringLiteral("devices/kind")).toString())));
  only_fitting_->setChecked(settings.value(QStringLiteral("devices/only_fitting")).toBool());
  table_->sortByColumn(table_->horizontalHeader()->sortIndicatorSection(), table_->horizontalHeader()->sortIndicatorOrder());
}

}  // namespace planner::gui
