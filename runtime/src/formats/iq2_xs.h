// IQ2_XS: 32 words of a lattice point (9 bits) and a sign pattern (7 bits), 8 weights each; a scale of 4 bits for every 16 weights.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ2_XS {
  static constexpr FormatId kId = FormatId::iq2_xs;
  static constexpr int kWeights = 256, kBytes = 74, kGroup = 16;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int o = 0; o < 32; ++o) {
      const std::uint32_t word = load_u16(b + 2 + 2 * o);
      iq2_octet(kIq2Xs[word & 511U], sign_byte(word >> 9), q + 8 * o);
    }
    for (int p = 0; p < 16; ++p) scale[p] = d * (0.5F + static_cast<float>(b[66 + p / 2] >> (4 * (p % 2)) & 15)) * 0.25F;
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_o;
  static constexpr float kUnit = 0.125F;
  static constexpr bool kHalves = true;
  static constexpr i8 kMagnitudes[4] = {8, 25, 43, 0};
  static Octets octets(const u8* b) {
    const auto words = load_512(b + 2);
    Octets o;
    spread_octets(lookup_words<512>(kIq2Xs, words), lookup_table<kMagnitudes, 0>(), o.magnitude);
    o.signs = complete_signs(_mm512_multishift_epi64_epi8(bytes_512([](int p) { return 16 * (p % 4) + 9; }), words));
    const auto scales = both_lanes(qwords_of_bytes(b + 66));
    o.scale[0] = odd_scale(_mm512_slli_epi32(scales, 1));
    o.scale[1] = odd_scale(_mm512_srli_epi32(scales, 3));
    return o;
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_lattice<IQ2_XS>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ2_XS>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
