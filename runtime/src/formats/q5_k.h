// Q5_K: 8 sub-blocks of 32 weights of 5 bits (the fifth bits are bytes of their own); each sub-block has a scale and a minimum of 6 bits.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q5_K {
  static constexpr FormatId kId = FormatId::q5_k;
  static constexpr int kWeights = 256, kBytes = 176, kGroup = 32;
  static constexpr bool kOffset = true;

  static void unpack(const u8* b, i8* q, float* scale, float* offset) {
    for (int p = 0; p < 4; ++p) {
      for (int i = 0; i < 32; ++i) {
        q[64 * p + i] = static_cast<i8>((b[48 + 32 * p + i] & 15) | (b[16 + i] >> (2 * p) & 1) << 4);
        q[64 * p + 32 + i] = static_cast<i8>(b[48 + 32 * p + i] >> 4 | (b[16 + i] >> (2 * p + 1) & 1) << 4);
      }
    }
    const float d = half_at(b), dmin = half_at(b + 2);
    for (int j = 0; j < 8; ++j) {
      std::uint32_t s, m;
      scale_and_min(b + 4, j, &s, &m);
      scale[j] = d * static_cast<float>(s);
      offset[j] = -(dmin * static_cast<float>(m));
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) && half_is_finite(b + 2) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    store_half(b + 2, 15.5F * d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
