// The window, driven as people drive it.
#include <doctest/doctest.h>

#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFile>
#include <QHeaderView>
#include <QLineEdit>
#include <QMimeData>
#include <QSlider>
#include <QSpinBox>
#include <QTableView>
#include <QTest>
#include <QTextBrowser>
#include <QTreeView>
#include <nlohmann/json.hpp>

#include "app/context_slider.h"
#include "app/devices_view.h"
#include "app/model_field.h"
#include "app/question_bar.h"
#include "gui/support.h"
#include "logic/words.h"
#include "support/files.h"

namespace {

using namespace planner;
using namespace planner::gui;
using namespace planner::gui::test;
using nlohmann::json;

QString cell(MainWindow& window, const char* device, int column) {
  auto* filter = window.devices_view()->filter();
  const auto index = filter->mapFromSource(window.session().devices().index(window.session().devices().row_of(QString::fromLatin1(device)), column));
  return index.data().toString();
}

void drop(QWidget& window, const QString& path) {
  QMimeData data;
  data.setUrls({QUrl::fromLocalFile(path)});
  QDragEnterEvent enter(QPoint(100, 100), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &enter);
  CHECK(enter.isAccepted());
  QDropEvent event(QPointF(100, 100), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &event);
}

/// The answer of the command line to the question that the window shows.
json told(MainWindow& window, const char* device) {
  const auto& q = window.session().question();
  QStringList arguments = {QStringLiteral("estimate"),      QStringLiteral("--json"),       QStringLiteral("--model"),   q.model,
                           QStringLiteral("--gpu"),         QString::fromLatin1(device),    QStringLiteral("--context"), QString::number(q.context),
                           QStringLiteral("--concurrency"), QString::number(q.concurrency), QStringLiteral("--engine"),  q.engine};
  if (!q.quantization.isEmpty()) arguments << QStringLiteral("--quant") << q.quantization;
  if (!q.kv_type.isEmpty()) arguments << QStringLiteral("--kv-type") << q.kv_type;
  if (q.count > 1) arguments << QStringLiteral("--gpus") << QString::number(q.count);
  return json::parse(output_of(QStringLiteral(PLANNER_PROGRAM), arguments));
}

void check_cells(MainWindow& window, const char* device) {
  CAPTURE(device);
  const auto answer = told(window, device);
  const std::string verdict = answer["fit"]["verdict"];
  CHECK(cell(window, device, DeviceTableModel::kVerdict).toStdString() == verdict);
  if (verdict == "no") {
    CHECK(cell(window, device, DeviceTableModel::kDecode) == kDash);
    return;
  }
  const auto& t = answer["throughput"];
  CHECK(cell(window, device, DeviceTableModel::kDecode) ==
        QStringLiteral("%1  (%2–%3)").arg(significant(t["decode_tokens_per_s"]), significant(t["decode_low"]), significant(t["decode_high"])));
  if (t["prefill_tokens_per_s"].is_number()) {
    CHECK(cell(window, device, DeviceTableModel::kPrefill) == significant(t["prefill_tokens_per_s"]));
    CHECK(cell(window, device, DeviceTableModel::kTtft) == seconds(t["time_to_first_token_s"]));
  }
  const auto& first = answer["memory"]["devices"][0];
  if (verdict == "fits" && answer["memory"]["devices"].size() <= 2 && first["usable_bytes"].is_number()) {
    CHECK(cell(window, device, DeviceTableModel::kMemory) ==
          QStringLiteral("%1 / %2").arg(gib(first["total_bytes"].get<std::int64_t>()), gib(first["usable_bytes"].get<std::int64_t>())));
  }
}

}  // namespace

TEST_CASE("What a cell shows is what planner estimate --json says") {
  Shown window;
  const auto check = [&] {
    window.wait();
    for (const char* device : {"rtx-4090", "rtx-3060-12gb", "rx-7900-xtx", "h100-sxm"}) check_cells(*window, device);
  };
  check();
  window->session().ask([](Question& q) { q.model = QStringLiteral("llama-3.1-70b-instruct"), q.context = 16384, q.kv_type = QStringLiteral("q8_0"); });
  check();
  window->session().ask([](Question& q) { q.count = 2, q.concurrency = 4, q.kv_type.clear(); });
  check();
  window->session().ask([](Question& q) { q.engine = QStringLiteral("vllm"), q.count = 1; });
  check();
}

