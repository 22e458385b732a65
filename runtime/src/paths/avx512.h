// The types of generic.h for AVX-512 with VNNI.
#pragma once

#include "paths/avx2.h"

namespace planner::runtime::PLANNER_PATH {

constexpr int kTokens = 8;

inline __m512i load_512(const void* p) { return _mm512_loadu_si512(p); }

struct Ints16 {
  static constexpr bool kBias = true;
  __m512i lanes;
  static Ints16 start(int sum) { return {_mm512_set1_epi32(-128 * sum)}; }
  static __m512i load(const u8* w) { return load_512(w); }
  void add(__m512i w, const i8* x) { lanes = _mm512_dpbusd_epi32(lanes, w, _mm512_set1_epi32(load_i32(x))); }
};

struct Floats16 {
  __m512 lanes;
  static Floats16 zero() { return {_mm512_setzero_ps()}; }
  static Floats16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, lanes); }
  void fma(const Floats16& a, float b) { lanes = _mm512_fmadd_ps(a.lanes, _mm512_set1_ps(b), lanes); }
  void fma(const Ints16& a, const Floats16& b, float c) { lanes = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(a.lanes), b.lanes), _mm512_set1_ps(c), lanes); }
};

template <class F>
__m512 load_floats(const u8* p) {
  if constexpr (F::kId == FormatId::f32) return _mm512_loadu_ps(p);
  if constexpr (F::kId == FormatId::f16) return _mm512_cvtph_ps(load_256(p));
  if constexpr (F::kId == FormatId::bf16) return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(p)), 16));
}

template <class F>
float float_dot(const u8* w, const float* x, std::int64_t n) {
  __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int k = 0; k < F::kBytes; ++k) _mm_prefetch(reinterpret_cast<const char*>(w + i * F::kBytes + 64 * k + 3072), _MM_HINT_T0);
    for (int k = 0; k < 4; ++k) sum[k] = _mm512_fmadd_ps(load_floats<F>(w + (i + 16 * k) * F::kBytes), _mm512_loadu_ps(x + i + 16 * k), sum[k]);
  }
  float total = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
  for (; i < n; ++i) total += F::load(w + i * F::kBytes) * x[i];
  return total;
}

}  // namespace planner::runtime::PLANNER_PATH
