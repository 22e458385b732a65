// What a path (an instruction set) offers for each format. Plain pointers and plain data: the files behind it are compiled for instruction
// sets that this machine may not have, so nothing of the standard library's inline code may get into them.
#pragma once

#include <cstdint>

#include "runtime/matrix.h"

namespace planner::runtime {

/// The forms of activations that kernels read. Those of 256 that end in a letter have each 256 in the order in which a format's bytes give its
/// weights, units of 8 moved as a whole; sums stay in plain order.
enum class Form : std::uint8_t {
  values,    ///< as they are
  q8_32,     ///< 8 bits, a scale for every 32
  q8_32_t,   ///< the same, each whole 512 as [8 parts][16 blocks][4]: dwords of 16 blocks side by side; what is left of a row in plain order
  q8_256,    ///< 8 bits, a scale for every 256
  q8_256_p,  ///< [2 halves][2 nibbles][2][32], of [half][2][nibble][32] (Q4_K, Q5_K); sums are those of every 32, then eight zeros
  q8_256_h,  ///< [4 bit pairs][2 halves][32], of [half][bit pair][32] (Q2_K, Q3_K)
  q8_256_n,  ///< [2 halves][2 nibbles][4][16], of [half][4][nibble][16] (IQ4_XS)
  q8_256_o,  ///< [4][8 groups][8], of [group][4][8] (IQ2, IQ3)
};
constexpr int kForms = 8;

/// One token's activations in one form. Quantized: value i is about q[i] * scale[i / 32].
struct ActivationRow {
  const float* values;       ///< always there
  const std::int8_t* q;      ///< -127 .. 127; 64 bytes may be read from any multiple of 64
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
