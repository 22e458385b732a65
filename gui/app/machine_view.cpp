#include "app/machine_view.h"

#include <QFile>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "app/explanation_panel.h"
#include "app/memory_bars.h"
#include "logic/machine_file.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

const QString kChannel = QStringLiteral("machine");

}  // namespace

MachineView::MachineView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      answer_(new QLabel(this)),
      bars_(new MemoryBars(this)),
      why_(new ExplanationPanel(this)),
      help_(new QTextBrowser(this)) {
  auto* row = new QHBoxLayout;
  row->setContentsMargins(10, 8, 10, 4);
  row->setSpacing(8);
  auto* open_button = new QPushButton(QStringLiteral("&Open a machine file …"), this);
  auto* write_button = new QPushButton(QStringLiteral("&Write one from the selected devices …"), this);
  row->addWidget(open_button);
  row->addWidget(write_button);
  row->addStretch(1);
  answer_->setTextFormat(Qt::RichText);
  answer_->setWordWrap(true);
  answer_->setContentsMargins(10, 2, 10, 6);
  answer_->setAccessibleName(QStringLiteral("Answer for this machine"));
  help_->setOpenExternalLinks(true);
  help_->setAccessibleName(QStringLiteral("What a machine file is"));
  help_->setFrameShape(QFrame::NoFrame);
  help_->document()->setDocumentMargin(10);
  help_->setHtml(machine_help_html());
  auto* scroll = new QScrollArea(this);
  scroll->setWidget(bars_);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setFocusPolicy(Qt::NoFocus);
  auto* right = new QSplitter(Qt::Vertical, this);
  right->setChildrenCollapsible(false);
  right->addWidget(scroll);
  right->addWidget(why_);
  auto* both = new QSplitter(Qt::Horizontal, this);
  both->setChildrenCollapsible(false);
  both->addWidget(help_);
  both->addWidget(right);
  both->setSizes({600, 600});
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(row);
  column->addWidget(answer_);
  column->addWidget(both, 1);
  connect(open_button, &QPushButton::clicked, this, [this] {
    const QString path =
        QFileDialog::getOpenFileName(this, QStringLiteral("Open a machine file"), {}, QStringLiteral("Machines (*.yaml *.yml);;All files (*)"));
    if (!path.isEmpty()) open(path);
  });
  connect(write_button, &QPushButton::clicked, this, &MachineView::write_file);
  connect(&session_, &Session::question_changed, this, [this] {
    if (isVisible()) work();
  });
}

void MachineView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  work();
}

void MachineView::open(const QString& path) {
  path_ = path;
  work();
}

void MachineView::work() {
  if (path_.isEmpty()) {
    answer_->setText(QStringLiteral("No machine file is open. What follows is for the devices that are selected in the table."));
    bars_->set_answers(session_.details());
    why_->explain(session_.details().empty() ? DeviceAnswer{} : session_.details().front(), Topic::verdict);
    return;
  }
  session_.quick().submit(kChannel, [this, question = session_.question(), path = path_, facts = session_.facts()](const Task&) -> std::function<void()> {
    auto answer = ask_machine(question, path, facts);
    return [this, answer = std::move(answer)] {
      if (!answer.answer) {
        answer_->setText(QStringLiteral("<b>%1</b>").arg(answer.problem.toHtmlEscaped()));
        bars_->set_answers({});
        why_->explain(answer, Topic::verdict);
        return;
      }
      const auto& a = *answer.answer;
      QString text = QStringLiteral("<b>%1</b>: %2").arg(to_qt(a.machine).toHtmlEscaped(), sentence(answer.line.verdict));
      if (answer.speed() != nullptr)
        text += QStringLiteral(", decode <b>%1</b> (%2 to %3)")
                    .arg(rate(answer.speed()->decode_tokens_per_s), significant(answer.speed()->decode_low), significant(answer.speed()->decode_high));
      answer_->setText(text);
      bars_->set_answers({answer});
      why_->explain(answer, Topic::verdict);
    };
  });
}

void MachineView::write_file() {
  const QString path =
      QFileDialog::getSaveFileName(this, QStringLiteral("Write a machine file"), QStringLiteral("machine.yaml"), QStringLiteral("Machines (*.yaml)"));
  if (path.isEmpty()) return;
  QFile file(path);
  if (!file.open(QIODevice::WriteOnly) || file.write(machine_file_text(session_.question(), session_.facts()).toUtf8()) < 0) {
    answer_->setText(QStringLiteral("<b>%1 cannot be written: %2</b>").arg(path.toHtmlEscaped(), file.errorString().toHtmlEscaped()));
    return;
  }
  file.close();
  open(path);
}

void MachineView::save(QSettings& settings) const { settings.setValue(QStringLiteral("machine/path"), path_); }

void MachineView::restore(QSettings& settings) { path_ = settings.value(QStringLiteral("machine/path")).toString(); }

}  // namespace planner::gui
