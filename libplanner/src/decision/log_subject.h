// Which model, quantization and engine a log speaks of.
#pragma once

#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/engine_log.h"

namespace planner::decision {

/// Name for `resolve_subject`: by the log's name where the printed geometry agrees, else by geometry. Throws Error (unknown_name): none, or too little is
/// printed.
[[nodiscard]] std::string model_of_log(const EngineLog& log, const Catalog& catalog, std::vector<std::string>& notes);

/// What of the printed geometry `model` contradicts: "n_layer 32, not 36"; empty: nothing.
[[nodiscard]] std::string contradiction(const Model& model, const LogModel& printed);

/// Name for `Catalog::resolve_quantization`: "Q4_K - Medium" -> "Q4_K_M", "IQ4_XS - 4.25 bpw" -> "IQ4_XS"; else what the file's name says. Empty: not known.
[[nodiscard]] std::string quantization_of_log(const EngineLog& log, const Catalog& catalog);

/// "llama.cpp@b4748"; the version of the printing style where none is printed, with a note.
[[nodiscard]] std::string engine_of_log(const EngineLog& log, std::vector<std::string>& notes);
/// The build number of llama.cpp that the log's rules are of; nothing: the newest.
[[nodiscard]] std::optional<std::int64_t> build_of_log(const EngineLog& log);

}  // namespace planner::decision
