// The question asked of many devices.
#pragma once

#include <memory>
#include <vector>

#include "logic/estimator.h"
#include "logic/facts.h"
#include "logic/question.h"
#include "planner/comparison.h"

namespace planner::gui {

/// One device's answer, or why there is none.
struct DeviceAnswer {
  const Device* device = nullptr;
  std::optional<Estimate> answer;
  Comparison line;
  QString problem;  ///< why there is no answer; empty: there is one

  [[nodiscard]] bool fits() const { return answer && answer->fit && answer->fit->verdict != Verdict::no; }
  /// The speed to show: none where the model does not fit.
  [[nodiscard]] const Throughput* speed() const { return fits() && answer->throughput ? &*answer->throughput : nullptr; }
};
using DeviceAnswers = std::shared_ptr<const std::vector<DeviceAnswer>>;

enum class Detail {
  line,  ///< memory, fit and speed
  full,  ///< the solved fields and the explanation too
};
[[nodiscard]] DeviceAnswer ask(const Question& question, const Device& device, const Facts& facts, Detail detail);

/// Every device of the catalog, in its order.
[[nodiscard]] DeviceAnswers ask_all(const Question& question, const Facts& facts, const Task& task);

/// Memory and speed over the context, each point a whole answer.
struct CurvePoint {
  qint64 context = 0;
  qint64 needed_bytes = 0;
  Verdict verdict = Verdict::fits;
  double decode = 0, decode_low = 0, decode_high = 0;  ///< with the context filled; 0: not known
};
struct Curve {
  const Device* device = nullptr;
  std::optional<std::int64_t> usable_bytes;
  std::vector<CurvePoint> points;
};
/// The contexts that a slider and curves stop at: powers of two from 512 up to the limit, and the limit.
[[nodiscard]] std::vector<qint64> context_stops(qint64 limit);
[[nodiscard]] Curve curve_over_context(const Question& question, const Device& device, qint64 limit, const Facts& facts, const Task& task);

}  // namespace planner::gui
