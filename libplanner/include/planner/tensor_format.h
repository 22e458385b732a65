/// The number formats a tensor can be stored in: one row per block layout, everything else derived.
///
/// A *format* (Q4_K) is a block layout. A *mix* (Q4_K_M) is a recipe that gives each tensor of a model a
/// format; mixes are in quantization.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace planner {

/// Identifies a row of `tensor_formats()`. Values are positions in that table, not GGUF type numbers.
enum class FormatId : std::uint8_t {
  f32, f16, bf16, f64, i8, i16, i32, i64,
  q4_0, q4_1, q5_0, q5_1, q8_0, q8_1,
  q2_k, q3_k, q4_k, q5_k, q6_k, q8_k,
  iq1_s, iq1_m, iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s, iq4_nl, iq4_xs,
  tq1_0, tq2_0, mxfp4, nvfp4, q1_0, q2_0,
  fp8,
  // ik_llama.cpp's own
  q6_0, iq2_k, iq3_k, iq4_k, iq5_k, iq6_k, iq4_ks, iq2_ks, iq4_kss, iq5_ks, iq2_kt, iq3_kt, iq4_kt, iq3_ks, iq2_kl, iq1_kt, q4_0_r8, q5_0_r4, q8_0_r8,
  q2_k_r4, q3_k_r4, q4_k_r4, q5_k_r4, q6_k_r4, iq2_xxs_r4, iq2_xs_r4, iq3_xxs_r4, iq1_s_r4, iq4_nl_r4, iq3_s_r4, iq2_s_r4, iq4_xs_r8, iq1_m_r4,
  q6_0_r4, iq2_k_r4, iq3_k_r4, iq4_k_r4, iq5_k_r4, iq4_ks_r4, iq5_ks_r4, mxfp4_r8, q8_k_r8,
};
inline constexpr int kFormatCount = static_cast<int>(FormatId::q8_k_r8) + 1;

/// One block layout.
struct TensorFormat {
  FormatId id;
  std::string_view name;     ///< as ggml spells it: "Q4_K", "IQ2_XXS", "F16"
  std::int32_t gguf_type;    ///< type number in GGUF files; -1 for formats that GGUF does not have
  std::int32_t block_weights;  ///< weights per block
  std::int32_t block_bytes;    ///< bytes per block, scales included
  std::int32_t row_meta = 0;   ///< bytes per row beside its blocks (formats of ik_llama.cpp that scale whole rows)

  /// Stored bits per weight of the blocks: 8 * block_bytes / block_weights. Example: Q4_K -> 4.5
  [[nodiscard]] constexpr double bits_per_weight() const {
    return 8.0 * block_bytes / block_weights;
  }
  /// Bytes of a row of `n` weights. `n` must be a multiple of block_weights.
  /// Example: a Q4_K row of 4096 -> 2304 bytes.
  [[nodiscard]] constexpr std::int64_t row_bytes(std::int64_t n) const {
    return n / block_weights * block_bytes + row_meta;
  }
};

/// Every format, in FormatId order.
[[nodiscard]] std::span<const TensorFormat> tensor_formats();
/// The row of one format.
[[nodiscard]] const TensorFormat& tensor_format(FormatId id);
/// By name in any case ("q4_k", "Q4_K"); null when there is none.
[[nodiscard]] const TensorFormat* find_tensor_format(std::string_view name);
/// By GGUF type number; null when unknown (removed or newer than this library).
[[nodiscard]] const TensorFormat* find_gguf_type(std::int64_t gguf_type);

}  // namespace planner
