// Q6_K: 16 groups of 16 weights of 6 bits (four and two elsewhere); each group has a signed scale of 8 bits. Codes stand for -32 .. 31.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q6_K {
  static constexpr FormatId kId = FormatId::q6_k;
  static constexpr int kWeights = 256, kBytes = 210, kGroup = 16;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    for (int h = 0; h < 2; ++h) {
      const u8 *low = b + 64 * h, *high = b + 128 + 32 * h;
      for (int l = 0; l < 32; ++l) {
        q[128 * h + l] = static_cast<i8>(((low[l] & 15) | (high[l] & 3) << 4) - 32);
        q[128 * h + 32 + l] = static_cast<i8>(((low[32 + l] & 15) | (high[l] >> 2 & 3) << 4) - 32);
        q[128 * h + 64 + l] = static_cast<i8>((low[l] >> 4 | (high[l] >> 4 & 3) << 4) - 32);
        q[128 * h + 96 + l] = static_cast<i8>((low[32 + l] >> 4 | high[l] >> 6 << 4) - 32);
      }
    }
    const float d = half_at(b + 208);
    for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(static_cast<i8>(b[192 + g]));
  }

  static const char* check(const u8* b) { return half_is_finite(b + 208) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b + 208, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
