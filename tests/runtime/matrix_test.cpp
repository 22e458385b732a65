// Fast products against the float reference over random blocks: every format, every path that this machine has, one token and many, one thread
// and several.

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "runtime/bandwidth.h"
#include "runtime/matrix.h"

using namespace planner;
using namespace planner::runtime;

namespace {

struct Case {
  std::vector<std::byte> blocks;
  Matrix matrix;
  std::vector<float> x;
  std::int64_t n_tokens;
};

Case make_case(const Format& format, std::int64_t rows, std::int64_t columns, std::int64_t n_tokens, std::uint64_t seed) {
  Case c;
  Random random(seed);
  c.blocks.resize(static_cast<std::size_t>(rows * format.row_bytes(columns)));
  format.random_blocks(c.blocks.data(), rows * columns, 1.0F / std::sqrt(static_cast<float>(columns)), random);
  c.matrix = {&format, c.blocks.data(), rows, columns};
  c.n_tokens = n_tokens;
  c.x.resize(static_cast<std::size_t>(n_tokens * columns));
  for (auto& v : c.x) v = random.normal();
  return c;
}

std::vector<float> product(const Case& c, const Execution& execution) {
  std::vector<float> y(static_cast<std::size_t>(c.matrix.rows * c.n_tokens), NAN);
  multiply(c.matrix, c.x.data(), c.n_tokens, y.data(), execution);
  return y;
}

/// Root mean square of the difference over that of the truth.
double relative_error(const std::vector<float>& y, const std::vector<float>& truth) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    error += std::pow(static_cast<double>(y[i]) - static_cast<double>(truth[i]), 2);
    size += std::pow(static_cast<double>(truth[i]), 2);
  }
  return std::sqrt(error / size);
}

/// Of activations rounded to 8 bits with a scale for 256 (for 32) normal values: a step of 2.9 (2.1) deviations / 127, error step / sqrt(12);
/// half as much again and more for the few rows of a case.
double expected_error(const Format& format) {
  if (format.layout->block_weights == 1) return 1e-6;
  return format.layout->block_weights == 256 ? 0.0115 : 0.01;
}

bool is_wider(const Format& format) { return format.layout->block_weights == 1; }

}  // namespace

TEST_CASE("every format on every path is the reference's product but for the rounding of activations") {
  for (const auto& format : formats()) {
    for (const auto& [rows, n_tokens] : {std::pair<std::int64_t, std::int64_t>{37, 1}, {37, 2}, {53, 19}}) {
      const auto c = make_case(format, rows, 1536, n_tokens, 11);
      const auto truth = product(c, {nullptr, Path::reference});
      for (const auto path : available_paths()) {
        const double error = relative_error(product(c, {nullptr, path}), truth);
        CHECK_MESSAGE(error <= (path == Path::reference ? 0.0 : expected_error(format)), format.name(), " on ", to_string(path), ", ", n_tokens, " tokens: ", error);
      }
    }
  }
}

TEST_CASE("the paths round activations alike: they agree with each other far better than with the reference") {
  for (const auto& format : formats()) {
    for (const std::int64_t n_tokens : {1, 9}) {
      const auto c = make_case(format, 24, 2048, n_tokens, 12);
      const auto portable = product(c, {nullptr, Path::portable});
      for (const auto path : available_paths()) {
        if (path == Path::reference) continue;
        CHECK_MESSAGE(relative_error(product(c, {nullptr, path}), portable) < 2e-5, format.name(), " on ", to_string(path), ", ", n_tokens, " tokens");
      }
    }
  }
}

TEST_CASE("blocks of any bits: codes, scales and minima at their limits") {
  for (const auto& format : formats()) {
    if (is_wider(format)) continue;
    auto c = make_case(format, 32, 512, 5, 13);
    // Everything but the block's main scales at random already; now whole rows at the extremes.
    for (std::int64_t r = 0; r < 4; ++r) {
      const auto row_bytes = c.matrix.row_bytes();
      auto* row = c.blocks.data() + r * row_bytes;
      std::vector<std::byte> other(static_cast<std::size_t>(row_bytes));
      Random random(static_cast<std::uint64_t>(r));
      format.random_blocks(other.data(), c.matrix.columns, 1.0F, random);
      for (std::int64_t i = 0; i < row_bytes; ++i) {
        const auto old = row[i];
        row[i] = r == 0 ? std::byte{0} : r == 1 ? std::byte{0xff} : r == 2 ? std::byte{0xaa} : std::byte{0x55};
        std::int64_t at = 0;
        if (!format.check(row, c.matrix.columns, &at).empty()) row[i] = old;
      }
    }
    std::vector<float> values(512);
    for (std::int64_t r = 0; r < 32; ++r) {
      dequantize_row(c.matrix, r, values.data());
      double size = 0;
      for (const float v : values) size += std::abs(static_cast<double>(v));
      if (!std::isfinite(size)) continue;  // MXFP4's largest scales
      for (std::int64_t t = 0; t < c.n_tokens; ++t) {
        double truth = 0;
        for (std::size_t i = 0; i < 512; ++i) truth += static_cast<double>(values[i]) * static_cast<double>(c.x[static_cast<std::size_t>(t) * 512 + i]);
        for (const auto path : available_paths()) {
          std::vector<float> y(1);
          multiply(c.matrix.slice(r, 1), c.x.data() + t * 512, 1, y.data(), {nullptr, path});
          CHECK_MESSAGE(std::abs(static_cast<double>(y[0]) - truth) <= 0.02 * size + 0.01, format.name(), " on ", to_string(path), ", row ", r, ": ", y[0], " for ", truth);
        }
      }
    }
  }
}

