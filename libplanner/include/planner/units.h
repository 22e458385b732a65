/// Quantities with their unit in the type, and their text form in data files and on the command line.
///
/// GiB and GB are different words: capacities are binary (KiB, MiB, GiB, TiB), bandwidths and download sizes decimal (MB, GB, TB).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace planner {

inline constexpr std::int64_t kKiB = std::int64_t{1} << 10;
inline constexpr std::int64_t kMiB = std::int64_t{1} << 20;
inline constexpr std::int64_t kGiB = std::int64_t{1} << 30;
inline constexpr double kGB = 1e9;

/// A number of some unit. Quantities of one unit add and compare; different units never mix by accident.
template <typename Unit>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double value) : value_(value) {}
  [[nodiscard]] constexpr double value() const { return value_; }
  friend constexpr auto operator<=>(const Quantity&, const Quantity&) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.value_ + b.value_); }
  friend constexpr Quantity operator*(Quantity a, double factor) { return Quantity(a.value_ * factor); }

 private:
  double value_ = 0;
};

using BytesPerSecond = Quantity<struct BytesPerSecondUnit>;
using OpsPerSecond = Quantity<struct OpsPerSecondUnit>;  ///< FLOP/s or integer operations/s; a multiply-add is two
using Watts = Quantity<struct WattsUnit>;
using Dollars = Quantity<struct DollarsUnit>;

/// "24 GiB" -> bytes. Units: B, KiB, MiB, GiB, TiB, KB, MB, GB, TB (decimal); the space is optional.
/// Throws Error (usage) naming what was expected.
[[nodiscard]] std::int64_t parse_bytes(std::string_view text);
/// "1008 GB/s", "1.8 TB/s" -> bytes per second.
[[nodiscard]] BytesPerSecond parse_bandwidth(std::string_view text);
/// "165.2 TFLOP/s", "660.6 TOP/s", "1.8 PFLOP/s" -> operations per second.
[[nodiscard]] OpsPerSecond parse_ops(std::string_view text);
/// "450 W", "1.2 kW"
[[nodiscard]] Watts parse_power(std::string_view text);
/// "1599 USD"
[[nodiscard]] Dollars parse_price(std::string_view text);

/// Binary capacity with three significant digits: "1.04 GiB", "512 MiB".
[[nodiscard]] std::string format_gib(std::int64_t bytes);
/// Decimal size: "1.12 GB".
[[nodiscard]] std::string format_gb(std::int64_t bytes);

}  // namespace planner
