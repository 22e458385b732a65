// The other views, driven as people drive them.
#include <doctest/doctest.h>

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFile>
#include <QLabel>
#include <QPushButton>
#include <QTableView>
#include <QTest>
#include <QTextBrowser>

#include "app/compare_view.h"
#include "app/heat_map_view.h"
#include "app/machine_view.h"
#include "app/memory_map_view.h"
#include "app/memory_map_widget.h"
#include "app/model_view.h"
#include "app/server_view.h"
#include "gui/support.h"
#include "logic/device_table_model.h"
#include "logic/machine_file.h"
#include "logic/words.h"
#include "planner/deployment.h"
#include "support/files.h"

namespace {

using namespace planner;
using namespace planner::gui;
using namespace planner::gui::test;

void show(Shown& window, const char* name) {
  for (int i = 0; i < window->view_count(); ++i) {
    if (window->view_name(i) == QString::fromLatin1(name)) window->show_view(i);
  }
  window.wait();
}

QPushButton* button(QWidget* in, const QString& name) {
  for (auto* b : in->findChildren<QPushButton*>()) {
    if (b->text().remove(u'&') == name || b->accessibleName() == name) return b;
  }
  FAIL("no button ", name.toStdString());
  return nullptr;
}

std::int64_t weights_on(const MemoryMapView& view, std::size_t device) { return view.map()->answer.memory->devices[device].bytes(Component::weights); }

}  // namespace

TEST_CASE("What fits my card: each cell is the library's answer, the best is the last that fits") {
  Shown window;
  window->session().ask([](Question& q) { q.devices = QStringList{QStringLiteral("rtx-4090")}, q.context = 8192; });
  show(window, "what-fits");
  auto* cells = window->heat_map_view()->cells();
  const QAbstractItemModelTester tester(cells, QAbstractItemModelTester::FailureReportingMode::Fatal);
  REQUIRE(cells->quantizations().contains(QStringLiteral("Q4_K_M")));
  int rows = 0;
  for (int r = 0; r < cells->rowCount(); ++r) {
    const auto id = cells->index(r, 0).data(kIdRole).toString();
    int best = -1, marked = -1;
    for (int c = HeatMapModel::kFirstQuantization; c < cells->columnCount(); ++c) {
      const auto verdict = cells->index(r, c).data(kVerdictRole);
      if (verdict.isValid() && verdict.toInt() <= static_cast<int>(Verdict::tight)) best = c;
      if (cells->index(r, c).data(kBestRole).toBool()) marked = c;
    }
    CHECK(best == marked);
    if (id != QStringLiteral("llama-3.1-8b-instruct") && id != QStringLiteral("gpt-oss-20b") && id != QStringLiteral("llama-3.1-70b-instruct")) continue;
    ++rows;
    for (int c = HeatMapModel::kFirstQuantization; c < cells->columnCount(); ++c) {
      EstimateRequest request;
      request.model = id.toStdString();
      request.quantization = cells->quantizations()[c - HeatMapModel::kFirstQuantization].toStdString();
      request.devices = {"rtx-4090"};
      request.context = 8192;
      const auto answer = estimate(request, Catalog::builtin());
      CHECK(cells->index(r, c).data(kVerdictRole).toInt() == static_cast<int>(answer.fit->verdict));
      const auto context = cells->index(r, c).data(kSortRole);
      if (context.isValid()) CHECK(context.toLongLong() <= *answer.fit->max_context);
    }
  }
  CHECK(rows == 3);

  SUBCASE("Enter takes a cell into the question") {
    auto* table = window->heat_map_view()->table();
    table->setCurrentIndex(table->model()->index(3, HeatMapModel::kFirstQuantization + 2));
    const auto id = table->currentIndex().data(kIdRole).toString();
    emit table->activated(table->currentIndex());
    window.wait();
    CHECK(window->session().question().model == id);
    CHECK(window->session().question().quantization == cells->quantizations()[2]);
  }
  SUBCASE("stopping leaves the program alive") {
    window->session().ask([](Question& q) { q.context = 4096; });
    button(window->heat_map_view(), QStringLiteral("Stop"))->click();
    window.wait();
    CHECK(window->session().slow().idle());
  }
}

