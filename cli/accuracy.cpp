// planner accuracy: predicted against measured, for all measurements known, and the table of errors.

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
  std::string device, model;
  bool summary = false;
};

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

void print_rows(const std::vector<FittedRow>& rows) {
  Table table({{"row", Align::left},
               {"device", Align::left, true},
               {"model", Align::left, true},
               {"quant", Align::left, true},
               {"test", Align::left, true},
               {"measured", Align::right},
               {"planner", Align::right},
               {"error", Align::right}});
  for (const auto& r : rows) {
    const auto& m = *r.measurement;
    const double error = r.relative_error();
    const auto colour = error > 0.2 || error < -0.2 ? Colour::red : Colour::plain;
    const auto device = fmt::format("{}{} {}", m.devices > 1 ? fmt::format("{} x ", m.devices) : std::string(), m.device, m.backend);
    const auto test = fmt::format("{}{:.0f}{}", m.test == MeasuredTest::decode ? "tg" : "pp", m.tokens, m.depth > 0 ? fmt::format(" @ d{:.0f}", m.depth) : std::string());
    table.add({m.id, device, m.model.substr(m.model.rfind('/') + 1), m.quantization, test, significant(m.tokens_per_s), significant(r.predicted), paint(fmt::format("{:+.1f} %", 100 * error), colour)});
  }
  std::puts(table.text().c_str());
}

void print_errors(const std::string& heading, const std::vector<ErrorSummary>& lines) {
  Table table({{heading, Align::left, true}, {"rows", Align::right}, {"median", Align::right}, {"within 20 %", Align::right}, {"bias", Align::right}, {"90 % below", Align::right}});
  for (const auto& s : lines) table.add({s.group, std::to_string(s.rows), percent(s.median), fmt::format("{:.0f} %", 100 * s.within_20), fmt::format("{:+.1f} %", 100 * s.bias), percent(s.p90)});
  std::puts(table.text().c_str());
}

Status run(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  auto measured = builtin_measurements();
  for (auto& m : stored_measurements(user_folder())) measured.push_back(std::move(m));
  const std::string device = o.device.empty() ? "" : catalog.resolve_device(o.device).device->id;
  const std::string model = o.model.empty() ? "" : catalog.resolve_model(o.model).id;
  std::erase_if(measured, [&](const Measurement& m) { return (!device.empty() && m.device != device) || (!model.empty() && m.model != model); });
  const SpeedData data(std::move(measured), catalog);
  const auto rows = predict_measured(data, catalog);
  if (o.common.json) {
    std::puts(accuracy_json(data, rows).c_str());
    return Status::answered;
  }
  if (rows.empty()) {
    std::puts("nothing is measured of it");
    return Status::answered;
  }
  if (!o.summary) print_rows(rows);
  for (const auto test : {MeasuredTest::decode, MeasuredTest::prefill}) {
    std::vector<FittedRow> some;
    for (const auto& r : rows) {
      if (r.measurement->test == test && r.measurement->not_fitted.empty()) some.push_back(r);
    }
    if (some.empty()) continue;
    const std::string name(to_string(test));
    print_errors(name + ": vendor", error_table(some, [](const FittedRow& r) { return r.vendor; }));
    print_errors(name + ": back end", error_table(some, [](const FittedRow& r) { return r.measurement->backend; }));
    print_errors(name + ": model kind", error_table(some, [](const FittedRow& r) { return std::string(r.routed ? "mixture of experts" : "dense"); }));
  }
  if (!data.left_out().empty()) std::puts(wrap(fmt::format("{} measurements cannot be predicted, the first: {}: {}", data.left_out().size(), data.left_out().front().id, data.left_out().front().reason), terminal_width(), 2).c_str());
  std::puts(wrap("The published rows are those that the factors were fitted to; errors on devices and models that a fit has not seen are in docs/accuracy.md.", terminal_width(), 2).c_str());
  return Status::answered;
}

}  // namespace

Command add_accuracy(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("accuracy", "Predicted against measured speeds, for all measurements known");
  app->add_option("--gpu,-g", o->device, "Only measurements of this device");
  app->add_option("--model,-m", o->model, "Only measurements of this model");
  app->add_flag("--summary", o->summary, "The tables of errors alone");
  app->add_flag("--json", o->common.json, "planner.accuracy/1");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
