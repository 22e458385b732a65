#include "planner/measurement.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>

#include "calibration/builtin_measurements.h"
#include "calibration/table.h"
#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

constexpr std::array<std::string_view, 20> kHeading = {"id",     "device", "devices", "split",  "backend", "engine", "version",         "date",         "model",  "published_quantization", "quantization",
                                                       "size_gib", "test",   "tokens",  "depth",  "ubatch",  "flash_attention", "tokens_per_s", "source", "not_fitted"};
enum Column : std::size_t { id, device, devices, split, backend, engine, version, date, model, published, quantization, size_gib, test, tokens, depth, ubatch, flash_attention, rate, source, not_fitted };

/// "2024", "2024-05" -> the middle of it; 0 where nothing is stated.
double year_of(std::string_view text) {
  const auto parts = text::split(text, '-');
  const auto year = text::parse_int(parts.front());
  if (!year || *year < 2000 || *year > 2100) return 0;
  const auto month = parts.size() > 1 ? text::parse_int(parts[1]) : std::nullopt;
  return static_cast<double>(*year) + (month ? (static_cast<double>(*month) - 0.5) / 12 : 0.5);
}

std::string date_of(double year) {
  if (year <= 0) return {};
  const double whole = std::floor(year);
  return fmt::format("{:.0f}-{:02.0f}", whole, std::floor((year - whole) * 12) + 1);
}

}  // namespace

std::string_view to_string(MeasuredTest t) { return t == MeasuredTest::decode ? "decode" : "prefill"; }

std::vector<Measurement> read_measurements(std::string_view csv, std::string_view sources, const std::string& origin) {
  std::map<std::string, std::string, std::less<>> addresses;
  calibration::read_table(sources, [&](std::int64_t, const std::vector<std::string>& row) {
    if (row.size() == 2) addresses[row[0]] = row[1];
  });
  std::vector<Measurement> out;
  calibration::read_table(csv, [&](std::int64_t line, const std::vector<std::string>& row) {
    const auto fail = [&](const std::string& problem) { throw Error(ErrorKind::invalid_file, fmt::format("{}:{}: {}", origin, line, problem)); };
    if (row.size() != kHeading.size()) fail(fmt::format("{} columns, expected {}", row.size(), kHeading.size()));
    if (line == 1) {
      for (std::size_t i = 0; i < kHeading.size(); ++i) {
        if (row[i] != kHeading[i]) fail(fmt::format("column '{}', expected '{}'", row[i], kHeading[i]));
      }
      return;
    }
    const auto number = [&](Column c, double otherwise) {
      if (row[c].empty()) return otherwise;
      const auto v = text::parse_double(row[c]);
      if (!v || *v < 0) fail(fmt::format("{} is '{}', expected a number", kHeading[c], row[c]));
      return v.value_or(0);
    };
    Measurement m;
    m.id = row[id], m.device = row[device], m.split = row[split], m.backend = row[backend], m.engine = row[engine], m.version = row[version];
    m.model = row[model], m.quantization = row[quantization], m.not_fitted = row[not_fitted];
    m.devices = static_cast<std::int64_t>(number(devices, 1));
    m.year = year_of(row[date]);
    m.size_gib = number(size_gib, 0);
    if (row[test] != "decode" && row[test] != "prefill") fail("test is '" + row[test] + "', expected decode or prefill");
    m.test = row[test] == "decode" ? MeasuredTest::decode : MeasuredTest::prefill;
    m.tokens = number(tokens, 0), m.depth = number(depth, 0), m.ubatch = number(ubatch, 0);
    if (!row[flash_attention].empty()) m.flash_attention = row[flash_attention] == "1";
    m.tokens_per_s = number(rate, 0);
    if (m.tokens_per_s <= 0) fail("tokens_per_s is '" + row[rate] + "', expected a rate");
    const auto it = addresses.find(row[source]);
    m.source = it != addresses.end() ? it->second : row[source];
    out.push_back(std::move(m));
  });
  return out;
}

std::string write_measurements(const std::vector<Measurement>& rows) {
  std::string out;
  for (std::size_t i = 0; i < kHeading.size(); ++i) out += fmt::format("{}{}", i > 0 ? "," : "", kHeading[i]);
  out += '\n';
  const auto n = [](double v) { return v > 0 ? fmt::format("{:.10g}", v) : std::string(); };
  for (const auto& m : rows) {
    const std::string fields[] = {m.id, m.device, std::to_string(m.devices), m.split, m.backend, m.engine, m.version, date_of(m.year), m.model, m.quantization, m.quantization, n(m.size_gib),
                                  std::string(to_string(m.test)), n(m.tokens), n(m.depth), n(m.ubatch), m.flash_attention ? (*m.flash_attention ? "1" : "0") : "", n(m.tokens_per_s), m.source, m.not_fitted};
    static_assert(std::size(fields) == kHeading.size());
    for (std::size_t i = 0; i < std::size(fields); ++i) out += (i > 0 ? "," : "") + calibration::table_field(fields[i]);
    out += '\n';
  }
  return out;
}

std::vector<Measurement> builtin_measurements() { return read_measurements(calibration::throughput_csv(), calibration::sources_csv(), "data/measurements/throughput.csv"); }

}  // namespace planner
