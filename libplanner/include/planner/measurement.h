/// Speeds that somebody measured: rows of data/measurements/, of a user's imports, of llama-bench's output.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"

namespace planner {

enum class MeasuredTest : std::uint8_t { decode, prefill };
[[nodiscard]] std::string_view to_string(MeasuredTest test);

/// One measured rate of one sequence.
struct Measurement {
  std::string id;               ///< "T00001"; of imports: file and line
  std::string device;           ///< catalog id
  std::int64_t devices = 1;
  std::string split;            ///< of several devices: layer, row, tensor
  std::string backend;          ///< cuda, metal, rocm, vulkan, sycl, cpu
  std::string engine;           ///< catalog id where there is one: "llama.cpp", "mlx"
  std::string version;          ///< as stated
  double year = 0;              ///< of engine or measurement, 2024.5 is mid 2024; 0: unknown
  std::string model;            ///< catalog id
  std::string quantization;     ///< catalog name
  double size_gib = 0;          ///< of the file as published; 0: unknown
  MeasuredTest test = MeasuredTest::decode;
  double tokens = 0;            ///< N of tgN or ppN; 0: unknown
  double depth = 0;             ///< tokens in the cache before
  double ubatch = 0;            ///< 0: the engine's default
  std::optional<bool> flash_attention;
  double tokens_per_s = 0;
  std::string source;           ///< address; of imports the file
  std::string not_fitted;       ///< why the row takes no part in the fit; empty: it does

  /// Depth halfway through the measurement, which its mean rate belongs to.
  [[nodiscard]] double mean_depth() const { return test == MeasuredTest::decode ? depth + tokens / 2 : depth; }
};

/// Rows of a CSV table with the heading of data/measurements/throughput.csv. `sources` resolves numbers in the column `source`; empty: the column holds the
/// addresses themselves. Throws Error (invalid_file) naming line and column.
[[nodiscard]] std::vector<Measurement> read_measurements(std::string_view csv, std::string_view sources, const std::string& origin);
/// The same table, addresses written out.
[[nodiscard]] std::string write_measurements(const std::vector<Measurement>& rows);

/// The published measurements compiled into the library.
[[nodiscard]] std::vector<Measurement> builtin_measurements();

// ---------------------------------------------------------------------------------------------------------------------
// Results of other programs
// ---------------------------------------------------------------------------------------------------------------------

/// A line that was not taken, and why.
struct RefusedLine {
  std::int64_t line = 0;
  std::string reason;
};

struct ImportedFile {
  std::vector<Measurement> accepted;
  std::vector<RefusedLine> refused;
};

struct ImportOptions {
  std::string device;  ///< name; empty: as the file says
  std::string model;   ///< name; empty: as the file says
};

/// Largest file that is read: 64 MiB, more than a year of llama-bench.
inline constexpr std::uintmax_t kLargestImport = 64U << 20;

/// llama-bench's output: json, jsonl, csv or md, told by its first line. A line is refused where a column is missing, a number is not one, is negative or no rate
/// that any device reaches, where device or model are not known, or where it measures another model or device than the first line taken: a file is one run of one
/// model. Throws Error: unreadable, larger than kLargestImport, none of the four formats (invalid_file); an unknown name in `options` (unknown_name).
[[nodiscard]] ImportedFile import_bench(const std::filesystem::path& path, const ImportOptions& options, const Catalog& catalog);

}  // namespace planner
