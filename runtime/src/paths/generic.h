// Kernels of all formats, written once for every path in terms of a few types that the path defines before it includes this file:
//   Group      sums of 32 byte products, as far as the path leaves them apart:
//              static Group dot(const i8* w, const i8* x)
//   RowSum     a row's result in the making: add(Group, scale), add(Group, scale of the first 16, of the last 16), float total()
//   Floats16, Ints16   16 lanes, one a row of a panel (below)
//   kTokens    tokens that multiply one panel at a time
//   float_dot<F>(row, x, n)   a row of F32, F16 or BF16 with single precision activations
#pragma once

#include "formats/table.h"
#include "kernels.h"

namespace planner::runtime::PLANNER_PATH {

// ---------------------------------------------------------------------------------------------------------------------
// One token: rows are unpacked block by block
// ---------------------------------------------------------------------------------------------------------------------

/// What up to 256 weights are unpacked to.
template <class F>
struct Unpacked {
  static constexpr int kWeights = F::kWeights > 256 ? F::kWeights : 256;
  alignas(64) i8 q[kWeights];
  float scale[kWeights / F::kGroup], offset[kWeights / F::kGroup];

  void fill(const u8* blocks, int n) {
    constexpr int kGroups = F::kWeights / F::kGroup;
    for (int k = 0; k < n / F::kWeights; ++k) F::unpack(blocks + k * F::kBytes, q + k * F::kWeights, scale + k * kGroups, offset + k * kGroups);
  }
};

template <class F>
void dot_blocks(const RowBlock& w, const ActivationRow& x, float* y) {
  using Part = Unpacked<F>;
  constexpr int kStep = Part::kWeights;
  // Unpacked one step ahead: bytes just written piece by piece cannot be read as a whole without waiting for all of them.
  Part parts[2];
  const auto length = [&](std::int64_t at) { return static_cast<int>(w.columns - at < kStep ? w.columns - at : kStep); };
  const auto blocks = [&](std::int64_t r, std::int64_t at) { return w.data + r * w.row_bytes + at / F::kWeights * F::kBytes; };
  int turn = 0;
  if (w.rows > 0) parts[0].fill(blocks(0, 0), length(0));
  for (std::int64_t r = 0; r < w.rows; ++r) {
    RowSum sum;
    float offsets = 0;
    for (std::int64_t at = 0; at < w.columns; at += kStep, turn ^= 1) {
      if (at + kStep < w.columns)
        parts[turn ^ 1].fill(blocks(r, at + kStep), length(at + kStep));
      else if (r + 1 < w.rows)
        parts[turn ^ 1].fill(blocks(r + 1, 0), length(0));
      const Part& part = parts[turn];
      for (int g = 0; g < length(at) / 32; ++g) {
        const std::int64_t i = at + 32 * g;
        const float xs = x.scale[i / 32];
        const auto group = Group::dot(part.q + 32 * g, x.q + i);
        if constexpr (F::kGroup == 32) {
          sum.add(group, part.scale[g] * xs);
          if constexpr (F::kOffset) offsets += part.offset[g] * (xs * static_cast<float>(x.sums[i / 16] + x.sums[i / 16 + 1]));
        } else {
          sum.add(group, part.scale[2 * g] * xs, part.scale[2 * g + 1] * xs);
          if constexpr (F::kOffset)
            offsets += xs * (part.offset[2 * g] * static_cast<float>(x.sums[i / 16]) + part.offset[2 * g + 1] * static_cast<float>(x.sums[i / 16 + 1]));
        }
      }
    }
    y[r] = sum.total() + offsets;
  }
}

/// Blocks of 32 whose codes are bytes as they are.
template <class F>
void dot_bytes(const RowBlock& w, const ActivationRow& x, float* y) {
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const u8* block = w.data + r * w.row_bytes;
    RowSum sum;
    for (std::int64_t i = 0; i < w.columns; i += 32, block += F::kBytes)
      sum.add(Group::dot(reinterpret_cast<const i8*>(block + F::kBytesAt), x.q + i), half_at(block) * x.scale[i / 32]);
    y[r] = sum.total();
  }
}

template <class F>
void dot_floats(const RowBlock& w, const ActivationRow& x, float* y) {
  for (std::int64_t r = 0; r < w.rows; ++r) y[r] = float_dot<F>(w.data + r * w.row_bytes, x.values, w.columns);
}

