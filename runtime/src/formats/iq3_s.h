// IQ3_S: 64 lattice points of 9 bits, 4 weights each; free signs, a scale of 4 bits for every 32 weights.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ3_S {
  static constexpr FormatId kId = FormatId::iq3_s;
  static constexpr int kWeights = 256, kBytes = 110, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int o = 0; o < 32; ++o) {
      const u8* index = b + 2 + 2 * o;
      const std::uint32_t high = b[66 + o / 4] >> (2 * (o % 4));
      const auto codes = spread_triples(kIq3S[index[0] | (high & 1U) << 8] | static_cast<std::uint32_t>(kIq3S[index[1] | (high & 2U) << 7]) << 12);
      store_octet(q + 8 * o, kEach + 2 * codes, b[74 + o]);
    }
    for (int g = 0; g < 8; ++g) scale[g] = d * static_cast<float>(1 + 2 * (b[106 + g / 2] >> (4 * (g % 2)) & 15));
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256_o;
  static constexpr float kUnit = 1.0F;
  static constexpr bool kHalves = false;
  static constexpr i8 kMagnitudes[8] = {1, 3, 5, 7, 9, 11, 13, 15};
  static Octets octets(const u8* b) {
    const auto raw = load_512(b + 2), high = qwords_of_bytes(b + 66);
    const auto bytes = bytes_512([](int p) { return 8 * (p / 8) + p % 8 / 2; }), bits = bytes_512([](int p) { return p % 8 / 2; });
    constexpr __mmask64 kLow = 0x5555555555555555U, kHigh = 0xaaaaaaaaaaaaaaaaU;
    const auto four = _mm512_set1_epi8(4);
    // The ninth bit of an index comes lowest into the byte above; what stands above it is not looked at.
    const auto first = _mm512_mask_multishift_epi64_epi8(_mm512_maskz_permutexvar_epi8(kLow, bytes, raw), kHigh, bits, high);
    const auto last = _mm512_mask_multishift_epi64_epi8(_mm512_maskz_permutexvar_epi8(kLow, _mm512_add_epi8(bytes, four), raw), kHigh,
                                                        _mm512_add_epi8(bits, four), high);
    Octets o;
    spread_quads(lookup_words<512>(kIq3S, first), lookup_words<512>(kIq3S, last), lookup_table<kMagnitudes, 0>(), o.magnitude);
    o.signs = _mm512_cvtepu32_epi64(load_256(b + 74));
    const auto nibbles = _mm512_srlv_epi32(_mm512_set1_epi32(load_i32(b + 106)), _mm512_set_epi32(28, 28, 24, 24, 20, 20, 16, 16, 12, 12, 8, 8, 4, 4, 0, 0));
    o.scale[0] = odd_scale(_mm512_add_epi32(nibbles, nibbles));
    return o;
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_lattice<IQ3_S>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ3_S>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
