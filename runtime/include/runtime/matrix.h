/// Matrix products with weights as they stand in the file: y = W x for one token or many.
///
/// Two ways to the result. `Path::reference` dequantizes and sums in double precision: the truth that the others are tested against. The fast
/// paths quantize the activations once, to 8 bits with a scale for every 32 or 256 of them (as the formats' own engine does), multiply
/// integers and scale the sums; F32, F16 and BF16 weights meet the activations in single precision. Which instructions do it is found out at
/// run time; any path that the machine has can be forced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/format.h"
#include "runtime/thread_pool.h"

namespace planner::runtime {

/// How products are computed.
enum class Path : std::uint8_t {
  reference,  ///< dequantize, sum in double precision
  portable,   ///< integer products in plain C++
  avx2,       ///< x86-64 with AVX2, FMA, F16C
  avx_vnni,   ///< the same with AVX-VNNI's byte products
  avx512,     ///< AVX-512 with BW, DQ, VL, VBMI and VNNI (Ice Lake, Zen 4 and later)
  neon,       ///< ARMv8.2 with dot products
};
[[nodiscard]] std::string_view to_string(Path path);
/// Those that this program and this machine have, slowest first; reference and portable always.
[[nodiscard]] std::span<const Path> available_paths();
/// The last of them.
[[nodiscard]] Path best_path();

/// Who computes, and how. The pool is borrowed.
struct Execution {
  ThreadPool* pool = nullptr;  ///< null: the caller alone
  Path path = best_path();
};

/// A matrix of weights, row-major: `rows` vectors of `columns` weights. A view: whoever mapped the file owns the bytes.
struct Matrix {
  const Format* format = nullptr;
  const std::byte* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;  ///< a multiple of the format's block

  [[nodiscard]] std::int64_t row_bytes() const { return format->row_bytes(columns); }
  [[nodiscard]] std::int64_t bytes() const { return rows * row_bytes(); }
  [[nodiscard]] const std::byte* row(std::int64_t i) const { return data + i * row_bytes(); }
  /// Rows first .. first + n - 1, e.g. expert e of a stack: slice(e * rows_per_expert, rows_per_expert).
  [[nodiscard]] Matrix slice(std::int64_t first, std::int64_t n) const { return {format, row(first), n, columns}; }
};

/// Values of one row: an embedding table's look-up.
void dequantize_row(const Matrix& matrix, std::int64_t row, float* values);

/// The input of products: `n_tokens` vectors of `columns` activations, in the forms that kernels read, each made once when first needed. Make
/// one for all matrices that share an input; keep it between tokens, its memory is used again. Not to be used by two multiply() at once.
class Activations {
 public:
  Activations();
  ~Activations();
  Activations(Activations&&) noexcept;
  Activations& operator=(Activations&&) noexcept;

  /// `x` [n_tokens][columns], the vectors `stride` values apart (0: columns). Not copied: must stay as it is until the last product.
  void assign(const float* x, std::int64_t columns, std::int64_t n_tokens, std::int64_t stride = 0);

  [[nodiscard]] const float* values(std::int64_t token) const { return x_ + token * stride_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  [[nodiscard]] std::int64_t n_tokens() const { return n_tokens_; }

 private:
  friend struct ActivationForms;
  const float* x_ = nullptr;
  std::int64_t columns_ = 0, n_tokens_ = 0, stride_ = 0;
  std::unique_ptr<struct ActivationForms> forms_;
};

/// One product: y[token][row] = sum over columns of matrix[row][column] * x[token][column].
struct Product {
  Matrix matrix;
  Activations* x = nullptr;    ///< matrix.columns wide
  float* y = nullptr;          ///< [n_tokens][matrix.rows], overwritten
  std::int64_t y_stride = 0;   ///< values between the tokens of y; 0: matrix.rows
};

/// All products in one parallel step, whatever their formats and inputs: Q, K and V; gate and up; the experts of a token.
void multiply(std::span<const Product> products, const Execution& execution);
/// One product.
void multiply(const Matrix& matrix, Activations& x, float* y, const Execution& execution);
/// One product with an input that no other shares.
void multiply(const Matrix& matrix, const float* x, std::int64_t n_tokens, float* y, const Execution& execution);

}  // namespace planner::runtime
