// planner serve: starts planner-serve, the HTTP service, which lies beside this program.
#include <CLI/App.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include "command.h"
#include "planner/error.h"

namespace planner::cli {
namespace {

/// Where this program lies; empty where the system does not tell.
std::filesystem::path own_folder() {
  std::error_code status;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", status);
  return status ? std::filesystem::path() : self.parent_path();
}

Status start(std::vector<std::string> arguments) {
  const auto folder = own_folder();
  const std::string program = folder.empty() ? "planner-serve" : (folder / "planner-serve").string();
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (folder.empty()) execvp(program.c_str(), argv.data());
  else execv(program.c_str(), argv.data());
  throw Error(ErrorKind::usage, program + " cannot be started: " + std::strerror(errno) + " (it is built where cpp-httplib is)");
}

}  // namespace

Command add_serve(CLI::App& program) {
  auto* app = program.add_subcommand("serve", "A local HTTP service with the same JSON: /v1/estimate, /v1/batch, /v1/models ...");
  app->prefix_command();  // the service has its own options, --help among them
  app->set_help_flag();
  return {app, [app] { return start(app->remaining()); }};
}

}  // namespace planner::cli
