// Q5_1: 32 weights of 5 bits, one scale and one minimum. The fifth bits are a word of their own.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q5_1 {
  static constexpr FormatId kId = FormatId::q5_1;
  static constexpr int kWeights = 32, kBytes = 24, kGroup = 32;
  static constexpr bool kOffset = true;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict offset) {
    const std::uint32_t high = load_u32(b + 4);
    const auto v = load_16(b + 8);
    store_16(q, (v & 15) | bits_16(high, 16));
    store_16(q + 16, (v >> 4) | bits_16(high >> 16, 16));
    scale[0] = half_at(b);
    offset[0] = half_at(b + 2);
  }

  static const char* check(const u8* b) { return half_is_finite(b) && half_is_finite(b + 2) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    store_half(b + 2, -15.5F * d);
  }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_32;
  static constexpr int kBias = 0;
  using Constants = Nibbles;
  static Constants constants() { return Nibbles::make<8, kBytes>(); }
  static __m512i codes(const u8* b, __mmask64 readable, const Constants& c) {
    const auto low = _mm512_and_si512(c.load(b, readable), _mm512_set1_epi8(15));
    const std::uint64_t second = readable >> kBytes != 0 ? load_u32(b + kBytes + 4) : 0;
    return _mm512_mask_add_epi8(low, second << 32 | load_u32(b + 4), low, _mm512_set1_epi8(16));
  }
  static __m512 scales(const u8* b, int n, const Constants&) {
    return halves_512(n, [b](int i) { return b + 24 * i; });
  }
  static __m512 offsets(const u8* b, int n) {
    return halves_512(n, [b](int i) { return b + 24 * i + 2; });
  }
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) { return row_of_32<Q5_1>(b, columns, x); }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q5_1>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
