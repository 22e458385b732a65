#include "app/compare_view.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QTableView>
#include <QVBoxLayout>

#include "app/delegates.h"
#include "logic/device_table_model.h"

namespace planner::gui {
namespace {

const QString kChannel = QStringLiteral("compare");

/// A figure in bold where it is the best of its row; verdicts as everywhere.
class FigureDelegate : public VerdictDelegate {
 public:
  using VerdictDelegate::VerdictDelegate;

 protected:
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
    VerdictDelegate::initStyleOption(option, index);
    option->font.setBold(index.column() == 0 || index.data(kBestRole).toBool());
  }
};

}  // namespace

CompareView::CompareView(Session& session, QWidget* parent) : QWidget(parent), session_(session), model_(new CompareModel(this)), table_(new QTableView(this)) {
  table_->setModel(model_);
  table_->setAccessibleName(QStringLiteral("Configurations side by side"));
  table_->setItemDelegate(new FigureDelegate(this));
  table_->setShowGrid(false);
  table_->setAlternatingRowColors(true);
  table_->setTabKeyNavigation(false);
  table_->setFrameShape(QFrame::NoFrame);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 10);
  const auto name_column = [this] {
    table_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    table_->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Fixed);
    table_->setColumnWidth(0, 26 * fontMetrics().averageCharWidth());
  };
  name_column();
  connect(model_, &QAbstractItemModel::modelReset, this, name_column);
  table_->horizontalHeader()->setHighlightSections(false);

  auto* row = new QHBoxLayout;
  row->setContentsMargins(8, 6, 8, 6);
  row->setSpacing(8);
  const auto button = [&](const QString& text, auto&& what) {
    auto* b = new QPushButton(text, this);
    b->setAccessibleName(QString(text).remove(u'&'));
    connect(b, &QPushButton::clicked, this, what);
    row->addWidget(b);
  };
  button(QStringLiteral("&Add what is asked above"), [this] { add_question(); });
  button(QStringLiteral("The selected &devices"), [this] {
    std::vector<Question> questions;
    for (const auto& id : session_.question().devices) {
      Question q = session_.question();
      q.devices = QStringList{id};
      questions.push_back(q);
    }
    set(questions);
  });
  button(QStringLiteral("Engines &side by side"), [this] { set(engines_side_by_side(session_.question(), session_.facts())); });
  button(QStringLiteral("&Use this one"), [this] {
    const int column = table_->currentIndex().column() - 1;
    if (column >= 0 && column < static_cast<int>(model_->questions().size()))
      session_.ask([&](Question& q) { q = model_->questions()[static_cast<std::size_t>(column)]; });
  });
  button(QStringLiteral("&Remove this one"), [this] {
    auto questions = model_->questions();
    const int column = table_->currentIndex().column() - 1;
    if (column < 0 || column >= static_cast<int>(questions.size())) return;
    questions.erase(questions.begin() + column);
    set(questions);
  });
  row->addStretch(1);
  row->addWidget(new QLabel(QStringLiteral("★ best of its row"), this));
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->setSpacing(0);
  all->addLayout(row);
  all->addWidget(table_, 1);
}

void CompareView::add_question() {
  auto questions = model_->questions();
  Question q = session_.question();
  q.devices = q.devices.mid(0, 1);
  if (q.devices.isEmpty()) return;
  if (questions.size() == CompareModel::kMost) questions.erase(questions.begin());
  questions.push_back(q);
  set(questions);
}

void CompareView::set(const std::vector<Question>& questions) {
  model_->set_questions(questions);
  work();
}

void CompareView::work() {
  session_.quick().submit(kChannel, [this, questions = model_->questions(), facts = session_.facts()](const Task& task) -> std::function<void()> {
    std::vector<DeviceAnswer> answers;
    for (const auto& q : questions) {
      const auto* device = q.devices.isEmpty() ? nullptr : facts->find_device(q.devices.front().toStdString());
      answers.push_back(device == nullptr || task.cancelled() ? DeviceAnswer{} : ask(q, *device, facts, Detail::full));
    }
    return [this, answers = std::move(answers)] { model_->set_answers(answers); };
  });
}

/// Never empty: somebody who comes here first sees what the view is for.
void CompareView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!model_->questions().empty()) return;
  if (session_.question().devices.size() > 1) {
    std::vector<Question> questions;
    for (const auto& id : session_.question().devices) questions.push_back(session_.question()), questions.back().devices = QStringList{id};
    set(questions);
  } else {
    set(engines_side_by_side(session_.question(), session_.facts()));
  }
}

void CompareView::save(QSettings& settings) const {
  QVariantList list;
  for (const auto& q : model_->questions()) list << to_map(q);
  settings.setValue(QStringLiteral("compare/questions"), list);
}

void CompareView::restore(QSettings& settings) {
  std::vector<Question> questions;
  for (const auto& map : settings.value(QStringLiteral("compare/questions")).toList()) {
    Question q = question_from(map.toMap());
    put_right(q, session_.facts());
    questions.push_back(q);
  }
  if (!questions.empty()) set(questions);
}

}  // namespace planner::gui
