// Q4_0: 32 weights of 4 bits, one scale. Codes 0 .. 15 stand for -8 .. 7.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q4_0 {
  static constexpr FormatId kId = FormatId::q4_0;
  static constexpr int kWeights = 32, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    unpack_nibbles(b + 2, q, [](Bytes16 v) { return v - 8; });
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32_t;
  static constexpr int kCodesAt = 2;
  static constexpr int kBias = 8;
  struct Constants {
    Nibbles nibbles;
    Stride18 stride;
  };
  static Constants constants() { return {Nibbles::make<2, kBytes>(), Stride18::make()}; }
  static __m512i from_nibbles(__m512i nibbles, const Constants&) { return _mm512_and_si512(nibbles, _mm512_set1_epi8(15)); }
  static __m512i codes(const u8* b, __mmask64 readable, const Constants& c) { return from_nibbles(c.nibbles.load(b, readable), c); }
  static __m512 scales(const u8* b, int n, const Constants& c) {
    return n == 16 ? c.stride.halves(b) : halves_512(n, [b](int i) { return b + 18 * i; });
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_32<Q4_0>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q4_0>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
