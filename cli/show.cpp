// planner show: one entry of the catalog, all that is known of it and where it comes from.

#include <CLI/App.hpp>

#include "command.h"

namespace planner::cli {

Command add_show(CLI::App& program) { return {program.add_subcommand("show", "One model, device, quantization or engine with its sources"), [] { return Status::answered; }}; }

}  // namespace planner::cli
