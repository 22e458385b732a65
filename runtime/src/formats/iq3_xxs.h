// IQ3_XXS: 64 lattice points of 8 bits, 4 weights each; 7 sign bits for every 8 weights and a scale of 4 bits for every 32.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ3_XXS {
  static constexpr FormatId kId = FormatId::iq3_xxs;
  static constexpr int kWeights = 256, kBytes = 98, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      const std::uint32_t a = load_u32(b + 66 + 4 * g);
      for (int l = 0; l < 4; ++l) {
        const u8* index = b + 2 + 8 * g + 2 * l;
        const auto codes = spread_triples(kIq3Xxs[index[0]] | static_cast<std::uint32_t>(kIq3Xxs[index[1]]) << 12);
        const auto sevens = codes & codes >> 1 & codes >> 2 & kEach;  // the largest is 62, not 60
        store_octet(q + 32 * g + 8 * l, 4 * kEach + 8 * codes + 2 * sevens, sign_byte(a >> (7 * l) & 127U));
      }
      scale[g] = d * (0.5F + static_cast<float>(a >> 28)) * 0.5F;
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_o;
  static constexpr float kUnit = 0.25F;
  static constexpr bool kHalves = false;
  static constexpr i8 kMagnitudes[8] = {4, 12, 20, 28, 36, 44, 52, 62};
  static Octets octets(const u8* b) {
    const auto raw = load_512(b + 2);
    const auto bytes = bytes_512([](int p) { return 8 * (p / 8) + p % 8 / 2; });
    const auto first = _mm512_maskz_permutexvar_epi8(0x5555555555555555U, bytes, raw);
    const auto last = _mm512_maskz_permutexvar_epi8(0x5555555555555555U, _mm512_add_epi8(bytes, _mm512_set1_epi8(4)), raw);
    Octets o;
    spread_quads(lookup_words<256>(kIq3Xxs, first), lookup_words<256>(kIq3Xxs, last), lookup_table<kMagnitudes, 0>(), o.magnitude);
    const auto groups = _mm512_cvtepu32_epi64(load_256(b + 66));
    o.signs = complete_signs(_mm512_multishift_epi64_epi8(bytes_512([](int p) { return 7 * (p % 4); }), groups));
    o.scale[0] = odd_scale(_mm512_srli_epi32(both_lanes(groups), 27));
    return o;
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_lattice<IQ3_XXS>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ3_XXS>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
