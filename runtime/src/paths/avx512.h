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

// ---------------------------------------------------------------------------------------------------------------------
// What the formats' own kernels are made of. A kernel gives a row's result as 16 partial sums; four rows are summed together.
// ---------------------------------------------------------------------------------------------------------------------

#define PLANNER_AVX512 1

/// The sums of the lanes of four vectors.
inline __m128 lanes_sums(__m512 a, __m512 b, __m512 c, __m512 d) {
  const auto ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const auto cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const auto abcd = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  const auto half = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

/// y[r] from F::row(blocks of row r, columns, x).
template <class F>
void dot_rows(const RowBlock& w, const ActivationRow& x, float* y) {
  const u8* row = w.data;
  std::int64_t r = 0;
  for (; r + 4 <= w.rows; r += 4, row += 4 * w.row_bytes) {
    const auto a = F::row(row, w.columns, x), b = F::row(row + w.row_bytes, w.columns, x);
    const auto c = F::row(row + 2 * w.row_bytes, w.columns, x), d = F::row(row + 3 * w.row_bytes, w.columns, x);
    _mm_storeu_ps(y + r, lanes_sums(a, b, c, d));
  }
  for (; r < w.rows; ++r, row += w.row_bytes) y[r] = _mm512_reduce_add_ps(F::row(row, w.columns, x));
}

constexpr std::int64_t kAhead = 2560;  // bytes that are asked for before they are needed: beyond a page's end the processor does not look
inline void prefetch(const u8* block, int bytes) {
  for (int i = 0; i < bytes; i += 64) _mm_prefetch(reinterpret_cast<const char*>(block + kAhead + i), _MM_HINT_T0);
}

inline __m512i products(__m512i u, const i8* x) { return _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, load_512(x)); }
/// sum + a and b, both within 16 bits, times scales: words [4 for a, 4 for b] in each 128 bits.
inline __m512i add_scaled(__m512i sum, __m512i a, __m512i b, __m512i scales) { return _mm512_dpwssd_epi32(sum, _mm512_packs_epi32(a, b), scales); }
/// mask bits of a where set, else b's.
inline __m512i select_bits(__m512i mask, __m512i a, __m512i b) { return _mm512_ternarylogic_epi64(mask, a, b, 0xca); }

template <class T, int n>
struct alignas(64) Constants512 {
  T values[n];
};
template <class T, int n, class Fn>
constexpr Constants512<T, n> make_constants(Fn f) {
  Constants512<T, n> c{};
  for (int i = 0; i < n; ++i) c.values[i] = static_cast<T>(f(i));
  return c;
}
/// 64 bytes of f(i), made by the compiler: f captures nothing.
template <class Fn>
__m512i bytes_512(Fn) {
  static constexpr auto kBytes = make_constants<u8, 64>(Fn{});
  return _mm512_load_si512(kBytes.values);
}
/// 32 words of f(i).
template <class Fn>
__m512i words_512(Fn) {
  static constexpr auto kWords = make_constants<std::uint16_t, 32>(Fn{});
  return _mm512_load_si512(kWords.values);
}
/// A table of a power of two up to 64 as a register for look-ups by the low bits of bytes; `bias` is added.
template <const auto& kValues, int kBias>
__m512i lookup_table() {
  return bytes_512([](int i) { return kValues[static_cast<std::size_t>(i) % (sizeof kValues / sizeof kValues[0])] + kBias; });
}

// Blocks of 32 weights: two blocks make a register. F has
//   static constexpr int kBias                           what codes() adds to the codes that count
//   static auto constants()                              registers that codes() and scales() need
//   static __m512i from_nibbles(__m512i, constants), kCodesAt   where kForm is q8_32_t: codes from the lower nibbles of bytes
//   static __m512i codes(const u8* two_blocks, __mmask64 bytes that may be read, constants)
//   static __m512 scales(const u8* blocks, int n, constants)  of n <= 16 blocks
//   static __m512 offsets(const u8* blocks, int n)             where kOffset

