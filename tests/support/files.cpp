#include "support/files.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace planner::test {

namespace fs = std::filesystem;

fs::path data_file(std::string_view name) { return fs::path(PLANNER_TEST_DATA) / name; }

fs::path repository_data() { return fs::path(PLANNER_SOURCE_DIR) / "data"; }

std::optional<fs::path> facts_folder() {
  const char* named = std::getenv("PLANNER_FACTS");
  const fs::path folder = named != nullptr && *named != '\0' ? fs::path(named) : fs::path(PLANNER_SOURCE_DIR).parent_path() / "shared" / "facts";
  std::error_code status;
  if (!fs::is_directory(folder, status)) return std::nullopt;
  return folder;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "planner-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder: " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path TemporaryFolder::write(std::string_view name, std::string_view content) const {
  const auto path = path_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out << content;
  if (!out) throw std::runtime_error(path.string() + ": cannot be written");
  return path;
}

}  // namespace planner::test
