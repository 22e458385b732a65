// What the quantizer takes where a row is no multiple of the chosen format's block.
#pragma once

#include <cstdint>

#include "planner/tensor_format.h"

namespace planner::quantization {

/// `format` where rows of `row` weights fit into its blocks, else its fallback, else F16.
/// Source: tensor_type_fallback in src/llama-quant.cpp of ggml-org/llama.cpp.
[[nodiscard]] FormatId fitting(FormatId format, std::int64_t row);

}  // namespace planner::quantization
