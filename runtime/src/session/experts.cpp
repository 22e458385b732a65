#include "session/experts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace planner::runtime {
namespace {

struct Sizes {
  std::int64_t experts = 0, active = 0, size = 0;
};

Sizes sizes(const Weights& weights) {
  Sizes s;
  for (const auto& layer : weights.layers) {
    if (const auto* moe = std::get_if<MoeWeights>(&layer.ffn)) {
      s = {std::max(s.experts, moe->n_experts), std::max(s.active, moe->n_active), std::max(s.size, moe->size)};
    }
  }
  return s;
}

void softmax(float* x, std::size_t n) {
  const float most = *std::max_element(x, x + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - most);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(x[i] / sum);
}

}  // namespace

void activate(Activation activation, float* gate, const float* up, std::int64_t n, const VectorKernels& kernels) {
  switch (activation) {
    case Activation::silu: return kernels.silu(gate, up, n);
    case Activation::gelu: return kernels.gelu(gate, up, n);
    case Activation::swiglu_oai: return kernels.swiglu_oai(gate, up, n);
  }
}

Experts::Experts(const Weights& weights, std::int64_t ubatch) {
  const auto s = sizes(weights);
  if (s.experts == 0) return;
  const auto rows = static_cast<std::size_t>(ubatch * s.active);
  const auto hidden = static_cast<std::size_t>(weights.hp.hidden_size);
  choices_.resize(rows);
  rows_.resize(rows);
  logits_.resize(static_cast<std::size_t>(ubatch * s.experts));
  gathered_.resize(rows * hidden);
  gate_.resize(rows * static_cast<std::size_t>(s.size));
  up_.resize(rows * static_cast<std::size_t>(s.size));
  down_.resize(rows * hidden);
  inputs_.resize(static_cast<std::size_t>(s.experts));
  hidden_.resize(static_cast<std::size_t>(s.experts));
}

std::int64_t Experts::bytes(const Weights& weights, std::int64_t ubatch) {
  const auto s = sizes(weights);
  return 4 * ubatch * (s.experts + s.active * (2 * weights.hp.hidden_size + 2 * s.size + 4));
}

/// The choice and its weights, per token; then everything in the order of the experts.
/// Sources: modeling_deepseek.py of DeepSeek-V3 (groups, selection bias), modeling_gpt_oss.py (softmax over the chosen),
/// modeling_qwen3_moe.py and modeling_mixtral.py.
void Experts::route(const MoeWeights& w, std::int64_t n) {
  const auto n_experts = static_cast<std::size_t>(w.n_experts);
  const auto n_active = static_cast<std::size_t>(w.n_active);
  choices_.clear();
  for (std::int64_t token = 0; token < n; ++token) {
    float* logits = logits_.data() + token * w.n_experts;
    if (!w.router.bias.empty()) {
      for (std::size_t e = 0; e < n_experts; ++e) logits[e] += w.router.bias[e];
    }
    probabilities_.assign(logits, logits + n_experts);
    if (w.routing == Routing::softmax) softmax(probabilities_.data(), n_experts);
    if (w.routing == Routing::sigmoid) {
      for (auto& p : probabilities_) p = 1.0F / (1.0F + std::exp(-p));
    }
    selection_ = probabilities_;
    if (!w.selection_bias.empty()) {
      for (std::size_t e = 0; e < n_experts; ++e) selection_[e] += w.selection_bias[e];
    }
    if (w.n_groups > 1) {
      // Only experts of the best groups may be chosen; a group is as good as its two best experts.
      const auto size = n_experts / static_cast<std::size_t>(w.n_groups);
      std::vector<std::pair<float, std::size_t>> groups;
      for (std::size_t g = 0; g < static_cast<std::size_t>(w.n_groups); ++g) {
        std::vector<float> members(selection_.begin() + static_cast<std::ptrdiff_t>(g * size),
                                   selection_.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
        const auto two = std::min<std::size_t>(2, size);
        std::partial_sort(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(two), members.end(), std::greater<>());
        groups.emplace_back(std::accumulate(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(two), 0.0F), g);
      }
      std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      for (auto g = static_cast<std::size_t>(w.n_active_groups); g < groups.size(); ++g) {
        std::fill_n(selection_.begin() + static_cast<std::ptrdiff_t>(groups[g].second * size), size, -std::numeric_limits<float>::infinity());
      }
    }
    order_.resize(n_experts);
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::int32_t a, std::int32_t b) { return selection_[static_cast<std::size_t>(a)] > selection_[static_cast<std::size_t>(b)]; });
    std::vector<float> chosen(n_active);
    for (std::size_t i = 0; i < n_active; ++i) chosen[i] = probabilities_[static_cast<std::size_t>(order_[i])];
    if (w.routing == Routing::softmax_chosen) softmax(chosen.data(), n_active);
    if (w.normalizes) {
      constexpr float kLeast = 6.103515625e-5F;  // the smallest normal number of F16, as the engine has it
      const float sum = std::max(kLeast, std::accumulate(chosen.begin(), chosen.end(), 0.0F));
      for (auto& c : chosen) c /= sum;
    }
    for (std::size_t i = 0; i < n_active; ++i) choices_.push_back({order_[i], static_cast<std::int32_t>(token), chosen[i] * w.scale});
  }
  std::stable_sort(choices_.begin(), choices_.end(), [](const Choice& a, const Choice& b) { return a.expert < b.expert; });
  std::vector<std::int32_t> filled(static_cast<std::size_t>(n), 0);
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const auto token = static_cast<std::size_t>(choices_[i].token);
    rows_[token * n_active + static_cast<std::size_t>(filled[token]++)] = static_cast<std::int32_t>(i);
  }
}

