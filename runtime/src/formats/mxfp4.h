// MXFP4 (OCP Microscaling): 32 weights of E2M1, the scale a power of two in one byte. The table holds twice the values, the scale is half.
// Source: https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct MXFP4 {
  static constexpr FormatId kId = FormatId::mxfp4;
  static constexpr int kWeights = 32, kBytes = 17, kGroup = 32;
  static constexpr bool kOffset = false;

  /// 2^(e - 128); the two lowest are subnormal. 255 is no NaN here.
  static float scale_of(u8 e) { return float_from_bits(e >= 2 ? (e - 1U) << 23 : 0x00200000U << e); }

  static void unpack(const u8* b, i8* q, float* scale, float*) {
    for (int i = 0; i < 16; ++i) {
      q[i] = kMxfp4Values[b[1 + i] & 15];
      q[i + 16] = kMxfp4Values[b[1 + i] >> 4];
    }
    scale[0] = scale_of(b[0]);
  }

  static const char* check(const u8*) { return nullptr; }
  static void set_scale(u8* b, float d) {
    const auto exponent = static_cast<int>(bits_from_float(d * 1.4142135F) >> 23 & 255U) - 127;  // of the nearest power of two
    b[0] = static_cast<u8>(exponent < -128 ? 0 : exponent > 126 ? 254 : exponent + 128);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
