// IQ2_XS: 32 words of a lattice point (9 bits) and a sign pattern (7 bits), 8 weights each; a scale of 4 bits for every 16 weights.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ2_XS {
  static constexpr FormatId kId = FormatId::iq2_xs;
  static constexpr int kWeights = 256, kBytes = 74, kGroup = 16;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    const float d = half_at(b);
    for (int o = 0; o < 32; ++o) {
      const std::uint32_t word = load_u16(b + 2 + 2 * o);
      iq2_octet(kIq2Xs[word & 511U], sign_byte(word >> 9), q + 8 * o);
    }
    for (int p = 0; p < 16; ++p) scale[p] = d * (0.5F + static_cast<float>(b[66 + p / 2] >> (4 * (p % 2)) & 15)) * 0.25F;
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
