/// Logs as rows of memory.csv hold them, made into the EngineLog that they were read from.
///
/// How a group of rows (one id) becomes an EngineLog:
///   engine, engine_version  the reader's engine; forks count as what they are forks of. Without a version, llama.cpp is taken to be about a month younger
///                           than the model (logs are of what is new), ik_llama.cpp of the build of the time when the log was posted
///   model, hf_id, memory_geom.csv  name and printed geometry; quant and file_size_gib: file type and size
///   n_ctx, n_batch, n_ubatch, n_seq, flash_attn, cache types, n_gpu_layers  as they are; absent ones stay absent: the version's default
///   component, where, mib   a buffer; where=ALL only where there is no row of a device; a place's second model row replaces the first (several loads under one
///                           id), but mapped ranges and caches (a full and a sliding one) add up
///   note                    mla_attn, attn_max_b, --n-cpu-moe, "TP2", "util 0.90", "total_gpu_memory 79.22 GiB"; "breakdown": cache and states in one figure;
///                           "estimate": Ollama's forecast, no allocation
/// All layers are on the GPUs and yet a good part of the file is on the host: tensors were placed by hand (-ot), which the rows do not record.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "planner/catalog.h"
#include "planner/engine_log.h"
#include "support/csv.h"

namespace planner::test {

/// The rows of one log.
struct LogGroup {
  std::string id;
  std::vector<CsvRow> rows;
  std::optional<CsvRow> geometry;  ///< its row of memory_geom.csv
};

/// The groups of memory.csv, in its order.
[[nodiscard]] std::vector<LogGroup> read_log_groups(const std::filesystem::path& facts);

/// The engine that a row's first column names; nothing where its logs are not read.
[[nodiscard]] std::optional<LogEngine> log_engine_of(const std::string& name);

/// The log that a group's rows were taken from; `why` where there is none.
[[nodiscard]] std::optional<EngineLog> log_of_rows(const LogGroup& g, const Catalog& catalog, std::string& why);

}  // namespace planner::test
