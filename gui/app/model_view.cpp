#include "app/model_view.h"

#include <QHeaderView>
#include <QScrollBar>
#include <QSplitter>
#include <QTableView>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "app/delegates.h"
#include "logic/device_table_model.h"
#include "logic/model_page.h"

namespace planner::gui {
namespace {

const QString kTable = QStringLiteral("quantizations"), kRanking = QStringLiteral("ranking");
constexpr int kCharacters[QuantizationTableModel::kColumns] = {13, 7, 10, 13, 9, 14, 9, 30};

}  // namespace

ModelView::ModelView(Session& session, QWidget* parent)
    : QWidget(parent), session_(session), quantizations_(new QuantizationTableModel(this)), page_(new QTextBrowser(this)), table_(new QTableView(this)) {
  page_->setOpenExternalLinks(true);
  page_->setAccessibleName(QStringLiteral("About the model"));
  page_->setFrameShape(QFrame::NoFrame);
  page_->document()->setDocumentMargin(10);
  table_->setModel(quantizations_);
  table_->setAccessibleName(QStringLiteral("Quantizations"));
  table_->setItemDelegateForColumn(QuantizationTableModel::kVerdict, new VerdictDelegate(this));
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setShowGrid(false);
  table_->setAlternatingRowColors(true);
  table_->setWordWrap(false);
  table_->setTabKeyNavigation(false);
  table_->setFrameShape(QFrame::NoFrame);
  table_->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
  table_->horizontalHeader()->setHighlightSections(false);
  table_->horizontalHeader()->setStretchLastSection(true);
  for (int c = 0; c < QuantizationTableModel::kColumns; ++c) table_->setColumnWidth(c, kCharacters[c] * fontMetrics().averageCharWidth() + 12);
  auto* splitter = new QSplitter(Qt::Horizontal, this);
  splitter->setChildrenCollapsible(false);
  splitter->addWidget(page_);
  splitter->addWidget(table_);
  splitter->setStretchFactor(0, 1);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({560, 740});
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(splitter);
  connect(table_, &QTableView::activated, this,
          [this](const QModelIndex& index) { session_.ask([&](Question& q) { q.quantization = index.data(kIdRole).toString(); }); });
  connect(&session_, &Session::question_changed, this, [this] {
    if (isVisible()) work();
  });
}

void ModelView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  work();
}

void ModelView::work() {
  if (started_ && shown_ == session_.question()) return;
  const bool same_model = started_ && shown_.model == session_.question().model;
  shown_ = session_.question();
  started_ = true;
  const auto device = shown_.devices.isEmpty() ? QString() : shown_.devices.front();
  session_.quick().submit(kTable, [this, question = shown_, device, facts = session_.facts()](const Task&) -> std::function<void()> {
    auto request = request_for(question, device.isEmpty() ? QStringLiteral("cpu") : device);
    request.quantization.clear();
    const auto answer = estimate(request, *facts);
    return [this, rows = answer.quantizations] { quantizations_->set_rows(rows); };
  });
  const auto* entry = shown_.model_is_file() ? nullptr : session_.facts()->find_model(shown_.model.toStdString());
  if (session_.summary() && !same_model) page_->setHtml(model_page_html(entry, session_.summary()->model, nullptr, session_.facts()));
  session_.quick().submit(kRanking, [this, question = shown_, entry, facts = session_.facts()](const Task&) -> std::function<void()> {
    const auto ranking = estimate(request_for(question, {}), *facts);
    return [this, html = model_page_html(entry, ranking.model, &ranking, facts)] {
      const int at = page_->verticalScrollBar()->value();
      page_->setHtml(html);
      page_->verticalScrollBar()->setValue(at);
    };
  });
}

}  // namespace planner::gui
