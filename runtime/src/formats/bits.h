// Reading little-endian fields of blocks, and what the format files share. Compiled once per path: PLANNER_PATH names the namespace.
#pragma once

#include <cstdint>
#include <cstring>

#include "formats/codebooks.h"
#include "planner/tensor_format.h"

#if defined(__F16C__) || defined(__SSSE3__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace planner::runtime::PLANNER_PATH {

using u8 = std::uint8_t;
using i8 = std::int8_t;

inline std::uint16_t load_u16(const u8* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline std::uint32_t load_u32(const u8* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store_u16(u8* p, std::uint16_t v) { std::memcpy(p, &v, sizeof v); }

inline float float_from_bits(std::uint32_t bits) {
  float v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
inline std::uint32_t bits_from_float(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}

/// IEEE binary16: the exponent moved over, what was subnormal normalised by a subtraction.
inline float float_from_half(std::uint16_t h) {
#if defined(__F16C__)
  return _cvtsh_ss(h);
#else
  const std::uint32_t sign = (h & 0x8000U) << 16, magnitude = h & 0x7fffU;
  std::uint32_t bits;
  if (magnitude >= 0x7c00U)
    bits = 0x7f800000U | (magnitude & 0x3ffU) << 13;
  else if (magnitude >= 0x0400U)
    bits = (magnitude << 13) + (112U << 23);
  else
    bits = bits_from_float(static_cast<float>(magnitude) * 0x1p-24F);
  return float_from_bits(sign | bits);
#endif
}

/// To nearest even, overflow to infinity, NaN kept.
inline std::uint16_t half_from_float(float v) {
  const std::uint32_t bits = bits_from_float(v), sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (magnitude < 0x38800000U) {  // subnormal: adding 0.5 puts the last bit of the result where rounding happens
    const std::uint32_t rounded = bits_from_float(float_from_bits(magnitude) + 0.5F) - 0x3f000000U;
    return static_cast<std::uint16_t>(sign | rounded);
  }
  const std::uint32_t odd = magnitude >> 13 & 1U;
  return static_cast<std::uint16_t>(sign | ((magnitude + 0xfffU + odd - (112U << 23)) >> 13));
}

inline float half_at(const u8* p) { return float_from_half(load_u16(p)); }
inline void store_half(u8* p, float v) { store_u16(p, half_from_float(v)); }
inline bool half_is_finite(const u8* p) { return (load_u16(p) & 0x7c00U) != 0x7c00U; }

constexpr const char* kScaleNotFinite = "a scale that is not finite";

/// A sign byte of eight weights: seven bits as stored, the eighth makes their number even.
constexpr std::uint32_t sign_byte(std::uint32_t seven_bits) {
  std::uint32_t parity = seven_bits ^ seven_bits >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven_bits | (parity & 1U) << 7;
}

// ---------------------------------------------------------------------------------------------------------------------
// Several codes at once: 16 bytes in the compiler's own vectors, or eight in a 64-bit word
// ---------------------------------------------------------------------------------------------------------------------

using Bytes16 = u8 __attribute__((vector_size(16)));

inline Bytes16 load_16(const u8* p) {
  Bytes16 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store_16(i8* p, Bytes16 v) { std::memcpy(p, &v, sizeof v); }

/// table[index], all indices below 16.
inline Bytes16 look_up(const i8* table, Bytes16 index) {
#if defined(__SSSE3__)
  __m128i t, i;
  std::memcpy(&t, table, sizeof t);
  std::memcpy(&i, &index, sizeof i);
  t = _mm_shuffle_epi8(t, i);
  std::memcpy(&index, &t, sizeof t);
  return index;
#elif defined(__ARM_NEON)
  const auto t = vqtbl1q_s8(vld1q_s8(table), reinterpret_cast<uint8x16_t>(index));
  return reinterpret_cast<Bytes16>(t);
#else
  for (int k = 0; k < 16; ++k) index[k] = static_cast<u8>(table[index[k]]);
  return index;
#endif
}

/// Low nibbles of 16 bytes, then high ones, each through `f`.
template <class Fn>
void unpack_nibbles(const u8* b, i8* q, Fn f) {
  const auto v = load_16(b);
  store_16(q, f(v & 15));
  store_16(q + 16, f(v >> 4));
}

constexpr std::uint64_t kEach = 0x0101010101010101U;

/// Bits 2 j and 2 j + 1 as byte j.
inline std::uint64_t spread_pairs(std::uint32_t bits) {
#if defined(__BMI2__)
  return _pdep_u64(bits, 3 * kEach);
#else
  std::uint64_t x = bits;
  x = (x | x << 24) & 0x000000ff000000ffU;
  x = (x | x << 12) & 0x000f000f000f000fU;
  return (x | x << 6) & 3 * kEach;
#endif
}
/// Bits 3 j .. 3 j + 2 as byte j.
inline std::uint64_t spread_triples(std::uint32_t bits) {
#if defined(__BMI2__)
  return _pdep_u64(bits, 7 * kEach);
#else
  std::uint64_t x = bits;
  x = (x | x << 20) & 0x00000fff00000fffU;
  x = (x | x << 10) & 0x003f003f003f003fU;
  return (x | x << 5) & 7 * kEach;
#endif
}
/// Magnitudes (none 0) with the signs of a byte.
inline void store_octet(i8* q, std::uint64_t magnitudes, std::uint32_t signs) {
  const auto minus = kByteMasks.of[signs];
  const std::uint64_t values = (magnitudes ^ minus) + (minus & kEach);  // complement and one, where there is a minus
  std::memcpy(q, &values, sizeof values);
}
/// Eight weights of an IQ2 lattice entry with their signs: magnitudes 8, 25, 43.
inline void iq2_octet(std::uint32_t entry, std::uint32_t signs, i8* q) {
  const auto codes = spread_pairs(entry);
  store_octet(q, 8 * kEach + 17 * codes + (codes >> 1 & kEach), signs);
}
/// Eight weights of an IQ1 lattice entry, shifted by +1/8 or -1/8: eight times that.
inline void iq1_octet(std::uint32_t entry, bool minus, i8* q) {
  const std::uint64_t values = (8 * spread_pairs(entry) + (minus ? 128 - 9 : 128 - 7) * kEach) ^ 128 * kEach;  // no borrow from byte to byte
  std::memcpy(q, &values, sizeof values);
}
/// Two words as 16 bytes.
inline Bytes16 words_16(std::uint64_t low, std::uint64_t high) {
  using Words2 = std::uint64_t __attribute__((vector_size(16)));
  return reinterpret_cast<Bytes16>(Words2{low, high});
}
/// Sixteen bits as bytes that are `value` where the bit is set.
inline Bytes16 bits_16(std::uint32_t bits, u8 value) { return words_16(kByteMasks.of[bits & 255U], kByteMasks.of[bits >> 8 & 255U]) & value; }

constexpr i8 kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr i8 kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// Six-bit scales and minima of the eight sub-blocks of Q4_K and Q5_K, out of their twelve bytes: the first four lie in the low bits of bytes 0 .. 7,
/// the last four in the nibbles of bytes 8 .. 11 and the high bits of the others.
inline void scales_and_minima(const u8* s, u8* scales, u8* minima) {
  const std::uint32_t a = load_u32(s), b = load_u32(s + 4), c = load_u32(s + 8);
  const std::uint32_t scale[2] = {a & 0x3f3f3f3fU, (c & 0x0f0f0f0fU) | (a >> 2 & 0x30303030U)};
  const std::uint32_t minimum[2] = {b & 0x3f3f3f3fU, (c >> 4 & 0x0f0f0f0fU) | (b >> 2 & 0x30303030U)};
  std::memcpy(scales, scale, 8);
  std::memcpy(minima, minimum, 8);
}

}  // namespace planner::runtime::PLANNER_PATH
