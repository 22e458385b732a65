/// Synthetic models: GGUF files with a real model's geometry, names, formats and metadata, and random weights.
///
/// Where weights cannot be downloaded, such a file costs the same memory, bandwidth and arithmetic as the real one and can be measured in its
/// place; llama.cpp loads it too. Weights are valid in every format and scaled so that activations stay finite; the tokenizer is made by rule and
/// splits any text. Files are the same on every machine, bit for bit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "planner/catalog.h"
#include "planner/quantization.h"

namespace planner::runtime {

struct SynthOptions {
  std::uint64_t seed = 1;
  int n_threads = 0;  ///< 0: all of the machine
  /// Called from the caller's thread now and then: bytes written so far, bytes of the file.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

struct SynthFile {
  std::int64_t file_bytes = 0;       ///< as written
  std::int64_t predicted_bytes = 0;  ///< gguf_file_size's answer for the real model's file
  std::int64_t n_tensors = 0;
};

/// Writes the file: to a temporary one beside it, then renamed, so that `path` is whole or not there.
/// Throws Error: (usage) an architecture or a tokenizer whose metadata cannot be written, a quantization that GGUF does not have; (invalid_file)
/// a folder that cannot be written, a disk that has not the room.
SynthFile synthesize(const ModelEntry& model, const Quantization& quantization, const Catalog& catalog, const std::filesystem::path& path,
                     const SynthOptions& options = {});

}  // namespace planner::runtime