TEST_CASE("Type a model and take it with the keyboard") {
  Shown window;
  auto* field = window->question_bar()->model_field();
  field->setFocus();
  field->selectAll();
  type(field, QStringLiteral("gpt oss 20b"));
  CHECK(field->list_shown());
  QTest::keyClick(field, Qt::Key_Return);
  CHECK_FALSE(field->list_shown());
  CHECK(window->session().question().model == QStringLiteral("gpt-oss-20b"));
  CHECK(window->session().recent_models().front() == QStringLiteral("gpt-oss-20b"));
  window.wait();
  CHECK(window->message().isEmpty());

  SUBCASE("down takes the next one") {
    field->selectAll();
    type(field, QStringLiteral("qwen3"));
    QTest::keyClick(field, Qt::Key_Down);
    const QString second = field->list()->currentIndex().siblingAtColumn(0).data().toString();
    QTest::keyClick(field, Qt::Key_Return);
    CHECK(window->session().model_name() == second);
  }
  SUBCASE("escape leaves the question alone") {
    type(field, QStringLiteral("llama"));
    QTest::keyClick(field, Qt::Key_Escape);
    CHECK_FALSE(field->list_shown());
    CHECK(window->session().question().model == QStringLiteral("gpt-oss-20b"));
  }
  SUBCASE("a name that nobody knows is a message") {
    field->selectAll();
    type(field, QStringLiteral("xqzwvk"));
    QTest::keyClick(field, Qt::Key_Return);
    CHECK(window->message().contains(QStringLiteral("xqzwvk")));
    CHECK(window->session().question().model == QStringLiteral("gpt-oss-20b"));
  }
}

TEST_CASE("The slider moves the context, and everything follows") {
  Shown window;
  auto* context = window->question_bar()->context();
  context->slider()->setFocus();
  const QString before = cell(*window, "rtx-4090", DeviceTableModel::kMemory);
  QTest::keyClick(context->slider(), Qt::Key_End);
  CHECK(window->session().question().context == 131072);
  CHECK(context->field()->value() == 131072);
  window.wait();
  CHECK_FALSE(cell(*window, "rtx-4090", DeviceTableModel::kMemory) == before);
  QTest::keyClick(context->slider(), Qt::Key_Home);
  CHECK(window->session().question().context == 512);

  context->field()->setFocus();
  context->field()->selectAll();
  type(context->field(), QStringLiteral("10000"));
  QTest::keyClick(context->field(), Qt::Key_Return);
  CHECK(window->session().question().context == 10000);
  window.wait();
  check_cells(*window, "rtx-4090");
}

TEST_CASE("Sort by a click, filter, select several") {
  Shown window;
  auto* view = window->devices_view();
  auto* table = view->table();
  auto* header = table->horizontalHeader();
  const auto click = [&](int column) {
    QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, QPoint(header->sectionViewportPosition(column) + 20, header->height() / 2));
  };
  click(DeviceTableModel::kPrice);
  const auto order = header->sortIndicatorOrder();
  CHECK(header->sortIndicatorSection() == DeviceTableModel::kPrice);
  click(DeviceTableModel::kPrice);
  CHECK_FALSE(header->sortIndicatorOrder() == order);

  auto* words = view->findChild<QLineEdit*>();
  words->setFocus();
  type(words, QStringLiteral("rtx 40"));
  CHECK(view->filter()->rowCount() < 30);
  CHECK(view->filter()->rowCount() > 5);

  table->setFocus();
  table->selectRow(0);
  QTest::mouseClick(table->viewport(), Qt::LeftButton, Qt::ControlModifier, table->visualRect(view->filter()->index(2, DeviceTableModel::kMemory)).center());
  CHECK(window->session().question().devices.size() == 2);
  window.wait();
  CHECK(window->session().details().size() == 2);
  CHECK(window->session().curves().size() == 2);
  CHECK(view->findChild<QTextBrowser*>()->toPlainText().contains(QStringLiteral("Memory:")));
  view->findChild<QCheckBox*>()->click();
  CHECK(view->filter()->filter().only_fitting);
}

TEST_CASE("Copying: a cell, the table, the commands") {
  Shown window;
  auto* table = window->devices_view()->table();
  const auto trigger = [&](const QString& text) {
    for (auto* action : window->findChildren<QAction*>()) {
      if (action->text().remove(u'&') == text) return action->trigger();
    }
    FAIL("no such action");
  };
  table->setCurrentIndex(window->devices_view()->filter()->index(0, DeviceTableModel::kDevice));
  trigger(QStringLiteral("Copy cell"));
  CHECK(QApplication::clipboard()->text() == window->devices_view()->filter()->index(0, 0).data().toString());
  trigger(QStringLiteral("Copy table as CSV"));
  CHECK(QApplication::clipboard()->text().count(u'\n') == window->devices_view()->filter()->rowCount() + 1);
  window->session().ask([](Question& q) { q.devices = QStringList{QStringLiteral("rtx-4090")}; });
  window.wait();
  trigger(QStringLiteral("Copy the planner command"));
  CHECK(QApplication::clipboard()->text() ==
        QStringLiteral("planner estimate --model deepseek-r1-distill-qwen-1.5b --quant Q4_K_M --gpu rtx-4090 --context 8192"));
  trigger(QStringLiteral("Copy the engine's command"));
  CHECK(QApplication::clipboard()->text().startsWith(QStringLiteral("llama-server -m ")));
}

