// Predicted against printed in the wild: the logs of memory.csv, each taken as the log that it was read from.
//
// How a group of rows (one id) becomes an EngineLog:
//   engine, engine_version  the reader's engine; forks count as what they are forks of. Without a version, llama.cpp is taken to be about a month younger
//                           than the model (logs are of what is new); ik_llama.cpp and the servers have one set of rules
//   model, hf_id, memory_geom.csv  name and printed geometry; quant and file_size_gib: file type and size
//   n_ctx, n_batch, n_ubatch, n_seq, flash_attn, cache types, n_gpu_layers  as they are; absent ones stay absent: the version's default
//   component, where, mib   a buffer; where=ALL only where there is no row of a device; a place's second model row replaces the first (several loads under one
//                           id), but mapped ranges and caches (a full and a sliding one) add up
//   note                    mla_attn, attn_max_b, --n-cpu-moe, "TP2", "util 0.90", "total_gpu_memory 79.22 GiB"; "breakdown": cache and states in one figure;
//                           "estimate": Ollama's forecast, no allocation
// All layers are on the GPUs and yet a good part of the file is on the host: tensors were placed by hand (-ot), which the rows do not record.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "planner/check.h"
#include "planner/error.h"
#include "planner/units.h"
#include "support/csv.h"
#include "support/error_table.h"
#include "support/files.h"

