// TQ2_0: 256 ternary weights of 2 bits, one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct TQ2_0 {
  static constexpr FormatId kId = FormatId::tq2_0;
  static constexpr int kWeights = 256, kBytes = 66, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int h = 0; h < 2; ++h) {
      for (int l = 0; l < 32; l += 16) {
        const auto v = load_16(b + 32 * h + l);
        for (int s = 0; s < 4; ++s) store_16(q + 128 * h + 32 * s + l, ((v >> (2 * s)) & 3) - 1);
      }
    }
    for (int g = 0; g < 8; ++g) scale[g] = half_at(b + 64);
  }

  static const char* check(const u8* b) { return half_is_finite(b + 64) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    for (int i = 0; i < 64; ++i) b[i] = static_cast<u8>(b[i] ^ (b[i] & b[i] >> 1 & 0x55) << 1);  // 1 for 3, which is no code
    store_half(b + 64, d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
