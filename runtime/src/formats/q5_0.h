// Q5_0: 32 weights of 5 bits, one scale. The fifth bits are a word of their own. Codes 0 .. 31 stand for -16 .. 15.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q5_0 {
  static constexpr FormatId kId = FormatId::q5_0;
  static constexpr int kWeights = 32, kBytes = 22, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    const std::uint32_t high = load_u32(b + 2);
    for (int i = 0; i < 16; ++i) {
      q[i] = static_cast<i8>(((b[6 + i] & 15U) | (high >> i & 1U) << 4) - 16U);
      q[i + 16] = static_cast<i8>((b[6 + i] >> 4U | (high >> (i + 16) & 1U) << 4) - 16U);
    }
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
