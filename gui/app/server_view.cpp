#include "app/server_view.h"

#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QTableView>
#include <QVBoxLayout>

#include "logic/glossary.h"
#include "logic/words.h"
#include "planner/error.h"

namespace planner::gui {
namespace {

const QString kChannel = QStringLiteral("service");

}  // namespace

ServerView::ServerView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      options_(new ServiceTableModel(this)),
      requests_(new QDoubleSpinBox(this)),
      ttft_(new QDoubleSpinBox(this)),
      tpot_(new QDoubleSpinBox(this)),
      prompt_(new QSpinBox(this)),
      output_(new QSpinBox(this)),
      answer_(new QLabel(this)),
      table_(new QTableView(this)) {
  auto* row = new QHBoxLayout;
  row->setContentsMargins(10, 8, 10, 4);
  row->setSpacing(8);
  const auto field = [&](const QString& text, QAbstractSpinBox* box, std::string_view term) {
    auto* label = new QLabel(text, this);
    label->setBuddy(box);
    box->setAccessibleName(QString(text).remove(u'&'));
    box->setToolTip(meaning_of(term));
    label->setToolTip(meaning_of(term));
    box->setKeyboardTracking(false);
    row->addWidget(label);
    row->addWidget(box);
  };
  requests_->setRange(0.01, 1e6);
  requests_->setDecimals(2);
  requests_->setValue(2);
  ttft_->setRange(0, 600);
  ttft_->setDecimals(2);
  ttft_->setSingleStep(0.1);
  ttft_->setSuffix(QStringLiteral(" s"));
  ttft_->setSpecialValueText(QStringLiteral("any"));
  ttft_->setValue(2);
  tpot_->setRange(0, 60000);
  tpot_->setDecimals(0);
  tpot_->setSingleStep(5);
  tpot_->setSuffix(QStringLiteral(" ms"));
  tpot_->setSpecialValueText(QStringLiteral("any"));
  tpot_->setValue(50);
  prompt_->setRange(1, 1 << 24);
  prompt_->setValue(1024);
  output_->setRange(1, 1 << 24);
  output_->setValue(256);
  for (auto* box : {prompt_, output_})
    box->setGroupSeparatorShown(true), box->setMaximumWidth(fontMetrics().horizontalAdvance(QStringLiteral("1,048,576")) + 36);
  field(QStringLiteral("&Requests/s"), requests_, "requests per second");
  field(QStringLiteral("Prom&pt tokens"), prompt_, "prompt");
  field(QStringLiteral("&Output tokens"), output_, "decode");
  field(QStringLiteral("&TTFT at most"), ttft_, "TTFT");
  field(QStringLiteral("TP&OT at most"), tpot_, "TPOT");
  row->addStretch(1);
  auto* use_vllm = new QPushButton(QStringLiteral("Plan with vLLM"), this);
  use_vllm->setToolTip(QStringLiteral("Servers for many requests share one KV cache; llama.cpp gives each sequence its own."));
  connect(use_vllm, &QPushButton::clicked, this, [this] { session_.ask([](Question& q) { q.engine = QStringLiteral("vllm"); }); });
  connect(&session_, &Session::question_changed, use_vllm, [this, use_vllm] { use_vllm->setVisible(!session_.engine().kv_pool); });
  use_vllm->setVisible(!session_.engine().kv_pool);

  answer_->setTextFormat(Qt::RichText);
  answer_->setWordWrap(true);
  answer_->setContentsMargins(10, 2, 10, 8);
  answer_->setAccessibleName(QStringLiteral("Devices needed"));
  auto* second = new QHBoxLayout;
  second->setContentsMargins(0, 0, 10, 0);
  second->addWidget(answer_, 1);
  second->addWidget(use_vllm);
  table_->setModel(options_);
  table_->setAccessibleName(QStringLiteral("Sizes of replicas"));
  table_->setShowGrid(false);
  table_->setAlternatingRowColors(true);
  table_->setTabKeyNavigation(false);
  table_->setFrameShape(QFrame::NoFrame);
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 10);
  table_->horizontalHeader()->setHighlightSections(false);
  table_->horizontalHeader()->setStretchLastSection(true);
  for (int c = 0; c < ServiceTableModel::kColumns; ++c)
    table_->setColumnWidth(c, 10 * fontMetrics().averageCharWidth() + 8);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(row);
  column->addLayout(second);
  column->addWidget(table_, 1);

