/// The number formats that the runtime computes with: what a block of bytes stands for.
///
/// The layouts' sizes are libplanner's (planner/tensor_format.h); this adds the arithmetic. Every format is a file of its own in
/// runtime/src/formats/ and a row of the table there; kernels are found through matrix.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "planner/tensor_format.h"
#include "runtime/random.h"

namespace planner::runtime {

struct Kernels;

/// One format. Functions take blocks that lie one after the other, at any alignment, and `n`, weights: a multiple of layout->block_weights.
struct Format {
  FormatId id;
  const TensorFormat* layout = nullptr;

  /// The values that blocks stand for, each rounded as the format's definition says: bit for bit those of ggml's reference (the sign of zero
  /// aside). Source of all layouts: ggml/src/ggml-common.h and ggml-quants.c, https://github.com/ggml-org/llama.cpp
  void (*dequantize)(const std::byte* blocks, float* values, std::int64_t n) = nullptr;

  /// What is wrong with blocks: a scale that is not finite, a code that no quantizer writes. Empty: nothing. Position unset on return then,
  /// else the first block concerned.
  std::string_view (*check)(const std::byte* blocks, std::int64_t n, std::int64_t* block) = nullptr;

  /// Valid blocks with random codes, scaled so that weights have mean about 0 and root mean square `deviation`.
  void (*random_blocks)(std::byte* blocks, std::int64_t n, float deviation, Random& random) = nullptr;

  /// Values to blocks, rounded to nearest; of the formats that a KV cache may have (F32, F16, BF16, Q8_0), null for the others.
  void (*quantize)(const float* values, std::byte* blocks, std::int64_t n) = nullptr;

  [[nodiscard]] std::int64_t row_bytes(std::int64_t n) const { return layout->row_bytes(n); }
  [[nodiscard]] std::string_view name() const { return layout->name; }
};

/// All formats that the runtime computes with.
[[nodiscard]] std::span<const Format> formats();
/// Null where the runtime does not compute with a format (integers, F64, what GGUF does not have).
[[nodiscard]] const Format* find_format(FormatId id);

// IEEE binary16 and bfloat16 in software, for single numbers. Rounding is to nearest even; NaN stays NaN.
[[nodiscard]] float float_from_f16(std::uint16_t bits);
[[nodiscard]] std::uint16_t f16_from_float(float value);
[[nodiscard]] float float_from_bf16(std::uint16_t bits);
[[nodiscard]] std::uint16_t bf16_from_float(float value);

}  // namespace planner::runtime
