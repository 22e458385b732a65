// IQ1_S: 32 ternary lattice points of 11 bits, all shifted by +1/8 or -1/8 in a group of 32; a scale of 3 bits a group.
// Unpacked as eight times that: odd numbers from -9 to 9.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ1_S {
  static constexpr FormatId kId = FormatId::iq1_s;
  static constexpr int kWeights = 256, kBytes = 50, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      const std::uint32_t high = load_u16(b + 34 + 2 * g);
      for (int l = 0; l < 4; ++l) iq1_octet(kIq1S[b[2 + 4 * g + l] | (high >> (3 * l) & 7U) << 8], (high & 0x8000U) != 0, q + 32 * g + 8 * l);
      scale[g] = d * static_cast<float>(2 * (high >> 12 & 7U) + 1) * 0.125F;
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256;
  static constexpr float kUnit = 0.125F;
  static constexpr int kBias = 9;
  static float scale(const u8* b) { return half_at(b); }
  static __m512i indices(const u8* b) {
    const auto words = _mm512_mask_multishift_epi64_epi8(_mm512_cvtepu8_epi16(load_256(b + 2)), 0xaaaaaaaaaaaaaaaaU,
                                                         bytes_512([](int p) { return 3 * (p % 8 / 2); }), _mm512_cvtepu16_epi64(load_128(b + 34)));
    return _mm512_and_si512(words, _mm512_set1_epi16(2047));
  }
  /// Eight times the entry, 1 and the shift, 1 or -1.
  static void products_of(const u8* b, const std::uint64_t* octets, const i8* q, __m512i* ints) {
    const std::uint32_t plus = ~static_cast<std::uint32_t>(_mm_movemask_epi8(load_128(b + 34)));  // bit 2 g + 1: of group g
    for (int k = 0; k < 4; ++k) {
      const __mmask64 shifted = (plus >> (4 * k + 1) & 1U ? 0xffffffffULL : 0) | (plus >> (4 * k + 3) & 1U ? 0xffffffff00000000ULL : 0);
      const auto v = load_512(octets + 8 * k);
      ints[k] = products(_mm512_mask_add_epi8(v, shifted, v, _mm512_set1_epi8(2)), q + 64 * k);
    }
  }
  static __m256i scales(const u8* b) {
    const auto s = _mm_or_si128(_mm_and_si128(_mm_srli_epi16(load_128(b + 34), 11), _mm_set1_epi16(14)), _mm_set1_epi16(1));
    const auto lanes = _mm256_cvtepu16_epi32(s);
    return _mm256_or_si256(lanes, _mm256_slli_epi32(lanes, 16));
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_octets<IQ1_S>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ1_S>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
