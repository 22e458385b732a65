// Norms, activations, rotation and attention: each set of kernels against double precision.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/random.h"
#include "vector/vector.h"

using namespace planner::runtime;

namespace {

std::vector<float> random_values(std::int64_t n, std::uint64_t seed, float deviation = 1) {
  Random random(seed);
  std::vector<float> out(static_cast<std::size_t>(n));
  for (auto& x : out) x = deviation * random.normal();
  return out;
}

/// Largest difference, as a share of the largest value (at least 1).
double error(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 1, wrong = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, double{std::abs(b[i])});
    wrong = std::max(wrong, std::abs(double{a[i]} - b[i]));
  }
  return wrong / most;
}

template <class Fn>
void for_paths(Fn&& fn) {
  for (const auto path : available_paths()) {
    CAPTURE(std::string(to_string(path)));
    fn(vector_kernels(path));
  }
}

struct Shape {
  std::int64_t head_dim, head_dim_v, group, n_tokens, begin, end, window, capacity;
  float softcap;
};

/// Softmax-weighted values, as attend() gives them in parts.
std::vector<float> attended(const VectorKernels& kernels, const Shape& s, CacheType type, bool values_in_keys) {
  const auto n = s.n_tokens * s.group;
  const auto queries = random_values(n * s.head_dim, 5, 0.3F);
  const auto key_bytes = cache_row_bytes(type, s.head_dim), value_bytes = cache_row_bytes(type, s.head_dim_v);
  std::vector<std::byte> keys(static_cast<std::size_t>(s.capacity * key_bytes)), values(static_cast<std::size_t>(s.capacity * value_bytes));
  for (std::int64_t p = std::max<std::int64_t>(0, s.end - s.capacity); p < s.end; ++p) {
    const auto slot = p % s.capacity;
    kReferenceVectors.store(type, random_values(s.head_dim, 100 + static_cast<std::uint64_t>(p)).data(), keys.data() + slot * key_bytes, s.head_dim);
    kReferenceVectors.store(type, random_values(s.head_dim_v, 9000 + static_cast<std::uint64_t>(p)).data(), values.data() + slot * value_bytes, s.head_dim_v);
  }
  std::vector<float> largest(static_cast<std::size_t>(n)), sum(largest), weighted(static_cast<std::size_t>(n * s.head_dim_v));
  std::vector<float> scratch(static_cast<std::size_t>(attention_scratch(s.head_dim, s.head_dim_v)));
  AttentionBlock b;
  b.queries = queries.data();
  b.query_stride = s.head_dim;
  b.token_stride = s.group * s.head_dim;
  b.n_tokens = s.n_tokens;
  b.group = s.group;
  b.first_position = s.end - s.n_tokens;
  b.head_dim = s.head_dim;
  b.head_dim_v = s.head_dim_v;
  b.begin = s.begin;
  b.end = s.end;
  b.window = s.window;
  b.capacity = s.capacity;
  b.softcap = s.softcap;
  b.keys = {keys.data(), key_bytes, type};
  b.values = values_in_keys ? b.keys : CacheRows{values.data(), value_bytes, type};
  b.scratch = scratch.data();
  b.largest = largest.data();
  b.sum = sum.data();
  b.weighted = weighted.data();
  kernels.attend(b);
  for (std::size_t i = 0; i < weighted.size(); ++i) {
    const auto q = i / static_cast<std::size_t>(s.head_dim_v);
    weighted[i] = sum[q] > 0 ? weighted[i] / sum[q] : 0;
  }
  for (std::size_t q = 0; q < sum.size(); ++q) {
    // The largest score counts too: what is merged later hangs on it.
    weighted.push_back(std::isinf(largest[q]) ? 0 : largest[q]);
    CHECK((sum[q] > 0) == !std::isinf(largest[q]));
  }
  return weighted;
}

}  // namespace

TEST_CASE("norms and activations") {
  for (const std::int64_t n : {1, 7, 64, 1000}) {
    CAPTURE(n);
    const auto x = random_values(n, 1, 3), y = random_values(n, 2, 3);
    const auto result = [&](const VectorKernels& kernels, auto&& fn) {
      auto out = x;
      fn(kernels, out.data());
      return out;
    };
    for_paths([&](const VectorKernels& kernels) {
      const auto same = [&](auto&& fn) { CHECK(error(result(kernels, fn), result(kReferenceVectors, fn)) < 2e-6); };
      same([&](const VectorKernels& k, float* out) { k.rms_norm(x.data(), y.data(), n, 1e-5F, out); });
      same([&](const VectorKernels& k, float* out) { k.layer_norm(x.data(), y.data(), n, 1e-5F, out); });
      same([&](const VectorKernels& k, float* out) { k.silu(out, y.data(), n); });
      same([&](const VectorKernels& k, float* out) { k.gelu(out, y.data(), n); });
      same([&](const VectorKernels& k, float* out) { k.swiglu_oai(out, y.data(), n); });
      same([&](const VectorKernels& k, float* out) { k.add(out, y.data(), n); });
      same([&](const VectorKernels& k, float* out) { k.add_scaled(out, y.data(), -0.25F, n); });
      same([&](const VectorKernels& k, float* out) { k.softcap(out, 2, n); });
      if (n % 2 == 0) {
        same([&](const VectorKernels& k, float* out) { k.rotate_halves(out, y.data(), y.data() + n / 2, n / 2); });
        same([&](const VectorKernels& k, float* out) { k.rotate_neighbours(out, y.data(), y.data() + n / 2, n / 2); });
      }
    });
  }
}

