// Q1_0: 128 weights of one bit, one scale: set is +scale, clear is -scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q1_0 {
  static constexpr FormatId kId = FormatId::q1_0;
  static constexpr int kWeights = 128, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int o = 0; o < 16; ++o) {
      store_octet(q + 8 * o, kEach, b[2 + o] ^ 255U);
    }
    for (int g = 0; g < 4; ++g) scale[g] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