/// sum + products of blocks 2 k and 2 k + 1 of sixteen, whose scales are given.
template <class F, class C>
__m512 add_pair(__m512 sum, const u8* block, const i8* q, int k, __mmask64 readable, __m512 scales, const C& constants) {
  const auto first = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const auto ints = products(F::codes(block + 2 * k * F::kBytes, readable, constants), q + 64 * k);
  const auto both = _mm512_permutexvar_ps(_mm512_add_epi32(first, _mm512_set1_epi32(2 * k)), scales);
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), both, sum);
}

/// sum + products of sixteen blocks of 16 bytes of nibbles, in plain order: lanes are blocks, activations in form q8_32_t.
template <class F, class C>
__m512 add_sixteen(__m512 sum, const u8* block, const i8* q, __m512 scales, const C& constants) {
  // Blocks 4 c + a in 128 bits c of register a; then dword k of block b in lane b of register k.
  __m512i z[4];
#pragma GCC unroll 4
  for (int a = 0; a < 4; ++a) {
    const u8* b = block + a * F::kBytes + F::kCodesAt;
    const auto half = [b](int c) {
      return _mm256_inserti128_si256(_mm256_castsi128_si256(load_128(b + 4 * c * F::kBytes)), load_128(b + 4 * (c + 1) * F::kBytes), 1);
    };
    z[a] = _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(2), 1);
  }
  const auto a = _mm512_unpacklo_epi32(z[0], z[1]), b = _mm512_unpackhi_epi32(z[0], z[1]);
  const auto c = _mm512_unpacklo_epi32(z[2], z[3]), d = _mm512_unpackhi_epi32(z[2], z[3]);
  const __m512i dwords[4] = {_mm512_unpacklo_epi64(a, c), _mm512_unpackhi_epi64(a, c), _mm512_unpacklo_epi64(b, d), _mm512_unpackhi_epi64(b, d)};
  auto low = _mm512_setzero_si512(), high = low;
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    low = _mm512_dpbusd_epi32(low, F::from_nibbles(dwords[k], constants), load_512(q + 64 * k));
    high = _mm512_dpbusd_epi32(high, F::from_nibbles(_mm512_srli_epi16(dwords[k], 4), constants), load_512(q + 256 + 64 * k));
  }
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(low, high)), scales, sum);
}

template <class F>
__m512 row_of_32(const u8* block, std::int64_t columns, const ActivationRow& x) {
  const auto constants = F::constants();
  const auto ones = _mm512_set1_epi16(1);
  constexpr __mmask64 kAll = ~__mmask64{0};
  constexpr __mmask64 kBoth = 2 * F::kBytes >= 64 ? kAll : (__mmask64{1} << (2 * F::kBytes % 64)) - 1;
  constexpr __mmask64 kOne = (__mmask64{1} << F::kBytes) - 1;
  auto sum = _mm512_setzero_ps(), odd_sum = sum;  // two, so that one addition need not wait for the other
  const std::int64_t n_blocks = columns / 32;
  for (std::int64_t i = 0; i < n_blocks; i += 16, block += 16 * F::kBytes) {
    const int n = static_cast<int>(n_blocks - i < 16 ? n_blocks - i : 16);
    const auto mask = static_cast<__mmask16>((1U << n) - 1U);
    const auto xs = _mm512_maskz_loadu_ps(mask, x.scale + i);
    const auto scales = _mm512_mul_ps(F::scales(block, n, constants), xs);
    const auto xsums = _mm512_cvtepi32_ps(_mm512_madd_epi16(_mm512_maskz_loadu_epi32(mask, x.sums + 2 * i), ones));
    sum = _mm512_fnmadd_ps(_mm512_mul_ps(scales, _mm512_set1_ps(F::kBias)), xsums, sum);
    if constexpr (F::kOffset) odd_sum = _mm512_fmadd_ps(_mm512_mul_ps(F::offsets(block, n), xs), xsums, odd_sum);
    const i8* q = x.q + 32 * i;
    if (n == 16) {
      prefetch(block, 16 * F::kBytes);
      if constexpr (F::kForm == Form::q8_32_t) {
        sum = add_sixteen<F>(sum, block, q, scales, constants);
        continue;
      }
      // Whole registers are read as long as they end within the sixteen blocks.
      constexpr int kWhole = (16 * F::kBytes - 64) / (2 * F::kBytes);
#pragma GCC unroll 8
      for (int k = 0; k < 8; k += 2) {
        sum = add_pair<F>(sum, block, q, k, k <= kWhole ? kAll : kBoth, scales, constants);
        odd_sum = add_pair<F>(odd_sum, block, q, k + 1, k + 1 <= kWhole ? kAll : kBoth, scales, constants);
      }
    } else {
      int k = 0;
      for (; k < n / 2; ++k) sum = add_pair<F>(sum, block, q, k, kBoth, scales, constants);
      if (n % 2 != 0) sum = add_pair<F>(sum, block, q, k, kOne, scales, constants);
    }
  }
  return _mm512_add_ps(sum, odd_sum);
}

