// TQ1_0: 256 ternary weights, five to a byte in base three (four in the last bytes), one scale.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct TQ1_0 {
  static constexpr FormatId kId = FormatId::tq1_0;
  static constexpr int kWeights = 256, kBytes = 54, kGroup = 32;
  static constexpr bool kOffset = false;

  /// Digit n of 16 bytes, less one: what is left below 256 of the byte times 3^n, times 3, above it.
  static Bytes16 digits(Bytes16 v, int n) {
    constexpr u8 kPower[5] = {1, 3, 9, 27, 81};
    v = v * kPower[n];
    return reinterpret_cast<Bytes16>((v > 170) + (v > 85)) * 255 - 1;  // 3 v passes 256 from 86 on, 512 from 171 on; comparisons give -1
  }

  static void unpack(const u8* __restrict b, i8* __restrict q, float* __restrict scale, float* __restrict) {
    for (int n = 0; n < 5; ++n) {
      store_16(q + 32 * n, digits(load_16(b), n));
      store_16(q + 32 * n + 16, digits(load_16(b + 16), n));
      store_16(q + 160 + 16 * n, digits(load_16(b + 32), n));
    }
    const std::uint64_t last = load_u32(b + 48);
    for (int n = 0; n < 4; ++n) {
      const auto four = digits(words_16(last, 0), n);
      std::memcpy(q + 240 + 4 * n, &four, 4);
    }
    for (int g = 0; g < 8; ++g) scale[g] = half_at(b + 52);
  }

  static const char* check(const u8* b) { return half_is_finite(b + 52) ? nullptr : kScaleNotFinite; }
  static void set_scale(u8* b, float d) {
    for (int i = 0; i < 48; ++i) b[i] = static_cast<u8>((b[i] % 243 * 256 + 242) / 243);
    for (int i = 48; i < 52; ++i) b[i] = static_cast<u8>((b[i] % 81 * 3 * 256 + 242) / 243);
    store_half(b + 52, d);
  }
};

}  // namespace planner::runtime::PLANNER_PATH