TEST_CASE("Memory map: a layer moves by mouse and by keyboard, totals and speed follow") {
  Shown window;
  window->session().ask([](Question& q) {
    q.model = QStringLiteral("qwen3-30b-a3b"), q.devices = QStringList{QStringLiteral("rtx-4090"), QStringLiteral("rtx-3060-12gb")};
  });
  show(window, "memory-map");
  auto* view = window->memory_map_view();
  auto* blocks = view->blocks();
  REQUIRE(view->map());
  const auto before = weights_on(*view, 1);
  const auto speed = view->map()->answer.throughput->decode_tokens_per_s;
  const MemoryMapWidget::Block layer{0, false};
  REQUIRE(view->map()->layers[0].device == 0);
  const auto bytes = view->map()->layers[0].dense_bytes;

  SUBCASE("by keyboard") {
    blocks->setFocus();
    blocks->select(layer);
    QTest::keyClick(blocks, Qt::Key_Down, Qt::ShiftModifier);
  }
  SUBCASE("by mouse") {
    const auto from = blocks->rect_of(layer).center(), to = blocks->lane_of(1).center();
    QTest::mousePress(blocks, Qt::LeftButton, {}, from);
    QMouseEvent drag(QEvent::MouseMove, QPointF(to), blocks->mapToGlobal(QPointF(to)), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(blocks, &drag);
    QTest::mouseRelease(blocks, Qt::LeftButton, {}, to);
  }
  window.wait();
  CHECK(view->map()->layers[0].device == 1);
  CHECK(weights_on(*view, 1) == before + bytes);

  blocks->select({0, true});
  blocks->setFocus();
  QTest::keyClick(blocks, Qt::Key_Down, Qt::ShiftModifier);
  window.wait();
  QTest::keyClick(blocks, Qt::Key_Down, Qt::ShiftModifier);
  window.wait();
  CHECK(view->map()->layers[0].experts_device == kHost);
  CHECK(view->map()->answer.throughput->decode_tokens_per_s < speed);
  const auto again = estimate(view->map()->request, Catalog::builtin());
  CHECK(again.throughput->decode_tokens_per_s == doctest::Approx(view->map()->answer.throughput->decode_tokens_per_s));
  button(view, QStringLiteral("Reset"))->click();
  window.wait();
  CHECK(weights_on(*view, 1) == before);
}

TEST_CASE("Memory map: an engine that does not place by layers says so") {
  Shown window;
  window->session().ask([](Question& q) { q.engine = QStringLiteral("vllm"); });
  show(window, "memory-map");
  CHECK_FALSE(window->memory_map_view()->map());
  bool said = false;
  for (auto* label : window->memory_map_view()->findChildren<QLabel*>()) said = said || label->text().contains(QStringLiteral("does not place by layers"));
  CHECK(said);
}

TEST_CASE("Compare: up to four, engines side by side, kept over a restart") {
  Shown window;
  show(window, "compare");
  auto* view = window->compare_view();
  const QAbstractItemModelTester tester(view->configurations(), QAbstractItemModelTester::FailureReportingMode::Fatal);
  button(view, QStringLiteral("Engines side by side"))->click();
  window.wait();
  CHECK(view->configurations()->questions().size() >= 2);
  for (int i = 0; i < 6; ++i) {
    window->session().ask([&](Question& q) { q.context = 4096 * (i + 1); });
    view->add_question();
  }
  window.wait();
  REQUIRE(view->configurations()->questions().size() == CompareModel::kMost);
  const auto* model = view->configurations();
  int stars = 0;
  for (int r = 0; r < model->rowCount(); ++r) {
    for (int c = 1; c < model->columnCount(); ++c) stars += model->index(r, c).data().toString().contains(u'★') ? 1 : 0;
  }
  CHECK(stars > 0);
  CHECK(model->answers().front().answer);
  window.reopen();
  CHECK(window->compare_view()->configurations()->questions().size() == CompareModel::kMost);
}

TEST_CASE("Model page: architecture, tiers and sources; the table of quantizations is the library's") {
  Shown window;
  window->session().open_model(QStringLiteral("gpt-oss-20b"));
  show(window, "model");
  const auto text = window->model_view()->findChild<QTextBrowser*>()->toPlainText();
  CHECK(text.contains(QStringLiteral("Architecture")));
  CHECK(text.contains(QStringLiteral("Which devices run it")));
  CHECK(text.contains(QStringLiteral("Where the facts come from")));
  auto* table = window->model_view()->table();
  const QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::Fatal);
  CHECK(table->model()->rowCount() > 20);
  emit table->activated(table->model()->index(4, 0));
  CHECK(window->session().question().quantization == table->model()->index(4, 0).data().toString());
}

