// Q2_0: 64 weights of 2 bits, one scale. Codes 0 .. 3 stand for -1 .. 2.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q2_0 {
  static constexpr FormatId kId = FormatId::q2_0;
  static constexpr int kWeights = 64, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int o = 0; o < 8; ++o) {
      const std::uint64_t values = ((spread_pairs(load_u16(b + 2 + 2 * o)) | 128 * kEach) - kEach) ^ 128 * kEach;  // no borrow from byte to byte
      std::memcpy(q + 8 * o, &values, sizeof values);
    }
    scale[0] = scale[1] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    // Two bytes, eight codes, for every qword.
    const auto two = bytes_512([](int p) { return 2 * (p / 8) + p % 2; }), pairs = bytes_512([](int p) { return 2 * (p % 8); });
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 64, b += kBytes) {
      prefetch(b, 1);
      const auto bytes = _mm512_permutexvar_epi8(two, _mm512_castsi128_si512(load_128(b + 2)));
      const auto codes = _mm512_and_si512(_mm512_multishift_epi64_epi8(pairs, bytes), _mm512_set1_epi8(3));
      sum = add_64(sum, codes, 1, x, i, _mm512_set1_ps(half_at(b)));
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q2_0>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
