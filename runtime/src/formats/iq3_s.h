// IQ3_S: 64 lattice points of 9 bits, 4 weights each; free signs, a scale of 4 bits for every 32 weights.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ3_S {
  static constexpr FormatId kId = FormatId::iq3_s;
  static constexpr int kWeights = 256, kBytes = 110, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    const float d = half_at(b);
    for (int k = 0; k < 64; ++k) {
      const std::uint32_t entry = kIq3S[b[2 + k] | (b[66 + k / 8] >> (k % 8) & 1U) << 8];
      for (int j = 0; j < 4; ++j) {
        const i8 m = static_cast<i8>(1 + 2 * (entry >> (3 * j) & 7U));
        q[4 * k + j] = b[74 + k / 2] >> (4 * (k % 2) + j) & 1 ? static_cast<i8>(-m) : m;
      }
    }
    for (int g = 0; g < 8; ++g) scale[g] = d * static_cast<float>(1 + 2 * (b[106 + g / 2] >> (4 * (g % 2)) & 15));
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
