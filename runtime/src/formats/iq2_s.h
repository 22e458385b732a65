// IQ2_S: 32 lattice points of 10 bits with 8 free signs each; a scale of 4 bits for every 16 weights.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ2_S {
  static constexpr FormatId kId = FormatId::iq2_s;
  static constexpr int kWeights = 256, kBytes = 82, kGroup = 16;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int o = 0; o < 32; ++o) {
      const std::uint32_t index = b[2 + o] | (b[66 + o / 4] >> (2 * (o % 4)) & 3U) << 8;
      iq2_octet(kIq2S[index], b[34 + o], q + 8 * o);
    }
    for (int p = 0; p < 16; ++p) scale[p] = d * (0.5F + static_cast<float>(b[74 + p / 2] >> (4 * (p % 2)) & 15)) * 0.25F;
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_o;
  static constexpr float kUnit = 0.125F;
  static constexpr bool kHalves = true;
  static constexpr i8 kMagnitudes[4] = {8, 25, 43, 0};
  static Octets octets(const u8* b) {
    // Index words: a byte, and two bits of the group's in the byte above; what stands above those is not looked at.
    const auto index = _mm512_mask_multishift_epi64_epi8(_mm512_cvtepu8_epi16(load_256(b + 2)), 0xaaaaaaaaaaaaaaaaU,
                                                         bytes_512([](int p) { return 2 * (p % 8 / 2); }), qwords_of_bytes(b + 66));
    Octets o;
    spread_octets(lookup_words<1024>(kIq2S, index), lookup_table<kMagnitudes, 0>(), o.magnitude);
    o.signs = _mm512_cvtepu32_epi64(load_256(b + 34));
    const auto scales = both_lanes(qwords_of_bytes(b + 74));
    o.scale[0] = odd_scale(_mm512_slli_epi32(scales, 1));
    o.scale[1] = odd_scale(_mm512_srli_epi32(scales, 3));
    return o;
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_lattice<IQ2_S>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ2_S>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
