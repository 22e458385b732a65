// Where the tests' data lies, and files that a test writes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace planner::test {

/// A file of tests/data.
[[nodiscard]] std::filesystem::path data_file(std::string_view name);
/// The repository's own facts: data/.
[[nodiscard]] std::filesystem::path repository_data();
/// The big collection of raw facts: $PLANNER_FACTS, else ../shared/facts beside the repository; nothing where there is none.
[[nodiscard]] std::optional<std::filesystem::path> facts_folder();

/// A folder of its own under the system's temporary one, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Writes a file and returns its path.
  std::filesystem::path write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace planner::test
