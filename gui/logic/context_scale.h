// Where a context lies on a slider: eight steps an octave, powers of two exactly, up to the model's limit.
#pragma once

#include <QtGlobal>
#include <vector>

namespace planner::gui {

class ContextScale {
 public:
  static constexpr int kStepsPerOctave = 8;

  explicit ContextScale(qint64 limit);

  [[nodiscard]] qint64 limit() const { return limit_; }
  /// Positions are 0 to last(); the last is the limit.
  [[nodiscard]] int last() const;
  [[nodiscard]] qint64 context_at(int position) const;
  /// The position nearest to a context.
  [[nodiscard]] int position_of(qint64 context) const;
  /// Position and context of the powers of two and of the limit.
  struct Tick {
    int position;
    qint64 context;
  };
  [[nodiscard]] std::vector<Tick> ticks() const;

 private:
  qint64 limit_;
};

}  // namespace planner::gui
