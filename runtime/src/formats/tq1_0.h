// TQ1_0: 256 ternary weights, five to a byte in base three (four in the last bytes), one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct TQ1_0 {
  static constexpr FormatId kId = FormatId::tq1_0;
  static constexpr int kWeights = 256, kBytes = 54, kGroup = 32;
  static constexpr bool kOffset = false;

  /// Digit n of 16 bytes, less one: what is left below 256 of the byte times 3^n, times 3, above it.
  static Bytes16 digits(Bytes16 v, int n) {
    constexpr u8 kPower[5] = {1, 3, 9, 27, 81};
    v = v * kPower[n];
    return reinterpret_cast<Bytes16>((v > 170) + (v > 85)) * 255 - 1;  // 3 v passes 256 from 86 on, 512 from 171 on; comparisons give -1
  }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int n = 0; n < 5; ++n) {
      store_16(q + 32 * n, digits(load_16(b), n));
      store_16(q + 32 * n + 16, digits(load_16(b + 16), n));
      store_16(q + 160 + 16 * n, digits(load_16(b + 32), n));
    }
    const std::uint64_t last = load_u32(b + 48);
    for (int n = 0; n < 4; ++n) {
      const auto four = digits(words_16(last, 0), n);
      std::memcpy(q + 240 + 4 * n, &four, 4);
    }
    for (int g = 0; g < 8; ++g) scale[g] = half_at(b + 52);
  }

  static const char* check(const u8* b) { return half_is_finite(b + 52) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    for (int i = 0; i < 48; ++i) b[i] = static_cast<u8>((b[i] % 243 * 256 + 242) / 243);
    for (int i = 48; i < 52; ++i) b[i] = static_cast<u8>((b[i] % 81 * 3 * 256 + 242) / 243);
    store_half(b + 52, d);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256;
  static __m512i thrice(__m512i v) { return _mm512_add_epi8(v, _mm512_add_epi8(v, v)); }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    // Digit: three times the byte, above 256: 1 from 86 on, 2 from 171 on.
    const auto above = [](__m512i v, int limit) {
      return _mm512_min_epu8(_mm512_subs_epu8(v, _mm512_set1_epi8(static_cast<char>(limit))), _mm512_set1_epi8(1));
    };
    const auto digits = [&](__m512i v) { return _mm512_add_epi8(above(v, 85), above(v, 170)); };
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const i8* q = x.q + i;
      // Bytes times powers of three, in the order of the weights: 32 bytes with five digits, 16 with five, 4 with four.
      const auto a = _mm512_broadcast_i64x4(load_256(b));
      const auto z0 = _mm512_mask_mov_epi64(a, 0xf0, thrice(a));
      const auto z1 = thrice(thrice(z0)), z2 = thrice(thrice(z1));  // the upper half of z2 is nothing's
      auto c = _mm512_broadcast_i32x4(load_128(b + 32));
      c = _mm512_mask_mov_epi64(c, 0xcc, thrice(c));              // 1, 3, 1, 3
      c = _mm512_mask_mov_epi64(c, 0xf0, thrice(thrice(c)));      // 1, 3, 9, 27
      const auto fifth = _mm512_castsi512_si128(thrice(thrice(thrice(thrice(c)))));
      auto d = _mm512_castsi128_si512(_mm_set1_epi32(load_i32(b + 48)));
      d = _mm512_mask_mov_epi32(d, 0xa, thrice(d));
      d = _mm512_mask_mov_epi32(d, 0xc, thrice(thrice(d)));
      const auto fourth = _mm512_inserti64x4(z2, _mm512_castsi512_si256(c), 1);
      auto last = _mm512_shuffle_i64x2(c, c, 0xee);
      last = _mm512_inserti32x4(_mm512_inserti32x4(last, fifth, 2), _mm512_castsi512_si128(d), 3);
      auto even = products(digits(z0), q), odd = products(digits(z1), q + 64);
      even = _mm512_dpbusd_epi32(even, digits(fourth), load_512(q + 128));
      odd = _mm512_dpbusd_epi32(odd, digits(last), load_512(q + 192));
      const auto bias = _mm512_zextsi256_si512(_mm256_madd_epi16(load_256(x.sums + i / 16), _mm256_set1_epi16(1)));
      const auto ints = _mm512_sub_epi32(_mm512_add_epi32(even, odd), bias);
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_set1_ps(half_at(b + 52) * x.scale[i / 32]), sum);
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<TQ1_0>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
