// Q1_0: 128 weights of one bit, one scale: set is +scale, clear is -scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q1_0 {
  static constexpr FormatId kId = FormatId::q1_0;
  static constexpr int kWeights = 128, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int o = 0; o < 16; ++o) {
      store_octet(q + 8 * o, kEach, b[2 + o] ^ 255U);
    }
    for (int g = 0; g < 4; ++g) scale[g] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 128, b += kBytes) {
      prefetch(b, kBytes);
      const auto d = _mm512_set1_ps(half_at(b));
      for (int k = 0; k < 2; ++k) {
        std::uint64_t bits;
        std::memcpy(&bits, b + 2 + 8 * k, sizeof bits);
        sum = add_64(sum, _mm512_maskz_mov_epi8(bits, _mm512_set1_epi8(2)), 1, x, i + 64 * k, d);
      }
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q1_0>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
