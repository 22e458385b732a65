// planner check: an engine's log against the prediction, buffer by buffer.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "command.h"
#include "planner/check.h"
#include "planner/error.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  CheckOptions check;
  std::string file;
  double tolerance = 5;
};

std::string read_log(const std::string& file) {
  if (file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream in(file, std::ios::binary);
  std::stringstream content;
  if (in) content << in.rdbuf();
  if (!in || !content) throw Error(ErrorKind::invalid_file, file + ": cannot be read");
  return std::move(content).str();
}

Colour colour_of(CheckVerdict v) {
  switch (v) {
    case CheckVerdict::exact:
    case CheckVerdict::within: return Colour::green;
    case CheckVerdict::outside: return Colour::red;
    case CheckVerdict::assumed: return Colour::yellow;
    case CheckVerdict::not_compared: break;
  }
  return Colour::dim;
}

std::string_view words_of(CheckVerdict v) {
  switch (v) {
    case CheckVerdict::exact: return "exact";
    case CheckVerdict::within: return "ok";
    case CheckVerdict::outside: return "OFF";
    case CheckVerdict::assumed: return "in range";
    case CheckVerdict::not_compared: break;
  }
  return "-";
}

std::string_view words_of(LogTerm term) {
  switch (term) {
    case LogTerm::model: return "weights";
    case LogTerm::kv: return "KV cache";
    case LogTerm::recurrent_state: return "state";
    case LogTerm::kv_pool: return "KV pool";
    case LogTerm::kv_tokens: return "KV tokens";
    case LogTerm::non_torch: return "beside";
    case LogTerm::graphs: return "graphs";
    default: return to_string(term);
  }
}

std::string amount(LogTerm term, std::int64_t n) { return term == LogTerm::kv_tokens ? thousands(n) : fmt::format("{:.2f}", static_cast<double>(n) / 0x1p20); }

std::string error_text(const CheckRow& row) {
  const auto error = row.error();
  if (!error) return "-";
  return row.verdict == CheckVerdict::exact ? "0" : fmt::format("{:+.2f} %", 100 * *error);
}

std::string lines_text(const CheckRow& row) {
  if (row.lines.empty()) return "";
  return row.lines.size() == 1 ? std::to_string(row.lines.front()) : fmt::format("{}+{}", row.lines.front(), row.lines.size() - 1);
}

void add(Table& table, const CheckRow& row) {
  table.add({row.device, std::string(words_of(row.term)), amount(row.term, row.printed), row.predicted ? amount(row.term, *row.predicted) : "-",
             error_text(row), paint(words_of(row.verdict), colour_of(row.verdict)), lines_text(row)});
}

void print_head(const Check& c) {
  const auto& r = c.request;
  std::string line = fmt::format("{}  {}{}", paint(c.model.name, Colour::bold), c.quantization.empty() ? "quantization not known" : c.quantization,
                                 c.log.complete ? "" : ", incomplete log");
  std::puts(wrap(line, terminal_width(), 2).c_str());
  line = fmt::format("{}, {}", r.engine, r.backend);
  for (const auto& d : r.devices) line += ", " + d;
  if (r.context) line += fmt::format(", context {}{}", thousands(*r.context), r.concurrency.value_or(1) > 1 ? fmt::format(" x {}", *r.concurrency) : "");
  if (!r.kv_type_k.empty()) line += fmt::format(", KV {}/{}", r.kv_type_k, r.kv_type_v.empty() ? r.kv_type_k : r.kv_type_v);
  if (r.gpu_layers) line += fmt::format(", -ngl {}", *r.gpu_layers);
  std::puts(wrap(line, terminal_width(), 2).c_str());
}

void print(const Check& c) {
  print_head(c);
  Table table({{"device", Align::left, true},
               {"", Align::left},
               {"printed MiB", Align::right},
               {"predicted", Align::right},
               {"error", Align::right},
               {"", Align::left},
               {"line", Align::right}});
  for (const auto& row : c.rows) add(table, row);
  for (const auto& row : c.totals) add(table, row);
  std::printf("\n%s\n", table.text().c_str());
  for (const auto& row : c.rows) {
    if (row.verdict == CheckVerdict::not_compared)
      std::puts(wrap(paint(fmt::format("{} {}: not compared: {}", row.device, words_of(row.term), row.reason), Colour::dim), terminal_width(), 2).c_str());
  }
  for (const auto& row : c.forecasts) {
    std::puts(wrap(paint(fmt::format("{} {} MiB (line {})", row.reason, amount(row.term, row.printed), row.lines.front()), Colour::dim), terminal_width(), 2)
                  .c_str());
  }
  for (const auto& note : c.notes) std::puts(wrap("note: " + note, terminal_width(), 2).c_str());
  const auto* worst = c.worst();
  if (worst == nullptr) {
    std::printf("%s\n", paint("nothing could be compared", Colour::red).c_str());
    return;
  }
  const auto exact = std::count_if(c.rows.begin(), c.rows.end(), [](const CheckRow& row) { return row.verdict == CheckVerdict::exact; });
  std::string line = fmt::format("{} of {} rows compared, {} exact; farthest off: {} {} ({}), tolerance {:g} %", c.compared(), c.rows.size(), exact,
                                 worst->device, words_of(worst->term), error_text(*worst), 100 * c.tolerance);
  std::puts(wrap(paint(line, c.holds() ? Colour::green : Colour::red), terminal_width(), 2).c_str());
}

Status run(Options& o) {
  o.check.tolerance = o.tolerance / 100;
  const auto check = check_log(read_engine_log(read_log(o.file), o.file), o.check, catalog_for(o.common));
  if (o.common.json)
    std::puts(to_json(check).c_str());
  else
    print(check);
  return check.holds() ? Status::answered : Status::check_failed;
}

}  // namespace

Command add_check(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("check", "An engine's log against the prediction, buffer by buffer; status 1 past the tolerance");
  app->add_option("LOG", o->file, "What llama.cpp, ik_llama.cpp, Ollama or vLLM printed; - for standard input")->required();
  app->add_option("--tolerance", o->tolerance, "Largest error of a row, in per cent")->capture_default_str()->check(CLI::Range(0.0, 1000.0));
  app->add_option("--model,-m", o->check.model, "The model, where the log does not tell it, or its GGUF file");
  app->add_option("--quant,-q", o->check.quantization, "Its quantization, where the log does not tell it");
  app->add_option("--gpu,-g", o->check.devices, "The devices in the engine's order, where the log does not name them; repeatable")->allow_extra_args(false);
  app->add_flag("--json", o->common.json, "planner.check/1");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
