// IQ2_XXS: 8 groups of 32 weights; four lattice points of 8 bits, four sign patterns of 7 bits and a scale of 4 bits a group.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ2_XXS {
  static constexpr FormatId kId = FormatId::iq2_xxs;
  static constexpr int kWeights = 256, kBytes = 66, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      const u8* index = b + 2 + 8 * g;
      const std::uint32_t a = load_u32(index + 4);
      for (int l = 0; l < 4; ++l) iq2_octet(kIq2Xxs[index[l]], sign_byte(a >> (7 * l) & 127U), q + 32 * g + 8 * l);
      scale[g] = d * (0.5F + static_cast<float>(a >> 28)) * 0.25F;
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_o;
  static constexpr float kUnit = 0.125F;
  static constexpr bool kHalves = false;
  static constexpr i8 kMagnitudes[4] = {8, 25, 43, 0};
  static Octets octets(const u8* b) {
    const auto raw = load_512(b + 2);
    const auto index = _mm512_maskz_permutexvar_epi8(0x5555555555555555U, bytes_512([](int p) { return 8 * (p / 8) + p % 8 / 2; }), raw);
    Octets o;
    spread_octets(lookup_words<256>(kIq2Xxs, index), lookup_table<kMagnitudes, 0>(), o.magnitude);
    o.signs = complete_signs(_mm512_multishift_epi64_epi8(bytes_512([](int p) { return 32 + 7 * (p % 4); }), raw));
    o.scale[0] = odd_scale(_mm512_srli_epi32(_mm512_shuffle_epi32(raw, _MM_PERM_DDBB), 27));
    return o;
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_lattice<IQ2_XXS>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ2_XXS>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
