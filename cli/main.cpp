// planner: does this model fit, how fast will it be. Each command is a file of its own.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <clocale>
#include <cstdio>
#include <memory>
#include <string>

#include "command.h"
#include "planner/error.h"
#include "render.h"

#ifndef PLANNER_VERSION
#error "PLANNER_VERSION is set by the build"
#endif

namespace {

using namespace planner;
using cli::Status;

/// Help that stays within the terminal's width.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override { return wrapped(CLI::Formatter::make_option_desc(option)); }
  std::string make_description(const CLI::App* app) const override { return cli::wrap(app->get_description(), cli::terminal_width(), 0) + "\n"; }
  std::string make_subcommand(const CLI::App* command) const override {
    std::string out = "  " + command->get_display_name(true);
    out.resize(std::max(out.size() + 1, get_column_width()), ' ');
    std::string text = wrapped(command->get_description());
    for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) text.insert(at + 1, get_column_width(), ' ');
    return out + text + "\n";
  }

 private:
  [[nodiscard]] std::string wrapped(const std::string& text) const { return cli::wrap(text, cli::terminal_width() - std::min(get_column_width(), cli::terminal_width() / 2), 0); }
};

/// One line on standard error, and the status that belongs to the kind of error.
Status report(const Error& error) {
  std::fprintf(stderr, "planner: %s\n", error.what());
  return error.kind() == ErrorKind::invalid_file ? Status::invalid_file : Status::usage;
}

Status run(int argc, char** argv) {
  CLI::App program("Does this language model fit on that hardware, what does every byte go to, how fast will it be.", "planner");
  program.formatter(std::make_shared<HelpFormatter>());
  program.set_version_flag("--version", std::string("planner ") + PLANNER_VERSION);
  program.require_subcommand(1);
  // In the order of --help: what is asked most comes first.
  const cli::Command commands[] = {
      cli::add_estimate(program),
      cli::add_batch(program),
      cli::add_models(program),
      cli::add_gpus(program),
      cli::add_quants(program),
      cli::add_engines(program),
      cli::add_show(program),
      cli::add_inspect(program),
      cli::add_check(program),
      cli::add_accuracy(program),
      cli::add_import(program),
      cli::add_serve(program),
#ifdef PLANNER_HAS_RUNTIME
      cli::add_run(program),
      cli::add_tokenize(program),
      cli::add_synth(program),
      cli::add_bench(program),
#endif
  };
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& e) {
    program.exit(e);  // --help, --version
    return Status::answered;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "planner: %s (try --help)\n", e.what());
    return Status::usage;
  }
  try {
    for (const auto& command : commands) {
      if (command.app->parsed()) return command.run();
    }
  } catch (const Error& e) {
    return report(e);
  }
  return Status::usage;
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "planner: internal error: %s\n", e.what());
    return 70;
  }
}
