// Quantities and their text form.
#include <doctest/doctest.h>

#include <string>

#include "core/text.h"
#include "planner/error.h"
#include "planner/units.h"

namespace {

using namespace planner;

template <typename A, typename B>
concept Addable = requires(A a, B b) {
  a + b;
};
template <typename A, typename B>
concept Comparable = requires(A a, B b) {
  a < b;
};

// Different units never mix by accident, and a bare number is no quantity.
static_assert(Addable<BytesPerSecond, BytesPerSecond>);
static_assert(!Addable<BytesPerSecond, OpsPerSecond>);
static_assert(!Addable<Watts, Dollars>);
static_assert(!Comparable<BytesPerSecond, OpsPerSecond>);
static_assert(!std::is_convertible_v<double, Watts>);
static_assert(!std::is_convertible_v<Watts, double>);

template <typename Parse>
std::string error_of(Parse parse) {
  try {
    parse();
  } catch (const Error& e) {
    CHECK_EQ(e.kind(), ErrorKind::usage);
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("units: binary and decimal sizes are different words") {
  CHECK_EQ(parse_bytes("24 GiB"), 24 * kGiB);
  CHECK_EQ(parse_bytes("24 GB"), 24000000000);
  CHECK_EQ(parse_bytes("24GB"), 24000000000);
  CHECK_EQ(parse_bytes("1.5 TiB"), 1536 * kGiB);
  CHECK_EQ(parse_bytes("512 MiB"), 512 * kMiB);
  CHECK_EQ(parse_bytes("2 KiB"), 2 * kKiB);
  CHECK_EQ(parse_bytes("3 KB"), 3000);
  CHECK_EQ(parse_bytes("1 TB"), 1000000000000);
  CHECK_EQ(parse_bytes("7 B"), 7);
  CHECK_EQ(parse_bytes("  8 gib  "), 8 * kGiB);
  CHECK_EQ(parse_bytes("0 B"), 0);
}

TEST_CASE("units: rates, power and prices") {
  CHECK_EQ(parse_bandwidth("1008 GB/s"), BytesPerSecond(1008e9));
  CHECK_EQ(parse_bandwidth("1.8 TB/s"), BytesPerSecond(1.8e12));
  CHECK_EQ(parse_ops("165.2 TFLOP/s"), OpsPerSecond(165.2e12));
  CHECK_EQ(parse_ops("660.6 TOP/s"), OpsPerSecond(660.6e12));
  CHECK_EQ(parse_ops("1.8 PFLOP/s"), OpsPerSecond(1.8e15));
  CHECK_EQ(parse_power("1.2 kW"), Watts(1200));
  CHECK_EQ(parse_price("1599 USD"), Dollars(1599));
  CHECK_EQ((Watts(300) + Watts(150)) * 2, Watts(900));
  CHECK_LT(BytesPerSecond(1e9), parse_bandwidth("2 GB/s"));
}

TEST_CASE("units: what is no quantity is told with an example") {
  for (const std::string text :
       {"", "24", "GiB", "24 GiBs", "24 Gb/s", "-1 GiB", "1,5 GiB", "24 GiB 7", "nan GiB", "inf GiB", "1e999 B", "0x10 B", "24 GiB\n24 GiB", "--1 B"}) {
    CAPTURE(text);
    const auto error = error_of([&] { (void)parse_bytes(text); });
    CHECK(text::contains(error, "24 GiB"));
    CHECK(text::contains(error, "'" + std::string(text::trim(text)) + "'"));
  }
  CHECK_NE(error_of([] { (void)parse_bytes("1e30 TiB"); }), "");
  CHECK_NE(error_of([] { (void)parse_bandwidth("1008 GiB/s"); }), "");
  CHECK_NE(error_of([] { (void)parse_ops("165 TFLOPS"); }), "");
  CHECK_NE(error_of([] { (void)parse_price("1599 EUR"); }), "");
  CHECK_NE(error_of([] { (void)parse_power("450"); }), "");
}

TEST_CASE("units: sizes are printed with three digits") {
  CHECK_EQ(format_gib(0), "0.00 KiB");
  CHECK_EQ(format_gib(1536), "1.50 KiB");
  CHECK_EQ(format_gib(512 * kMiB), "512 MiB");
  CHECK_EQ(format_gib(kGiB), "1.00 GiB");
  CHECK_EQ(format_gib(24 * kGiB), "24.0 GiB");
  CHECK_EQ(format_gib(141 * kGiB), "141 GiB");
  CHECK_EQ(format_gb(1117320736), "1.12 GB");
  CHECK_EQ(format_gb(999999), "1000 KB");
  CHECK_EQ(format_gb(42500000000), "42.5 GB");
  CHECK_EQ(format_gb(-1500000000), "-1.50 GB");
}
