#include "planner/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

struct UnitName {
  std::string_view name;
  double factor;
};

constexpr std::array kByteUnits = {UnitName{"B", 1}, UnitName{"KiB", 0x1p10}, UnitName{"MiB", 0x1p20}, UnitName{"GiB", 0x1p30}, UnitName{"TiB", 0x1p40},
                                   UnitName{"KB", 1e3}, UnitName{"MB", 1e6}, UnitName{"GB", 1e9}, UnitName{"TB", 1e12}};
constexpr std::array kBandwidthUnits = {UnitName{"MB/s", 1e6}, UnitName{"GB/s", 1e9}, UnitName{"TB/s", 1e12}};
constexpr std::array kOpsUnits = {UnitName{"GFLOP/s", 1e9}, UnitName{"TFLOP/s", 1e12}, UnitName{"PFLOP/s", 1e15}, UnitName{"TOP/s", 1e12}, UnitName{"POP/s", 1e15}};
constexpr std::array kPowerUnits = {UnitName{"W", 1}, UnitName{"kW", 1e3}};
constexpr std::array kPriceUnits = {UnitName{"USD", 1}};

double parse(std::string_view text, std::span<const UnitName> units, std::string_view what, std::string_view example) {
  const auto trimmed = text::trim(text);
  std::size_t digits = 0;
  while (digits < trimmed.size() && (std::string_view("0123456789.+-eE").find(trimmed[digits]) != std::string_view::npos)) ++digits;
  const auto number = text::parse_double(trimmed.substr(0, digits));
  const auto unit = text::trim(trimmed.substr(digits));
  if (number && *number >= 0) {
    for (const auto& u : units) {
      if (text::equal_ignoring_case(u.name, unit)) return *number * u.factor;
    }
  }
  throw Error(ErrorKind::usage, fmt::format("'{}' is no {}, expected something like '{}'", trimmed, what, example));
}

std::string three_digits(double value, std::string_view unit) {
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

}  // namespace

std::int64_t parse_bytes(std::string_view text) {
  const double bytes = parse(text, kByteUnits, "size", "24 GiB");
  if (bytes > 0x1p60) throw Error(ErrorKind::usage, fmt::format("'{}' is larger than any memory", text));
  return static_cast<std::int64_t>(std::llround(bytes));
}
BytesPerSecond parse_bandwidth(std::string_view text) { return BytesPerSecond(parse(text, kBandwidthUnits, "bandwidth", "1008 GB/s")); }
OpsPerSecond parse_ops(std::string_view text) { return OpsPerSecond(parse(text, kOpsUnits, "compute rate", "165.2 TFLOP/s")); }
Watts parse_power(std::string_view text) { return Watts(parse(text, kPowerUnits, "power", "450 W")); }
Dollars parse_price(std::string_view text) { return Dollars(parse(text, kPriceUnits, "price", "1599 USD")); }

std::string format_gib(std::int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (std::abs(b) < 0x1p20) return three_digits(b / 0x1p10, "KiB");
  if (std::abs(b) < 0x1p30) return three_digits(b / 0x1p20, "MiB");
  return three_digits(b / 0x1p30, "GiB");
}

std::string format_gb(std::int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (std::abs(b) < 1e6) return three_digits(b / 1e3, "KB");
  if (std::abs(b) < 1e9) return three_digits(b / 1e6, "MB");
  return three_digits(b / 1e9, "GB");
}

}  // namespace planner
