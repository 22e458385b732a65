// IQ1_S: 32 ternary lattice points of 11 bits, all shifted by +1/8 or -1/8 in a group of 32; a scale of 3 bits a group.
// Unpacked as eight times that: odd numbers from -9 to 9.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ1_S {
  static constexpr FormatId kId = FormatId::iq1_s;
  static constexpr int kWeights = 256, kBytes = 50, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      const std::uint32_t high = load_u16(b + 34 + 2 * g);
      for (int l = 0; l < 4; ++l) iq1_octet(kIq1S[b[2 + 4 * g + l] | (high >> (3 * l) & 7U) << 8], (high & 0x8000U) != 0, q + 32 * g + 8 * l);
      scale[g] = d * static_cast<float>(2 * (high >> 12 & 7U) + 1) * 0.125F;
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
