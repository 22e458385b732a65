/// The round trip: an engine's log against the prediction, buffer by buffer.
///
///     const auto log = planner::read_engine_log(text, "server.log");
///     const auto check = planner::check_log(log, {}, planner::Catalog::builtin());
///     check.holds();  // every row that can be compared is within the tolerance
///
/// The log says what was loaded and how; what it leaves open is the engine's default of that version, and a note says so. Which layers lie on which device
/// is taken from the rows of the cache: it follows from the memory that was free, which is no rule of the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/engine_log.h"
#include "planner/estimate.h"

namespace planner {

/// What the log does not say, or says wrongly. Empty: as the log says.
struct CheckOptions {
  std::string model;  ///< as EstimateRequest::model; a GGUF file brings its own quantization
  std::string quantization;
  std::vector<std::string> devices;  ///< by name, in the engine's order
  double tolerance = 0.05;           ///< relative
};

enum class CheckVerdict : std::uint8_t {
  exact,         ///< equal, as far as the digits printed tell
  within,        ///< within the tolerance
  outside,       ///< beyond it
  assumed,       ///< beyond it, but what is predicted is no rule: a stated assumption, whose range holds what is printed
  not_compared,  ///< `reason` says why
};
[[nodiscard]] std::string_view to_string(CheckVerdict verdict);

/// One kind of buffer on one device. Buffers of the same kind there are added up.
struct CheckRow {
  std::string device;  ///< as printed: "CUDA0", "Metal", "rank 1"; "host" for all that lies in host memory; "all"
  LogTerm term = LogTerm::model;
  std::int64_t printed = 0;   ///< bytes (kv_tokens: tokens)
  std::int64_t rounding = 0;  ///< what the digits printed leave open
  std::optional<std::int64_t> predicted;
  std::int64_t uncertainty = 0;  ///< of the prediction, by its own account
  CheckVerdict verdict = CheckVerdict::not_compared;
  std::string reason;               ///< why it is not compared
  std::vector<std::int64_t> lines;  ///< of the log

  /// (predicted - printed) / printed; nothing where one is missing or nothing was printed.
  [[nodiscard]] std::optional<double> error() const;
};

struct Check {
  EngineLog log;
  EstimateRequest request;  ///< the same question for `estimate`
  ModelSummary model;
  std::string quantization;         ///< empty: not known
  std::vector<CheckRow> rows;       ///< device by device
  std::vector<CheckRow> totals;     ///< per device, of the rows that are compared
  std::vector<CheckRow> forecasts;  ///< Ollama's own, before the load: shown, never compared
  double tolerance = 0.05;
  std::vector<std::string> notes;

  [[nodiscard]] std::size_t compared() const;
  /// Something is compared, and nothing of it is outside the tolerance.
  [[nodiscard]] bool holds() const;
  /// The compared row that is farthest off; null: none.
  [[nodiscard]] const CheckRow* worst() const;
};

/// Throws Error: the model cannot be told from the log, or contradicts it (unknown_name: give it by name); names that nobody knows; files that cannot be read.
[[nodiscard]] Check check_log(const EngineLog& log, const CheckOptions& options, const Catalog& catalog);

/// "planner.check/1", one line.
[[nodiscard]] std::string to_json(const Check& check);

}  // namespace planner
