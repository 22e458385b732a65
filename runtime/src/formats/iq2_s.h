// IQ2_S: 32 lattice points of 10 bits with 8 free signs each; a scale of 4 bits for every 16 weights.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ2_S {
  static constexpr FormatId kId = FormatId::iq2_s;
  static constexpr int kWeights = 256, kBytes = 82, kGroup = 16;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    const float d = half_at(b);
    for (int o = 0; o < 32; ++o) {
      const std::uint32_t index = b[2 + o] | (b[66 + o / 4] >> (2 * (o % 4)) & 3U) << 8;
      iq2_octet(kIq2S[index], b[34 + o], q + 8 * o);
    }
    for (int p = 0; p < 16; ++p) scale[p] = d * (0.5F + static_cast<float>(b[74 + p / 2] >> (4 * (p % 2)) & 15)) * 0.25F;
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
