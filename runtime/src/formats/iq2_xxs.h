// IQ2_XXS: 8 groups of 32 weights; four lattice points of 8 bits, four sign patterns of 7 bits and a scale of 4 bits a group.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct IQ2_XXS {
  static constexpr FormatId kId = FormatId::iq2_xxs;
  static constexpr int kWeights = 256, kBytes = 66, kGroup = 32;
  static constexpr bool kOffset = false;

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    const float d = half_at(b);
    for (int g = 0; g < 8; ++g) {
      const u8* index = b + 2 + 8 * g;
      const std::uint32_t a = load_u32(index + 4);
      for (int l = 0; l < 4; ++l) iq2_octet(kIq2Xxs[index[l]], sign_byte(a >> (7 * l) & 127U), q + 32 * g + 8 * l);
      scale[g] = d * (0.5F + static_cast<float>(a >> 28)) * 0.25F;
    }
  }

  static const char* check(const u8* b) { return half_is_finite(b) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) { store_half(b, d); }
};

}  // namespace planner::runtime::PLANNER_PATH
