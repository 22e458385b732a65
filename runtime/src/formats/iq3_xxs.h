// IQ3_XXS: 64 lattice points of 8 bits, 4 weights each; 7 sign bits for every 8 weights and a scale of 4 bits for every 32.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ3_XXS {
  static constexpr FormatId kId = FormatId::iq3_xxs;
  static constexpr int kWeights = 256, kBytes = 98, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    constexpr i8 kMagnitude[8] = {4, 12, 20, 28, 36, 44, 52, 62};
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      const std::uint32_t a = load_u32(b + 66 + 4 * g);
      for (int i = 0; i < 32; ++i) {
        const i8 m = kMagnitude[kIq3Xxs[b[2 + 8 * g + i / 4]] >> (3 * (i % 4)) & 7];
        q[32 * g + i] = sign_byte(a >> (7 * (i / 8)) & 127U) >> (i % 8) & 1U ? static_cast<i8>(-m) : m;
      }
      scale[g] = d * (0.5F + static_cast<float>(a >> 28)) * 0.5F;
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
