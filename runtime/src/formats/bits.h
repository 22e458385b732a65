// Reading little-endian fields of blocks, and what the format files share. Compiled once per path: PLANNER_PATH names the namespace.
#pragma once

#include <cstdint>
#include <cstring>

#include "formats/codebooks.h"
#include "planner/tensor_format.h"

#if defined(__F16C__)
#include <immintrin.h>
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

/// Eight weights of an IQ2 lattice entry with their signs.
inline void iq2_octet(std::uint32_t entry, std::uint32_t signs, i8* q) {
  constexpr i8 kMagnitude[4] = {8, 25, 43, 0};
  for (int j = 0; j < 8; ++j) {
    const i8 m = kMagnitude[entry >> (2 * j) & 3U];
    q[j] = signs >> j & 1U ? static_cast<i8>(-m) : m;
  }
}

constexpr i8 kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr i8 kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// Six-bit scale and minimum of sub-block j of Q4_K and Q5_K, out of their twelve bytes.
inline void scale_and_min(const u8* s, int j, std::uint32_t* scale, std::uint32_t* min) {
  if (j < 4) {
    *scale = s[j] & 63U;
    *min = s[j + 4] & 63U;
  } else {
    *scale = (s[j + 4] & 15U) | (s[j - 4] >> 6) << 4U;
    *min = (s[j + 4] >> 4U) | (s[j] >> 6) << 4U;
  }
}

}  // namespace planner::runtime::PLANNER_PATH