namespace {

using namespace planner;
using text::contains;

struct Group {
  std::string id;
  std::vector<test::CsvRow> rows;
  const test::CsvRow* geometry = nullptr;
};

template <typename T>
MaybePrinted<T> printed(T value) {
  return Printed<T>{std::move(value), 1};
}

std::optional<double> number_behind(const std::string& note, std::string_view marker) {
  const auto at = note.find(marker);
  if (at == std::string::npos) return std::nullopt;
  std::size_t end = at + marker.size();
  while (end < note.size() && (std::isdigit(static_cast<unsigned char>(note[end])) != 0 || note[end] == '.')) ++end;
  auto digits = note.substr(at + marker.size(), end - at - marker.size());
  while (!digits.empty() && digits.back() == '.') digits.pop_back();
  return text::parse_double(digits);
}

MaybePrinted<std::int64_t> integer(const test::CsvRow& row, std::string_view column) {
  const auto n = text::parse_int(row[column]);
  return n ? printed(*n) : MaybePrinted<std::int64_t>();
}

std::optional<LogEngine> engine_of(const std::string& name) {
  if (name == "ik_llama.cpp") return LogEngine::ik_llama_cpp;
  if (name.starts_with("llama.cpp")) return LogEngine::llama_cpp;
  if (name.starts_with("ollama")) return LogEngine::ollama;
  if (name == "vLLM") return LogEngine::vllm;
  return std::nullopt;
}

std::optional<LogTerm> term_of(const std::string& component) {
  static const std::map<std::string, LogTerm, std::less<>> kTerms = {{"model", LogTerm::model},         {"kv", LogTerm::kv},
                                                                     {"rs", LogTerm::recurrent_state},  {"output", LogTerm::output},
                                                                     {"compute", LogTerm::compute},     {"activation", LogTerm::compute},
                                                                     {"kv_budget", LogTerm::kv_pool},   {"kv_tokens", LogTerm::kv_tokens},
                                                                     {"non_torch", LogTerm::non_torch}, {"graph_capture", LogTerm::graphs},
                                                                     {"total", LogTerm::total}};
  const auto it = kTerms.find(component);
  return it == kTerms.end() ? std::nullopt : std::optional(it->second);
}

/// What the digits leave open. The columns are MiB; engines that print GiB were multiplied.
std::int64_t rounding_of(const test::CsvRow& row, LogEngine engine, double mib) {
  constexpr double kMiB = 0x1p20;
  if (contains(row["note"], "breakdown")) return kMiB;
  if (engine == LogEngine::vllm) {
    const double gib = mib / 1024;
    const bool two_digits = std::abs(gib * 100 - std::round(gib * 100)) < 1e-6;
    return static_cast<std::int64_t>((two_digits ? 0.005 : 0.00005) * 1024 * kMiB);
  }
  if (contains(row["note"], "printed rounded")) return static_cast<std::int64_t>((mib >= 1024 ? 51.2 : 0.05) * kMiB);
  return static_cast<std::int64_t>(0.005 * kMiB) + 1;
}

/// "3x NVIDIA RTX PRO 6000 Blackwell Workstation Edition; NVIDIA GeForce RTX 5090"
std::vector<std::string> device_names(const std::string& column) {
  std::vector<std::string> names;
  for (auto part : text::split(column, ';')) {
    part = text::trim(part);
    std::int64_t count = 1;
    if (const auto x = part.find("x "); x != std::string_view::npos && x > 0 && x < 3) {
      if (const auto n = text::parse_int(part.substr(0, x))) count = *n, part = part.substr(x + 2);
    }
    for (std::int64_t i = 0; i < std::min<std::int64_t>(count, 64) && !part.empty(); ++i) names.emplace_back(part);
  }
  return names;
}

/// Days since 1970 of "2025-04-28" or "2025-04"; nothing where it is no date.
std::optional<double> days_of(const std::string& date) {
  if (date.size() < 7) return std::nullopt;
  const auto year = text::parse_int(date.substr(0, 4));
  const auto month = text::parse_int(date.substr(5, 2));
  const auto day = date.size() >= 10 ? text::parse_int(date.substr(8, 2)) : std::optional<std::int64_t>(1);
  if (!year || !month || !day) return std::nullopt;
  return 365.25 * static_cast<double>(*year - 1970) + 30.44 * static_cast<double>(*month - 1) + static_cast<double>(*day - 1);
}

/// The build of a month after a model's release; empty: of the newest rules.
std::string build_after(const std::string& release) {
  const auto days = days_of(release);
  if (!days) return {};
  const double b4748 = *days_of("2025-02-20");
  constexpr double kBuildsPerDay = 6.7;
  constexpr double kNewest = 6300;
  const double build = 4748 + kBuildsPerDay * (*days + 30 - b4748);
  return build >= kNewest ? std::string() : fmt::format("b{:.0f}", std::max(build, 2000.0));
}

LogModel model_of(const Group& g) {
  const auto& first = g.rows.front();
  LogModel m;
  const auto& name = first["hf_id"].empty() ? first["model"] : first["hf_id"];
  if (!name.empty()) m.name = printed(name);
  if (!first["quant"].empty()) m.file_type = printed(first["quant"]);
  if (const auto gib = text::parse_double(first["file_size_gib"])) {
    m.tensor_bytes = printed(static_cast<std::int64_t>(*gib * 0x1p30));
    m.tensor_bytes_rounding = static_cast<std::int64_t>(0.005 * 0x1p30);
  }
  if (g.geometry == nullptr) return m;
  const auto& geometry = *g.geometry;
  if (!geometry["arch"].empty()) m.architecture = printed(geometry["arch"]);
  m.layers = integer(geometry, "n_layer");
  m.hidden_size = integer(geometry, "n_embd");
  m.heads = integer(geometry, "n_head");
  m.experts = integer(geometry, "n_expert");
  m.vocab_size = integer(geometry, "n_vocab");
  return m;
}

void read_note(const std::string& note, EngineLog& log) {
  auto& s = log.settings;
  if (const auto n = number_behind(note, "mla_attn=")) s.mla = printed(static_cast<std::int64_t>(*n));
  if (const auto n = number_behind(note, "attn_max_b=")) s.attention_max_mib = printed(static_cast<std::int64_t>(*n));
  if (const auto n = number_behind(note, "--n-cpu-moe ")) {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(*n); ++i) s.expert_layers_on_host.push_back(i);
  }
  if (const auto n = number_behind(note, "TP")) s.tensor_parallel = printed(static_cast<std::int64_t>(*n));
  if (const auto n = number_behind(note, "PP")) s.pipeline_parallel = printed(static_cast<std::int64_t>(*n));
  if (const auto f = number_behind(note, "util "); f && *f > 0 && *f <= 1) s.memory_fraction = printed(*f);
  if (const auto gib = number_behind(note, "total_gpu_memory "))
    log.devices.push_back({"CUDA0", {}, static_cast<std::int64_t>(*gib * 0x1p30), std::nullopt, 1});
  if (const auto n = number_behind(note, "rs_seq "))
    s.draft_states = printed(static_cast<std::int64_t>(*n));
  else if (contains(note, "MTP on"))
    s.draft_states = printed<std::int64_t>(2);
  if (contains(note, "cpu-moe)") || contains(note, "auto-fit")) s.other_overrides = printed(true);
}

/// Tensors that were placed by hand, by what lies where.
bool placed_by_hand(const EngineLog& log) {
  const auto& s = log.settings;
  if (!s.expert_layers_on_host.empty() || (s.gpu_layers && s.all_layers && s.gpu_layers->value < s.all_layers->value)) return false;
  double host = 0;
  double all = 0;
  for (const auto& b : log.buffers) {
    if (b.term != LogTerm::model) continue;
    all += static_cast<double>(b.amount);
    if (b.where.starts_with("CPU")) host += static_cast<double>(b.amount);
  }
  constexpr double kEmbeddings = 0.12;
  constexpr double kMost = 0.85;  // the rows of the host are missing
  const bool too_little = log.model.tensor_bytes && all > 0 && all < kMost * static_cast<double>(log.model.tensor_bytes->value);
  return too_little || (all > 0 && host > kEmbeddings * all);
}

