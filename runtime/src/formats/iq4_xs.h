// IQ4_XS: 8 groups of 32 weights of 4 bits that index a table of sixteen values; each group has a signed scale of 6 bits.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ4_XS {
  static constexpr FormatId kId = FormatId::iq4_xs;
  static constexpr int kWeights = 256, kBytes = 136, kGroup = 32;
  static constexpr bool kOffset = false;

  static int scale_code(const u8* b, int g) { return ((b[4 + g / 2] >> (4 * (g % 2)) & 15) | (load_u16(b + 2) >> (2 * g) & 3) << 4) - 32; }

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      for (int i = 0; i < 16; ++i) {
        q[32 * g + i] = kIq4Values[b[8 + 16 * g + i] & 15];
        q[32 * g + 16 + i] = kIq4Values[b[8 + 16 * g + i] >> 4];
      }
      scale[g] = d * static_cast<float>(scale_code(b, g));
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
