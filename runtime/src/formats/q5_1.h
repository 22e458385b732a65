// Q5_1: 32 weights of 5 bits, one scale and one minimum. The fifth bits are a word of their own.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q5_1 {
  static constexpr FormatId kId = FormatId::q5_1;
  static constexpr int kWeights = 32, kBytes = 24, kGroup = 32;
  static constexpr bool kOffset = true;

  static void unpack(const u8* b, i8* q, float* scale, float* offset) {
    const std::uint32_t high = load_u32(b + 4);
    for (int i = 0; i < 16; ++i) {
      q[i] = static_cast<i8>((b[8 + i] & 15U) | (high >> i & 1U) << 4);
      q[i + 16] = static_cast<i8>(b[8 + i] >> 4U | (high >> (i + 16) & 1U) << 4);
    }
    scale[0] = half_at(b);
    offset[0] = half_at(b + 2);
  }

  static const char* check(const u8* b) { return half_is_finite(b) && half_is_finite(b + 2) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    store_half(b + 2, -15.5F * d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