// ---------------------------------------------------------------------------------------------------------------------
// Many tokens: a panel of 16 rows is unpacked once, lanes are rows
// ---------------------------------------------------------------------------------------------------------------------

// Ints16: start(s) lanes all -128 s where weights are stored with a bias of 128, else 0; add(w, x): lane += 4 products of w[4 lane ..] with the
// four bytes of x. Floats16: zero(), load, store, fma(a, b lanes, c scalar), fma(a, Ints16, b lanes, c scalar).

/// A panel in memory: q [columns / 4][16 rows][4], then scales and offsets [columns / group][16 rows].
struct Panel {
  u8* q;
  float* scale;
  float* offset;
};

inline Panel panel_in(u8* scratch, std::int64_t columns) {
  auto* scale = reinterpret_cast<float*>(scratch + columns * kPanelRows);
  return {scratch, scale, scale + columns / 16 * kPanelRows};
}

template <class F>
void unpack_panel(const RowBlock& w, const Panel& panel) {
  constexpr int kGroups = F::kWeights / F::kGroup;
  constexpr std::uint32_t kBias = Ints16::kBias ? 0x80808080U : 0U;
  for (std::int64_t r = 0; r < kPanelRows; ++r) {
    if (r >= w.rows) {  // lanes that nobody reads, but that compute all the same
      for (std::int64_t i = 0; i < w.columns / F::kGroup; ++i) panel.scale[i * kPanelRows + r] = panel.offset[i * kPanelRows + r] = 0;
      continue;
    }
    const u8* block = w.data + r * w.row_bytes;
    for (std::int64_t at = 0; at < w.columns; at += F::kWeights, block += F::kBytes) {
      alignas(64) i8 q[F::kWeights];
      float scale[kGroups], offset[kGroups];
      F::unpack(block, q, scale, offset);
      u8* to = panel.q + at * kPanelRows + 4 * r;
      for (int i = 0; i < F::kWeights / 4; ++i) {
        std::uint32_t four;
        std::memcpy(&four, q + 4 * i, 4);
        four ^= kBias;
        std::memcpy(to + static_cast<std::ptrdiff_t>(64) * i, &four, 4);
      }
      for (int g = 0; g < kGroups; ++g) {
        panel.scale[(at / F::kGroup + g) * kPanelRows + r] = scale[g];
        if constexpr (F::kOffset) panel.offset[(at / F::kGroup + g) * kPanelRows + r] = offset[g];
      }
    }
  }
}

template <int kGroup, bool kOffset, int T>
void multiply_panel(const Panel& panel, std::int64_t columns, const ActivationRow* x, float* const* y, std::int64_t rows) {
  Floats16 sum[T];
  for (int t = 0; t < T; ++t) sum[t] = Floats16::zero();
  const u8* w = panel.q;
  for (std::int64_t at = 0; at < columns; at += kGroup) {
    Ints16 ints[T];
    int sums[T];
    for (int t = 0; t < T; ++t) {
      sums[t] = x[t].sums[at / 16];
      if constexpr (kGroup == 32) sums[t] += x[t].sums[at / 16 + 1];
      ints[t] = Ints16::start(sums[t]);
    }
    for (int i = 0; i < kGroup; i += 4, w += 64) {
      const auto lanes = Ints16::load(w);
      for (int t = 0; t < T; ++t) ints[t].add(lanes, x[t].q + at + i);
    }
    const auto scale = Floats16::load(panel.scale + at / kGroup * kPanelRows);
    for (int t = 0; t < T; ++t) sum[t].fma(ints[t], scale, x[t].scale[at / 32]);
    if constexpr (kOffset) {
      const auto offset = Floats16::load(panel.offset + at / kGroup * kPanelRows);
      for (int t = 0; t < T; ++t) sum[t].fma(offset, x[t].scale[at / 32] * static_cast<float>(sums[t]));
    }
  }
  for (int t = 0; t < T; ++t) {
    alignas(64) float lanes[kPanelRows];
    sum[t].store(lanes);
    for (std::int64_t r = 0; r < rows; ++r) y[t][r] = lanes[r];
  }
}