/// The log that a group's rows were taken from; `why` where there is none.
std::optional<EngineLog> log_of(const Group& g, const Catalog& catalog, std::string& why) {
  const auto& first = g.rows.front();
  const auto engine = engine_of(first["engine"]);
  if (!engine) {
    why = "logs of this engine are not read";
    return std::nullopt;
  }
  EngineLog log;
  log.origin = g.id;
  log.engine = *engine;
  log.complete = true;
  log.loads = 1;
  log.model = model_of(g);
  auto& s = log.settings;
  s.context = integer(first, "n_ctx");
  s.batch = integer(first, "n_batch");
  s.ubatch = integer(first, "n_ubatch");
  s.sequences = integer(first, "n_seq");
  s.gpu_layers = integer(first, "n_gpu_layers");
  s.all_layers = integer(first, "n_layers_total");
  if (!first["flash_attn"].empty()) s.flash_attention = printed(first["flash_attn"] == "1");
  if (!first["cache_type_k"].empty()) s.kv_type_k = printed(first["cache_type_k"]);
  if (!first["cache_type_v"].empty()) s.kv_type_v = printed(first["cache_type_v"]);
  read_note(first["note"], log);

  auto version = first["engine_version"];
  if (const auto end = version.find_first_of(" -("); end != std::string::npos) version.resize(end);
  if (version.size() > 1 && version.front() == 'v') version.erase(0, 1);
  if (!version.empty() && (version.front() == 'b' || *engine == LogEngine::vllm)) log.version = printed(version);
  if (!log.version && *engine == LogEngine::llama_cpp && log.model.name) {
    try {
      log.style_version = build_after(catalog.resolve_model(log.model.name->value).release_date);
    } catch (const Error&) {
      // The check will say that nobody knows it.
    }
  }

  // The server's own choice: four slots on one cache (kv_unified is printed, but no column of the table).
  constexpr std::int64_t kFirstWithUnifiedSlots = 6900;
  const auto build = log.version ? text::parse_int(log.version->value.substr(1)) : text::parse_int(log.style_version.substr(log.style_version.empty() ? 0 : 1));
  const bool newest = *engine == LogEngine::llama_cpp && (build ? *build >= kFirstWithUnifiedSlots : log.style_version.empty());
  if (newest && s.sequences && s.sequences->value == 4) s.kv_unified = printed(true);

  const auto names = device_names(first["device"]);
  for (std::size_t i = 0; i < names.size() && *engine != LogEngine::vllm; ++i) {
    for (const std::string_view prefix : {"CUDA", "Vulkan", "ROCm", "SYCL"})
      log.devices.push_back({fmt::format("{}{}", prefix, i), names[i], std::nullopt, std::nullopt, 1});
    if (i == 0) log.devices.push_back({"Metal", names[i], std::nullopt, std::nullopt, 1});
  }
  bool forecast = false;
  for (const auto& row : g.rows) {
    const auto term = term_of(row["component"]);
    const auto mib = text::parse_double(row["mib"]);
    if (!term || !mib) continue;
    forecast = forecast || contains(row["note"], "(ollama ESTIMATE") || contains(row["note"], "ollama estimate");
    LogBuffer b{row["where"], *term, 0, 0, row.line, contains(row["note"], "breakdown") ? "with states" : ""};
    b.amount = *term == LogTerm::kv_tokens ? static_cast<std::int64_t>(*mib) : static_cast<std::int64_t>(*mib * 0x1p20);
    b.rounding = *term == LogTerm::kv_tokens ? 0 : rounding_of(row, *engine, *mib);
    const bool adds_up = *term == LogTerm::kv || b.where.ends_with("_Mapped");
    const auto same = std::find_if(log.buffers.begin(), log.buffers.end(), [&](const LogBuffer& x) { return x.term == b.term && x.where == b.where; });
    if (same != log.buffers.end() && !adds_up)
      *same = std::move(b);
    else
      log.buffers.push_back(std::move(b));
  }
  for (const auto term : {LogTerm::kv, LogTerm::model, LogTerm::recurrent_state, LogTerm::compute}) {
    const auto of_device = [&](const LogBuffer& b) { return b.term == term && b.where != "ALL"; };
    if (std::any_of(log.buffers.begin(), log.buffers.end(), of_device))
      std::erase_if(log.buffers, [&](const LogBuffer& b) { return b.term == term && b.where == "ALL"; });
  }
  if (forecast) {
    why = "Ollama's forecast, no allocation";
    return std::nullopt;
  }
  if (*engine == LogEngine::vllm) {
    for (auto& d : log.devices) d.where = "rank 0";
    for (auto& b : log.buffers) b.where = b.term == LogTerm::kv_tokens ? "ALL" : "rank 0";
  }
  if (placed_by_hand(log)) s.other_overrides = printed(true);
  return log;
}

