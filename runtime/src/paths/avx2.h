// The types of generic.h for AVX2; with byte products of VNNI where the compiler is told of them.
#pragma once

#include <immintrin.h>

#include "formats/floats.h"
#include "kernels.h"

namespace planner::runtime::PLANNER_PATH {

#if defined(__AVXVNNI__)
#define PLANNER_DPBUSD(sum, u, s) _mm256_dpbusd_avx_epi32(sum, u, s)
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define PLANNER_DPBUSD(sum, u, s) _mm256_dpbusd_epi32(sum, u, s)
#endif

inline __m256i load_256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline int load_i32(const void* p) {
  int v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// sum + products of four unsigned with four signed bytes a lane. Without VNNI pairs must stay within 16 bits: |u| * |s| * 2 <= 32767.
inline __m256i add_products_u8(__m256i sum, __m256i u, __m256i s) {
#if defined(PLANNER_DPBUSD)
  return PLANNER_DPBUSD(sum, u, s);
#else
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1)));
#endif
}
/// The same for signed bytes: the sign of w goes to x, which is never -128.
inline __m256i add_products(__m256i sum, __m256i w, __m256i x) { return add_products_u8(sum, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w)); }

inline float lanes_sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

struct Group {
  __m256i lanes;  // the first 16 products in the lower four
  static Group dot(const i8* w, const i8* x) { return {add_products(_mm256_setzero_si256(), load_256(w), load_256(x))}; }
};

struct RowSum {
  __m256 sum = _mm256_setzero_ps();
  void add(const Group& g, float scale) { sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(g.lanes), _mm256_set1_ps(scale), sum); }
  void add(const Group& g, float first, float last) {
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(g.lanes), _mm256_set_m128(_mm_set1_ps(last), _mm_set1_ps(first)), sum);
  }
  [[nodiscard]] float total() const { return lanes_sum(sum); }
};

#if !defined(__AVX512F__)

constexpr int kTokens = 3;

struct Ints16 {
#if defined(PLANNER_DPBUSD)
  static constexpr bool kBias = true;
#else
  static constexpr bool kBias = false;
#endif
  struct Lanes {
    __m256i low, high;
  };
  __m256i low, high;
  static Ints16 start(int sum) {
    const auto v = kBias ? _mm256_set1_epi32(-128 * sum) : _mm256_setzero_si256();
    return {v, v};
  }
  static Lanes load(const u8* w) { return {load_256(w), load_256(w + 32)}; }
  void add(const Lanes& w, const i8* x) {
    const auto four = _mm256_set1_epi32(load_i32(x));
    if constexpr (kBias) {
      low = add_products_u8(low, w.low, four);
      high = add_products_u8(high, w.high, four);
    } else {
      low = add_products(low, w.low, four);
      high = add_products(high, w.high, four);
    }
  }
};

struct Floats16 {
  __m256 low, high;
  static Floats16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Floats16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  void store(float* p) const {
    _mm256_storeu_ps(p, low);
    _mm256_storeu_ps(p + 8, high);
  }
  void fma(const Floats16& a, float b) {
    const auto scalar = _mm256_set1_ps(b);
    low = _mm256_fmadd_ps(a.low, scalar, low);
    high = _mm256_fmadd_ps(a.high, scalar, high);
  }
  void fma(const Ints16& a, const Floats16& b, float c) {
    const auto scalar = _mm256_set1_ps(c);
    low = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(a.low), b.low), scalar, low);
    high = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(a.high), b.high), scalar, high);
  }
};

template <class F>
__m256 load_floats(const u8* p) {
  if constexpr (F::kId == FormatId::f32) return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  if constexpr (F::kId == FormatId::f16) return _mm256_cvtph_ps(load_128(p));
  if constexpr (F::kId == FormatId::bf16) return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(p)), 16));
}

template <class F>
float float_dot(const u8* w, const float* x, std::int64_t n) {
  __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    _mm_prefetch(reinterpret_cast<const char*>(w + i * F::kBytes + 2048), _MM_HINT_T0);
    for (int k = 0; k < 4; ++k) sum[k] = _mm256_fmadd_ps(load_floats<F>(w + (i + 8 * k) * F::kBytes), _mm256_loadu_ps(x + i + 8 * k), sum[k]);
  }
  float total = lanes_sum(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
  for (; i < n; ++i) total += F::load(w + i * F::kBytes) * x[i];
  return total;
}

#endif

}  // namespace planner::runtime::PLANNER_PATH