template <int T>
void multiply_float_panel(const float* w, std::int64_t columns, const ActivationRow* x, float* const* y, std::int64_t rows) {
  Floats16 sum[T];
  for (int t = 0; t < T; ++t) sum[t] = Floats16::zero();
  for (std::int64_t i = 0; i < columns; ++i, w += kPanelRows) {
    const auto lanes = Floats16::load(w);
    for (int t = 0; t < T; ++t) sum[t].fma(lanes, x[t].values[i]);
  }
  for (int t = 0; t < T; ++t) {
    alignas(64) float lanes[kPanelRows];
    sum[t].store(lanes);
    for (std::int64_t r = 0; r < rows; ++r) y[t][r] = lanes[r];
  }
}

/// Calls tile(first token, number) in tiles of kTokens; the number is a constant of the type.
template <int T>
struct Tokens {
  static constexpr int kCount = T;
};
template <int T, class Tile>
void for_rest(std::int64_t at, std::int64_t n, const Tile& tile) {
  if constexpr (T > 0) {
    if (n == T)
      tile(at, Tokens<T>{});
    else
      for_rest<T - 1>(at, n, tile);
  }
}
template <class Tile>
void for_tiles(std::int64_t n_tokens, const Tile& tile) {
  std::int64_t t = 0;
  for (; t + kTokens <= n_tokens; t += kTokens) tile(t, Tokens<kTokens>{});
  for_rest<kTokens - 1>(t, n_tokens - t, tile);
}

template <int kGroup, bool kOffset>
void multiply_tiles(const Panel& panel, const RowBlock& w, const ActivationRow* x, std::int64_t n_tokens, float* y, std::int64_t y_stride) {
  for_tiles(n_tokens, [&](std::int64_t t, auto tokens) {
    constexpr int T = decltype(tokens)::kCount;
    float* to[T];
    for (int i = 0; i < T; ++i) to[i] = y + (t + i) * y_stride;
    multiply_panel<kGroup, kOffset, T>(panel, w.columns, x + t, to, w.rows);
  });
}

template <class F>
void many_blocks(const RowBlock& w, const ActivationRow* x, std::int64_t n_tokens, float* y, std::int64_t y_stride, u8* scratch) {
  const auto panel = panel_in(scratch, w.columns);
  unpack_panel<F>(w, panel);
  multiply_tiles<F::kGroup, F::kOffset>(panel, w, x, n_tokens, y, y_stride);
}