TEST_CASE("activations far from zero stay finite") {
  for_paths([&](const VectorKernels& kernels) {
    std::vector<float> x{-1e30F, -200, -88, -50, 0, 50, 88, 200, 1e15F}, one(x.size(), 1);
    auto y = x;
    kernels.silu(y.data(), one.data(), static_cast<std::int64_t>(y.size()));
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(y[i] == doctest::Approx(std::max(0.0F, x[i])).epsilon(1e-6));
    y = x;
    kernels.softcap(y.data(), 30, static_cast<std::int64_t>(y.size()));
    CHECK(y.front() == doctest::Approx(-30));
    CHECK(y.back() == doctest::Approx(30));
  });
}

TEST_CASE("rows of the cache") {
  const auto x = random_values(96, 3);
  for (const auto type : {CacheType::f32, CacheType::f16, CacheType::q8_0}) {
    const auto bytes = static_cast<std::size_t>(cache_row_bytes(type, 96));
    std::vector<std::byte> expected(bytes);
    kReferenceVectors.store(type, x.data(), expected.data(), 96);
    for_paths([&](const VectorKernels& kernels) {
      std::vector<std::byte> row(bytes);
      kernels.store(type, x.data(), row.data(), 96);
      // Rounding of a code may fall the other way where the reciprocal of the scale is rounded.
      const auto differ =
          std::inner_product(row.begin(), row.end(), expected.begin(), 0, std::plus<>(), [](std::byte a, std::byte b) { return a == b ? 0 : 1; });
      CHECK(differ <= (type == CacheType::q8_0 ? 1 : 0));
    });
  }
}

TEST_CASE("attention") {
  const std::vector<Shape> shapes = {
      {.head_dim = 128, .head_dim_v = 128, .group = 6, .n_tokens = 1, .begin = 0, .end = 300, .window = 0, .capacity = 512, .softcap = 0},
      {.head_dim = 64, .head_dim_v = 64, .group = 1, .n_tokens = 16, .begin = 0, .end = 16, .window = 0, .capacity = 64, .softcap = 0},
      {.head_dim = 96, .head_dim_v = 96, .group = 4, .n_tokens = 13, .begin = 32, .end = 77, .window = 0, .capacity = 128, .softcap = 5},
      {.head_dim = 64, .head_dim_v = 32, .group = 3, .n_tokens = 5, .begin = 171, .end = 200, .window = 25, .capacity = 40, .softcap = 0},  // a ring
      {.head_dim = 576, .head_dim_v = 512, .group = 16, .n_tokens = 3, .begin = 0, .end = 67, .window = 0, .capacity = 80, .softcap = 0},   // MLA
      {.head_dim = 24, .head_dim_v = 40, .group = 2, .n_tokens = 4, .begin = 0, .end = 33, .window = 0, .capacity = 64, .softcap = 0},      // no whole vectors
      {.head_dim = 32, .head_dim_v = 32, .group = 2, .n_tokens = 16, .begin = 90, .end = 100, .window = 4, .capacity = 128, .softcap = 0},  // some see nothing
      {.head_dim = 8, .head_dim_v = 8, .group = 40, .n_tokens = 2, .begin = 0, .end = 9, .window = 0, .capacity = 16, .softcap = 0},
  };
  for (const auto& shape : shapes) {
    for (const auto type : {CacheType::f32, CacheType::f16, CacheType::q8_0}) {
      if (type == CacheType::q8_0 && (shape.head_dim % 32 != 0 || shape.head_dim_v % 32 != 0)) continue;
      CAPTURE(shape.head_dim);
      CAPTURE(static_cast<int>(type));
      for (const bool values_in_keys : {false, true}) {
        if (values_in_keys && shape.head_dim < shape.head_dim_v) continue;
        const auto expected = attended(kReferenceVectors, shape, type, values_in_keys);
        for_paths([&](const VectorKernels& kernels) { CHECK(error(attended(kernels, shape, type, values_in_keys), expected) < 3e-6); });
      }
    }
  }
}