void Experts::run(const MoeWeights& w, const float* x, Activations& input, std::int64_t n, std::int64_t hidden, Activation activation, float* y,
                  const Execution& execution, const VectorKernels& kernels) {
  multiply(w.router.matrix, input, logits_.data(), execution);
  route(w, n);

  // Tokens of an expert lie together; a single token is every expert's input as it is.
  const auto rows = static_cast<std::int64_t>(choices_.size());
  const auto each = [&](std::int64_t count, auto&& fn) {
    if (execution.pool != nullptr && n > 1) {
      execution.pool->parallel_for(0, count, 4, [&](std::int64_t from, std::int64_t to, int) {
        for (auto i = from; i < to; ++i) fn(i);
      });
    } else {
      for (std::int64_t i = 0; i < count; ++i) fn(i);
    }
  };
  const auto row_bytes = static_cast<std::size_t>(hidden) * sizeof(float);
  if (n > 1)
    each(rows, [&](std::int64_t i) { std::memcpy(gathered_.data() + i * hidden, x + choices_[static_cast<std::size_t>(i)].token * hidden, row_bytes); });

  const auto for_experts = [&](auto&& fn) {
    for (std::int64_t from = 0; from < rows;) {
      std::int64_t to = from + 1;
      const auto expert = choices_[static_cast<std::size_t>(from)].expert;
      while (to < rows && choices_[static_cast<std::size_t>(to)].expert == expert) ++to;
      fn(expert, from, to - from);
      from = to;
    }
  };
  products_.clear();
  for_experts([&](std::int64_t expert, std::int64_t from, std::int64_t count) {
    auto* in = &input;
    if (n > 1) {
      in = &inputs_[static_cast<std::size_t>(expert)];
      in->assign(gathered_.data() + from * hidden, hidden, count);
    }
    products_.push_back({w.gate.matrix.slice(expert * w.size, w.size), in, gate_.data() + from * w.size, 0});
    products_.push_back({w.up.matrix.slice(expert * w.size, w.size), in, up_.data() + from * w.size, 0});
  });
  multiply(products_, execution);

  each(rows, [&](std::int64_t i) {
    const std::int64_t expert = choices_[static_cast<std::size_t>(i)].expert;
    float* gate = gate_.data() + i * w.size;
    float* up = up_.data() + i * w.size;
    if (!w.gate.bias.empty()) kernels.add(gate, w.gate.bias.data() + expert * w.size, w.size);
    if (!w.up.bias.empty()) kernels.add(up, w.up.bias.data() + expert * w.size, w.size);
    activate(activation, gate, up, w.size, kernels);
  });
  products_.clear();
  for_experts([&](std::int64_t expert, std::int64_t from, std::int64_t count) {
    auto& in = hidden_[static_cast<std::size_t>(expert)];
    in.assign(gate_.data() + from * w.size, w.size, count);
    products_.push_back({w.down.matrix.slice(expert * hidden, hidden), &in, down_.data() + from * hidden, 0});
  });
  multiply(products_, execution);

  each(n, [&](std::int64_t token) {
    float* out = y + token * hidden;
    std::memset(out, 0, row_bytes);
    for (std::int64_t i = 0; i < w.n_active; ++i) {
      const auto row = rows_[static_cast<std::size_t>(token * w.n_active + i)];
      const auto& choice = choices_[static_cast<std::size_t>(row)];
      float* down = down_.data() + row * hidden;
      if (!w.down.bias.empty()) kernels.add(down, w.down.bias.data() + choice.expert * hidden, hidden);
      kernels.add_scaled(out, down, choice.weight, hidden);
    }
  });
}

}  // namespace planner::runtime