template <class F>
void many_floats(const RowBlock& w, const ActivationRow* x, std::int64_t n_tokens, float* y, std::int64_t y_stride, u8* scratch) {
  auto* panel = reinterpret_cast<float*>(scratch);
  for (std::int64_t r = 0; r < kPanelRows; ++r) {
    const u8* row = w.data + r * w.row_bytes;
    for (std::int64_t i = 0; i < w.columns; ++i) panel[i * kPanelRows + r] = r < w.rows ? F::load(row + i * F::kBytes) : 0.0F;
  }
  for_tiles(n_tokens, [&](std::int64_t t, auto tokens) {
    constexpr int T = decltype(tokens)::kCount;
    float* to[T];
    for (int i = 0; i < T; ++i) to[i] = y + (t + i) * y_stride;
    multiply_float_panel<T>(panel, w.columns, x + t, to, w.rows);
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Activations
// ---------------------------------------------------------------------------------------------------------------------

/// Largest magnitude, found among the bits: NaN counts as larger than all.
inline float largest_magnitude(const float* x, int n) {
  std::int32_t largest = 0;
  for (int i = 0; i < n; ++i) {
    const auto bits = static_cast<std::int32_t>(bits_from_float(x[i]) & 0x7fffffffU);
    largest = bits > largest ? bits : largest;
  }
  return float_from_bits(static_cast<std::uint32_t>(largest));
}

/// n values (a multiple of 16) with one scale.
inline float quantize_group(const float* x, int n, i8* q, std::int16_t* sums) {
  const float largest = largest_magnitude(x, n);
  const float scale = largest / 127.0F;
  const float inverse = scale >= 0x1p-126F ? 127.0F / largest : 0.0F;  // what is smaller is nothing
  for (int i = 0; i < n; ++i) {
    // Adding 1.5 * 2^23 rounds to nearest even and leaves the integer in the low bits.
    q[i] = static_cast<i8>(static_cast<std::int32_t>(bits_from_float(x[i] * inverse + 12582912.0F)) - 0x4b400000);
  }
  for (int g = 0; g < n / 16; ++g) {
    int sum = 0;
    for (int i = 0; i < 16; ++i) sum += q[16 * g + i];
    sums[g] = static_cast<std::int16_t>(sum);
  }
  return scale;
}

/// Where the 8 values come from that stand at place `unit` of a form's 256.
constexpr int source_unit(Form form, int unit) {
  const int u = unit;
  switch (form) {
    case Form::q8_256_p: return 16 * (u / 16) + 8 * (u / 4 % 2) + 4 * (u / 8 % 2) + u % 4;
    case Form::q8_256_h: return 16 * (u / 4 % 2) + 4 * (u / 8) + u % 4;
    case Form::q8_256_n: return 16 * (u / 16) + 4 * (u / 2 % 4) + 2 * (u / 8 % 2) + u % 2;
    case Form::q8_256_o: return 4 * (u % 8) + u / 8;
    default: return u;
  }
}

inline void quantize(const float* x, std::int64_t n, Form form, i8* q, float* scale, std::int16_t* sums) {
  if (form == Form::q8_32 || form == Form::q8_32_t) {
    for (std::int64_t i = 0; i < n; i += 32) scale[i / 32] = quantize_group(x + i, 32, q + i, sums + i / 16);
    if (form == Form::q8_32) return;
    for (std::int64_t i = 0; i + 512 <= n; i += 512) {
      i8 plain[512];
      std::memcpy(plain, q + i, 512);
      for (int part = 0; part < 8; ++part) {
        for (int block = 0; block < 16; ++block) std::memcpy(q + i + 64 * part + 4 * block, plain + 32 * block + 4 * part, 4);
      }
    }
    return;
  }
  for (std::int64_t i = 0; i < n; i += 256) {
    alignas(64) i8 plain[256];
    std::int16_t* sum = sums + i / 16;
    const float s = quantize_group(x + i, 256, plain, sum);
    for (int g = 0; g < 8; ++g) scale[i / 32 + g] = s;
    for (int u = 0; u < 32; ++u) std::memcpy(q + i + 8 * u, plain + 8 * source_unit(form, u), 8);
    if (form == Form::q8_256_p) {
      for (int g = 0; g < 8; ++g) sum[g] = static_cast<std::int16_t>(sum[2 * g] + sum[2 * g + 1]);
      for (int g = 8; g < 16; ++g) sum[g] = 0;
    }
  }
}

inline std::uint64_t checksum(const u8* bytes, std::int64_t n) {
  std::uint64_t sums[32] = {};
  for (std::int64_t i = 0; i + 512 <= n; i += 512) {
    std::uint64_t words[64];
    std::memcpy(words, bytes + i, sizeof words);
    for (int k = 0; k < 32; ++k) sums[k] += words[k] + words[k + 32];
  }
  std::uint64_t all = 0;
  for (const auto sum : sums) all += sum;
  return all;
}

// ---------------------------------------------------------------------------------------------------------------------
// The table
// ---------------------------------------------------------------------------------------------------------------------

template <class F>
constexpr Form block_form() {
  return F::kWeights == 256 ? Form::q8_256 : Form::q8_32;
}

template <class... F>
void add_floats(Kernels& k, TypeList<F...>) {
  ((k.formats[static_cast<int>(F::kId)] = {Form::values, Form::values, dot_floats<F>, many_floats<F>}), ...);
}
template <class F>
constexpr FormatKernels block_kernels() {
  FormatKernels k{block_form<F>(), block_form<F>(), dot_blocks<F>, many_blocks<F>};
  if constexpr (requires { F::kBytesAt; }) k.dot = dot_bytes<F>;
  if constexpr (requires { F::dot; }) {  // the format has a kernel of its own for this path
    k.form = F::kForm;
    k.dot = F::dot;
  }
  return k;
}
template <class... F>
void add_blocks(Kernels& k, TypeList<F...>) {
  ((k.formats[static_cast<int>(F::kId)] = block_kernels<F>()), ...);
}

/// Every format's kernels.
inline Kernels all_kernels() {
  Kernels k{};
  add_floats(k, FloatFormats{});
  add_blocks(k, BlockFormats{});
  k.quantize = quantize;
  k.checksum = checksum;
  return k;
}

}  // namespace planner::runtime::PLANNER_PATH