/// f(i) for the first n of 16, as half precision bits; the rest 0.
template <class At>
__m512 halves_512(int n, At at) {
  alignas(32) std::uint16_t bits[16] = {};
  for (int i = 0; i < n; ++i) bits[i] = load_u16(at(i));
  return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(bits)));
}

/// The sixteen bits at the beginning of 16 blocks of 18 bytes.
struct Stride18 {
  __m512i first, second;
  static Stride18 make() {
    // Block i begins at word 9 i of five registers: 0 .. 7 lie in the first two, 8 .. 14 in the next two, 15 in the fifth.
    return {words_512([](int i) { return i < 8 ? 9 * i : 0; }), words_512([](int i) { return i >= 8 && i < 15 ? 9 * i - 64 : 9 * 15 - 128; })};
  }
  [[nodiscard]] __m512 halves(const u8* b) const {
    const auto low = _mm512_permutex2var_epi16(load_512(b), first, load_512(b + 64));
    const auto all = _mm512_mask_permutex2var_epi16(load_512(b + 128), 0x7f00, second, load_512(b + 192));
    const auto last = _mm512_permutexvar_epi16(second, _mm512_zextsi256_si512(load_256(b + 256)));
    const auto words = _mm512_mask_mov_epi16(_mm512_mask_mov_epi16(low, 0x7f00, all), 0x8000, last);
    return _mm512_cvtph_ps(_mm512_castsi512_si256(words));
  }
};

/// Nibbles of two blocks whose 16 bytes begin at `offset`: low ones of the first, high ones, low ones of the second, high ones. Garbage in the upper
/// four bits.
struct Nibbles {
  __m512i bytes, shifts;
  template <int kOffset, int kStride>
  static Nibbles make() {
    return {bytes_512([](int i) { return kOffset + i / 32 * kStride + i % 16; }), _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0)};
  }
  [[nodiscard]] __m512i load(const u8* b, __mmask64 readable) const {
    const auto block = readable == ~__mmask64{0} ? load_512(b) : _mm512_maskz_loadu_epi8(readable, b);
    return _mm512_srlv_epi64(_mm512_permutexvar_epi8(bytes, block), shifts);
  }
};

