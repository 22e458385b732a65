// Q3_K: 16 groups of 16 weights of 3 bits (two and a high bit elsewhere); each group has a signed scale of 6 bits. Codes stand for -4 .. 3.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q3_K {
  static constexpr FormatId kId = FormatId::q3_k;
  static constexpr int kWeights = 256, kBytes = 110, kGroup = 16;
  static constexpr bool kOffset = false;

  static int scale_code(const u8* s, int g) {
    const int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
    return (low | (s[8 + g % 4] >> (2 * (g / 4)) & 3) << 4) - 32;
  }

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    for (int h = 0; h < 2; ++h) {
      for (int r = 0; r < 128; ++r) {
        const int low = b[32 + 32 * h + r % 32] >> (2 * (r / 32)) & 3, high = b[r % 32] >> (4 * h + r / 32) & 1;
        q[128 * h + r] = static_cast<i8>(low + 4 * high - 4);
      }
    }
    const float d = half_at(b + 108);
    for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(scale_code(b + 96, g));
  }

  static const char* check(const u8* b) { return half_is_finite(b + 108) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b + 108, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