TEST_CASE("A dropped file is the model; a damaged one is a message") {
  Shown window;
  const planner::test::TemporaryFolder folder;
  SUBCASE("config.json") {
    const auto path = folder.write("config.json", window->session().facts()->find_model("llama-3.1-8b-instruct")->config_json);
    drop(*window, QString::fromStdString(path.string()));
    window.wait();
    CHECK(window->session().question().model == QString::fromStdString(path.string()));
    CHECK(window->message().isEmpty());
    check_cells(*window, "rtx-4090");
  }
  SUBCASE("damaged GGUF") {
    const auto path = folder.write("broken.gguf", "GGUF\3\0\0\0 and then nothing of the kind");
    drop(*window, QString::fromStdString(path.string()));
    window.wait();
    CHECK(window->message().contains(QStringLiteral("broken.gguf")));
    CHECK(window->session().question().model == Question{}.model);
    window->session().ask([](Question& q) { q.context = 4096; });
    window.wait();
    check_cells(*window, "rtx-4090");
  }
  SUBCASE("a file that is not there") {
    window->session().open_model(QStringLiteral("/nowhere/model.gguf"));
    window.wait();
    CHECK(window->message().contains(QStringLiteral("/nowhere/model.gguf")));
  }
}

TEST_CASE("Broken facts of one's own are a message, and the built-in ones are used") {
  const planner::test::TemporaryFolder folder;
  folder.write("broken.yaml", "devices:\n  - {id: x, memory: many}\n");
  const auto facts = load_facts({QString::fromStdString(folder.path().string())});
  CHECK(facts.problem.contains(QStringLiteral("broken.yaml")));
  Shown window(facts);
  CHECK(window->message().contains(QStringLiteral("broken.yaml")));
  check_cells(*window, "rtx-4090");
}

TEST_CASE("State is restored at the next start") {
  Shown window;
  window->session().open_model(QStringLiteral("gpt-oss-120b"));
  window->session().ask([](Question& q) { q.context = 32768, q.devices = QStringList{QStringLiteral("h100-sxm")}, q.kv_type = QStringLiteral("q8_0"); });
  window->devices_view()->table()->sortByColumn(DeviceTableModel::kPrice, Qt::AscendingOrder);
  const auto question = window->session().question();
  window.wait();
  window.reopen();
  CHECK(window->session().question() == question);
  CHECK(window->devices_view()->table()->horizontalHeader()->sortIndicatorSection() == DeviceTableModel::kPrice);
  CHECK(window->session().recent_models().contains(QStringLiteral("gpt-oss-120b")));
}

TEST_CASE("Settings that cannot be written are a message") {
  QSettings settings(QStringLiteral("/proc/no/such/place/settings.ini"), QSettings::IniFormat);
  MainWindow window(builtin_facts(), settings);
  CHECK(window.message().contains(QStringLiteral("cannot be written")));
  window.close();
}

TEST_CASE("Every control has a name for those who do not see it") {
  Shown window;
  int controls = 0;
  for (auto* widget : window->findChildren<QWidget*>()) {
    const bool control = qobject_cast<QComboBox*>(widget) != nullptr || qobject_cast<QAbstractSpinBox*>(widget) != nullptr ||
                         qobject_cast<QSlider*>(widget) != nullptr || qobject_cast<QTableView*>(widget) != nullptr ||
                         qobject_cast<QTreeView*>(widget) != nullptr || qobject_cast<QTextBrowser*>(widget) != nullptr ||
                         (qobject_cast<QLineEdit*>(widget) != nullptr && qobject_cast<QAbstractSpinBox*>(widget->parentWidget()) == nullptr &&
                          qobject_cast<QComboBox*>(widget->parentWidget()) == nullptr);
    if (!control) continue;
    ++controls;
    CAPTURE(widget->metaObject()->className());
    CAPTURE(widget->objectName());
    CHECK_FALSE(widget->accessibleName().isEmpty());
  }
  CHECK(controls > 12);
}

TEST_CASE("Pictures of every view, without a screen") {
  const planner::test::TemporaryFolder folder;
  output_of(QStringLiteral(PLANNER_GUI_PROGRAM), {QStringLiteral("--screenshot"), QString::fromStdString(folder.path().string()), QStringLiteral("--size"),
                                                  QStringLiteral("1000x700"), QStringLiteral("--model"), QStringLiteral("gpt-oss-20b"),
                                                  QStringLiteral("--scale"), QStringLiteral("2"), QStringLiteral("--theme"), QStringLiteral("dark")});
  Shown window;
  for (int i = 0; i < window->view_count(); ++i) {
    const QImage picture(QDir(QString::fromStdString(folder.path().string())).filePath(window->view_name(i) + QStringLiteral(".png")));
    CAPTURE(window->view_name(i));
    CHECK(picture.width() == 2000);
    CHECK(picture.height() == 1400);
    CHECK(picture.pixelColor(5, picture.height() - 5).lightness() < 128);
  }
}
