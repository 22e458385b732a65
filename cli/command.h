// What every command shares: how it is set up, its exit status, the catalog with the user's overlays.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "planner/catalog.h"

namespace planner::cli {

/// Exit statuses of the contract.
enum class Status : int { answered = 0, check_failed = 1, usage = 2, invalid_file = 3, not_measured = 4 };

/// Options that every command takes.
struct CommonOptions {
  std::vector<std::string> data_folders;  ///< --data DIR: overlays, after $XDG_CONFIG_HOME/planner
  bool json = false;
};

/// The compiled facts, or an overlaid copy where the user has files of their own. Lives until the program ends.
[[nodiscard]] const Catalog& catalog_for(const CommonOptions& options);

/// Adds --data to a command.
void add_data_option(CLI::App& command, CommonOptions& options);

/// A command adds itself to the program; `run` is called after parsing.
struct Command {
  CLI::App* app = nullptr;
  std::function<Status()> run;
};

// One file per command.
[[nodiscard]] Command add_estimate(CLI::App& program);
[[nodiscard]] Command add_batch(CLI::App& program);
[[nodiscard]] Command add_models(CLI::App& program);
[[nodiscard]] Command add_gpus(CLI::App& program);
[[nodiscard]] Command add_quants(CLI::App& program);
[[nodiscard]] Command add_engines(CLI::App& program);
[[nodiscard]] Command add_show(CLI::App& program);
[[nodiscard]] Command add_inspect(CLI::App& program);
[[nodiscard]] Command add_check(CLI::App& program);
[[nodiscard]] Command add_serve(CLI::App& program);
#ifdef PLANNER_HAS_RUNTIME
[[nodiscard]] Command add_bench(CLI::App& program);
[[nodiscard]] Command add_run(CLI::App& program);
[[nodiscard]] Command add_tokenize(CLI::App& program);
[[nodiscard]] Command add_synth(CLI::App& program);
#endif
[[nodiscard]] Command add_accuracy(CLI::App& program);
[[nodiscard]] Command add_import(CLI::App& program);

}  // namespace planner::cli