TEST_CASE("threads change nothing") {
  ThreadPool pool(3);
  for (const auto& format : formats()) {
    for (const std::int64_t n_tokens : {1, 3, 33}) {
      const auto c = make_case(format, 333, 256, n_tokens, 14);
      CHECK_MESSAGE(product(c, {&pool, best_path()}) == product(c, {nullptr, best_path()}), format.name(), " with ", n_tokens, " tokens");
    }
  }
}

TEST_CASE("several products in one step: shared inputs, slices, strides") {
  ThreadPool pool(2);
  const auto a = make_case(*find_format(FormatId::q4_k), 96, 512, 6, 15), b = make_case(*find_format(FormatId::f16), 40, 512, 6, 16);
  Activations shared, own;
  shared.assign(a.x.data(), 512, 6);
  own.assign(b.x.data() + 512, 512, 1);
  std::vector<float> y1(6 * 100, -1.0F), y2(6 * 40), y3(16);
  const Product products[] = {{a.matrix, &shared, y1.data(), 100}, {b.matrix, &shared, y2.data(), 0}, {a.matrix.slice(16, 16), &own, y3.data(), 0}};
  const Execution execution{&pool, best_path()};
  multiply(products, execution);
  Case second = b, third = a;
  second.x = a.x;
  third.x.assign(b.x.begin() + 512, b.x.begin() + 1024);
  third.n_tokens = 1;
  third.matrix = a.matrix.slice(16, 16);
  const auto whole = product(a, {nullptr, best_path()});
  for (std::size_t t = 0; t < 6; ++t) {
    for (std::size_t r = 0; r < 96; ++r) CHECK(y1[t * 100 + r] == whole[t * 96 + r]);
    for (std::size_t r = 96; r < 100; ++r) CHECK(y1[t * 100 + r] == -1.0F);
  }
  CHECK(y2 == product(second, {nullptr, best_path()}));
  CHECK(y3 == product(third, {nullptr, best_path()}));
}

TEST_CASE("activations of any size: zeros, subnormal, huge") {
  const auto& format = *find_format(FormatId::q8_0);
  for (const float scale : {0.0F, 1e-41F, 1e-30F, 1e30F}) {
    auto c = make_case(format, 8, 256, 1, 17);
    for (auto& v : c.x) v *= scale;
    const auto truth = product(c, {nullptr, Path::reference});
    for (const auto path : available_paths()) {
      const auto y = product(c, {nullptr, path});
      for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::abs(y[i] - truth[i]) <= 0.1F * scale + 1e-38F);
    }
  }
}

TEST_CASE("thread pool: every piece once, steps in quick succession, work after sleep") {
  for (const int n_threads : {1, 2, 5}) {
    ThreadPool pool(n_threads);
    CHECK(pool.size() == n_threads);
    for (int round = 0; round < 300; ++round) {
      std::vector<int> times(101);
      pool.parallel_for(0, 101, 7, [&](std::int64_t begin, std::int64_t end, int thread) {
        CHECK(thread < n_threads);
        for (auto i = begin; i < end; ++i) ++times[static_cast<std::size_t>(i)];
      });
      CHECK(times == std::vector<int>(101, 1));
    }
    std::vector<int> threads(static_cast<std::size_t>(n_threads));
    pool.run([&](int thread) { ++threads[static_cast<std::size_t>(thread)]; });
    CHECK(threads == std::vector<int>(static_cast<std::size_t>(n_threads), 1));
  }
}

TEST_CASE("bandwidth is measured") {
  ThreadPool pool(2);
  const auto bandwidth = measure_read_bandwidth(pool, 3, 64 << 20);
  CHECK(bandwidth.median > 1e8);
  CHECK(bandwidth.best >= bandwidth.median);
  CHECK(bandwidth.n_threads == 2);
  CHECK(bandwidth.buffer_bytes == 64 << 20);
}
