// MXFP4 (OCP Microscaling): 32 weights of E2M1, the scale a power of two in one byte. The table holds twice the values, the scale is half.
// Source: https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct MXFP4 {
  static constexpr FormatId kId = FormatId::mxfp4;
  static constexpr int kWeights = 32, kBytes = 17, kGroup = 32;
  static constexpr bool kOffset = false;

  /// 2^(e - 128); the two lowest are subnormal. 255 is no NaN here.
  static float scale_of(u8 e) { return float_from_bits(e >= 2 ? (e - 1U) << 23 : 0x00200000U << e); }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    unpack_nibbles(b + 1, q, [](Bytes16 v) { return look_up(kMxfp4Values, v); });
    scale[0] = scale_of(b[0]);
  }

  static const char* check(const u8*) { return nullptr; }
  static void set_scale(u8* b, float d) {
    const auto exponent = static_cast<int>(bits_from_float(d * 1.4142135F) >> 23 & 255U) - 127;  // of the nearest power of two
    b[0] = static_cast<u8>(exponent < -128 ? 0 : exponent > 126 ? 254 : exponent + 128);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32_t;
  static constexpr int kCodesAt = 1;
  static constexpr int kBias = 12;
  struct Constants {
    Nibbles nibbles;
    __m512i values, first, second;
  };
  static Constants constants() {
    return {Nibbles::make<1, kBytes>(), lookup_table<kMxfp4Values, kBias>(), bytes_512([](int i) { return i < 8 ? 17 * i : 0; }),
            bytes_512([](int i) { return i >= 8 && i < 16 ? 17 * i - 128 : 0; })};
  }
  static __m512i from_nibbles(__m512i nibbles, const Constants& c) { return _mm512_permutexvar_epi8(nibbles, c.values); }
  static __m512i codes(const u8* b, __mmask64 readable, const Constants& c) { return from_nibbles(c.nibbles.load(b, readable), c); }
  /// The two subnormal scales are taken for 0.
  static __m512 scales(const u8* b, int n, const Constants& c) {
    __m128i e;
    if (n == 16) {
      const auto low = _mm512_permutex2var_epi8(load_512(b), c.first, load_512(b + 64));
      const auto high = _mm512_permutex2var_epi8(load_512(b + 128), c.second, load_512(b + 192));
      e = _mm_blend_epi16(_mm512_castsi512_si128(low), _mm512_castsi512_si128(high), 0xf0);
    } else {
      alignas(16) u8 bytes[16] = {};
      for (int i = 0; i < n; ++i) bytes[i] = b[17 * i];
      e = load_128(bytes);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(_mm_subs_epu8(e, _mm_set1_epi8(1))), 23));
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_32<MXFP4>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<MXFP4>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
