#include "import/text_file.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "import/gguf_reader.h"
#include "planner/error.h"

namespace planner {

std::string read_text_file(const std::filesystem::path& path, std::uintmax_t most, std::string_view what) {
  std::error_code status;
  const auto size = std::filesystem::file_size(path, status);
  if (status) throw Error(ErrorKind::invalid_file, fmt::format("{}: cannot be read: {}", printable_path(path), status.message()));
  if (size > most) throw Error(ErrorKind::invalid_file, fmt::format("{}: larger than any {} ({} MiB)", printable_path(path), what, most >> 20));
  std::ifstream in(path, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  if (!in) throw Error(ErrorKind::invalid_file, printable_path(path) + ": cannot be read");
  return content.str();
}

}  // namespace planner
