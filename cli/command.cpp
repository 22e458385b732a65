#include "command.h"

#include <cstdlib>

namespace planner::cli {
namespace {

std::filesystem::path config_home() {
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != '\0') return xdg;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return std::filesystem::path(home) / ".config";
  return {};
}

}  // namespace

const Catalog& catalog_for(const CommonOptions& options) {
  std::vector<std::filesystem::path> folders;
  std::error_code status;
  if (const auto home = config_home(); !home.empty() && std::filesystem::is_directory(home / "planner", status)) folders.push_back(home / "planner");
  folders.insert(folders.end(), options.data_folders.begin(), options.data_folders.end());
  if (folders.empty()) return Catalog::builtin();
  static const std::unique_ptr<Catalog> overlaid = Catalog::with_overlays(folders);
  return *overlaid;
}

void add_data_option(CLI::App& command, CommonOptions& options) {
  command.add_option("--data", options.data_folders, "Folder of your own facts (YAML), laid over the built-in ones; repeatable")->check(CLI::ExistingDirectory);
}

}  // namespace planner::cli
