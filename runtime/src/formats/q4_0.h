// Q4_0: 32 weights of 4 bits, one scale. Codes 0 .. 15 stand for -8 .. 7.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q4_0 {
  static constexpr FormatId kId = FormatId::q4_0;
  static constexpr int kWeights = 32, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    for (int i = 0; i < 16; ++i) {
      q[i] = static_cast<i8>((b[2 + i] & 15) - 8);
      q[i + 16] = static_cast<i8>((b[2 + i] >> 4) - 8);
    }
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