std::vector<Group> read_groups(const std::filesystem::path& facts, std::vector<test::CsvRow>& geometry) {
  std::vector<Group> groups;
  for (auto& row : test::read_csv(facts / "memory.csv")) {
    if (groups.empty() || groups.back().id != row["id"]) groups.push_back({row["id"], {}, nullptr});
    groups.back().rows.push_back(std::move(row));
  }
  geometry = test::read_csv(facts / "memory_geom.csv");
  for (auto& g : groups) {
    for (const auto& row : geometry) {
      if (row["id"] == g.id) g.geometry = &row;
    }
  }
  return groups;
}

std::string short_name(LogEngine engine) { return engine == LogEngine::ik_llama_cpp ? "ik" : std::string(to_string(engine)); }

}  // namespace

TEST_CASE("accuracy: buffers printed in the wild") {
  // Of the 232 logs; fewer mean that models, names or flags are no longer understood.
  constexpr std::size_t kFewestAnswered = 190;

  const auto facts = test::facts_folder();
  if (!facts) {
    MESSAGE("no folder of facts: nothing to compare");
    return;
  }
  const auto& catalog = Catalog::builtin();
  std::vector<test::CsvRow> geometry;
  const auto groups = read_groups(*facts, geometry);

  test::ErrorTable by_architecture("engine, architecture, component");
  test::ErrorTable by_component("engine, component");
  std::map<std::string, std::vector<std::string>> left_out, rows_left_out;
  std::vector<std::string> far_off;
  std::size_t answered = 0;
  std::size_t kv_rows = 0, kv_exact = 0;
  for (const auto& g : groups) {
    CAPTURE(g.id);
    std::string why;
    const auto log = log_of(g, catalog, why);
    if (!log) {
      left_out[why].push_back(g.id);
      continue;
    }
    try {
      const auto check = check_log(*log, {}, catalog);
      if (check.compared() == 0) {
        left_out["no row can be compared: " + (check.rows.empty() ? std::string("none") : check.rows.front().reason)].push_back(g.id);
        continue;
      }
      ++answered;
      const auto add = [&](const CheckRow& row, const std::string& component) {
        const auto error = row.error();
        if (!error) return;
        const double rounding = static_cast<double>(row.rounding) / static_cast<double>(row.printed);
        by_component.add(fmt::format("{} {}", short_name(log->engine), component), *error, rounding);
        by_architecture.add(fmt::format("{} {} {}", short_name(log->engine), check.model.architecture, component), *error, rounding);
      };
      for (const auto& row : check.rows) {
        if (row.verdict == CheckVerdict::not_compared) {
          rows_left_out[row.reason.substr(0, row.reason.find(':'))].push_back(fmt::format("{} {} {}", g.id, row.device, to_string(row.term)));
          continue;
        }
        add(row, std::string(to_string(row.term)));
        const bool is_exact_kind = row.term == LogTerm::model || row.term == LogTerm::kv || row.term == LogTerm::recurrent_state || row.term == LogTerm::output;
        if (is_exact_kind && row.verdict == CheckVerdict::outside) {
          far_off.push_back(fmt::format("{} {} {} {} {}: {:.2f} MiB, predicted {:.2f}", g.id, short_name(log->engine), check.model.id, row.device,
                                        to_string(row.term), static_cast<double>(row.printed) / 0x1p20, static_cast<double>(*row.predicted) / 0x1p20));
        }
        if (row.term == LogTerm::kv || row.term == LogTerm::recurrent_state) {
          ++kv_rows;
          kv_exact += std::abs(*row.predicted - row.printed) <= kMiB / 10 + row.rounding ? 1 : 0;
        }
      }
      for (const auto& row : check.totals) add(row, "total");
    } catch (const Error& e) {
      const std::string message = e.what();
      left_out[message.substr(message.find(": ") == std::string::npos ? 0 : message.find(": ") + 2)].push_back(g.id);
    }
  }

  fmt::print("{} of {} logs answered; predicted - printed, in per cent\n{}\n{}\n", answered, groups.size(), by_component.text(), by_architecture.text());
  fmt::print("cache and recurrent state: {} of {} rows within 0.1 MiB\n", kv_exact, kv_rows);
  fmt::print("\nweights, cache, state and output off by more than 5 %\n");
  for (const auto& row : far_off) fmt::print("  {}\n", row);
  fmt::print("\nlogs left out\n");
  for (const auto& [why, ids] : left_out) fmt::print("  {}: {}\n", why, fmt::join(ids, " "));
  fmt::print("\nrows left out\n");
  for (const auto& [why, rows] : rows_left_out) fmt::print("  {} rows: {}\n", rows.size(), why);
  CHECK_GE(answered, kFewestAnswered);
}
