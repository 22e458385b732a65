// The types of generic.h in plain C++.
#pragma once

#include "formats/floats.h"

namespace planner::runtime::PLANNER_PATH {

constexpr int kTokens = 2;

struct Group {
  int first, last;  // of 16 products each
  static Group dot(const i8* w, const i8* x) {
    Group g{0, 0};
    for (int i = 0; i < 16; ++i) g.first += w[i] * x[i];
    for (int i = 16; i < 32; ++i) g.last += w[i] * x[i];
    return g;
  }
};

struct RowSum {
  float sum = 0;
  void add(const Group& g, float scale) { sum += scale * static_cast<float>(g.first + g.last); }
  void add(const Group& g, float first, float last) { sum += first * static_cast<float>(g.first) + last * static_cast<float>(g.last); }
  [[nodiscard]] float total() const { return sum; }
};

struct Ints16 {
  static constexpr bool kBias = false;
  int lane[16];
  static Ints16 start(int) { return {}; }
  static const i8* load(const u8* w) { return reinterpret_cast<const i8*>(w); }
  void add(const i8* w, const i8* x) {
    for (int i = 0; i < 16; ++i) lane[i] += w[4 * i] * x[0] + w[4 * i + 1] * x[1] + w[4 * i + 2] * x[2] + w[4 * i + 3] * x[3];
  }
};

struct Floats16 {
  float lane[16];
  static Floats16 zero() { return {}; }
  static Floats16 load(const float* p) {
    Floats16 v;
    std::memcpy(v.lane, p, sizeof v.lane);
    return v;
  }
  void store(float* p) const { std::memcpy(p, lane, sizeof lane); }
  void fma(const Floats16& a, float b) {
    for (int i = 0; i < 16; ++i) lane[i] += a.lane[i] * b;
  }
  void fma(const Ints16& a, const Floats16& b, float c) {
    for (int i = 0; i < 16; ++i) lane[i] += static_cast<float>(a.lane[i]) * b.lane[i] * c;
  }
};

template <class F>
float float_dot(const u8* w, const float* x, std::int64_t n) {
  float sum[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int k = 0; k < 16; ++k) sum[k] += F::load(w + (i + k) * F::kBytes) * x[i + k];
  }
  float total = 0;
  for (; i < n; ++i) total += F::load(w + i * F::kBytes) * x[i];
  for (const float s : sum) total += s;
  return total;
}

}  // namespace planner::runtime::PLANNER_PATH
