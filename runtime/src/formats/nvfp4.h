// NVFP4: 64 weights of E2M1 in four groups of 16, each with a scale of unsigned E4M3. The table holds twice the values, the scale is half.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct NVFP4 {
  static constexpr FormatId kId = FormatId::nvfp4;
  static constexpr int kWeights = 64, kBytes = 36, kGroup = 16;
  static constexpr bool kOffset = false;

  static float scale_of(u8 x) {
    const int exponent = x >> 3 & 15, mantissa = x & 7;
    if ((x & 127) == 0 || x == 127) return 0.0F;
    if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10F;
    return float_from_bits(static_cast<std::uint32_t>(exponent + 127 - 8) << 23 | static_cast<std::uint32_t>(mantissa) << 20);
  }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int g = 0; g < 4; ++g) {
      std::uint64_t codes;
      std::memcpy(&codes, b + 4 + 8 * g, sizeof codes);
      store_16(q + 16 * g, look_up(kMxfp4Values, words_16(codes & 15 * kEach, codes >> 4 & 15 * kEach)));
      scale[g] = scale_of(b[g]);
    }
  }

  static const char* check(const u8*) { return nullptr; }
  static void set_scale(u8* b, float d) {
    u8 best = 1;
    for (u8 x = 1; x < 127; ++x) {
      const float miss = scale_of(x) - d, best_miss = scale_of(best) - d;
      if (miss * miss < best_miss * best_miss) best = x;
    }
    for (int g = 0; g < 4; ++g) b[g] = best;
  }
};

}  // namespace planner::runtime::PLANNER_PATH
