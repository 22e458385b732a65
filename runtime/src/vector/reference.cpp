// The truth for the fast kernels: double precision, no tricks.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "vector/vector.h"

namespace planner::runtime {
namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void rms_norm(const float* x, const float* weight, std::int64_t n, float epsilon, float* y) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += double{x[i]} * x[i];
  const double scale = 1.0 / std::sqrt(sum / static_cast<double>(n) + epsilon);
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] * scale * weight[i]);
}

void layer_norm(const float* x, const float* weight, std::int64_t n, float epsilon, float* y) {
  double mean = 0;
  for (std::int64_t i = 0; i < n; ++i) mean += x[i];
  mean /= static_cast<double>(n);
  double squares = 0;
  for (std::int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(n) + epsilon);
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>((x[i] - mean) * scale * weight[i]);
}

void silu(float* gate, const float* up, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) gate[i] = static_cast<float>(gate[i] * sigmoid(gate[i]) * up[i]);
}

void gelu(float* gate, const float* up, std::int64_t n) {
  constexpr double kRoot = 0.79788456080286535588;  // sqrt(2 / pi)
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = gate[i];
    gate[i] = static_cast<float>(0.5 * x * (1.0 + std::tanh(kRoot * x * (1.0 + 0.044715 * x * x))) * up[i]);
  }
}

void swiglu_oai(float* gate, const float* up, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = std::min(gate[i], 7.0F);
    const double y = std::clamp(up[i], -7.0F, 7.0F);
    gate[i] = static_cast<float>(x * sigmoid(1.702 * x) * (y + 1.0));
  }
}

void add(float* x, const float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] += y[i];
}

void add_scaled(float* x, const float* y, float scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] += scale * y[i];
}

void softcap(float* x, float cap, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(cap * std::tanh(double{x[i]} / cap));
}

void rotate(float& a, float& b, float cosine, float sine) {
  const double x = a, y = b;
  a = static_cast<float>(x * cosine - y * sine);
  b = static_cast<float>(x * sine + y * cosine);
}

void rotate_neighbours(float* x, const float* cosines, const float* sines, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) rotate(x[2 * i], x[2 * i + 1], cosines[i], sines[i]);
}

void rotate_halves(float* x, const float* cosines, const float* sines, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) rotate(x[i], x[n + i], cosines[i], sines[i]);
}

const Format& format_of(CacheType type) {
  return *find_format(type == CacheType::f32 ? FormatId::f32 : type == CacheType::f16 ? FormatId::f16 : FormatId::q8_0);
}

void store(CacheType type, const float* values, std::byte* row, std::int64_t n) { format_of(type).quantize(values, row, n); }

/// Softmax by the book: all scores, their largest, the sums.
void attend(const AttentionBlock& b) {
  std::vector<float> row(static_cast<std::size_t>(std::max(b.head_dim, b.head_dim_v)));
  std::vector<double> sums(static_cast<std::size_t>(b.head_dim_v));
  std::vector<double> scores;
  for (std::int64_t i = 0; i < b.n_tokens * b.group; ++i) {
    const std::int64_t token = i / b.group;
    const std::int64_t position = b.first_position + token;
    const float* q = b.queries + token * b.token_stride + (i % b.group) * b.query_stride;
    const std::int64_t from = std::max(b.begin, b.window > 0 ? position - b.window + 1 : 0);
    const std::int64_t to = std::min(b.end, position + 1);
    scores.clear();
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t p = from; p < to; ++p) {
      format_of(b.keys.type).dequantize(b.keys.data + p % b.capacity * b.keys.stride, row.data(), b.head_dim);
      double score = 0;
      for (std::int64_t j = 0; j < b.head_dim; ++j) score += double{q[j]} * row[static_cast<std::size_t>(j)];
      if (b.softcap > 0) score = b.softcap * std::tanh(score / b.softcap);
      scores.push_back(score);
      largest = std::max(largest, score);
    }
    double sum = 0;
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::int64_t p = from; p < to; ++p) {
      const double weight = std::exp(scores[static_cast<std::size_t>(p - from)] - largest);
      format_of(b.values.type).dequantize(b.values.data + p % b.capacity * b.values.stride, row.data(), b.head_dim_v);
      for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += weight * row[j];
      sum += weight;
    }
    b.largest[i] = static_cast<float>(largest);
    b.sum[i] = static_cast<float>(sum);
    for (std::size_t j = 0; j < sums.size(); ++j) b.weighted[i * b.head_dim_v + static_cast<std::int64_t>(j)] = static_cast<float>(sums[j]);
  }
}

}  // namespace

const VectorKernels kReferenceVectors = {rms_norm, layer_norm,        silu,          gelu,  swiglu_oai, add, add_scaled,
                                         softcap,  rotate_neighbours, rotate_halves, store, attend};

const VectorKernels& vector_kernels(Path path) {
  switch (path) {
    case Path::reference: return kReferenceVectors;
#ifdef PLANNER_HAS_X86_VECTORS
    case Path::avx2:
    case Path::avx_vnni: return kAvx2Vectors;
    case Path::avx512: return kAvx512Vectors;
#else
    case Path::avx2:
    case Path::avx_vnni:
    case Path::avx512:
#endif
    case Path::portable:
    case Path::neon: break;
  }
  return kPortableVectors;
}

}  // namespace planner::runtime
