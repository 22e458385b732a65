#include "logic/context_scale.h"

#include <algorithm>
#include <cmath>

namespace planner::gui {
namespace {

constexpr qint64 kFirst = 512;
constexpr qint64 kGrain = 32;  // contexts between the powers of two are multiples of it

}  // namespace

ContextScale::ContextScale(qint64 limit) : limit_(std::max(limit, kFirst)) {}

int ContextScale::last() const {
  return static_cast<int>(std::ceil(kStepsPerOctave * std::log2(static_cast<double>(limit_) / static_cast<double>(kFirst)) - 1e-9));
}

qint64 ContextScale::context_at(int position) const {
  if (position >= last()) return limit_;
  const double exact = static_cast<double>(kFirst) * std::exp2(static_cast<double>(std::max(position, 0)) / kStepsPerOctave);
  return std::min(limit_, std::llround(exact / static_cast<double>(kGrain)) * kGrain);
}

int ContextScale::position_of(qint64 context) const {
  if (context >= limit_) return last();
  if (context <= kFirst) return 0;
  return std::min(last(), static_cast<int>(std::lround(kStepsPerOctave * std::log2(static_cast<double>(context) / static_cast<double>(kFirst)))));
}

std::vector<ContextScale::Tick> ContextScale::ticks() const {
  std::vector<Tick> ticks;
  for (int position = 0; position < last(); position += kStepsPerOctave) ticks.push_back({position, context_at(position)});
  ticks.push_back({last(), limit_});
  return ticks;
}

}  // namespace planner::gui
