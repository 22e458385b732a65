#define PLANNER_PATH reference

#include "runtime/format.h"

#include <array>
#include <cmath>
#include <vector>

#include "formats/table.h"

namespace planner::runtime {
namespace {

using namespace planner::runtime::reference;

const u8* bytes_of(const std::byte* p) { return reinterpret_cast<const u8*>(p); }
u8* bytes_of(std::byte* p) { return reinterpret_cast<u8*>(p); }

// ---------------------------------------------------------------------------------------------------------------------
// Blocks
// ---------------------------------------------------------------------------------------------------------------------

template <class F>
void dequantize_blocks(const std::byte* blocks, float* values, std::int64_t n) {
  constexpr int kGroups = F::kWeights / F::kGroup;
  const u8* block = bytes_of(blocks);
  for (std::int64_t at = 0; at < n; at += F::kWeights, block += F::kBytes) {
    i8 q[F::kWeights];
    float scale[kGroups], offset[kGroups];
    F::unpack(block, q, scale, offset);
    for (int i = 0; i < F::kWeights; ++i) {
      values[at + i] = scale[i / F::kGroup] * static_cast<float>(q[i]);
      if constexpr (F::kOffset) values[at + i] += offset[i / F::kGroup];
    }
  }
}

template <class F>
std::string_view check_blocks(const std::byte* blocks, std::int64_t n, std::int64_t* block) {
  for (std::int64_t i = 0; i < n / F::kWeights; ++i) {
    if (const char* problem = F::check(bytes_of(blocks) + i * F::kBytes); problem != nullptr) {
      *block = i;
      return problem;
    }
  }
  return {};
}

/// Root mean square of weights with random codes and scale `d`.
template <class F>
float random_magnitude(float d) {
  constexpr int kSample = 64;
  std::vector<std::byte> blocks(static_cast<std::size_t>(kSample) * F::kBytes);
  std::vector<float> values(static_cast<std::size_t>(kSample) * F::kWeights);
  Random random(1);
  random.fill(blocks.data(), blocks.size());
  for (int i = 0; i < kSample; ++i) F::set_scale(bytes_of(blocks.data()) + i * F::kBytes, d);
  dequantize_blocks<F>(blocks.data(), values.data(), static_cast<std::int64_t>(values.size()));
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
  return static_cast<float>(std::sqrt(squares / static_cast<double>(values.size())));
}

template <class F>
void random_blocks(std::byte* blocks, std::int64_t n, float deviation, Random& random) {
  constexpr float kUnit = 0.125F;  // a scale that every format can store
  static const float magnitude = random_magnitude<F>(kUnit) / kUnit;
  const std::int64_t count = n / F::kWeights;
  random.fill(blocks, static_cast<std::size_t>(count * F::kBytes));
  for (std::int64_t i = 0; i < count; ++i) F::set_scale(bytes_of(blocks) + i * F::kBytes, deviation / magnitude);
}

// ---------------------------------------------------------------------------------------------------------------------
// Plain numbers
// ---------------------------------------------------------------------------------------------------------------------

template <class F>
void dequantize_floats(const std::byte* blocks, float* values, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) values[i] = F::load(bytes_of(blocks) + i * F::kBytes);
}

template <class F>
void quantize_floats(const float* values, std::byte* blocks, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) F::store(bytes_of(blocks) + i * F::kBytes, values[i]);
}

template <class F>
std::string_view check_floats(const std::byte* blocks, std::int64_t n, std::int64_t* block) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(F::load(bytes_of(blocks) + i * F::kBytes))) {
      *block = i;
      return "a number that is not finite";
    }
  }
  return {};
}

/// Uniform between the limits that give the deviation: one draw a number, and no tails.
template <class F>
void random_floats(std::byte* blocks, std::int64_t n, float deviation, Random& random) {
  const float scale = deviation * 1.7320508F * 0x1p-15F;
  for (std::int64_t i = 0; i < n; i += 4) {
    auto word = random();
    for (std::int64_t k = i; k < i + 4 && k < n; ++k, word >>= 16)
      F::store(bytes_of(blocks) + k * F::kBytes, scale * (static_cast<float>(word & 0xffffU) - 32767.5F));
  }
}

/// Source: quantize_row_q8_0_ref, ggml/src/ggml-quants.c: the scale is the largest magnitude / 127, codes round half away from zero.
void quantize_q8_0(const float* values, std::byte* blocks, std::int64_t n) {
  u8* b = bytes_of(blocks);
  for (std::int64_t at = 0; at < n; at += 32, b += Q8_0::kBytes) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(values[at + i]));
    const float d = largest / 127.0F, inverse = d != 0.0F ? 1.0F / d : 0.0F;
    store_half(b, d);
    for (int i = 0; i < 32; ++i) b[2 + i] = static_cast<u8>(static_cast<i8>(std::round(values[at + i] * inverse)));
  }
}

// ---------------------------------------------------------------------------------------------------------------------

template <class... F, class... B>
auto make_table(TypeList<F...>, TypeList<B...>) {
  std::array table = {
      Format{F::kId, &tensor_format(F::kId), dequantize_floats<F>, check_floats<F>, random_floats<F>, quantize_floats<F>}...,
      Format{B::kId, &tensor_format(B::kId), dequantize_blocks<B>, check_blocks<B>, random_blocks<B>, nullptr}...,
  };
  for (auto& row : table) {
    if (row.id == FormatId::q8_0) row.quantize = quantize_q8_0;
  }
  return table;
}

}  // namespace

std::span<const Format> formats() {
  static const auto table = make_table(FloatFormats{}, BlockFormats{});
  return table;
}

const Format* find_format(FormatId id) {
  for (const auto& f : formats()) {
    if (f.id == id) return &f;
  }
  return nullptr;
}

float float_from_f16(std::uint16_t bits) { return float_from_half(bits); }
std::uint16_t f16_from_float(float value) { return half_from_float(value); }
float float_from_bf16(std::uint16_t bits) { return float_from_bits(static_cast<std::uint32_t>(bits) << 16); }
std::uint16_t bf16_from_float(float value) {
  u8 bytes[2];
  BF16::store(bytes, value);
  return load_u16(bytes);
}

}  // namespace planner::runtime
