// Predicted against published sizes of GGUF files: gguf_sizes.csv, each row with its source.
//
// A row is predicted as its file was made: with the importance matrix, the head and the rules that its uploader used (Making). What
// remains beyond 2 % has to be explained by name (kExceptions), and an exception that is no longer needed fails the test. The last line
// of the table is the plain answer of the library for the same rows: today's stock quantizer, the model as its config says.
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
#include "planner/gguf_size.h"
#include "support/csv.h"
#include "support/error_table.h"
#include "support/files.h"
#include "support/published_mixes.h"

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
  std::int64_t stock = 0;  ///< what the library answers to a plain question

  [[nodiscard]] double error() const { return (static_cast<double>(predicted) - published) / published; }
  [[nodiscard]] double stock_error() const { return (static_cast<double>(stock) - published) / published; }
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
// How a file was made
// ---------------------------------------------------------------------------------------------------------------------

/// Who made the file: the owner of the repository it lies in, else the name that the note gives; empty: not known.
std::string uploader_of(const test::CsvRow& row) {
  constexpr std::string_view kSite = "huggingface.co/";
  for (const char* column : {"source_url", "note"}) {
    const auto& text = row[column];
    const auto at = text.find(kSite);
    if (at != std::string::npos) return text.substr(at + kSite.size(), text.find('/', at + kSite.size()) - at - kSite.size());
  }
  if (contains(row["note"], "quantizer not stated")) return {};
  for (const char* name : {"bartowski", "unsloth"}) {
    if (contains(row["note"], name)) return name;
  }
  return {};
}

struct Making {
  std::optional<bool> imatrix;  ///< absent: what is usual for the mix
  bool untied = false;          ///< the tied head is stored a second time
  bool llama_layout = false;    ///< converted with Q, K, V and gate, up apart
  std::optional<test::ExpertBranch> branch;
  std::optional<FormatId> uncovered_mtp;
};

/// Files that were made without an importance matrix though others of their uploader, or of their repository, were made with one.
struct NamedRow {
  std::string_view model, mix, source;
};
constexpr std::array kWithoutImatrix = {NamedRow{"Mixtral-8x22B-v0.1", "IQ4_NL", "bartowski"}, NamedRow{"Mixtral-8x22B-v0.1", "IQ4_XS", "bartowski"},
                                        NamedRow{"Llama-3.1-8B", "IQ4_NL", "ggml-org/llama.cpp"}, NamedRow{"Llama-3.1-8B", "IQ4_XS", "ggml-org/llama.cpp"}};
/// Files that store the tied head a second time without their row saying so.
constexpr std::array kUntied = {NamedRow{"mpt-7b-chat", "Q4_0", "gpt4all"}};

bool names(const NamedRow& named, const test::CsvRow& row) {
  return model_name(row) == named.model && row["quant"] == named.mix && (contains(row["source_url"], named.source) || contains(row["note"], named.source));
}

/// Whether an importance matrix was used, where the row says or its uploader always (never) does.
std::optional<bool> imatrix_of(const test::CsvRow& row, const ModelEntry& model) {
  const auto is_named = [&](const NamedRow& named) { return names(named, row); };
  if (std::any_of(kWithoutImatrix.begin(), kWithoutImatrix.end(), is_named)) return false;
  const auto& note = row["note"];
  if (contains(note, "no imatrix") || contains(note, "static")) return false;
  if (contains(note, "imatrix")) return true;
  const auto uploader = uploader_of(row);
  if (uploader == "bartowski") return model.release_date >= "2024-04";
  if (uploader == "unsloth") return model.release_date >= "2025-04" || model.family == "Gemma-3";  // "Dynamic 2.0"
  if (uploader == "gabriellarson") return true;
  if (uploader == "microsoft") return false;
  if (uploader == "mradermacher") return contains(row["source_url"], "-i1-");
  return std::nullopt;
}

Making making_of(const test::CsvRow& row, const ModelEntry& entry) {
  Making m;
  const auto& note = row["note"];
  const auto& mix = row["quant"];
  m.imatrix = imatrix_of(row, entry);
  m.untied = contains(note, "UNTIED COPY") || contains(note, "untied head") ||
             std::any_of(kUntied.begin(), kUntied.end(), [&](const auto& named) { return names(named, row); });
  m.llama_layout = contains(note, "llama-layout conversion");

  // bartowski, and lmstudio-community whose files he makes, quantize mixtures since April 2025 with a branch of their own.
  const auto uploader = uploader_of(row);
  const auto& hp = entry.model().hyperparameters;
  const bool is_tiny = mix.starts_with("IQ1") || mix.starts_with("IQ2");
  const bool is_mixture = hp.n_experts >= 8 && hp.architecture != "gpt-oss" && mix != "Q8_0" && mix != "F16" && mix != "BF16";
  if (is_mixture && (uploader == "bartowski" || uploader == "lmstudio-community") && entry.release_date >= "2025-04") {
    m.branch = entry.release_date >= "2026-02" ? test::ExpertBranch::march_2026
               : entry.release_date >= "2026"  ? test::ExpertBranch::january_2026
                                               : test::ExpertBranch::may_2025;
    // The first of these files came before the branch squeezed the experts of the smallest mixes.
    if (is_tiny && entry.release_date < "2025-05") m.branch.reset();
    if (hp.architecture == "glm4moe") m.uncovered_mtp = entry.id == "glm-4.6" ? FormatId::q2_k : FormatId::q4_k;
  }
  return m;
}