TEST_CASE("Server planning: more requests need more devices") {
  Shown window;
  window->session().ask([](Question& q) {
    q.model = QStringLiteral("llama-3.1-8b-instruct"), q.engine = QStringLiteral("vllm"), q.devices = QStringList{QStringLiteral("h100-sxm")};
  });
  show(window, "server");
  auto* view = window->server_view();
  const QAbstractItemModelTester tester(view->table()->model(), QAbstractItemModelTester::FailureReportingMode::Fatal);
  const auto devices = [&] { return view->table()->model()->index(0, ServiceTableModel::kDevices).data().toString().remove(u',').toInt(); };
  const int few = devices();
  CHECK(few >= 1);
  auto* requests = view->findChildren<QDoubleSpinBox*>().front();
  requests->setValue(500);
  window.wait();
  CHECK(devices() > few);
}

TEST_CASE("This machine: a machine file is asked, a broken one is a message, one is written from the selection") {
  Shown window;
  const planner::test::TemporaryFolder folder;
  Question q;
  q.devices = QStringList{QStringLiteral("rtx-4090"), QStringLiteral("rtx-3060-12gb")};
  const auto path = folder.write("machine.yaml", machine_file_text(q, window->session().facts()).toStdString());
  show(window, "machine");
  window->machine_view()->open(QString::fromStdString(path.string()));
  window.wait();
  const auto said = [&] {
    QString all;
    for (auto* label : window->machine_view()->findChildren<QLabel*>()) all += label->text();
    return all;
  };
  CHECK(said().contains(QStringLiteral("My machine")));
  CHECK(said().contains(QStringLiteral("tok/s")));
  const auto broken = folder.write("broken.yaml", "machine: [\n");
  window->machine_view()->open(QString::fromStdString(broken.string()));
  window.wait();
  CHECK(said().contains(QStringLiteral("broken.yaml")));
}

TEST_CASE("Exports: report as HTML and PDF, plots as SVG and PNG; a place that cannot be written is a message") {
  Shown window;
  const planner::test::TemporaryFolder folder;
  const auto at = [&](const char* name) { return QString::fromStdString((folder.path() / name).string()); };
  const auto content = [&](const char* name) {
    QFile file(at(name));
    REQUIRE(file.open(QIODevice::ReadOnly));
    return file.readAll();
  };
  CHECK(window->write_report(at("plan.html")));
  CHECK(content("plan.html").contains("planner estimate --model deepseek-r1-distill-qwen-1.5b"));
  CHECK(content("plan.html").contains("GeForce RTX 4090"));
  CHECK(window->write_report(at("plan.pdf")));
  CHECK(content("plan.pdf").startsWith("%PDF-"));
  CHECK(window->write_plot(at("context.svg")));
  CHECK(content("context.svg").contains("<svg"));
  CHECK(window->write_plot(at("context.png")));
  CHECK(QImage(at("context.png")).width() > 200);
  CHECK_FALSE(window->write_report(QStringLiteral("/proc/none/plan.html")));
  CHECK(window->message().contains(QStringLiteral("cannot be written")));
  CHECK_FALSE(window->write_plot(QStringLiteral("/proc/none/plot.svg")));
}
