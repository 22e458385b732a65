// The truth: weights as the format defines them, activations as they are, sums in double precision.
#define PLANNER_PATH reference

#include "paths/plain.h"
#include "paths/generic.h"

namespace planner::runtime {
namespace {

using namespace planner::runtime::reference;

template <class F>
void dot_exactly(const RowBlock& w, const ActivationRow& x, float* y) {
  constexpr int kGroups = F::kWeights / F::kGroup;
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const u8* block = w.data + r * w.row_bytes;
    double sum = 0;
    for (std::int64_t at = 0; at < w.columns; at += F::kWeights, block += F::kBytes) {
      i8 q[F::kWeights];
      float scale[kGroups], offset[kGroups];
      F::unpack(block, q, scale, offset);
      for (int i = 0; i < F::kWeights; ++i) {
        float value = scale[i / F::kGroup] * static_cast<float>(q[i]);
        if constexpr (F::kOffset) value += offset[i / F::kGroup];
        sum += static_cast<double>(value) * static_cast<double>(x.values[at + i]);
      }
    }
    y[r] = static_cast<float>(sum);
  }
}

template <class F>
void dot_floats_exactly(const RowBlock& w, const ActivationRow& x, float* y) {
  for (std::int64_t r = 0; r < w.rows; ++r) {
    double sum = 0;
    for (std::int64_t i = 0; i < w.columns; ++i)
      sum += static_cast<double>(F::load(w.data + r * w.row_bytes + i * F::kBytes)) * static_cast<double>(x.values[i]);
    y[r] = static_cast<float>(sum);
  }
}

template <class... F, class... G>
Kernels make(TypeList<F...>, TypeList<G...>) {
  Kernels k = all_kernels();
  ((k.formats[static_cast<int>(F::kId)] = {Form::values, Form::values, dot_floats_exactly<F>, nullptr}), ...);
  ((k.formats[static_cast<int>(G::kId)] = {Form::values, Form::values, dot_exactly<G>, nullptr}), ...);
  return k;
}

}  // namespace

const Kernels& reference_kernels() {
  static const Kernels kernels = make(FloatFormats{}, BlockFormats{});
  return kernels;
}

}  // namespace planner::runtime
