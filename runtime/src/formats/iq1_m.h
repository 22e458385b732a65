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
};

}  // namespace planner::runtime::PLANNER_PATH
