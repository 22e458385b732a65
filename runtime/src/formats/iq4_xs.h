// IQ4_XS: 8 groups of 32 weights of 4 bits that index a table of sixteen values; each group has a signed scale of 6 bits.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ4_XS {
  static constexpr FormatId kId = FormatId::iq4_xs;
  static constexpr int kWeights = 256, kBytes = 136, kGroup = 32;
  static constexpr bool kOffset = false;

  static int scale_code(const u8* b, int g) { return ((b[4 + g / 2] >> (4 * (g % 2)) & 15) | (load_u16(b + 2) >> (2 * g) & 3) << 4) - 32; }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      unpack_nibbles(b + 8 + 16 * g, q + 32 * g, [](Bytes16 v) { return look_up(kIq4Values, v); });
      scale[g] = d * static_cast<float>(scale_code(b, g));
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_n;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    const auto values = lookup_table<kIq4Values, 128>();
    // Group g has lanes 4 g .. of the first or second half.
    const auto first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const auto second = _mm512_add_epi32(first, _mm512_set1_epi32(4));
    const auto pairs = _mm_set_epi16(14, 12, 10, 8, 6, 4, 2, 0);
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const i8* q = x.q + i;
      const std::uint32_t l = load_u32(b + 4);
      // Words of scales: four bits each of l in plain order, two bits each of the word before.
      const auto low = _mm_cvtepu8_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(static_cast<int>(l & 0x0f0f0f0fU)), _mm_cvtsi32_si128(static_cast<int>(l >> 4 & 0x0f0f0f0fU))));
      const auto high = _mm_slli_epi16(_mm_and_si128(_mm_srlv_epi16(_mm_set1_epi16(static_cast<short>(load_u16(b + 2))), pairs), _mm_set1_epi16(3)), 4);
      const auto words = _mm_sub_epi16(_mm_or_si128(low, high), _mm_set1_epi16(32));
      const auto scales = _mm512_castsi256_si512(_mm256_cvtepi16_epi32(words));
      const float d = half_at(b) * x.scale[i / 32];
      const auto z0 = load_512(b + 8), z1 = load_512(b + 72);
      const auto a = _mm512_dpbusd_epi32(products(_mm512_permutexvar_epi8(z0, values), q), _mm512_permutexvar_epi8(_mm512_srli_epi16(z0, 4), values), load_512(q + 64));
      const auto c = _mm512_dpbusd_epi32(products(_mm512_permutexvar_epi8(z1, values), q + 128), _mm512_permutexvar_epi8(_mm512_srli_epi16(z1, 4), values), load_512(q + 192));
      auto ints = _mm512_add_epi32(_mm512_mullo_epi32(a, _mm512_permutexvar_epi32(first, scales)), _mm512_mullo_epi32(c, _mm512_permutexvar_epi32(second, scales)));
      // Values are 128 too high: each scale meets both sums of 16 of its group.
      const auto sums = _mm256_madd_epi16(load_256(x.sums + i / 16), _mm256_set1_epi16(1));
      const auto bias = _mm256_slli_epi32(_mm256_mullo_epi32(sums, _mm512_castsi512_si256(scales)), 7);
      ints = _mm512_sub_epi32(ints, _mm512_zextsi256_si512(bias));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_set1_ps(d), sum);
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ4_XS>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
