// Q4_K: 8 sub-blocks of 32 weights of 4 bits; each sub-block has a scale and a minimum of 6 bits.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q4_K {
  static constexpr FormatId kId = FormatId::q4_k;
  static constexpr int kWeights = 256, kBytes = 144, kGroup = 32;
  static constexpr bool kOffset = true;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict offset) {
    for (int l = 0; l < 32; l += 16) {
      for (int p = 0; p < 4; ++p) {
        const auto v = load_16(b + 16 + 32 * p + l);
        store_16(q + 64 * p + l, (v & 15));
        store_16(q + 64 * p + 32 + l, (v >> 4));
      }
    }
    const float d = half_at(b), dmin = half_at(b + 2);
    u8 scales[8], minima[8];
    scales_and_minima(b + 4, scales, minima);
    for (int j = 0; j < 8; ++j) scale[j] = d * static_cast<float>(scales[j]);
    for (int j = 0; j < 8; ++j) offset[j] = -(dmin * static_cast<float>(minima[j]));
  }

  static const char* check(const u8* b) { return half_is_finite(b) && half_is_finite(b + 2) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    store_half(b + 2, 7.5F * d);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_p;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    const auto low = _mm512_set1_epi8(15);
    // Words of scales 0 .. 7 are in every 128 bits: which go with the sums of the first 128 weights (0 and 1, then 2 and 3), which with the last.
    const auto first = bytes_512([](int i) { return 4 * (i / 32) + 2 * (i / 8 % 2) + i % 2; });
    const auto second = _mm512_add_epi8(first, _mm512_set1_epi8(8));
    auto sum = _mm512_setzero_ps();
    auto minima = _mm_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const std::uint32_t s0 = load_u32(b + 4), s1 = load_u32(b + 8), s2 = load_u32(b + 12);
      const auto codes = _mm_set_epi32(static_cast<int>((s2 >> 4 & 0x0f0f0f0fU) | (s1 >> 2 & 0x30303030U)), static_cast<int>(s1 & 0x3f3f3f3fU),
                                       static_cast<int>((s2 & 0x0f0f0f0fU) | (s0 >> 2 & 0x30303030U)), static_cast<int>(s0 & 0x3f3f3f3fU));
      const auto words = _mm256_cvtepu8_epi16(codes);
      const auto scales = _mm512_broadcast_i32x4(_mm256_castsi256_si128(words));
      const auto d = _mm_mul_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(load_i32(b))), _mm_set1_ps(x.scale[i / 32]));
      const i8* q = x.q + i;
      const auto z0 = load_512(b + 16), z1 = load_512(b + 80);
      auto ints = add_scaled(_mm512_setzero_si512(), products(_mm512_and_si512(z0, low), q), products(_mm512_and_si512(_mm512_srli_epi16(z0, 4), low), q + 64),
                             _mm512_shuffle_epi8(scales, first));
      ints = add_scaled(ints, products(_mm512_and_si512(z1, low), q + 128), products(_mm512_and_si512(_mm512_srli_epi16(z1, 4), low), q + 192),
                        _mm512_shuffle_epi8(scales, second));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_broadcastss_ps(d), sum);
      const auto m = _mm_madd_epi16(_mm256_extracti128_si256(words, 1), load_128(x.sums + i / 16));
      minima = _mm_fmadd_ps(_mm_cvtepi32_ps(m), _mm_shuffle_ps(d, d, 0x55), minima);
    }
    return _mm512_sub_ps(sum, _mm512_zextps128_ps512(minima));
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q4_K>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
