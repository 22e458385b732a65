#include "transformer/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "planner/error.h"

namespace planner::runtime {

void Rope::angles(std::int64_t position, float* cosines, float* sines) const {
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double angle = static_cast<double>(position) * frequencies[i];
    cosines[i] = static_cast<float>(std::cos(angle) * magnitude);
    sines[i] = static_cast<float>(std::sin(angle) * magnitude);
  }
}

/// The magnitude that YaRN gives the rotated vectors: 0.1 ln(factor) + 1. With DeepSeek's mscale and mscale_all_dim, the quotient of the two:
/// 1 where they are equal, which is what is assumed where only mscale_all_dim is in the file.
/// Source: modeling_rope_utils.py (huggingface/transformers), _compute_yarn_parameters; arXiv 2309.00071, equation 22.
double RopeSettings::magnitude() const {
  if (!yarn) return attention_factor;
  const auto scale = [&](double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1.0; };
  return attention_factor * (yarn_log_multiplier != 0 ? 1.0 : scale(1.0));
}

double RopeSettings::mla_scale() const {
  const double m = magnitude() * (yarn ? 1.0 + 0.1 * yarn_log_multiplier * std::log(factor) : 1.0);
  return m * m;
}

/// Frequencies base^(-2 i / d), divided by the pair's own factor and by the model's; under YaRN pairs that turn often within the original
/// context keep theirs, those that turn less than once are stretched, and those between get a mix.
Rope RopeSettings::make(double at_base, double stretch, bool with_yarn, std::int64_t context) const {
  const auto pairs = static_cast<std::size_t>(dimensions / 2);
  const auto* own = &factors;
  if (own->empty() && !long_factors.empty()) own = context > original_context ? &long_factors : &short_factors;
  const auto d = static_cast<double>(dimensions);
  // The pair that turns `turns` times within the original context.
  const auto pair_of = [&](double turns) {
    return d * std::log(static_cast<double>(original_context) / (turns * 2 * std::numbers::pi)) / (2 * std::log(at_base));
  };
  const double low = std::max(0.0, std::floor(pair_of(beta_fast)));
  const double high = std::min(d - 1, std::ceil(pair_of(beta_slow)));
  Rope rope;
  rope.magnitude = magnitude();
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto n = static_cast<double>(i);
    const double plain = std::pow(at_base, -2 * n / d) / (own->empty() ? 1.0 : (*own)[i]);
    const double stretched = plain / stretch;
    const double keep = with_yarn ? 1 - std::clamp((n - low) / std::max(0.001, high - low), 0.0, 1.0) : 0;
    rope.frequencies.push_back(stretched * (1 - keep) + plain * keep);
  }
  return rope;
}

Rope RopeSettings::full(std::int64_t context) const { return make(base, factor, yarn, context); }

Rope RopeSettings::sliding(const ArchitectureTraits& traits, std::int64_t context) const {
  if (traits.sliding_rope == SlidingRope::as_full) return make(sliding_base, factor, yarn, context);
  const bool own_base = traits.sliding_rope == SlidingRope::own_base;
  auto rope = make(own_base ? sliding_base : base, 1, false, context);
  rope.magnitude = own_base ? attention_factor : 1;
  return rope;
}

RopeSettings read_rope(const GgufFile& file, const std::string& architecture, std::int64_t dimensions, std::int64_t context_length) {
  const auto key = [&](std::string_view name) { return architecture + ".rope." + std::string(name); };
  const auto fail = [&](std::string_view name, const std::string& problem) {
    throw Error(ErrorKind::invalid_file, file.path.string() + ": key '" + key(name) + "' " + problem);
  };
  const auto positive = [&](std::string_view name, double otherwise) {
    const auto value = file.find_number(key(name));
    if (!value) return otherwise;
    if (!std::isfinite(*value) || *value < 0) fail(name, "is no number above 0");
    return *value == 0 ? otherwise : *value;
  };
  RopeSettings r;
  r.dimensions = dimensions;
  if (dimensions < 0 || dimensions % 2 != 0) fail("dimension_count", "is " + std::to_string(dimensions) + ", expected an even number");
  r.base = positive("freq_base", 10000);
  if (r.base <= 1) fail("freq_base", "is not above 1");
  const auto* traits = find_traits(architecture);
  r.sliding_base = positive("freq_base_swa", traits != nullptr && traits->sliding_rope == SlidingRope::own_base ? 10000 : r.base);
  if (r.sliding_base <= 1) fail("freq_base_swa", "is not above 1");
  r.factor = positive("scaling.factor", positive("scale_linear", 1));
  const auto kind = file.find_string(key("scaling.type")).value_or("linear");
  if (kind == "none") {
    r.factor = 1;
  } else if (kind == "yarn") {
    r.yarn = true;
  } else if (kind != "linear" && kind != "longrope" && kind != "llama3") {
    fail("scaling.type", "is '" + std::string(kind) + "', which is not supported; expected none, linear, yarn, longrope or llama3");
  }
  r.attention_factor = positive("scaling.attn_factor", 1);
  // The converter writes a tenth of mscale_all_dim (conversion/deepseek.py).
  if (traits != nullptr && traits->yarn_log_multiplier) r.yarn_log_multiplier = 10 * file.find_number(key("scaling.yarn_log_multiplier")).value_or(0);
  r.beta_fast = positive("scaling.yarn_beta_fast", 32);
  r.beta_slow = positive("scaling.yarn_beta_slow", 1);
  r.original_context = file.find_integer(key("scaling.original_context_length")).value_or(context_length);
  if (r.original_context <= 0) r.original_context = context_length > 0 ? context_length : 1;
  return r;
}

}  // namespace planner::runtime
