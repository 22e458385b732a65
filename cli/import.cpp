// planner import: llama-bench's results become the user's own measurements, which shift the estimates of that device.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <cstdio>

#include "command.h"
#include "planner/calibration.h"
#include "planner/error.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  ImportOptions import;
  std::vector<std::string> files;
  bool dry = false;
};

/// Refused lines that are shown of one file.
constexpr std::size_t kShown = 20;

void print_refused(const std::string& file, const std::vector<RefusedLine>& refused) {
  for (std::size_t i = 0; i < std::min(refused.size(), kShown); ++i) std::fprintf(stderr, "%s:%lld: refused: %s\n", file.c_str(), static_cast<long long>(refused[i].line), refused[i].reason.c_str());
  if (refused.size() > kShown) std::fprintf(stderr, "%s: %zu more lines refused\n", file.c_str(), refused.size() - kShown);
}

void print_accepted(const SpeedData& data, const std::vector<FittedRow>& before, const std::vector<FittedRow>& after) {
  Table table({{"device", Align::left, true},
               {"model", Align::left, true},
               {"quantization", Align::left},
               {"test", Align::left},
               {"depth", Align::right},
               {"measured", Align::right},
               {"predicted before", Align::right},
               {"now", Align::right}});
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& m = *before[i].measurement;
    table.add({m.devices > 1 ? fmt::format("{} x {}", m.devices, m.device) : m.device, m.model, m.quantization, fmt::format("{}{:.0f}", m.test == MeasuredTest::decode ? "tg" : "pp", m.tokens),
               fmt::format("{:.0f}", m.depth), significant(m.tokens_per_s), significant(before[i].predicted), i < after.size() ? significant(after[i].predicted) : "-"});
  }
  std::puts(table.text().c_str());
  for (const auto& left : data.left_out()) std::puts(wrap(fmt::format("{}: kept, but not predicted: {}", left.id, left.reason), terminal_width(), 2).c_str());
}

Status run(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  std::vector<Measurement> accepted;
  std::size_t refused = 0;
  for (const auto& file : o.files) {
    auto imported = import_bench(file, o.import, catalog);
    print_refused(file, imported.refused);
    refused += imported.refused.size();
    for (auto& m : imported.accepted) accepted.push_back(std::move(m));
  }
  if (accepted.empty()) {
    std::fprintf(stderr, "planner: nothing was imported\n");
    return Status::invalid_file;
  }
  const auto folder = user_folder();
  if (folder.empty()) throw Error(ErrorKind::usage, "neither XDG_CONFIG_HOME nor HOME is set: there is nowhere to keep measurements");
  const SpeedData data(accepted, catalog);
  const auto before = predict_measured(data, catalog);
  const std::size_t taken = accepted.size();
  std::vector<FittedRow> after;
  if (!o.dry) {
    (void)store_measurements(folder, std::move(accepted));
    const std::filesystem::path folders[] = {folder};
    after = predict_measured(data, *Catalog::with_overlays(folders));
  }
  if (o.common.json) {
    std::puts(accuracy_json(data, o.dry ? before : after).c_str());
    return Status::answered;
  }
  print_accepted(data, before, after);
  std::puts(fmt::format("{} measurements {}, {} lines refused", taken, o.dry ? "would be taken" : "taken into " + (folder / "measurements.csv").string(), refused).c_str());
  return Status::answered;
}

}  // namespace

Command add_import(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("import", "Take llama-bench results as measurements of your device: estimates of it follow them");
  app->add_option("FILE", o->files, "llama-bench output: json, jsonl, csv or md")->required();
  app->add_option("--gpu,-g", o->import.device, "The device, where the file does not name it");
  app->add_option("--model,-m", o->import.model, "The model, where the file's names do not tell it");
  app->add_flag("--dry-run", o->dry, "Read and compare, keep nothing");
  app->add_flag("--json", o->common.json, "planner.accuracy/1 of the imported rows");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
