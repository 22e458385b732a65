// What the window's logic does without a window.
#include <doctest/doctest.h>

#include <QAbstractItemModelTester>
#include <QCoreApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QSignalSpy>
#include <atomic>

#include "gui/support.h"
#include "logic/context_scale.h"
#include "logic/device_filter_model.h"
#include "logic/explanation.h"
#include "logic/glossary.h"
#include "logic/model_tree_model.h"
#include "logic/session.h"
#include "logic/table_export.h"
#include "logic/words.h"
#include "planner/error.h"

namespace {

using namespace planner;
using namespace planner::gui;

bool wait_for(const std::function<bool()>& what, int ms = 10000) {
  QElapsedTimer timer;
  timer.start();
  while (!what() && timer.elapsed() < ms) QCoreApplication::processEvents(QEventLoop::AllEvents, 5);
  return what();
}

}  // namespace

TEST_CASE("A slider's positions: powers of two exactly, the limit last, back and forth") {
  for (const qint64 limit : {512LL, 2048LL, 8192LL, 40960LL, 131072LL, 1000000LL, 10485760LL}) {
    const ContextScale scale(limit);
    CHECK(scale.context_at(scale.last()) == limit);
    CHECK(scale.context_at(0) == 512);
    for (const auto& tick : scale.ticks()) CHECK(scale.position_of(tick.context) == tick.position);
    for (int p = 1; p <= scale.last(); ++p) {
      CHECK(scale.context_at(p) > scale.context_at(p - 1));
      CHECK(scale.position_of(scale.context_at(p)) == p);
    }
    for (qint64 c = 512; c < limit; c *= 2) CHECK(scale.context_at(scale.position_of(c)) == c);
  }
}

TEST_CASE("Models are found as people type them") {
  const auto facts = builtin_facts();
  ModelTreeModel models(facts);
  const auto best = [&](const char* typed) {
    models.search(QString::fromUtf8(typed));
    const auto* entry = models.entry(models.first());
    return entry == nullptr ? std::string() : entry->id;
  };
  CHECK(best("r1 1.5b") == "deepseek-r1-distill-qwen-1.5b");
  CHECK(best("DeepSeek-R1-Distill-Qwen-1.5B") == "deepseek-r1-distill-qwen-1.5b");
  CHECK(best("llama 3.1 70b instruct") == "llama-3.1-70b-instruct");
  CHECK(best("gpt oss 120") == "gpt-oss-120b");
  CHECK(best("qwne3 zzzz").empty());
  CHECK(models.matches() == 0);
  models.search(QString());
  CHECK(models.matches() == static_cast<int>(facts->models().size()));
}

TEST_CASE("A number in a search is not the end of a longer one") {
  const auto facts = builtin_facts();
  const auto* big = facts->find_model("gemma-3-27b-it");
  REQUIRE(big != nullptr);
  CHECK_FALSE(match_score(QStringLiteral("7b"), *big));
  CHECK(match_score(QStringLiteral("27b"), *big));
}

TEST_CASE("Item models keep the rules of item models") {
  const auto facts = builtin_facts();
  DeviceTableModel devices(facts);
  const QAbstractItemModelTester of_devices(&devices, QAbstractItemModelTester::FailureReportingMode::Fatal);
  DeviceFilterModel filter(&devices);
  const QAbstractItemModelTester of_filter(&filter, QAbstractItemModelTester::FailureReportingMode::Fatal);
  ModelTreeModel models(facts);
  const QAbstractItemModelTester of_models(&models, QAbstractItemModelTester::FailureReportingMode::Fatal);
  const Task task;
  devices.set_answers(ask_all(Question{}, facts, task));
  filter.sort(DeviceTableModel::kDecode, Qt::DescendingOrder);
  Question large;
  large.model = QStringLiteral("llama-3.1-70b-instruct");
  devices.set_answers(ask_all(large, facts, task));
  DeviceFilter narrow;
  narrow.only_fitting = true;
  filter.set_filter(narrow);
  CHECK(filter.rowCount() > 0);
  CHECK(filter.rowCount() < devices.rowCount());
  models.set_recent({QStringLiteral("gpt-oss-120b"), QStringLiteral("no such model")});
  CHECK(models.rowCount(models.index(0, 0)) == 1);
  models.search(QStringLiteral("qwen"));
  models.search(QStringLiteral("nothing has this"));
  models.search({});
}

