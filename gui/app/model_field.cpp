#include "app/model_field.h"

#include <QCoreApplication>
#include <QFrame>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QTreeView>
#include <QVBoxLayout>

#include "logic/device_table_model.h"
#include "logic/glossary.h"
#include "logic/model_tree_model.h"
#include "logic/session.h"

namespace planner::gui {

ModelField::ModelField(Session& session, QWidget* parent)
    : QLineEdit(parent),
      session_(session),
      models_(new ModelTreeModel(session.facts(), this)),
      frame_(new QFrame(parent)),
      tree_(new QTreeView(frame_)),
      nothing_(new QLabel(frame_)) {
  setAccessibleName(QStringLiteral("Model"));
  setToolTip(meaning_of("model"));
  setPlaceholderText(QStringLiteral("Model: type part of a name, or a path"));
  setClearButtonEnabled(true);

  frame_->setFrameShape(QFrame::StyledPanel);
  frame_->setAutoFillBackground(true);
  frame_->hide();
  tree_->setModel(models_);
  tree_->setAccessibleName(QStringLiteral("Models found"));
  tree_->setFocusPolicy(Qt::NoFocus);
  tree_->setUniformRowHeights(true);
  tree_->setRootIsDecorated(false);
  tree_->setIndentation(14);
  tree_->setAlternatingRowColors(true);
  tree_->setFrameShape(QFrame::NoFrame);
  tree_->header()->setStretchLastSection(false);
  tree_->header()->setSectionResizeMode(ModelTreeModel::kName, QHeaderView::Stretch);
  tree_->header()->setSectionResizeMode(ModelTreeModel::kParameters, QHeaderView::ResizeToContents);
  tree_->header()->setSectionResizeMode(ModelTreeModel::kContext, QHeaderView::ResizeToContents);
  nothing_->setText(QStringLiteral("No model of the catalog has this in its name.\nA path of a .gguf or a config.json works too."));
  nothing_->setAlignment(Qt::AlignCenter);
  auto* column = new QVBoxLayout(frame_);
  column->setContentsMargins(1, 1, 1, 1);
  column->addWidget(tree_);
  column->addWidget(nothing_);

  connect(this, &QLineEdit::textEdited, this, [this](const QString& typed) {
    models_->search(typed);
    show_list();
  });
  connect(tree_, &QTreeView::clicked, this, &ModelField::choose);
  connect(&session_, &Session::question_changed, this, &ModelField::show_question);
  show_question();
}

void ModelField::show_question() {
  models_->set_recent(session_.recent_models());
  if (!hasFocus() || !list_shown()) setText(session_.model_name());
}

bool ModelField::list_shown() const { return frame_->isVisible(); }

void ModelField::show_list() {
  tree_->expandAll();
  const bool any = models_->matches() > 0;
  tree_->setVisible(any);
  nothing_->setVisible(!any);
  if (frame_->parentWidget() != window()) {
    frame_->setParent(window());
    window()->installEventFilter(this);
  }
  place_list();
  frame_->show();
  frame_->raise();
  if (any) tree_->setCurrentIndex(models_->first());
}

void ModelField::hide_list() { frame_->hide(); }

void ModelField::place_list() {
  constexpr int kWidest = 620, kHighest = 420, kMargin = 12;
  const QPoint below = mapTo(window(), QPoint(0, height() + 2));
  const int room_x = window()->width() - below.x() - kMargin, room_y = window()->height() - below.y() - kMargin;
  frame_->setGeometry(below.x(), below.y(), std::min(std::max(width(), kWidest), room_x), std::min(kHighest, room_y));
}

void ModelField::choose(const QModelIndex& index) {
  const auto* entry = models_->entry(index);
  if (entry == nullptr) return;
  const QString id = index.data(kIdRole).toString();
  hide_list();
  session_.open_model(id);
  setText(session_.model_name());
  selectAll();
}

void ModelField::accept_text() {
  const QString typed = text().trimmed();
  const bool is_path = typed.startsWith(u'/') || typed.startsWith(u'.') || typed.endsWith(u".gguf", Qt::CaseInsensitive) || typed.endsWith(u".json");
  if (!is_path && list_shown() && models_->entry(tree_->currentIndex()) != nullptr) {
    choose(tree_->currentIndex());
    return;
  }
  hide_list();
  if (typed != session_.model_name()) session_.open_model(typed);
}

void ModelField::focusInEvent(QFocusEvent* event) {
  QLineEdit::focusInEvent(event);
  if (event->reason() != Qt::ActiveWindowFocusReason) selectAll();
}

void ModelField::focusOutEvent(QFocusEvent* event) {
  QLineEdit::focusOutEvent(event);
  if (event->reason() == Qt::PopupFocusReason || event->reason() == Qt::ActiveWindowFocusReason) return;
  hide_list();
  setText(session_.model_name());
}

void ModelField::mousePressEvent(QMouseEvent* event) {
  QLineEdit::mousePressEvent(event);
  if (!list_shown()) {
    models_->search({});
    show_list();
    selectAll();
  }
}

void ModelField::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Escape:
      hide_list();
      setText(session_.model_name());
      selectAll();
      return;
    case Qt::Key_Return:
    case Qt::Key_Enter: accept_text(); return;
    case Qt::Key_Down:
    case Qt::Key_Up:
    case Qt::Key_PageDown:
    case Qt::Key_PageUp:
      if (!list_shown()) {
        models_->search({});
        show_list();
      } else {
        QCoreApplication::sendEvent(tree_, event);
      }
      return;
    default: QLineEdit::keyPressEvent(event);
  }
}

bool ModelField::eventFilter(QObject* object, QEvent* event) {
  if (object == window()) {
    if (event->type() == QEvent::Resize && list_shown()) place_list();
    if (event->type() == QEvent::MouseButtonPress && list_shown()) hide_list();
  }
  return QLineEdit::eventFilter(object, event);
}

}  // namespace planner::gui