/// 16-bit entries of a table by index words, for tables of 32 * 2^n entries: registers pairwise, then halved by a bit of the index at a time.
template <int kEntries>
__m512i lookup_words(const std::uint16_t* table, __m512i index) {
  if constexpr (kEntries == 64) {
    return _mm512_permutex2var_epi16(load_512(table), index, load_512(table + 32));
  } else {
    const auto upper = _mm512_test_epi16_mask(index, _mm512_set1_epi16(kEntries / 2));
    return _mm512_mask_mov_epi16(lookup_words<kEntries / 2>(table, index), upper, lookup_words<kEntries / 2>(table + kEntries / 2, index));
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Lattices (IQ): the four registers of a block hold, for groups t = 0 .. 7, octet i of the group in qword t of register i; form q8_256_o. A 16-bit
// entry packs the codes of an octet (of half an octet in IQ3): shifts of qwords spread them, a look-up turns them into magnitudes, and the signs,
// bits as they are, go to the activations.
// ---------------------------------------------------------------------------------------------------------------------

struct Octets {
  __m512i magnitude[4];
  __m512i signs;     ///< byte i of qword t: of octet i of group t
  __m512i scale[2];  ///< in both lanes of group t: of its first 16 weights, of its last
};

inline __m512i odd_scale(__m512i twice) { return _mm512_ternarylogic_epi32(twice, _mm512_set1_epi32(30), _mm512_set1_epi32(1), 0xea); }  // twice & 30 | 1
/// Eight bytes, shorts or words as qwords.
inline __m512i qwords_of_bytes(const u8* p) { return _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
inline __m512i both_lanes(__m512i qwords) { return _mm512_shuffle_epi32(qwords, _MM_PERM_CCAA); }

/// Sign bytes from seven bits each; the eighth makes their number even.
inline __m512i complete_signs(__m512i sevens) {
  const auto low = bytes_512([](int p) { return sign_byte(static_cast<std::uint32_t>(p)); });
  const auto high = bytes_512([](int p) { return sign_byte(static_cast<std::uint32_t>(64 + p)); });
  return _mm512_permutex2var_epi8(low, sevens, high);
}

/// Magnitudes of IQ2 from entries of octets in plain order.
inline void spread_octets(__m512i entries, __m512i values, __m512i* magnitude) {
  const auto first = bytes_512([](int p) { return 2 * (p % 8); });
  for (int i = 0; i < 4; ++i) {
    const auto at = _mm512_add_epi8(first, _mm512_set1_epi8(static_cast<char>(16 * i)));
    magnitude[i] = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(at, entries), values);
  }
}
/// Magnitudes of IQ3 from the entries of a group's first four quads and of its last four.
inline void spread_quads(__m512i first_four, __m512i last_four, __m512i values, __m512i* magnitude) {
  const auto first = bytes_512([](int p) { return 16 * (p % 8 / 4) + 3 * (p % 4); });
  const auto second = _mm512_add_epi8(first, _mm512_set1_epi8(32));
  magnitude[0] = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(first, first_four), values);
  magnitude[1] = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(second, first_four), values);
  magnitude[2] = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(first, last_four), values);
  magnitude[3] = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(second, last_four), values);
}

/// F::octets(block) gives Octets, F::kUnit what the scales are multiples of, F::kHalves whether a group has two.
template <class F>
__m512 row_of_lattice(const u8* b, std::int64_t columns, const ActivationRow& x) {
  auto sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < columns; i += 256, b += F::kBytes) {
    prefetch(b, F::kBytes);
    const Octets o = F::octets(b);
    const auto signed_x = [&](int k) {
      // Bit j of the octet's sign byte, as the top bit of byte j.
      const auto at = bytes_512([](int p) { return p % 8 + 64 - 7; });
      const auto mask = _mm512_movepi8_mask(_mm512_multishift_epi64_epi8(_mm512_add_epi8(at, _mm512_set1_epi8(static_cast<char>(8 * k))), o.signs));
      const auto v = load_512(x.q + i + 64 * k);
      return _mm512_mask_sub_epi8(v, mask, _mm512_setzero_si512(), v);
    };
    const auto zero = _mm512_setzero_si512();
    const auto a = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, o.magnitude[0], signed_x(0)), o.magnitude[1], signed_x(1));
    const auto c = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, o.magnitude[2], signed_x(2)), o.magnitude[3], signed_x(3));
    __m512i ints;
    if constexpr (F::kHalves)
      ints = _mm512_add_epi32(_mm512_mullo_epi32(a, o.scale[0]), _mm512_mullo_epi32(c, o.scale[1]));
    else
      ints = _mm512_mullo_epi32(_mm512_add_epi32(a, c), o.scale[0]);
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_set1_ps(half_at(b) * x.scale[i / 32] * F::kUnit), sum);
  }
  return sum;
}

