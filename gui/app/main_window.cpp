#include "app/main_window.h"

#include <QAction>
#include <QActionGroup>
#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDialog>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenuBar>
#include <QMimeData>
#include <QPainter>
#include <QPdfWriter>
#include <QSaveFile>
#include <QStackedWidget>
#include <QStyle>
#include <QSvgGenerator>
#include <QTabBar>
#include <QTableView>
#include <QTextBrowser>
#include <QTextDocument>
#include <QToolButton>
#include <QVBoxLayout>

#include "app/compare_view.h"
#include "app/context_chart.h"
#include "app/devices_view.h"
#include "app/heat_map_view.h"
#include "app/machine_view.h"
#include "app/memory_map_view.h"
#include "app/model_field.h"
#include "app/model_view.h"
#include "app/question_bar.h"
#include "app/server_view.h"
#include "logic/glossary.h"
#include "logic/report.h"
#include "logic/table_export.h"
#include "logic/words.h"
#include "planner/commands.h"

namespace planner::gui {

MainWindow::MainWindow(const Facts& facts, QSettings& settings) : settings_(settings), session_(facts) {
  setWindowTitle(QStringLiteral("Planner"));
  setAcceptDrops(true);
  question_ = new QuestionBar(session_, this);
  tabs_ = new QTabBar(this);
  tabs_->setAccessibleName(QStringLiteral("Views"));
  tabs_->setExpanding(false);
  tabs_->setDocumentMode(true);
  views_ = new QStackedWidget(this);

  message_bar_ = new QFrame(this);
  message_bar_->setFrameShape(QFrame::StyledPanel);
  message_bar_->setAutoFillBackground(true);
  auto* icon = new QLabel(message_bar_);
  icon->setPixmap(style()->standardPixmap(QStyle::SP_MessageBoxWarning).scaledToHeight(fontMetrics().height() + 2, Qt::SmoothTransformation));
  message_ = new QLabel(message_bar_);
  message_->setWordWrap(true);
  message_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  message_->setAccessibleName(QStringLiteral("Message"));
  auto* close = new QToolButton(message_bar_);
  close->setText(QStringLiteral("Dismiss"));
  close->setAccessibleName(QStringLiteral("Dismiss the message"));
  connect(close, &QToolButton::clicked, this, [this] {
    problem_.clear();
    show_message({});
  });
  auto* row = new QHBoxLayout(message_bar_);
  row->setContentsMargins(8, 4, 8, 4);
  row->addWidget(icon);
  row->addWidget(message_, 1);
  row->addWidget(close);
  message_bar_->hide();

  auto* middle = new QWidget(this);
  auto* column = new QVBoxLayout(middle);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(question_);
  column->addWidget(tabs_);
  column->addWidget(message_bar_);
  column->addWidget(views_, 1);
  setCentralWidget(middle);

  devices_ = new DevicesView(session_, this);
  heat_map_ = new HeatMapView(session_, this);
  model_ = new ModelView(session_, this);
  memory_map_ = new MemoryMapView(session_, this);
  compare_ = new CompareView(session_, this);
  server_ = new ServerView(session_, this);
  machine_ = new MachineView(session_, this);
  add_view(devices_, QStringLiteral("devices"), QStringLiteral("Devices"));
  add_view(heat_map_, QStringLiteral("what-fits"), QStringLiteral("What fits my card?"));
  add_view(model_, QStringLiteral("model"), QStringLiteral("Model"));
  add_view(memory_map_, QStringLiteral("memory-map"), QStringLiteral("Memory map"));
  add_view(compare_, QStringLiteral("compare"), QStringLiteral("Compare"));
  add_view(server_, QStringLiteral("server"), QStringLiteral("Server"));
  add_view(machine_, QStringLiteral("machine"), QStringLiteral("This machine"));
  connect(heat_map_, &HeatMapView::chosen, this, [this] { show_view(0); });
  connect(tabs_, &QTabBar::currentChanged, views_, &QStackedWidget::setCurrentIndex);
  connect(&session_, &Session::message, this, [this](const QString& text) {
    problem_ = text;
    show_messages();
  });
  make_menus();
  restore();
  devices_->table()->setFocus();
  if (!facts.problem.isEmpty()) show_message(facts.problem);
}

void MainWindow::add_view(QWidget* view, const QString& name, const QString& title) {
  view->setObjectName(name);
  views_->addWidget(view);
  tabs_->addTab(title);
  tabs_->setTabToolTip(tabs_->count() - 1, QStringLiteral("%1 (Ctrl+%2)").arg(title).arg(tabs_->count()));
}

int MainWindow::view_count() const { return views_->count(); }

QString MainWindow::view_name(int n) const { return views_->widget(n)->objectName(); }

void MainWindow::show_view(int n) { tabs_->setCurrentIndex(n); }

void MainWindow::show_message(const QString& text) {
  said_ = text;
  show_messages();
}

void MainWindow::show_messages() {
  QStringList lines;
  for (const auto& line : {problem_, said_}) {
    if (!line.isEmpty()) lines << line;
  }
  message_->setText(lines.join(u'\n'));
  message_bar_->setVisible(!lines.isEmpty());
}

QString MainWindow::message() const { return message_bar_->isHidden() ? QString() : message_->text(); }

void MainWindow::set_theme(ThemeName theme) {
  theme_ = theme;
  apply_theme(theme);
}

void MainWindow::make_menus() {
  const auto act = [this](QMenu* menu, const QString& text, const QKeySequence& keys, auto&& what) {
    auto* action = menu->addAction(text);
    action->setShortcut(keys);
    connect(action, &QAction::triggered, this, what);
    return action;
  };
  auto* file = menuBar()->addMenu(QStringLiteral("&File"));
  act(file, QStringLiteral("&Open a model file …"), QKeySequence::Open, [this] {
    const QString path =
        QFileDialog::getOpenFileName(this, QStringLiteral("Open a model"), {}, QStringLiteral("Models (*.gguf config.json *.json);;All files (*)"));
    if (!path.isEmpty()) session_.open_model(path);
  });
  act(file, QStringLiteral("Save a &report …"), QKeySequence::Save, [this] {
    const QString path =
        QFileDialog::getSaveFileName(this, QStringLiteral("Save a report"), QStringLiteral("plan.html"), QStringLiteral("HTML (*.html);;PDF (*.pdf)"));
    if (!path.isEmpty()) write_report(path);
  });
  act(file, QStringLiteral("Save the &plots …"), QKeySequence(QStringLiteral("Ctrl+Shift+S")), [this] {
    const QString path =
        QFileDialog::getSaveFileName(this, QStringLiteral("Save the plots"), QStringLiteral("context.svg"), QStringLiteral("SVG (*.svg);;PNG (*.png)"));
    if (!path.isEmpty()) write_plot(path);
  });
  file->addSeparator();
  act(file, QStringLiteral("&Quit"), QKeySequence::Quit, [this] { close(); });

  auto* edit = menuBar()->addMenu(QStringLiteral("&Edit"));
  auto* copy = act(edit, QStringLiteral("&Copy cell"), {}, [this] { copy_cell(); });
  act(edit, QStringLiteral("Copy table as &text"), {}, [this] { copy_table(static_cast<int>(TableFormat::text)); });
  act(edit, QStringLiteral("Copy table as CS&V"), QKeySequence(QStringLiteral("Ctrl+Shift+V")), [this] { copy_table(static_cast<int>(TableFormat::csv)); });
  act(edit, QStringLiteral("Copy table as &Markdown"), QKeySequence(QStringLiteral("Ctrl+Shift+M")),
      [this] { copy_table(static_cast<int>(TableFormat::markdown)); });
  edit->addSeparator();
  const auto with_request = [this](auto&& write) {
    if (session_.details().empty() || !session_.details().front().answer)
      return show_message(QStringLiteral("Select a device first: the command speaks of one."));
    const auto& first = session_.details().front();
    const auto request = request_for(session_.question(), to_qt(first.device->id));
    const QString text = to_qt(write(request, *first.answer));
    if (text.isEmpty()) return show_message(QStringLiteral("No command line is known for this engine."));
    QApplication::clipboard()->setText(text);
    show_message(QStringLiteral("Copied: %1").arg(text));
  };
  act(edit, QStringLiteral("Copy the &planner command"), QKeySequence(QStringLiteral("Ctrl+Shift+P")),
      [with_request] { with_request([](const EstimateRequest& r, const Estimate&) { return planner_command(r); }); });
  act(edit, QStringLiteral("Copy the &engine's command"), QKeySequence(QStringLiteral("Ctrl+Shift+E")),
      [this, with_request] { with_request([this](const EstimateRequest& r, const Estimate& a) { return engine_command(r, a, *session_.facts()); }); });
  edit->addSeparator();
  act(edit, QStringLiteral("Find a &model"), QKeySequence(QStringLiteral("Ctrl+L")), [this] { question_->model_field()->setFocus(Qt::ShortcutFocusReason); });
  act(edit, QStringLiteral("&Filter devices"), QKeySequence::Find, [this] {
    show_view(0);
    devices_->focus_filter();
  });
  copy->setShortcut(QKeySequence::Copy);
  copy->setShortcutContext(Qt::WidgetWithChildrenShortcut);
  devices_->table()->addAction(copy);

  auto* view = menuBar()->addMenu(QStringLiteral("&View"));
  for (int i = 0; i < tabs_->count(); ++i)
    act(view, QStringLiteral("&%1  %2").arg(i + 1).arg(tabs_->tabText(i)), QKeySequence(QStringLiteral("Ctrl+%1").arg(i + 1)), [this, i] { show_view(i); });
  auto* help = menuBar()->addMenu(QStringLiteral("&Help"));
  act(help, QStringLiteral("&Glossary"), QKeySequence::HelpContents, [this] { show_glossary(); });
  view->addSeparator();
  auto* themes = new QActionGroup(this);
  for (const auto& [theme, text] : {std::pair(ThemeName::system, QStringLiteral("Colours of the &desktop")),
                                    std::pair(ThemeName::light, QStringLiteral("&Light")), std::pair(ThemeName::dark, QStringLiteral("Dar&k"))}) {
    auto* action = act(view, text, {}, [this, theme = theme] { set_theme(theme); });
    action->setCheckable(true);
    action->setChecked(theme == theme_named(settings_.value(QStringLiteral("theme")).toString()));
    themes->addAction(action);
  }
}

bool MainWindow::write_report(const QString& path) {
  const QString html = report_html(session_, *devices_->filter());
  bool written = false;
  if (path.endsWith(u".pdf", Qt::CaseInsensitive)) {
    // Made beside the file first: a PDF writer does not say that it could not write.
    QSaveFile file(path);
    if (file.open(QIODevice::WriteOnly)) {
      QPdfWriter writer(&file);
      writer.setTitle(QStringLiteral("Planner: %1").arg(session_.model_name()));
      QTextDocument document;
      document.setHtml(html);
      document.print(&writer);
      written = file.commit();
    }
  } else {
    QSaveFile file(path);
    written = file.open(QIODevice::WriteOnly) && file.write(html.toUtf8()) >= 0 && file.commit();
  }
  show_message(written ? QStringLiteral("Written: %1").arg(path) : QStringLiteral("%1 cannot be written").arg(path));
  return written;
}

bool MainWindow::write_plot(const QString& path) {
  QWidget* charts = devices_->charts();
  bool written = false;
  if (path.endsWith(u".svg", Qt::CaseInsensitive)) {
    QSaveFile file(path);
    if (file.open(QIODevice::WriteOnly)) {
      QSvgGenerator svg;
      svg.setOutputDevice(&file);
      svg.setSize(charts->size());
      svg.setViewBox(charts->rect());
      svg.setTitle(QStringLiteral("%1 over context").arg(session_.model_name()));
      QPainter painter(&svg);
      charts->render(&painter);
      painter.end();
      written = file.commit();
    }
  } else {
    constexpr int kScale = 2;
    QImage image(charts->size() * kScale, QImage::Format_ARGB32);
    image.setDevicePixelRatio(kScale);
    image.fill(palette().color(QPalette::Base));
    charts->render(&image);
    written = image.save(path);
  }
  show_message(written ? QStringLiteral("Written: %1").arg(path) : QStringLiteral("%1 cannot be written").arg(path));
  return written;
}

void MainWindow::copy_cell() { QApplication::clipboard()->setText(devices_->table()->currentIndex().data().toString()); }

void MainWindow::show_glossary() {
  auto* window = new QDialog(this);
  window->setAttribute(Qt::WA_DeleteOnClose);
  window->setWindowTitle(QStringLiteral("Glossary"));
  auto* text = new QTextBrowser(window);
  text->setAccessibleName(QStringLiteral("Glossary"));
  QString html;
  for (const auto& term : glossary()) html += QStringLiteral("<p><b>%1</b>: %2</p>").arg(to_qt(term.name).toHtmlEscaped(), to_qt(term.meaning).toHtmlEscaped());
  text->setHtml(html);
  auto* column = new QVBoxLayout(window);
  column->addWidget(text);
  window->resize(560, 600);
  window->show();
}

void MainWindow::copy_table(int format) {
  auto* table = views_->currentWidget()->findChild<QTableView*>();
  if (table == nullptr) return show_message(QStringLiteral("This view has no table."));
  QApplication::clipboard()->setText(table_as(static_cast<TableFormat>(format), *table->model()));
}

void MainWindow::save() {
  session_.save(settings_);
  devices_->save(settings_);
  compare_->save(settings_);
  server_->save(settings_);
  machine_->save(settings_);
  settings_.setValue(QStringLiteral("window/geometry"), saveGeometry());
  settings_.setValue(QStringLiteral("window/view"), tabs_->currentIndex());
  settings_.setValue(QStringLiteral("theme"), to_string(theme_));
  settings_.sync();
}

void MainWindow::restore() {
  if (!restoreGeometry(settings_.value(QStringLiteral("window/geometry")).toByteArray())) resize(1400, 900);
  theme_ = theme_named(settings_.value(QStringLiteral("theme")).toString());
  session_.restore(settings_);
  devices_->restore(settings_);
  compare_->restore(settings_);
  server_->restore(settings_);
  machine_->restore(settings_);
  const int view = settings_.value(QStringLiteral("window/view")).toInt();
  if (view >= 0 && view < tabs_->count()) show_view(view);
  if (!settings_.isWritable()) show_message(QStringLiteral("%1 cannot be written: what you change here is not kept.").arg(settings_.fileName()));
}

void MainWindow::closeEvent(QCloseEvent* event) {
  save();
  event->accept();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (event->mimeData()->hasUrls() && event->mimeData()->urls().size() == 1 && event->mimeData()->urls().front().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  if (!event->mimeData()->hasUrls()) return;
  event->acceptProposedAction();
  session_.open_model(event->mimeData()->urls().front().toLocalFile());
}

}  // namespace planner::gui
