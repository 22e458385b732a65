#include "logic/device_answers.h"

#include "planner/error.h"

namespace planner::gui {

DeviceAnswer ask(const Question& question, const Device& device, const Facts& facts, Detail detail) {
  DeviceAnswer out;
  out.device = &device;
  try {
    auto request = request_for(question, QString::fromStdString(device.id));
    request.solve = request.explain = detail == Detail::full;
    out.answer = estimate(request, *facts);
    out.line = comparison_of(*out.answer, request, *facts);
  } catch (const Error& e) {
    out.problem = QString::fromUtf8(e.what());
  }
  return out;
}

DeviceAnswers ask_all(const Question& question, const Facts& facts, const Task& task) {
  const auto devices = facts->devices();
  auto out = std::make_shared<std::vector<DeviceAnswer>>();
  out->reserve(devices.size());
  for (const auto* device : devices) {
    if (task.cancelled()) break;
    out->push_back(ask(question, *device, facts, Detail::line));
  }
  return out;
}

std::vector<qint64> context_stops(qint64 limit) {
  constexpr qint64 kFirst = 512;
  std::vector<qint64> stops;
  for (qint64 c = kFirst; c < limit; c *= 2) stops.push_back(c);
  stops.push_back(limit);
  return stops;
}

Curve curve_over_context(const Question& question, const Device& device, qint64 limit, const Facts& facts, const Task& task) {
  Curve curve;
  curve.device = &device;
  for (const qint64 context : context_stops(limit)) {
    if (task.cancelled()) break;
    auto request = request_for(question, QString::fromStdString(device.id));
    request.context = request.depth = context;
    if (question.prompt > context) request.prompt = context;
    try {
      const auto answer = estimate(request, *facts);
      const auto line = comparison_of(answer, request, *facts);
      curve.usable_bytes = line.usable_bytes;
      CurvePoint p{context, line.needed_bytes, line.verdict};
      if (answer.throughput && line.verdict != Verdict::no) {
        p.decode = answer.throughput->decode_tokens_per_s;
        p.decode_low = answer.throughput->decode_low;
        p.decode_high = answer.throughput->decode_high;
      }
      curve.points.push_back(p);
    } catch (const Error&) {
      // The answer itself says what is wrong; a curve has a gap.
    }
  }
  return curve;
}

}  // namespace planner::gui
