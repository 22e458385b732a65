// Q8_0: 32 weights of 8 bits, one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct Q8_0 {
  static constexpr FormatId kId = FormatId::q8_0;
  static constexpr int kWeights = 32, kBytes = 34, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    std::memcpy(q, b + 2, 32);
    scale[0] = half_at(b);
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    store_half(b, d);
    for (int i = 2; i < 34; ++i) {
      if (b[i] == 0x80) b[i] = 0x81;  // no quantizer writes -128
    }
  }
};

}  // namespace planner::runtime::PLANNER_PATH
