// IQ4_NL: 32 weights of 4 bits that index a table of sixteen values, one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ4_NL {
  static constexpr FormatId kId = FormatId::iq4_nl;
  static constexpr int kWeights = 32, kBytes = 18, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    for (int i = 0; i < 16; ++i) {
      q[i] = kIq4Values[b[2 + i] & 15];
      q[i + 16] = kIq4Values[b[2 + i] >> 4];
    }
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
