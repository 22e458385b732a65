// A mixture of experts for some tokens: the router's choice, then the chosen experts' feed-forwards.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/matrix.h"
#include "transformer/weights.h"
#include "vector/vector.h"

namespace planner::runtime {

/// gate = activation(gate) * up
void activate(Activation activation, float* gate, const float* up, std::int64_t n, const VectorKernels& kernels);

class Experts {
 public:
  /// For the largest mixture of the model; nothing where it has none.
  Experts(const Weights& weights, std::int64_t ubatch);
  [[nodiscard]] static std::int64_t bytes(const Weights& weights, std::int64_t ubatch);

  /// y [n][hidden] = the routed experts of x [n][hidden]; `input` holds x.
  void run(const MoeWeights& w, const float* x, Activations& input, std::int64_t n, std::int64_t hidden, Activation activation, float* y,
           const Execution& execution, const VectorKernels& kernels);

 private:
  void route(const MoeWeights& w, std::int64_t n);

  struct Choice {
    std::int32_t expert = 0;
    std::int32_t token = 0;
    float weight = 0;
  };
  std::vector<Choice> choices_;     // by expert, then by token
  std::vector<std::int32_t> rows_;  // [n][n_active]: where a token's choices are in choices_
  std::vector<float> logits_, gathered_, gate_, up_, down_;
  std::vector<Activations> inputs_, hidden_;  // per expert
  std::vector<Product> products_;
  // For route(), per token.
  std::vector<float> probabilities_, selection_;
  std::vector<std::int32_t> order_;
};

}  // namespace planner::runtime
