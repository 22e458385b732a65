// ARMv8.2 with dot products.
#define PLANNER_PATH neon

#include <arm_neon.h>

#include "formats/floats.h"

namespace planner::runtime::PLANNER_PATH {

constexpr int kTokens = 2;

struct Group {
  int32x4_t first, last;
  static Group dot(const i8* w, const i8* x) {
    const auto zero = vdupq_n_s32(0);
    return {vdotq_s32(zero, vld1q_s8(w), vld1q_s8(x)), vdotq_s32(zero, vld1q_s8(w + 16), vld1q_s8(x + 16))};
  }
};

struct RowSum {
  float32x4_t sum = vdupq_n_f32(0);
  void add(const Group& g, float scale) { sum = vfmaq_n_f32(sum, vcvtq_f32_s32(vaddq_s32(g.first, g.last)), scale); }
  void add(const Group& g, float first, float last) { sum = vfmaq_n_f32(vfmaq_n_f32(sum, vcvtq_f32_s32(g.first), first), vcvtq_f32_s32(g.last), last); }
  [[nodiscard]] float total() const { return vaddvq_f32(sum); }
};

struct Ints16 {
  static constexpr bool kBias = false;
  int32x4_t lanes[4];
  static Ints16 start(int) {
    const auto zero = vdupq_n_s32(0);
    return {{zero, zero, zero, zero}};
  }
  static int8x16x4_t load(const u8* w) { return vld1q_s8_x4(reinterpret_cast<const i8*>(w)); }
  void add(const int8x16x4_t& w, const i8* x) {
    std::int32_t four;
    std::memcpy(&four, x, sizeof four);
    const auto all = vreinterpretq_s8_s32(vdupq_n_s32(four));
    for (int i = 0; i < 4; ++i) lanes[i] = vdotq_s32(lanes[i], w.val[i], all);
  }
};

struct Floats16 {
  float32x4_t lanes[4];
  static Floats16 zero() {
    const auto none = vdupq_n_f32(0);
    return {{none, none, none, none}};
  }
  static Floats16 load(const float* p) { return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}}; }
  void store(float* p) const {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, lanes[i]);
  }
  void fma(const Floats16& a, float b) {
    for (int i = 0; i < 4; ++i) lanes[i] = vfmaq_n_f32(lanes[i], a.lanes[i], b);
  }
  void fma(const Ints16& a, const Floats16& b, float c) {
    for (int i = 0; i < 4; ++i) lanes[i] = vfmaq_n_f32(lanes[i], vmulq_f32(vcvtq_f32_s32(a.lanes[i]), b.lanes[i]), c);
  }
};

template <class F>
float32x4_t load_floats(const u8* p) {
  if constexpr (F::kId == FormatId::f32) return vreinterpretq_f32_u8(vld1q_u8(p));
  if constexpr (F::kId == FormatId::f16) return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
  if constexpr (F::kId == FormatId::bf16) return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vreinterpret_u16_u8(vld1_u8(p))), 16));
}

template <class F>
float float_dot(const u8* w, const float* x, std::int64_t n) {
  auto sum = Floats16::zero();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int k = 0; k < 4; ++k) sum.lanes[k] = vfmaq_f32(sum.lanes[k], load_floats<F>(w + (i + 4 * k) * F::kBytes), vld1q_f32(x + i + 4 * k));
  }
  float total = vaddvq_f32(vaddq_f32(vaddq_f32(sum.lanes[0], sum.lanes[1]), vaddq_f32(sum.lanes[2], sum.lanes[3])));
  for (; i < n; ++i) total += F::load(w + i * F::kBytes) * x[i];
  return total;
}

}  // namespace planner::runtime::PLANNER_PATH

#include "paths/generic.h"

namespace planner::runtime {

const Kernels& neon_kernels() {
  static const Kernels kernels = neon::all_kernels();
  return kernels;
}

}  // namespace planner::runtime
