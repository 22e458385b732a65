// F32, F16 and BF16: numbers without blocks.
#pragma once

#include "formats/bits.h"

namespace planner::runtime::PLANNER_PATH {

struct F32 {
  static constexpr FormatId kId = FormatId::f32;
  static constexpr int kBytes = 4;
  static float load(const u8* p) { return float_from_bits(load_u32(p)); }
  static void store(u8* p, float v) { std::memcpy(p, &v, sizeof v); }
};

struct F16 {
  static constexpr FormatId kId = FormatId::f16;
  static constexpr int kBytes = 2;
  static float load(const u8* p) { return half_at(p); }
  static void store(u8* p, float v) { store_half(p, v); }
};

struct BF16 {
  static constexpr FormatId kId = FormatId::bf16;
  static constexpr int kBytes = 2;
  static float load(const u8* p) { return float_from_bits(static_cast<std::uint32_t>(load_u16(p)) << 16); }
  /// To nearest even; NaN kept.
  static void store(u8* p, float v) {
    const std::uint32_t bits = bits_from_float(v);
    const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
    store_u16(p, static_cast<std::uint16_t>(nan ? bits >> 16 | 64U : (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16));
  }
};

}  // namespace planner::runtime::PLANNER_PATH
