#include "logic/words.h"

#include <QLocale>
#include <array>
#include <cmath>

#include "planner/listing.h"
#include "planner/units.h"

namespace planner::gui {
namespace {

/// One locale for numbers whatever the desktop's: the command line writes them the same way.
const QLocale& numbers() {
  static const QLocale english(QLocale::English, QLocale::UnitedStates);
  return english;
}

}  // namespace

QString significant(double value) {
  if (!std::isfinite(value)) return kDash;
  const double size = std::abs(value);
  if (size >= 99.95) return numbers().toString(static_cast<qlonglong>(std::llround(value)));
  if (size >= 9.995) return numbers().toString(value, 'f', 1);
  if (size >= 0.9995) return numbers().toString(value, 'f', 2);
  constexpr double kLeast = 1e-6;
  if (size < kLeast) return numbers().toString(value, 'g', 3);
  return numbers().toString(value, 'f', 2 - static_cast<int>(std::floor(std::log10(size))));
}

QString thousands(qint64 value) { return numbers().toString(value); }

QString rate(double tokens_per_s) { return significant(tokens_per_s) + QStringLiteral(" tok/s"); }

QString gib(std::optional<std::int64_t> bytes) { return bytes ? to_qt(format_gib(*bytes)) : kDash; }

QString gb(std::int64_t bytes) { return to_qt(format_gb(bytes)); }

QString seconds(double s) {
  if (s < 0.1) return significant(s * 1e3) + QStringLiteral(" ms");
  return significant(s) + QStringLiteral(" s");
}

QString dollars(std::optional<double> usd) { return usd ? QStringLiteral("$") + numbers().toString(static_cast<qlonglong>(std::llround(*usd))) : kDash; }

QString tokens(qint64 n) { return to_qt(format_tokens(n)); }

QString parameters(std::int64_t n) {
  constexpr double kBillion = 1e9, kMillion = 1e6;
  const auto value = static_cast<double>(n);
  return value >= kBillion ? significant(value / kBillion) + QStringLiteral(" B") : significant(value / kMillion) + QStringLiteral(" M");
}

std::optional<std::int64_t> parameter_count(const ModelEntry& entry) {
  if (const auto* model = entry.find_model()) return model->parameters().total;
  return entry.published.total;
}

QString word(Verdict verdict) { return to_qt(to_string(verdict)); }

QString sentence(Verdict verdict) {
  static const std::array<QString, 4> kSentences = {QStringLiteral("Fits"), QStringLiteral("Fits, but tight"),
                                                    QStringLiteral("Fits only with a part in host memory"), QStringLiteral("Does not fit")};
  return kSentences[static_cast<std::size_t>(verdict)];
}

QString quantity(double value, const std::string& unit) {
  if (unit == "bytes") return gib(static_cast<std::int64_t>(value));
  if (unit == "s") return seconds(value);
  if (unit == "parameters") return thousands(static_cast<qint64>(value));
  return significant(value) + QStringLiteral(" ") + to_qt(unit);
}

}  // namespace planner::gui