// ---------------------------------------------------------------------------------------------------------------------
// IQ1, 2048 lattice points: octets come by ordinary loads, which leave the vector units to the block before
// ---------------------------------------------------------------------------------------------------------------------

/// Sums of products per 16 weights in plain order, two registers of 64 weights each and two more, times scale words in plain order.
inline __m512i add_scaled_groups(const __m512i* ints, __m256i scales) {
  const auto first = words_512([](int i) { return i / 8 + 4 * (i / 4 % 2); });
  const auto second = words_512([](int i) { return 8 + i / 8 + 4 * (i / 4 % 2); });
  const auto words = _mm512_castsi256_si512(scales);
  const auto sum = add_scaled(_mm512_setzero_si512(), ints[0], ints[1], _mm512_permutexvar_epi16(first, words));
  return add_scaled(sum, ints[2], ints[3], _mm512_permutexvar_epi16(second, words));
}

/// F::indices(block): 32 words; F::products_of(block, octets, q, ints): sums of products of 64 weights each; F::scales(block): words of
/// 16 groups; F::scale(block), F::kUnit, and F::kBias, by how much values are too high.
template <class F>
__m512 row_of_octets(const u8* b, std::int64_t columns, const ActivationRow& x) {
  alignas(64) std::uint64_t octets[2][32];
  const auto load = [](const u8* block, std::uint64_t* to) {
    alignas(64) std::uint16_t index[32];
    _mm512_store_si512(index, F::indices(block));
#pragma GCC unroll 32
    for (int o = 0; o < 32; ++o) to[o] = kIq1SOctets.of[index[o]];
  };
  auto sum = _mm512_setzero_ps();
  load(b, octets[0]);
  int turn = 0;
  for (std::int64_t i = 0; i < columns; i += 256, b += F::kBytes, turn ^= 1) {
    prefetch(b, F::kBytes);
    if (i + 256 < columns) load(b + F::kBytes, octets[turn ^ 1]);
    __m512i ints[4];
    F::products_of(b, octets[turn], x.q + i, ints);
    const auto scales = F::scales(b);
    auto all = add_scaled_groups(ints, scales);
    const auto bias = _mm256_mullo_epi32(_mm256_madd_epi16(scales, load_256(x.sums + i / 16)), _mm256_set1_epi32(F::kBias));
    all = _mm512_sub_epi32(all, _mm512_zextsi256_si512(bias));
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), _mm512_set1_ps(F::scale(b) * x.scale[i / 32] * F::kUnit), sum);
  }
  return sum;
}

// ---------------------------------------------------------------------------------------------------------------------
// Blocks of 64 and 128 weights with activations of q8_32
// ---------------------------------------------------------------------------------------------------------------------

/// Two scales, eight lanes each.
inline __m512 pair_of_scales(const float* scale) {
  const auto lanes = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const auto two = _mm512_castsi512_ps(_mm512_castsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(scale))));
  return _mm512_permutexvar_ps(lanes, two);
}

/// sum + 64 products of u and x, those of a group of 32 times its scale of activations and `scale`; `bias` is by how much u is too high.
inline __m512 add_64(__m512 sum, __m512i u, int bias, const ActivationRow& x, std::int64_t at, __m512 scale) {
  // The bias of a group of 16 goes to the first of its four lanes.
  const auto sums = _mm512_maskz_permutexvar_epi16(0x01010101U, words_512([](int i) { return i / 8; }),
                                                   _mm512_castsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x.sums + at / 16))));
  const auto signed_sums = _mm512_srai_epi32(_mm512_slli_epi32(sums, 16), 16);
  const auto ints = _mm512_sub_epi32(products(u, x.q + at), _mm512_mullo_epi32(signed_sums, _mm512_set1_epi32(bias)));
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(ints), _mm512_mul_ps(scale, pair_of_scales(x.scale + at / 32)), sum);
}

}  // namespace planner::runtime::PLANNER_PATH
