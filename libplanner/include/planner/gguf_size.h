/// Size of a GGUF file before it exists: header, tensor directory, padded tensor data.
#pragma once

#include <cstdint>

#include "planner/model.h"
#include "planner/quantization.h"
#include "planner/tokenizer.h"

namespace planner {

struct GgufFileSize {
  std::int64_t metadata_bytes = 0;   ///< key-value pairs, the tokenizer above all
  std::int64_t directory_bytes = 0;  ///< names, shapes and offsets of the tensors
  std::int64_t data_bytes = 0;       ///< tensors, each padded to the alignment of 32
  std::int64_t total_bytes = 0;      ///< the file; the header padded too
};

/// Source of the layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The few hundred bytes of general.* keys are an average.
[[nodiscard]] GgufFileSize gguf_file_size(const Model& model, const StoredModel& stored, const Tokenizer& tokenizer);

}  // namespace planner