  for (auto* box : {requests_, ttft_, tpot_}) connect(box, &QDoubleSpinBox::valueChanged, this, &ServerView::work);
  for (auto* box : {prompt_, output_}) connect(box, &QSpinBox::valueChanged, this, &ServerView::work);
  connect(&session_, &Session::question_changed, this, [this] {
    if (isVisible()) work();
  });
}

ServiceGoals ServerView::goals() const {
  constexpr double kMillisecond = 1e-3;
  ServiceGoals g;
  g.requests_per_s = requests_->value();
  g.prompt_tokens = prompt_->value();
  g.output_tokens = output_->value();
  if (ttft_->value() > 0) g.max_ttft_s = ttft_->value();
  if (tpot_->value() > 0) g.max_tpot_s = tpot_->value() * kMillisecond;
  return g;
}

void ServerView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  work();
}

void ServerView::work() {
  const auto question = session_.question();
  if (question.devices.isEmpty()) {
    answer_->setText(QStringLiteral("Select a device in the table of devices: a service is planned for one kind."));
    return;
  }
  session_.slow().submit(
      kChannel,
      [this, question, wanted = goals(), facts = session_.facts()](const Task&) -> std::function<void()> {
        try {
          const auto plan = plan_service(request_for(question, question.devices.front()), wanted, *facts);
          const auto* device = facts->find_device(question.devices.front().toStdString());
          QString text;
          if (const auto* best = plan.best()) {
            text = QStringLiteral("<b>%1 × %2</b>: %3 replica%4 of %5, %6 requests in flight each, %7 output tok/s each, TPOT %8, TTFT %9")
                       .arg(thousands(best->devices), to_qt(device->name).toHtmlEscaped(), thousands(best->replicas),
                            best->replicas == 1 ? QString() : QStringLiteral("s"), thousands(best->devices_per_replica), thousands(best->concurrency),
                            significant(best->output_tokens_per_s), seconds(best->tpot_s), seconds(best->ttft_s));
          } else {
            text = QStringLiteral("<b>No size meets the goals</b> on %1; the last column says what breaks.").arg(to_qt(device->name).toHtmlEscaped());
          }
          for (const auto& note : plan.notes) text += QStringLiteral("<br>Note: %1.").arg(to_qt(note).toHtmlEscaped());
          return [this, plan, text] {
            options_->set_plan(plan);
            answer_->setText(text);
          };
        } catch (const Error& e) {
          return [this, text = QString::fromUtf8(e.what())] {
            options_->set_plan({});
            answer_->setText(text.toHtmlEscaped());
          };
        }
      },
      Estimator::Running::cancel);
}

void ServerView::save(QSettings& settings) const {
  settings.setValue(QStringLiteral("server/requests"), requests_->value());
  settings.setValue(QStringLiteral("server/prompt"), prompt_->value());
  settings.setValue(QStringLiteral("server/output"), output_->value());
  settings.setValue(QStringLiteral("server/ttft"), ttft_->value());
  settings.setValue(QStringLiteral("server/tpot"), tpot_->value());
}

void ServerView::restore(QSettings& settings) {
  requests_->setValue(settings.value(QStringLiteral("server/requests"), requests_->value()).toDouble());
  prompt_->setValue(settings.value(QStringLiteral("server/prompt"), prompt_->value()).toInt());
  output_->setValue(settings.value(QStringLiteral("server/output"), output_->value()).toInt());
  ttft_->setValue(settings.value(QStringLiteral("server/ttft"), ttft_->value()).toDouble());
  tpot_->setValue(settings.value(QStringLiteral("server/tpot"), tpot_->value()).toDouble());
}

}  // namespace planner::gui
