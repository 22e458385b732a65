// TQ1_0: 256 ternary weights, five to a byte in base three (four in the last bytes), one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct TQ1_0 {
  static constexpr FormatId kId = FormatId::tq1_0;
  static constexpr int kWeights = 256, kBytes = 54, kGroup = 32;
  static constexpr bool kOffset = false;

  static int digit(u8 x, int n) {
    constexpr int kPower[5] = {1, 3, 9, 27, 81};
    return ((x * kPower[n] & 255) * 3) >> 8;
  }

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    for (int i = 0; i < 160; ++i) q[i] = static_cast<i8>(digit(b[i % 32], i / 32) - 1);
    for (int i = 0; i < 80; ++i) q[160 + i] = static_cast<i8>(digit(b[32 + i % 16], i / 16) - 1);
    for (int i = 0; i < 16; ++i) q[240 + i] = static_cast<i8>(digit(b[48 + i % 4], i / 4) - 1);
    for (int g = 0; g < 8; ++g) scale[g] = half_at(b + 52);
  }

  static const char* check(const u8* b) { return half_is_finite(b + 52) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    for (int i = 0; i < 48; ++i) b[i] = static_cast<u8>((b[i] % 243 * 256 + 242) / 243);
    for (int i = 48; i < 52; ++i) b[i] = static_cast<u8>((b[i] % 81 * 3 * 256 + 242) / 243);
    store_half(b + 52, d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