// ---------------------------------------------------------------------------------------------------------------------

Row predict(test::CsvRow csv, const Catalog& catalog) {
  Row row;
  row.published = text::parse_double(csv["size_value"]).value() * unit_bytes(csv["size_unit"]);
  row.rounding = rounding_of(csv);
  const auto& entry = model_of(csv, catalog);
  const auto making = making_of(csv, entry);
  row.architecture = entry.model().hyperparameters.architecture;

  const Model* model = &entry.model();
  std::optional<Model> own;
  if (making.untied || making.llama_layout) {
    auto hp = model->hyperparameters;
    if (making.untied) hp.tied_embeddings = false;
    if (making.llama_layout) hp.architecture = "llama";
    model = &own.emplace(build_model(hp));
  }
  std::unique_ptr<Quantization> made;
  const auto quantization = test::with_old_fused_qkv(catalog.resolve_quantization(csv["quant"], made));
  auto stored = store(*model, quantization, making.imatrix);
  if (making.branch) stored = test::with_expert_branch(*model, quantization.name, making.imatrix.value_or(true), *making.branch, std::move(stored));
  if (making.uncovered_mtp) stored = test::with_uncovered_mtp(*model, *making.uncovered_mtp, std::move(stored));

  const bool is_tensors_only = contains(csv["note"], "basis=tensors");
  REQUIRE((is_tensors_only || contains(csv["note"], "basis=file")));
  const auto tokenizer = catalog.tokenizer_of(entry.model().hyperparameters, entry.hf_id.empty() ? entry.name : entry.hf_id);
  const auto bytes_of = [&](const Model& m, const StoredModel& s) { return is_tensors_only ? s.tensor_bytes : gguf_file_size(m, s, tokenizer).total_bytes; };
  row.predicted = bytes_of(*model, stored);
  row.stock = bytes_of(entry.model(), store(entry.model(), catalog.resolve_quantization(csv["quant"], made)));
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
  constexpr double kMost = 0.01, kMostShare = 0.95;
  constexpr double kExplained = 0.02;

  const auto& catalog = Catalog::builtin();
  const auto facts = test::facts_folder();
  const auto path = facts ? *facts / "gguf_sizes.csv" : test::data_file("gguf_sizes.csv");
  std::vector<Row> rows;
  for (auto& csv : test::read_csv(path)) {
    CAPTURE(csv.line);
    rows.push_back(predict(std::move(csv), catalog));
  }

  test::ErrorTable by_architecture("architecture"), by_mix("mix"), all("");
  std::size_t within_rounding = 0;
  for (const auto& row : rows) {
    const double rounding = row.rounding / row.published;
    by_architecture.add(row.architecture, row.error(), rounding);
    by_mix.add(row.csv["quant"], row.error(), rounding);
    all.add("all rows", row.error(), rounding);
    all.add("all rows, stock", row.stock_error(), rounding);
    within_rounding += std::abs(row.error()) <= rounding + 1e-4 ? 1 : 0;
  }
  fmt::print("{} rows of {}{}\n", rows.size(), path.string(), facts ? "" : " (no folder of facts: the repository's copy)");
  fmt::print("Published GGUF sizes: predicted - published, in per cent; rounding: half of the last digit published (median)\n\n{}\n{}\n{}\n",
             by_architecture.text(), by_mix.text(), all.text());
  fmt::print("{} of {} rows agree within the rounding of the published figure (and 0.01 %)\n\n", within_rounding, rows.size());

  std::vector<bool> used(kExceptions.size());
  for (const auto& row : rows) {
    const auto it = std::find_if(kExceptions.begin(), kExceptions.end(), [&](const auto& e) { return names(e.row, row.csv); });
    if (std::abs(row.error()) > kMost || it != kExceptions.end()) {
      fmt::print("{:+.2f} %  {} {} (line {}): {}\n", 100 * row.error(), row.csv["model"], row.csv["quant"], row.csv.line,
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
}
