// Q2_K: 16 groups of 16 weights of 2 bits; each group has a scale and a minimum of 4 bits.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q2_K {
  static constexpr FormatId kId = FormatId::q2_k;
  static constexpr int kWeights = 256, kBytes = 84, kGroup = 16;
  static constexpr bool kOffset = true;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict offset) {
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += 16) {
        const auto v = load_16(b + 16 + 32 * h + l);
        for (int s = 0; s < 4; ++s) store_16(q + 128 * h + 32 * s + l, (v >> (2 * s)) & 3);
      }
    }
    const float d = half_at(b + 80), dmin = half_at(b + 82);
    for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(b[g] & 15);
    for (int g = 0; g < 16; ++g) offset[g] = -(dmin * static_cast<float>(b[g] >> 4));
  }

  static const char* check(const u8* b) { return half_is_finite(b + 80) && half_is_finite(b + 82) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b + 80, d);
    store_half(b + 82, 1.5F * d);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_h;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    const auto two = _mm512_set1_epi8(3);
    // Group 8 h + 2 s + k is in 128 bits 2 h + k of the register shifted by 2 s.
    const auto first = words_512([](int i) { return 8 * (i / 16) + i / 8 % 2 + 2 * (i / 4 % 2); });
    const auto second = _mm512_add_epi16(first, _mm512_set1_epi16(4));
    auto sum = _mm512_setzero_ps();
    auto minima = _mm256_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const i8* q = x.q + i;
      const auto codes = _mm256_cvtepu8_epi16(load_128(b));
      const auto scales = _mm512_castsi256_si512(_mm256_and_si256(codes, _mm256_set1_epi16(15)));
      const auto d = _mm_mul_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(load_i32(b + 80))), _mm_set1_ps(x.scale[i / 32]));
      const auto z = load_512(b + 16);
      auto ints = add_scaled(_mm512_setzero_si512(), products(_mm512_and_si512(z, two), q), products(_mm512_and_si512(_mm512_srli_epi16(z, 2), two), q + 64),
                             _mm512_permutexvar_epi16(first, scales));
      ints = add_scaled(ints, products(_mm512_and_si512(_mm512_srli_epi16(z, 4), two), q + 128), products(_mm512_and_si512(_mm512_srli_epi16(z, 6), two), q + 192),
                        _mm512_permutexvar_epi16(second, scales));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_broadcastss_ps(d), sum);
      const auto m = _mm256_madd_epi16(_mm256_srli_epi16(codes, 4), load_256(x.sums + i / 16));
      minima = _mm256_fmadd_ps(_mm256_cvtepi32_ps(m), _mm256_broadcastss_ps(_mm_shuffle_ps(d, d, 0x55)), minima);
    }
    return _mm512_sub_ps(sum, _mm512_zextps256_ps512(minima));
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q2_K>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
