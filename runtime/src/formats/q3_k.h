// Q3_K: 16 groups of 16 weights of 3 bits (two and a high bit elsewhere); each group has a signed scale of 6 bits. Codes stand for -4 .. 3.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q3_K {
  static constexpr FormatId kId = FormatId::q3_k;
  static constexpr int kWeights = 256, kBytes = 110, kGroup = 16;
  static constexpr bool kOffset = false;

  static int scale_code(const u8* s, int g) {
    const int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
    return (low | (s[8 + g % 4] >> (2 * (g / 4)) & 3) << 4) - 32;
  }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int l = 0; l < 32; l += 16) {
      const auto third = load_16(b + l);
      for (int h = 0; h < 2; ++h) {
        const auto v = load_16(b + 32 + 32 * h + l);
        for (int s = 0; s < 4; ++s) store_16(q + 128 * h + 32 * s + l, (((v >> (2 * s)) & 3) | (((third >> (4 * h + s)) & 1) << 2)) - 4);
      }
    }
    const float d = half_at(b + 108);
    for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(scale_code(b + 96, g));
  }

  static const char* check(const u8* b) { return half_is_finite(b + 108) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b + 108, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_h;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    const auto two = _mm512_set1_epi8(3);
    // The third bits: bit s of the first half, bit 4 + s of the second.
    const auto third = _mm512_inserti64x4(_mm512_set1_epi8(1), _mm256_set1_epi8(16), 1);
    const auto first = words_512([](int i) { return 8 * (i / 16) + i / 8 % 2 + 2 * (i / 4 % 2); });
    const auto second = _mm512_add_epi16(first, _mm512_set1_epi16(4));
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const i8* q = x.q + i;
      const std::uint32_t s0 = load_u32(b + 96), s1 = load_u32(b + 100), s2 = load_u32(b + 104);
      constexpr std::uint32_t kLow = 0x0f0f0f0fU, kHigh = 0x30303030U;
      const auto codes = _mm_set_epi32(static_cast<int>((s1 >> 4 & kLow) | (s2 >> 2 & kHigh)), static_cast<int>((s0 >> 4 & kLow) | (s2 & kHigh)),
                                       static_cast<int>((s1 & kLow) | (s2 << 2 & kHigh)), static_cast<int>((s0 & kLow) | (s2 << 4 & kHigh)));
      const auto words = _mm256_cvtepi8_epi16(_mm_sub_epi8(codes, _mm_set1_epi8(32)));
      const auto scales = _mm512_castsi256_si512(words);
      const float d = half_at(b + 108) * x.scale[i / 32];
      const auto z = load_512(b + 32), high = _mm512_broadcast_i64x4(load_256(b));
      const auto code = [&](__m512i pairs, unsigned s) {
        const auto with = _mm512_test_epi8_mask(high, _mm512_slli_epi16(third, s));
        const auto bits = _mm512_and_si512(pairs, two);
        return _mm512_mask_add_epi8(bits, with, bits, _mm512_set1_epi8(4));
      };
      auto ints = add_scaled(_mm512_setzero_si512(), products(code(z, 0), q), products(code(_mm512_srli_epi16(z, 2), 1), q + 64),
                             _mm512_permutexvar_epi16(first, scales));
      ints = add_scaled(ints, products(code(_mm512_srli_epi16(z, 4), 2), q + 128), products(code(_mm512_srli_epi16(z, 6), 3), q + 192),
                        _mm512_permutexvar_epi16(second, scales));
      // Codes are 4 too high.
      const auto bias = _mm256_slli_epi32(_mm256_madd_epi16(words, load_256(x.sums + i / 16)), 2);
      ints = _mm512_sub_epi32(ints, _mm512_zextsi256_si512(bias));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_set1_ps(d), sum);
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q3_K>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
