// Predicted against published sizes of GGUF files: gguf_sizes.csv, each row with its source.
//
// The library is asked by name for each row's file: the mix, and the publisher where the catalog knows the row's (quantization_of). What
// remains beyond 2 % has to be explained by name (kExceptions), and an exception that is no longer needed fails the test. The second
// table is the plain answer for the same rows: the mix alone, as somebody asks who has no certain file in mind.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/catalog.h"
#include "planner/error.h"
#include "planner/estimate.h"
#include "support/csv.h"
#include "support/error_table.h"
#include "support/files.h"

namespace {

using namespace planner;
using text::contains;

// ---------------------------------------------------------------------------------------------------------------------
// Rows
// ---------------------------------------------------------------------------------------------------------------------

struct Row {
  test::CsvRow csv;
  std::string architecture;
  double published = 0;  ///< bytes
  double rounding = 0;   ///< half of the last digit printed, in bytes
  std::int64_t predicted = 0;
  std::int64_t plain = 0;  ///< for the mix alone
  std::string asked;       ///< quantization

  [[nodiscard]] double error() const { return (static_cast<double>(predicted) - published) / published; }
  [[nodiscard]] double plain_error() const { return (static_cast<double>(plain) - published) / published; }
};

double unit_bytes(const std::string& unit) {
  if (unit == "GiB") return 0x1p30;
  if (unit == "GB") return 1e9;
  REQUIRE_EQ(unit, "B");
  return 1;
}

int decimals(const std::string& number) {
  const auto point = number.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(number.size() - point - 1);
}

/// Half of the last digit that the source printed; sums of shards state their own.
double rounding_of(const test::CsvRow& row) {
  static const std::regex quoted(R"~("([0-9.]+) (MB|GB)")~");
  static const std::regex stated(R"~(\+-([0-9.]+) GiB at worst)~");
  const auto& note = row["note"];
  std::smatch m;
  if (std::regex_search(note, m, stated)) return text::parse_double(m[1].str()).value() * 0x1p30;
  if (std::regex_search(note, m, quoted)) return 0.5 * std::pow(10.0, -decimals(m[1])) * (m[2] == "MB" ? 0x1p20 : 0x1p30);
  if (row["size_unit"] == "B") return 0;
  return 0.5 * std::pow(10.0, -decimals(row["size_value"])) * unit_bytes(row["size_unit"]);
}

/// The table appends remarks in brackets: "Mixtral-8x7B (variant not stated)".
std::string model_name(const test::CsvRow& row) { return row["model"].substr(0, row["model"].find(" (")); }

const ModelEntry& model_of(const test::CsvRow& row, const Catalog& catalog) {
  try {
    return catalog.resolve_model(row["hf_id"]);
  } catch (const Error&) {
    return catalog.resolve_model(model_name(row));
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Whose file
// ---------------------------------------------------------------------------------------------------------------------

struct NamedRow {
  std::string_view model, mix, source;
};

bool names(const NamedRow& named, const test::CsvRow& row) {
  return model_name(row) == named.model && row["quant"] == named.mix && (contains(row["source_url"], named.source) || contains(row["note"], named.source));
}

/// Files that were made without an importance matrix, which their source does not say.
constexpr std::array kStatic = {NamedRow{"Llama-3.1-8B", "IQ4_NL", "ggml-org/llama.cpp"}, NamedRow{"Llama-3.1-8B", "IQ4_XS", "ggml-org/llama.cpp"}};

/// "OWNER/REPOSITORY" of the row: that of the site where the file lies, else of the page that tells of it; empty: neither has one.
std::string repository_of(const test::CsvRow& row) {
  for (const std::string_view site : {"huggingface.co/", "github.com/"}) {
    for (const char* column : {"source_url", "note"}) {
      const auto& text = row[column];
      const auto at = text.find(site);
      if (at == std::string::npos) continue;
      const auto begin = at + site.size();
      const auto slash = text.find('/', begin);
      if (slash == std::string::npos) continue;
      return text.substr(begin, text.find_first_of("/ ;,)", slash + 1) - begin);
    }
  }
  return {};
}

/// What the library is asked for: the row's mix, of the publisher that the catalog knows by the row's repository, else by a name in its note; with what the
/// note states of the file and no publisher stands for.
std::string quantization_of(const test::CsvRow& row, const Catalog& catalog) {
  const auto& note = row["note"];
  const auto& mix = row["quant"];
  const auto repository = repository_of(row);
  const auto owner = repository.substr(0, repository.find('/'));
  std::string asked = mix;
  std::string publisher;
  if (catalog.find_publisher(owner) != nullptr) {
    publisher = owner;
    asked = fmt::format("{}:{}", repository, mix);
  } else if (!contains(note, "quantizer not stated")) {
    for (const auto* p : catalog.publishers()) {
      if (publisher.empty() && contains(note, p->id + ",")) publisher = p->id, asked = fmt::format("{}@{}", mix, publisher);
    }
  }
  const bool is_required = mix.starts_with("IQ1") || mix.starts_with("IQ2");
  const bool is_static = contains(note, "no imatrix") || contains(note, "static") ||
                         std::any_of(kStatic.begin(), kStatic.end(), [&](const auto& named) { return names(named, row); });
  if (is_static) {
    if (!is_required) asked += "+static";
  } else if (contains(note, "imatrix") && publisher.empty()) {
    asked += "+imatrix";
  }
  if (contains(note, "UNTIED COPY") && catalog.find_publisher(owner) == nullptr) asked += "+untied";
  return asked;
}

// ---------------------------------------------------------------------------------------------------------------------

/// What the library answers.
QuantizationSummary answer(const std::string& model, const std::string& quantization, const Catalog& catalog) {
  EstimateRequest request;
  request.model = model;
  request.quantization = quantization;
  request.devices = {"cpu"};
  request.context = 1;
  request.solve = false;
  return estimate(request, catalog).quantization.value();
}

Row predict(test::CsvRow csv, const Catalog& catalog) {
  Row row;
  row.published = text::parse_double(csv["size_value"]).value() * unit_bytes(csv["size_unit"]);
  row.rounding = rounding_of(csv);
  const auto& entry = model_of(csv, catalog);
  row.architecture = entry.model().hyperparameters.architecture;
  row.asked = quantization_of(csv, catalog);

  const bool is_tensors_only = contains(csv["note"], "basis=tensors");
  REQUIRE((is_tensors_only || contains(csv["note"], "basis=file")));
  const auto bytes_of = [&](const std::string& quantization) {
    const auto q = answer(entry.id, quantization, catalog);
    return is_tensors_only ? q.tensor_bytes : q.file_size_bytes;
  };
  row.predicted = bytes_of(row.asked);
  row.plain = bytes_of(csv["quant"]);
  row.csv = std::move(csv);
  return row;
}

/// Rows that stay beyond 2 % and why.
struct Exception {
  NamedRow row;
  std::string_view reason;
};
constexpr std::array kExceptions = {
    Exception{{"granite-4.0-micro", "Q4_K_M", "docker"}, "the size is that of granite-4.0-h-micro (3.19 B, hybrid), not of granite-4.0-micro (3.40 B)"},
    Exception{{"Qwen3-30B-A3B", "IQ2_M", "bartowski"}, "made with an earlier state of the expert branch, which gave the first eighth of the experts IQ3_XXS"},
};

}  // namespace

TEST_CASE("accuracy: published GGUF sizes") {
  constexpr double kMedian = 0.002;
  constexpr double kMost = 0.01, kMostShare = 0.99, kPlainShare = 0.84;
  constexpr double kExplained = 0.02;

  const auto& catalog = Catalog::builtin();
  const auto facts = test::facts_folder();
  const auto path = facts ? *facts / "gguf_sizes.csv" : test::data_file("gguf_sizes.csv");
  std::vector<Row> rows;
  for (auto& csv : test::read_csv(path)) {
    CAPTURE(csv.line);
    rows.push_back(predict(std::move(csv), catalog));
  }

  test::ErrorTable by_architecture("architecture"), by_mix("mix"), all(""), plain_by_architecture("architecture"), plain_by_mix("mix");
  std::size_t within_rounding = 0;
  for (const auto& row : rows) {
    const double rounding = row.rounding / row.published;
    by_architecture.add(row.architecture, row.error(), rounding);
    by_mix.add(row.csv["quant"], row.error(), rounding);
    all.add("all rows", row.error(), rounding);
    all.add("all rows, plain", row.plain_error(), rounding);
    plain_by_architecture.add(row.architecture, row.plain_error(), rounding);
    plain_by_mix.add(row.csv["quant"], row.plain_error(), rounding);
    within_rounding += std::abs(row.error()) <= rounding + 1e-4 ? 1 : 0;
  }
  fmt::print("{} rows of {}{}\n", rows.size(), path.string(), facts ? "" : " (no folder of facts: the repository's copy)");
  fmt::print("Published GGUF sizes: predicted - published, in per cent; rounding: half of the last digit published (median)\n\n{}\n{}\n{}\n",
             by_architecture.text(), by_mix.text(), all.text());
  fmt::print("The same rows, asked for the mix alone, without a publisher\n\n{}\n{}\n", plain_by_architecture.text(), plain_by_mix.text());
  fmt::print("within 1 %: {:.1f} % of the rows as published, {:.1f} % asked for the mix alone\n", 100 * all.share_within("all rows", kMost),
             100 * all.share_within("all rows, plain", kMost));
  fmt::print("{} of {} rows agree within the rounding of the published figure (and 0.01 %)\n\n", within_rounding, rows.size());

  std::vector<bool> used(kExceptions.size());
  for (const auto& row : rows) {
    const auto it = std::find_if(kExceptions.begin(), kExceptions.end(), [&](const auto& e) { return names(e.row, row.csv); });
    if (std::abs(row.error()) > kMost || it != kExceptions.end()) {
      fmt::print("{:+.2f} %  {} {} (line {}): {}\n", 100 * row.error(), row.csv["model"], row.asked, row.csv.line,
                 it == kExceptions.end() ? "-" : it->reason);
    }
    if (it != kExceptions.end()) {
      used[static_cast<std::size_t>(it - kExceptions.begin())] = true;
      CHECK_MESSAGE(std::abs(row.error()) > kMost, "the exception for " << row.csv["model"] << " " << row.csv["quant"] << " is no longer needed");
    } else {
      CHECK_MESSAGE(std::abs(row.error()) <= kExplained,
                    row.csv["model"] << " " << row.csv["quant"] << " (line " << row.csv.line << ") is off by " << 100 * row.error() << " %");
    }
  }
  for (std::size_t i = 0; i < used.size(); ++i)
    CHECK_MESSAGE(used[i], "no row is meant by the exception for " << kExceptions[i].row.model << " " << kExceptions[i].row.mix);
  CHECK_LE(all.median("all rows"), kMedian);
  CHECK_GE(all.share_within("all rows", kMost), kMostShare);
  CHECK_LE(all.median("all rows, plain"), kMedian);
  CHECK_GE(all.share_within("all rows, plain", kMost), kPlainShare);
}
