// Q4_1: 32 weights of 4 bits, one scale and one minimum.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q4_1 {
  static constexpr FormatId kId = FormatId::q4_1;
  static constexpr int kWeights = 32, kBytes = 20, kGroup = 32;
  static constexpr bool kOffset = true;

  static void unpack(const u8* b, i8* q, float* scale, float* offset) {
    for (int i = 0; i < 16; ++i) {
      q[i] = static_cast<i8>(b[4 + i] & 15);
      q[i + 16] = static_cast<i8>(b[4 + i] >> 4);
    }
    scale[0] = half_at(b);
    offset[0] = half_at(b + 2);
  }

  static const char* check(const u8* b) { return half_is_finite(b) && half_is_finite(b + 2) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    store_half(b + 2, -7.5F * d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
