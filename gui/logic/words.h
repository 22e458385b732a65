// Quantities as the screen shows them. Unknown is a dash.
#pragma once

#include <QString>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "planner/estimate.h"

namespace planner::gui {

[[nodiscard]] inline QString to_qt(std::string_view text) { return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())); }

inline const QString kDash = QStringLiteral("–");

/// Three significant digits, thousands separated: "123", "45.6", "1,230"
[[nodiscard]] QString significant(double value);
[[nodiscard]] QString thousands(qint64 value);
/// "183 tok/s"
[[nodiscard]] QString rate(double tokens_per_s);
/// "12.3 GiB" (format_gib)
[[nodiscard]] QString gib(std::optional<std::int64_t> bytes);
/// "1.12 GB"
[[nodiscard]] QString gb(std::int64_t bytes);
/// "0.030 s", "45 ms"
[[nodiscard]] QString seconds(double s);
/// "1,599 $"
[[nodiscard]] QString dollars(std::optional<double> usd);
/// "128k"
[[nodiscard]] QString tokens(qint64 n);
/// "7.62 B"
[[nodiscard]] QString parameters(std::int64_t n);
/// Parameters of a catalog entry: computed from its geometry, the published count where that is not known.
[[nodiscard]] std::optional<std::int64_t> parameter_count(const ModelEntry& entry);
/// "fits", "tight", "offload", "no"
[[nodiscard]] QString word(Verdict verdict);
/// A whole sentence: "Fits, with 12.3 GiB to spare"
[[nodiscard]] QString sentence(Verdict verdict);

/// A value of an explanation with its unit: "1.23 GiB", "1.10 ms", "287 tokens/s"
[[nodiscard]] QString quantity(double value, const std::string& unit);

}  // namespace planner::gui
