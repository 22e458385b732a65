// TQ2_0: 256 ternary weights of 2 bits, one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct TQ2_0 {
  static constexpr FormatId kId = FormatId::tq2_0;
  static constexpr int kWeights = 256, kBytes = 66, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += 16) {
        const auto v = load_16(b + 32 * h + l);
        for (int s = 0; s < 4; ++s) store_16(q + 128 * h + 32 * s + l, ((v >> (2 * s)) & 3) - 1);
      }
    }
    for (int g = 0; g < 8; ++g) scale[g] = half_at(b + 64);
  }

  static const char* check(const u8* b) { return half_is_finite(b + 64) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    for (int i = 0; i < 64; ++i) b[i] = static_cast<u8>(b[i] ^ (b[i] & b[i] >> 1 & 0x55) << 1);  // 1 for 3, which is no code
    store_half(b + 64, d);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_h;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    const auto two = _mm512_set1_epi8(3);
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const i8* q = x.q + i;
      const auto z = load_512(b);
      auto even = products(_mm512_and_si512(z, two), q), odd = products(_mm512_and_si512(_mm512_srli_epi16(z, 2), two), q + 64);
      even = _mm512_dpbusd_epi32(even, _mm512_and_si512(_mm512_srli_epi16(z, 4), two), load_512(q + 128));
      odd = _mm512_dpbusd_epi32(odd, _mm512_and_si512(_mm512_srli_epi16(z, 6), two), load_512(q + 192));
      // Codes are 1 too high.
      const auto bias = _mm512_zextsi256_si512(_mm256_madd_epi16(load_256(x.sums + i / 16), _mm256_set1_epi16(1)));
      const auto ints = _mm512_sub_epi32(_mm512_add_epi32(even, odd), bias);
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_set1_ps(half_at(b + 64) * x.scale[i / 32]), sum);
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<TQ2_0>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