TEST_CASE("Unknown figures come last, whichever way is sorted") {
  const auto facts = builtin_facts();
  DeviceTableModel devices(facts);
  DeviceFilterModel filter(&devices);
  devices.set_answers(ask_all(Question{}, facts, Task{}));
  for (const auto order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
    for (const int column : {int{DeviceTableModel::kPrice}, int{DeviceTableModel::kDecode}, int{DeviceTableModel::kPerDollar}}) {
      filter.sort(column, order);
      bool unknown = false;
      double before = 0;
      for (int r = 0; r < filter.rowCount(); ++r) {
        const auto key = filter.index(r, column).data(kSortRole);
        if (!key.isValid())
          unknown = true;
        else {
          CHECK_FALSE(unknown);
          if (r > 0) CHECK((order == Qt::AscendingOrder ? before <= key.toDouble() : before >= key.toDouble()));
          before = key.toDouble();
        }
      }
      if (column == DeviceTableModel::kPrice) CHECK(unknown);
    }
  }
}

TEST_CASE("Filters by vendor, kind, memory, price and words") {
  const auto facts = builtin_facts();
  DeviceTableModel devices(facts);
  DeviceFilterModel filter(&devices);
  devices.set_answers(ask_all(Question{}, facts, Task{}));
  DeviceFilter f;
  f.vendor = QStringLiteral("NVIDIA");
  f.kind = QStringLiteral("gpu");
  f.least_memory = 24 * kGiB;
  f.highest_price = 2000;
  f.text = QStringLiteral("rtx 40");
  filter.set_filter(f);
  REQUIRE(filter.rowCount() > 0);
  for (int r = 0; r < filter.rowCount(); ++r) {
    const auto& d = devices.device(filter.mapToSource(filter.index(r, 0)).row());
    CHECK(d.vendor == "NVIDIA");
    CHECK(d.kind == DeviceKind::gpu);
    CHECK(*d.memory_bytes >= 24 * kGiB);
    CHECK(d.price->value() <= 2000);
  }
}

TEST_CASE("The newest job of a channel wins; a cancelled one delivers nothing") {
  Estimator estimator;
  std::vector<int> delivered;
  std::atomic<bool> go = false, started = false;
  const auto job = [&](int n, bool wait) {
    return [&, n, wait](const Task&) -> std::function<void()> {
      started = true;
      while (wait && !go) std::this_thread::yield();
      return [&delivered, n] { delivered.push_back(n); };
    };
  };
  SUBCASE("what runs is finished, what waits is replaced") {
    estimator.submit(QStringLiteral("a"), job(1, true));
    REQUIRE(wait_for([&] { return started.load(); }));
    estimator.submit(QStringLiteral("a"), job(2, false));
    estimator.submit(QStringLiteral("a"), job(3, false));
    go = true;
    CHECK(wait_for([&] { return estimator.idle(); }));
    CHECK(delivered == std::vector<int>{1, 3});
  }
  SUBCASE("what runs is cancelled") {
    estimator.submit(QStringLiteral("a"), job(1, true));
    REQUIRE(wait_for([&] { return started.load(); }));
    estimator.submit(QStringLiteral("a"), job(2, false), Estimator::Running::cancel);
    go = true;
    CHECK(wait_for([&] { return estimator.idle(); }));
    CHECK(delivered == std::vector<int>{2});
  }
  SUBCASE("channels do not disturb each other") {
    estimator.submit(QStringLiteral("a"), job(1, false));
    estimator.submit(QStringLiteral("b"), job(2, false));
    CHECK(wait_for([&] { return delivered.size() == 2; }));
    estimator.cancel(QStringLiteral("a"));
    CHECK(estimator.idle());
  }
}

TEST_CASE("A job's bad input is a signal with text") {
  Estimator estimator;
  QSignalSpy failed(&estimator, &Estimator::failed);
  estimator.submit(QStringLiteral("a"), [](const Task&) -> std::function<void()> { throw Error(ErrorKind::usage, "what is wrong"); });
  estimator.submit(QStringLiteral("b"), [](const Task&) -> std::function<void()> { throw std::runtime_error("a bug"); });
  CHECK(wait_for([&] { return failed.count() == 2; }));
  CHECK(failed[0][1].toString() == QStringLiteral("what is wrong"));
  CHECK(failed[1][1].toString().contains(QStringLiteral("internal error")));
}

