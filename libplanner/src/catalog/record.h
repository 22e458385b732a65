// One entry of a data file, as read: a tree of values and where it stands. YAML files and the compiled facts both come as records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace planner {

enum class RecordKind : std::uint8_t { device, model, quantization, engine, tokenizer, tokenizer_fallback, evaluation, quality, platform, speed, publisher };

struct Record {
  RecordKind kind = RecordKind::device;
  std::string id;
  nlohmann::json value;
  std::string file;
  int line = 0;                        ///< 1-based; 0: compiled in
  std::map<std::string, int> key_lines;  ///< lines of the entry's own keys

  /// "data/devices/x.yaml:12" of a key, or of the entry where the key is not its own.
  [[nodiscard]] std::string place(const std::string& key = {}) const;
};

/// All entries of one YAML file. Throws Error (invalid_file) with file and line: not YAML, an unknown kind of file, an entry without id.
[[nodiscard]] std::vector<Record> read_records(const std::filesystem::path& path, const std::string& shown_as);

}  // namespace planner
