// How many distinct requests a second the library answers, JSON to JSON: what `planner batch` does with a line. Models, mixes, devices and contexts all
// vary, and no answer is kept. The bar: 20,000 a second on two cores with "solve": false.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "planner/batch.h"
#include "planner/catalog.h"

namespace {

/// Distinct requests over the whole catalog, the same in every run.
std::vector<std::string> requests(std::size_t n, bool solve) {
  const auto& catalog = planner::Catalog::builtin();
  std::vector<std::string> models, mixes, devices;
  for (const auto* m : catalog.models()) {
    if (m->find_model() != nullptr) models.push_back(m->id);
  }
  for (const auto* q : catalog.quantizations()) {
    if (q->is_gguf()) mixes.push_back(q->name);
  }
  for (const auto* d : catalog.devices()) {
    if (d->memory_bytes && d->kind != planner::DeviceKind::node) devices.push_back(d->id);
  }
  std::mt19937 random(1);
  const auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
  std::vector<std::string> out;
  for (std::size_t i = 0; i < n; ++i) {
    out.push_back(R"({"model":")" + pick(models) + R"(","quant":")" + pick(mixes) + R"(","gpu":[")" + pick(devices) + R"("],"context":)" + std::to_string(512 + random() % 65536) +
                  R"(,"concurrency":)" + std::to_string(1 + random() % 4) + R"(,"solve":)" + (solve ? "true" : "false") + "}");
  }
  return out;
}

void batch(benchmark::State& state, const std::vector<std::string>& lines) {
  std::size_t next = static_cast<std::size_t>(state.thread_index()) * 7919;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    const auto answer = planner::answer_line(lines[next++ % lines.size()], 1, planner::Catalog::builtin());
    bytes += static_cast<std::int64_t>(answer.size());
    benchmark::DoNotOptimize(answer.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}

constexpr std::size_t kRequests = 20000;

void answers(benchmark::State& state) {
  static const auto lines = requests(kRequests, false);
  batch(state, lines);
}
BENCHMARK(answers)->Threads(1)->Threads(2)->UseRealTime()->MinTime(3);

void answers_solved(benchmark::State& state) {
  static const auto lines = requests(kRequests, true);
  batch(state, lines);
}
BENCHMARK(answers_solved)->Threads(1)->UseRealTime();

}  // namespace