TEST_CASE("A question that cannot be is put right") {
  Session session(builtin_facts());
  session.ask([](Question& q) { q.engine = QStringLiteral("vllm"); });
  CHECK(session.quantizations().contains(session.question().quantization));
  CHECK_FALSE(session.question().quantization == QStringLiteral("Q4_K_M"));
  session.ask([](Question& q) { q.engine = QStringLiteral("llama.cpp"), q.quantization = QStringLiteral("Q4_K_M"), q.kv_type = QStringLiteral("q8_0"); });
  session.ask([](Question& q) { q.engine = QStringLiteral("sglang"); });
  CHECK(session.question().kv_type.isEmpty());
  session.ask([](Question& q) { q.context = 1 << 30, q.prompt = 1 << 30, q.devices = QStringList{QStringLiteral("no such device")}; });
  CHECK(session.question().context == session.context_limit());
  CHECK(session.question().prompt <= session.question().context);
  CHECK(session.question().devices.isEmpty());
  session.ask([](Question& q) { q.engine = QStringLiteral("no such engine"); });
  CHECK(session.question().engine == QStringLiteral("llama.cpp"));
}

TEST_CASE("Questions survive settings; nonsense in settings does not") {
  Question q;
  q.model = QStringLiteral("gpt-oss-120b");
  q.context = 65536;
  q.kv_type = QStringLiteral("q8_0");
  q.devices = QStringList{QStringLiteral("rtx-4090"), QStringLiteral("h100-sxm")};
  q.count = 4;
  CHECK(question_from(to_map(q)) == q);
  CHECK(question_from({{QStringLiteral("context"), QStringLiteral("many")}, {QStringLiteral("count"), -7}, {QStringLiteral("concurrency"), 1e18}}) ==
        Question{});
}

TEST_CASE("Every column's term is in the glossary, every term has a meaning") {
  for (const auto& term : glossary()) CHECK(meaning_of(term.name).size() > 20);
  const DeviceTableModel devices(builtin_facts());
  for (int c = 0; c < devices.columnCount(); ++c) CHECK_FALSE(devices.headerData(c, Qt::Horizontal, Qt::ToolTipRole).toString().isEmpty());
}

TEST_CASE("A table as CSV, Markdown and text") {
  const auto facts = builtin_facts();
  DeviceTableModel devices(facts);
  devices.set_answers(ask_all(Question{}, facts, Task{}));
  const auto csv = table_as(TableFormat::csv, devices).split(u'\n', Qt::SkipEmptyParts);
  CHECK(csv.size() == devices.rowCount() + 1);
  CHECK(csv[0].startsWith(QStringLiteral("Device,Verdict,")));
  CHECK(table_as(TableFormat::csv, devices).contains(QStringLiteral("\"$1,599\"")));
  const auto markdown = table_as(TableFormat::markdown, devices).split(u'\n', Qt::SkipEmptyParts);
  CHECK(markdown.size() == devices.rowCount() + 2);
  for (const auto& line : markdown) CHECK(line.count(u'|') == devices.columnCount() + 1);
  CHECK(table_as(TableFormat::text, devices).split(u'\n', Qt::SkipEmptyParts).size() == devices.rowCount() + 1);
}

TEST_CASE("An explanation shows its terms, and sources as links; text of data files is text") {
  const auto facts = builtin_facts();
  const auto answer = ask(Question{}, *facts->find_device("rtx-4090"), facts, Detail::full);
  const auto decode = explanation_html(answer, Topic::decode);
  CHECK(decode.contains(QStringLiteral("time per token: weights")));
  CHECK(decode.contains(QStringLiteral("data/speed/")));  // the fit, whose measurements have the addresses
  const auto memory = explanation_html(answer, Topic::memory);
  CHECK(memory.contains(QStringLiteral("CUDA0 KV")));
  CHECK(memory.contains(QStringLiteral("<a href=\"https://")));
  CHECK(explanation_html(answer, Topic::device).contains(QStringLiteral("1,008 GB/s")));
  CHECK(source_html("<script>") == QStringLiteral("&lt;script&gt;"));
  CHECK_FALSE(source_html("javascript:alert(1)").contains(QStringLiteral("<a")));
}

TEST_CASE("Quantities as text") {
  CHECK(significant(123.4) == QStringLiteral("123"));
  CHECK(significant(1234567) == QStringLiteral("1,234,567"));
  CHECK(significant(45.64) == QStringLiteral("45.6"));
  CHECK(significant(0.3) == QStringLiteral("0.300"));
  CHECK(significant(0.0468) == QStringLiteral("0.0468"));
  CHECK(seconds(0.0378) == QStringLiteral("37.8 ms"));
  CHECK(dollars(1599) == QStringLiteral("$1,599"));
  CHECK(dollars(std::nullopt) == kDash);
}
