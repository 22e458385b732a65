// IQ1_M: 32 ternary lattice points of 11 bits, each shifted by +1/8 or -1/8; a scale of 3 bits for every 16 weights, and the block's scale in
// the top four bits of the words that hold them. Unpacked as eight times that: odd numbers from -9 to 9.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ1_M {
  static constexpr FormatId kId = FormatId::iq1_m;
  static constexpr int kWeights = 256, kBytes = 56, kGroup = 16;
  static constexpr bool kOffset = false;

  static std::uint16_t scale_bits(const u8* b) {
    return static_cast<std::uint16_t>(b[49] >> 4 | (b[51] & 0xf0) | (b[53] & 0xf0) << 4 | (b[55] & 0xf0) << 8);
  }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = float_from_half(scale_bits(b));
    for (int o = 0; o < 32; ++o) {
      const std::uint32_t n = b[32 + o / 2] >> (4 * (o % 2)) & 15U;
      iq1_octet(kIq1S[b[o] | (n & 7U) << 8], (n & 8U) != 0, q + 8 * o);
    }
    for (int p = 0; p < 16; ++p) scale[p] = d * static_cast<float>(2 * (load_u16(b + 48 + 2 * (p / 4)) >> (3 * (p % 4)) & 7) + 1) * 0.125F;
  }

  static const char* check(const u8* b) { return (scale_bits(b) & 0x7c00) != 0x7c00 ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    const std::uint32_t bits = half_from_float(d);
    for (int i = 0; i < 4; ++i) b[49 + 2 * i] = static_cast<u8>((b[49 + 2 * i] & 15U) | (bits >> (4 * i) & 15U) << 4);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256;
  static constexpr float kUnit = 0.125F;
  static constexpr int kBias = 9;
  static float scale(const u8* b) { return float_from_half(scale_bits(b)); }
  static __m512i indices(const u8* b) {
    const auto words = _mm512_mask_multishift_epi64_epi8(_mm512_cvtepu8_epi16(load_256(b)), 0xaaaaaaaaaaaaaaaaU,
                                                         bytes_512([](int p) { return 4 * (p % 8 / 2); }), _mm512_cvtepu16_epi64(load_128(b + 32)));
    return _mm512_and_si512(words, _mm512_set1_epi16(2047));
  }
  /// Eight times the entry, 1 and the shift, 1 or -1.
  static void products_of(const u8* b, const std::uint64_t* octets, const i8* q, __m512i* ints) {
    std::uint64_t nibbles[2];
    std::memcpy(nibbles, b + 32, sizeof nibbles);
    for (int k = 0; k < 4; ++k) {
      const std::uint64_t minus = _pext_u64(nibbles[k / 2] >> (32 * (k % 2)) & 0x88888888U, 0x88888888U);
      const auto v = load_512(octets + 8 * k);
      ints[k] = products(_mm512_mask_add_epi8(v, ~kByteMasks.of[minus], v, _mm512_set1_epi8(2)), q + 64 * k);
    }
  }
  static __m256i scales(const u8* b) {
    const auto four = _mm256_castsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(b + 48)));
    const auto of = words_512([](int p) { return p % 16 / 4; }), shift = words_512([](int p) { return 3 * (p % 4); });
    const auto s = _mm256_srlv_epi16(_mm256_permutexvar_epi16(_mm512_castsi512_si256(of), four), _mm512_castsi512_si256(shift));
    return _mm256_or_si256(_mm256_and_si256(_mm256_add_epi16(s, s), _mm256_set1_epi16(14)), _mm256_set1_epi16(1));
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_octets<IQ1_M>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<IQ1_M>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
