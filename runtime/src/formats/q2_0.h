// Q2_0: 64 weights of 2 bits, one scale. Codes 0 .. 3 stand for -1 .. 2.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q2_0 {
  static constexpr FormatId kId = FormatId::q2_0;
  static constexpr int kWeights = 64, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int o = 0; o < 8; ++o) {
      const std::uint64_t values = ((spread_pairs(load_u16(b + 2 + 2 * o)) | 128 * kEach) - kEach) ^ 128 * kEach;  // no borrow from byte to byte
      std::memcpy(q + 8 * o, &values, sizeof values);
    }
    scale[0] = scale[1] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
