// NVFP4: 64 weights of E2M1 in four groups of 16, each with a scale of unsigned E4M3. The table holds twice the values, the scale is half.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct NVFP4 {
  static constexpr FormatId kId = FormatId::nvfp4;
  static constexpr int kWeights = 64, kBytes = 36, kGroup = 16;
  static constexpr bool kOffset = false;

  static float scale_of(u8 x) {
    const int exponent = x >> 3 & 15, mantissa = x & 7;
    if ((x & 127) == 0 || x == 127) return 0.0F;
    if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10F;
    return float_from_bits(static_cast<std::uint32_t>(exponent + 127 - 8) << 23 | static_cast<std::uint32_t>(mantissa) << 20);
  }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int g = 0; g < 4; ++g) {
      std::uint64_t codes;
      std::memcpy(&codes, b + 4 + 8 * g, sizeof codes);
      store_16(q + 16 * g, look_up(kMxfp4Values, words_16(codes & 15 * kEach, codes >> 4 & 15 * kEach)));
      scale[g] = scale_of(b[g]);
    }
  }

  static const char* check(const u8*) { return nullptr; }
  static void set_scale(u8* b, float d) {
    u8 best = 1;
    for (u8 x = 1; x < 127; ++x) {
      const float miss = scale_of(x) - d, best_miss = scale_of(best) - d;
      if (miss * miss < best_miss * best_miss) best = x;
    }
    for (int g = 0; g < 4; ++g) b[g] = best;
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32;
  /// The scales of four groups, four lanes each. Shifted into place, the byte is the float but for 2^119; 127 is 0.
  static __m512 lane_scales(const u8* b) {
    const auto x = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(load_i32(b)));
    const auto known = _mm_andnot_si128(_mm_cmpeq_epi32(x, _mm_set1_epi32(127)), _mm_slli_epi32(_mm_and_si128(x, _mm_set1_epi32(127)), 20));
    const auto four = _mm_mul_ps(_mm_castsi128_ps(known), _mm_set1_ps(0x1p119F));
    return _mm512_permutexvar_ps(_mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0), _mm512_castps128_ps512(four));
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    constexpr int kBias = 12;
    const auto values = lookup_table<kMxfp4Values, kBias>();
    // Eight bytes of a group twice: low nibbles, then high ones.
    const auto bytes = bytes_512([](int p) { return 4 + 8 * (p / 16) + p % 8; });
    const auto shifts = _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0);
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 64, b += kBytes) {
      prefetch(b, 1);
      const auto codes = _mm512_srlv_epi64(_mm512_permutexvar_epi8(bytes, _mm512_maskz_loadu_epi8((__mmask64{1} << kBytes) - 1, b)), shifts);
      sum = add_64(sum, _mm512_permutexvar_epi8(codes, values), kBias, x, i, lane_scales(b));
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<NVFP4>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
