// What a path (an instruction set) offers for each format. Plain pointers and plain data: the files behind it are compiled for instruction
// sets that this machine may not have, so nothing of the standard library's inline code may get into them.
#pragma once

#include <cstdint>

#include "runtime/matrix.h"

namespace planner::runtime {

/// The forms of activations that kernels read.
enum class Form : std::uint8_t {
  values,   ///< as they are
  q8_32,    ///< 8 bits, a scale for every 32
  q8_256,   ///< 8 bits, a scale for every 256
  q8_256x,  ///< the same, each 256 transposed as 4 x [16 groups][4]: a register of 64 bytes holds 4 of every group of 16
};
constexpr int kForms = 4;

/// One token's activations in one form. Quantized: value i is about q[i] * scale[i / 32].
struct ActivationRow {
  const float* values;       ///< always there
  const std::int8_t* q;      ///< -127 .. 127
  const float* scale;        ///< for every 32, also where 256 share one
  const std::int16_t* sums;  ///< of every 16 q
};

/// Rows of weights as bytes.
struct RowBlock {
  const std::uint8_t* data;
  std::int64_t row_bytes;
  std::int64_t rows;
  std::int64_t columns;
};

struct FormatKernels {
  Form form;       ///< what `dot` reads
  Form many_form;  ///< what `many` reads: the same numbers in plain order
  /// y[r] = row r * x.
  void (*dot)(const RowBlock& w, const ActivationRow& x, float* y);
  /// y[t * y_stride + r] = row r * x[t]: unpacks a few rows at a time into `scratch` and multiplies all tokens with them. At most kPanelRows rows.
  void (*many)(const RowBlock& w, const ActivationRow* x, std::int64_t n_tokens, float* y, std::int64_t y_stride, std::uint8_t* scratch);
};

constexpr int kPanelRows = 16;
/// Bytes that `many` needs for rows of `columns`, 64-byte aligned: single precision is the largest form.
constexpr std::int64_t panel_bytes(std::int64_t columns) { return columns * kPanelRows * 4 + columns / 16 * kPanelRows * 8 + 1024; }

constexpr int kFormatCount = static_cast<int>(FormatId::fp8) + 1;

struct Kernels {
  FormatKernels formats[kFormatCount];  ///< by FormatId; zeros where there is no format
  /// Makes a quantized form of n values.
  void (*quantize)(const float* x, std::int64_t n, Form form, std::int8_t* q, float* scale, std::int16_t* sums);
  /// Reads bytes (a multiple of 512) as fast as the machine can.
  std::uint64_t (*checksum)(const std::uint8_t* bytes, std::int64_t n);
};

/// The path's kernels; `path` must be available.
[[nodiscard]] const Kernels& kernels_of(Path path);

// One file each in paths/, as far as the processor has them.
const Kernels& reference_kernels();
const Kernels& portable_kernels();
const Kernels& avx2_kernels();
const Kernels& avx_vnni_kernels();
const Kernels& avx512_kernels();
const Kernels& neon_kernels();

}  // namespace planner::runtime
