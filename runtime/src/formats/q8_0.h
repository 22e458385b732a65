// Q8_0: 32 weights of 8 bits, one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q8_0 {
  static constexpr FormatId kId = FormatId::q8_0;
  static constexpr int kWeights = 32, kBytes = 34, kGroup = 32;
  static constexpr bool kOffset = false;
  static constexpr int kBytesAt = 2;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    std::memcpy(q, b + 2, 32);
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    for (int i = 2; i < 34; ++i) {
      if (b[i] == 0x80) b[i] = 0x81;  // no quantizer writes -128
    }
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32;
  static constexpr int kBias = 128;
  struct Constants {};
  static Constants constants() { return {}; }
  static __m512i codes(const u8* b, __mmask64 readable, const Constants&) {
    const auto second = readable >> kBytes != 0 ? load_256(b + kBytes + 2) : _mm256_setzero_si256();
    return _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(load_256(b + 2)), second, 1), _mm512_set1_epi8(-128));
  }
  static __m512 scales(const u8* b, int n, const Constants&) {
    return halves_512(n, [b](int i) { return b + 34 * i; });
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_32<Q8_0>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q8_0>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
