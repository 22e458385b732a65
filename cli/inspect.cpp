// planner inspect: what a GGUF file or a config.json holds.

#include <CLI/App.hpp>

#include "command.h"

namespace planner::cli {

Command add_inspect(CLI::App& program) { return {program.add_subcommand("inspect", "What a GGUF file or a config.json holds"), [] { return Status::answered; }}; }

}  // namespace planner::cli
