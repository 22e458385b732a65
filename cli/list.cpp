// planner models, gpus, quants, engines: what the catalog holds, one line an entry.

#include <CLI/App.hpp>

#include "command.h"

namespace planner::cli {

Command add_models(CLI::App& program) { return {program.add_subcommand("models", "Models of the catalog"), [] { return Status::answered; }}; }
Command add_gpus(CLI::App& program) { return {program.add_subcommand("gpus", "Devices of the catalog"), [] { return Status::answered; }}; }
Command add_quants(CLI::App& program) { return {program.add_subcommand("quants", "Quantizations of the catalog"), [] { return Status::answered; }}; }
Command add_engines(CLI::App& program) { return {program.add_subcommand("engines", "Inference engines of the catalog"), [] { return Status::answered; }}; }

}  // namespace planner::cli
