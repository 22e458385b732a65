// Q6_K: 16 groups of 16 weights of 6 bits (four and two elsewhere); each group has a signed scale of 8 bits. Codes stand for -32 .. 31.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q6_K {
  static constexpr FormatId kId = FormatId::q6_k;
  static constexpr int kWeights = 256, kBytes = 210, kGroup = 16;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += 16) {
        const auto low = load_16(b + 64 * h + l), next = load_16(b + 64 * h + 32 + l), high = load_16(b + 128 + 32 * h + l);
        i8* to = q + 128 * h + l;
        store_16(to, ((low & 15) | ((high & 3) << 4)) - 32);
        store_16(to + 32, ((next & 15) | (((high >> 2) & 3) << 4)) - 32);
        store_16(to + 64, ((low >> 4) | (((high >> 4) & 3) << 4)) - 32);
        store_16(to + 96, ((next >> 4) | ((high >> 6) << 4)) - 32);
      }
    }
    const float d = half_at(b + 208);
    for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(static_cast<i8>(b[192 + g]));
  }

  static const char* check(const u8* b) { return half_is_finite(b + 208) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b + 208, d); }

#if defined(PLANNER_AVX512)
  static constexpr Form kForm = Form::q8_256;
  static __m512 row(const u8* b, std::int64_t columns, const ActivationRow& x) {
    const auto low = _mm512_set1_epi8(15), six = _mm512_set1_epi8(63);
    // The upper bits of the first 32 of a half stand lowest.
    const auto left = _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4), right = _mm512_set_epi64(2, 2, 2, 2, 0, 0, 0, 0);
    // Scales of the sums of a half: in 128 bits k those of groups k and 4 + k.
    const auto first = words_512([](int i) { return i / 8 + 4 * (i / 4 % 2); });
    const auto second = _mm512_add_epi16(first, _mm512_set1_epi16(8));
    auto sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < columns; i += 256, b += kBytes) {
      prefetch(b, kBytes);
      const i8* q = x.q + i;
      const auto words = _mm256_cvtepi8_epi16(load_128(b + 192));
      const auto scales = _mm512_castsi256_si512(words);
      const float d = half_at(b + 208) * x.scale[i / 32];
      auto ints = _mm512_setzero_si512();
      for (int h = 0; h < 2; ++h) {
        const auto z = load_512(b + 64 * h), high = _mm512_broadcast_i64x4(load_256(b + 128 + 32 * h));
        const auto u = _mm512_and_si512(select_bits(low, z, _mm512_sllv_epi64(high, left)), six);
        const auto v = _mm512_and_si512(select_bits(low, _mm512_srli_epi16(z, 4), _mm512_srlv_epi64(high, right)), six);
        ints = add_scaled(ints, products(u, q + 128 * h), products(v, q + 128 * h + 64), _mm512_permutexvar_epi16(h == 0 ? first : second, scales));
      }
      // Codes are 32 too high.
      const auto bias = _mm256_slli_epi32(_mm256_madd_epi16(words, load_256(x.sums + i / 16)), 5);
      ints = _mm512_sub_epi32(ints, _mm512_zextsi256_si512(bias));
      sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_set1_ps(d), sum);
    }
    return sum;
  }
  static void dot(const RowBlock& w, const ActivationRow& x, float* y) { dot_rows<Q6_K>(w, x, y); }
#endif
};

}  // namespace planner::runtime::PLANNER_PATH
