// What the window does while the context slider moves with the whole catalog in the table. The bar: no pass of the event loop over 16 ms.

#include <benchmark/benchmark.h>

#include <QApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QSettings>
#include <QSlider>
#include <QTemporaryDir>
#include <algorithm>
#include <vector>

#include "app/context_slider.h"
#include "app/main_window.h"
#include "app/question_bar.h"
#include "app/screenshot.h"
#include "logic/device_filter_model.h"

namespace {

using namespace planner::gui;

constexpr double kFrameMs = 16;

/// The worker's part: every device of the catalog asked once.
void whole_catalog(benchmark::State& state) {
  const auto facts = builtin_facts();
  Question q;
  const Task task;
  qint64 context = 512;
  std::size_t devices = 0;
  for (auto _ : state) {
    q.context = context = context >= 131072 ? 512 : context + 512;
    const auto answers = ask_all(q, facts, task);
    devices = answers->size();
    benchmark::DoNotOptimize(answers.get());
  }
  state.counters["devices"] = static_cast<double>(devices);
}
BENCHMARK(whole_catalog)->Unit(benchmark::kMillisecond);

/// The window's part without painting: new answers into a sorted, filtered table.
void answers_into_table(benchmark::State& state) {
  const auto facts = builtin_facts();
  DeviceTableModel devices(facts);
  DeviceFilterModel filter(&devices);
  filter.sort(DeviceTableModel::kDecode, Qt::DescendingOrder);
  Question q;
  std::vector<DeviceAnswers> answers;
  for (const qint64 context : {4096, 65536}) {
    q.context = context;
    answers.push_back(ask_all(q, facts, Task{}));
  }
  std::size_t n = 0;
  for (auto _ : state) devices.set_answers(answers[n++ % answers.size()]);
}
BENCHMARK(answers_into_table)->Unit(benchmark::kMillisecond);

/// All of it: the slider goes over its whole length, a step a frame, while answers come in and the window paints. Counters are passes of the event loop.
void slider_moves(benchmark::State& state) {
  QTemporaryDir folder;
  QSettings settings(folder.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
  MainWindow window(builtin_facts(), settings);
  window.resize(1400, 900);
  window.show();
  wait_for_answers(window, 60);
  auto* slider = window.question_bar()->context()->slider();
  std::vector<double> passes;
  for (auto _ : state) {
    for (int position = slider->minimum(); position <= slider->maximum(); ++position) {
      QElapsedTimer timer;
      timer.start();
      slider->setValue(position);
      QCoreApplication::processEvents(QEventLoop::AllEvents);
      passes.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
      while (timer.nsecsElapsed() < static_cast<qint64>(kFrameMs * 1e6)) {  // what else comes within the frame
        QElapsedTimer pass;
        pass.start();
        QCoreApplication::processEvents(QEventLoop::AllEvents);
        passes.push_back(static_cast<double>(pass.nsecsElapsed()) / 1e6);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      }
    }
  }
  std::sort(passes.begin(), passes.end());
  const auto share = [&](double p) { return passes[static_cast<std::size_t>(p * static_cast<double>(passes.size() - 1))]; };
  state.counters["worst_ms"] = passes.back();
  state.counters["p99_ms"] = share(0.99);
  state.counters["over_16_ms"] = static_cast<double>(std::count_if(passes.begin(), passes.end(), [](double ms) { return ms > kFrameMs; }));
  state.counters["passes"] = static_cast<double>(passes.size());
}
BENCHMARK(slider_moves)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace

int main(int argc, char** argv) {
  qputenv("QT_QPA_PLATFORM", "offscreen");
  QApplication app(argc, argv);
  apply_theme(ThemeName::light);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
