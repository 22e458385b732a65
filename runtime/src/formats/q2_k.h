// Q2_K: 16 groups of 16 weights of 2 bits; each group has a scale and a minimum of 4 bits.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q2_K {
  static constexpr FormatId kId = FormatId::q2_k;
  static constexpr int kWeights = 256, kBytes = 84, kGroup = 16;
  static constexpr bool kOffset = true;

  static void unpack(const u8* b, i8* q, float* scale, float* offset) {
    for (int h = 0; h < 2; ++h) {
      for (int r = 0; r < 128; ++r) q[128 * h + r] = static_cast<i8>(b[16 + 32 * h + r % 32] >> (2 * (r / 32)) & 3);
    }
    const float d = half_at(b + 80), dmin = half_at(b + 82);
    for (int g = 0; g < 16; ++g) {
      scale[g] = d * static_cast<float>(b[g] & 15);
      offset[g] = -(dmin * static_cast<float>(b[g] >> 4));
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b + 80) && half_is_finite(b + 82) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b + 80, d);
    store_half(b + 82, 1.5F * d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
