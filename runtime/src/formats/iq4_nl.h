// IQ4_NL: 32 weights of 4 bits that index a table of sixteen values, one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ4_NL {
  static constexpr FormatId kId = FormatId::iq4_nl;
  static constexpr int kWeights = 32, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    unpack_nibbles(b + 2, q, [](Bytes16 v) { return look_up(kIq4Values, v); });
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32_t;
  static constexpr int kCodesAt = 2;
  static constexpr int kBias = 128;
  struct Constants {
    Nibbles nibbles;
    Stride18 stride;
    __m512i values;
  };
  static Constants constants() { return {Nibbles::make<2, kBytes>(), Stride18::make(), lookup_table<kIq4Values, kBias>()}; }
  static __m512i from_nibbles(__m512i nibbles, const Constants& c) { return _mm512_permutexvar_epi8(nibbles, c.values); }
  static __m512i codes(const u8* b, __mmask64 readable, const Constants& c) { return from_nibbles(c.nibbles.load(b, readable), c); }
  static __m512 scales(const u8* b, int n, const Constants& c) {
    return n == 16 ? c.stride.halves(b) : halves_512(n, [b](int i) { return b + 18 * i; });
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_32<IQ4_NL>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ4_NL>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
