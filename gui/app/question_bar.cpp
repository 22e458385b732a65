#include "app/question_bar.h"

#include <QComboBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSpinBox>

#include "app/context_slider.h"
#include "app/model_field.h"
#include "app/theme.h"
#include "logic/glossary.h"
#include "logic/session.h"
#include "logic/words.h"

namespace planner::gui {
namespace {

/// A label that gives the keyboard focus to its field.
QLabel* label_for(QWidget* field, const QString& text, std::string_view term, QWidget* parent) {
  auto* label = new QLabel(text, parent);
  label->setMinimumHeight(QSpinBox().sizeHint().height());  // level with the fields, also in a row that is higher
  label->setBuddy(field);
  label->setToolTip(meaning_of(term));
  field->setToolTip(meaning_of(term));
  if (field->accessibleName().isEmpty()) field->setAccessibleName(QString(text).remove(u'&'));
  return label;
}

/// Fills a box with (shown, data) pairs and selects `current`, without telling anyone.
void fill(QComboBox* box, const QList<std::pair<QString, QString>>& entries, const QString& current) {
  const QSignalBlocker quiet(box);
  bool same = box->count() == entries.size();
  for (int i = 0; same && i < box->count(); ++i) same = box->itemText(i) == entries[i].first && box->itemData(i).toString() == entries[i].second;
  if (!same) {
    box->clear();
    for (const auto& [shown, data] : entries) box->addItem(shown, data);
  }
  box->setCurrentIndex(std::max(0, box->findData(current)));
}

QSpinBox* number(int low, int high, QWidget* parent) {
  auto* box = new QSpinBox(parent);
  box->setRange(low, high);
  box->setKeyboardTracking(false);
  box->setGroupSeparatorShown(true);
  box->setLocale(QLocale(QLocale::English, QLocale::UnitedStates));
  return box;
}

}  // namespace

QuestionBar::QuestionBar(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      model_(new ModelField(session, this)),
      quantization_(new QComboBox(this)),
      kv_type_(new QComboBox(this)),
      engine_(new QComboBox(this)),
      backend_(new QComboBox(this)),
      concurrency_(number(1, 65536, this)),
      prompt_(number(1, 1 << 30, this)),
      count_(number(1, 1024, this)),
      context_(new ContextSlider(this)),
      summary_(new QLabel(this)) {
  for (auto* box : {quantization_, kv_type_, engine_, backend_}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(box == kv_type_ ? 5 : 8);
  }
  for (auto* box : {prompt_, concurrency_, count_}) box->setMaximumWidth(fontMetrics().horizontalAdvance(QStringLiteral("131,072")) + 40);
  quantization_->setMaxVisibleItems(24);
  summary_->setTextFormat(Qt::PlainText);
  summary_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  summary_->setAccessibleName(QStringLiteral("Summary of the model"));
  model_->setMinimumWidth(180);

  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(10, 8, 10, 4);
  grid->setVerticalSpacing(6);
  auto* first = new QHBoxLayout;
  first->addWidget(label_for(model_, QStringLiteral("&Model"), "model", this));
  first->addWidget(model_, 1);
  first->addWidget(label_for(quantization_, QStringLiteral("&Quantization"), "quantization", this));
  first->addWidget(quantization_);
  first->addWidget(label_for(kv_type_, QStringLiteral("&KV"), "KV format", this));
  first->addWidget(kv_type_);
  first->addWidget(label_for(engine_, QStringLiteral("&Engine"), "engine", this));
  first->addWidget(engine_);
  first->addWidget(backend_);
  auto* second = new QHBoxLayout;
  second->addWidget(label_for(context_->slider(), QStringLiteral("&Context"), "context", this), 0, Qt::AlignTop);
  second->addWidget(context_, 1);
  second->addWidget(label_for(prompt_, QStringLiteral("&Prompt"), "prompt", this), 0, Qt::AlignTop);
  second->addWidget(prompt_, 0, Qt::AlignTop);
  second->addWidget(label_for(concurrency_, QStringLiteral("&Sequences"), "concurrency", this), 0, Qt::AlignTop);
  second->addWidget(concurrency_, 0, Qt::AlignTop);
  second->addWidget(label_for(count_, QStringLiteral("De&vices ×"), "several of these", this), 0, Qt::AlignTop);
  second->addWidget(count_, 0, Qt::AlignTop);
  grid->addLayout(first, 0, 0);
  grid->addLayout(second, 1, 0);
  grid->addWidget(summary_, 2, 0);
  backend_->setAccessibleName(QStringLiteral("Backend"));
  backend_->setToolTip(meaning_of("backend"));
  kv_type_->setAccessibleName(QStringLiteral("KV cache format"));
  concurrency_->setAccessibleName(QStringLiteral("Sequences at once"));
  prompt_->setAccessibleName(QStringLiteral("Prompt in tokens"));
  count_->setAccessibleName(QStringLiteral("Number of each device"));

  QWidget* before = model_;
  for (QWidget* next : {static_cast<QWidget*>(quantization_), static_cast<QWidget*>(kv_type_), static_cast<QWidget*>(engine_), static_cast<QWidget*>(backend_),
                        static_cast<QWidget*>(context_->slider()), static_cast<QWidget*>(context_->field()), static_cast<QWidget*>(prompt_),
                        static_cast<QWidget*>(concurrency_), static_cast<QWidget*>(count_)}) {
    setTabOrder(before, next);
    before = next;
  }

  const auto choose = [this](QComboBox* box, QString Question::*member) {
    connect(box, &QComboBox::currentIndexChanged, this, [this, box, member](int) {
      const QString value = box->currentData().toString();
      session_.ask([&](Question& q) { q.*member = value; });
    });
  };
  choose(quantization_, &Question::quantization);
  choose(kv_type_, &Question::kv_type);
  choose(engine_, &Question::engine);
  choose(backend_, &Question::backend);
  const auto count = [this](QSpinBox* box, qint64 Question::*member) {
    connect(box, &QSpinBox::valueChanged, this, [this, member](int value) { session_.ask([&](Question& q) { q.*member = value; }); });
  };
  count(concurrency_, &Question::concurrency);
  count(prompt_, &Question::prompt);
  count(count_, &Question::count);
  connect(context_, &ContextSlider::context_chosen, this, [this](qint64 context) { session_.ask([&](Question& q) { q.context = context; }); });
  connect(&session_, &Session::question_changed, this, &QuestionBar::show_question);
  connect(&session_, &Session::details_changed, this, &QuestionBar::show_summary);
  connect(&session_, &Session::answers_changed, this, &QuestionBar::show_summary);
  show_question();
}

void QuestionBar::show_question() {
  const auto& q = session_.question();
  const auto& engine = session_.engine();
  QList<std::pair<QString, QString>> quantizations, kv = {{QStringLiteral("default"), QString()}}, engines,
                                                    backends = {{QStringLiteral("automatic"), QString()}};
  if (q.model.endsWith(u".gguf", Qt::CaseInsensitive)) quantizations << std::pair(QStringLiteral("as in the file"), QString());
  for (const auto& name : session_.quantizations()) quantizations << std::pair(name, name);
  for (const auto& type : engine.kv_types) kv << std::pair(to_qt(type), to_qt(type));
  for (const auto* e : session_.facts()->engines()) engines << std::pair(to_qt(e->name), to_qt(e->id));
  for (const auto& backend : engine.backends) backends << std::pair(to_qt(backend), to_qt(backend));
  fill(quantization_, quantizations, q.quantization);
  fill(kv_type_, kv, q.kv_type);
  fill(engine_, engines, q.engine);
  fill(backend_, backends, q.backend);
  context_->set_limit(session_.context_limit());
  context_->set_context(q.context);
  const auto show = [](QSpinBox* box, qint64 value) {
    const QSignalBlocker quiet(box);
    box->setValue(static_cast<int>(value));
  };
  show(concurrency_, q.concurrency);
  show(prompt_, q.prompt);
  show(count_, q.count);
}

void QuestionBar::show_summary() {
  const auto& answer = session_.summary();
  if (!answer) {
    summary_->clear();
    return;
  }
  const auto& m = answer->model;
  QStringList parts;
  parts << QStringLiteral("%1 parameters").arg(parameters(m.parameters.total));
  if (m.parameters.active != m.parameters.total) parts.last() += QStringLiteral(" (%1 active)").arg(parameters(m.parameters.active));
  parts << QStringLiteral("%1 layers").arg(m.layers);
  if (m.context_max) parts << QStringLiteral("context up to %1").arg(thousands(*m.context_max));
  if (answer->quantization) {
    parts << QStringLiteral("%1 %2 bits per weight").arg(to_qt(answer->quantization->name), significant(answer->quantization->bits_per_weight));
    if (answer->quantization->file_size_bytes > 0) parts << QStringLiteral("file %1").arg(gb(answer->quantization->file_size_bytes));
  }
  parts << QStringLiteral("%1 %2").arg(to_qt(answer->engine), to_qt(answer->engine_version));
  summary_->setText(parts.join(QStringLiteral("  ·  ")));
  summary_->setToolTip(summary_->text());
  QPalette quiet = palette();
  quiet.setColor(QPalette::WindowText, quiet_text(palette()));
  summary_->setPalette(quiet);
}

}  // namespace planner::gui
