/// What a model file holds: a GGUF file's metadata and tensors, or the tensors that a config.json stands for. "planner.inspect/1".
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "planner/gguf.h"
#include "planner/model.h"

namespace planner {

struct Inspection {
  std::filesystem::path path;
  std::optional<GgufFile> file;       ///< a GGUF file's header; absent: the file is a config.json
  std::string config_json;            ///< text of the config.json; empty: the file is GGUF
  std::string architecture;           ///< empty: not stated
  std::string name;                   ///< general.name; empty: not stated
  std::optional<Model> model;         ///< the geometry; absent where the file is no text model or not fully described: `notes` says why
  std::int64_t parameters_total = 0;  ///< GGUF: elements of all tensors in the file; config.json: the text model's parameters
  std::vector<std::string> notes;
};

/// Reads a GGUF file's header (all shards of a split one), or a config.json (or the one in a folder).
/// Throws Error (invalid_file): unreadable or damaged; a config of an unknown model_type or without a needed key.
[[nodiscard]] Inspection inspect(const std::filesystem::path& path);

/// Tensors of one format.
struct FormatShare {
  FormatId format = FormatId::f32;
  std::int64_t tensors = 0;
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;
};
/// The formats of a file, the one with the most bytes first.
[[nodiscard]] std::vector<FormatShare> format_shares(const GgufFile& file);
/// 8 * tensor bytes / elements; 0 without tensors.
[[nodiscard]] double bits_per_weight(const GgufFile& file);

/// A value of metadata on one line of at most about `width` characters: text is cut and its control characters shown as escapes, long arrays are
/// "[151936 x string]". `width` 0: everything.
[[nodiscard]] std::string preview(const GgufValue& value, std::size_t width);

/// "planner.inspect/1", one line. Arrays of metadata longer than 256 become {"type", "count"} unless `full`. Text that is not UTF-8 gets replacement
/// characters. Of a config.json: what only a file has (bytes, offsets, formats) is null, the tensors are the predicted ones, metadata is the config.
[[nodiscard]] std::string to_json(const Inspection& inspection, bool full = false);

}  // namespace planner
