#include "support/log_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/text.h"
#include "planner/error.h"
#include "planner/units.h"

namespace planner::test {
namespace {

using text::contains;

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

MaybePrinted<std::int64_t> integer(const CsvRow& row, std::string_view column) {
  const auto n = text::parse_int(row[column]);
  return n ? printed(*n) : MaybePrinted<std::int64_t>();
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
std::int64_t rounding_of(const CsvRow& row, LogEngine engine, double mib) {
  constexpr double kMiB = 0x1p20;
  if (contains(row["note"], "breakdown")) return kMiB;
  if (is_server(engine)) {
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
  struct Anchor {
    const char* date;
    double build;
  };
  constexpr Anchor kAnchors[] = {{"2024-05-06", 2797}, {"2025-02-20", 4748}, {"2025-06-10", 5622}, {"2025-12-10", 7342}, {"2026-05-15", 9172}, {"2026-07-01", 9849}};
  const double at = *days + 30;
  for (std::size_t i = 1; i < std::size(kAnchors); ++i) {
    const double from = *days_of(kAnchors[i - 1].date);
    const double to = *days_of(kAnchors[i].date);
    if (at < to) return fmt::format("b{:.0f}", std::max(2000.0, kAnchors[i - 1].build + (at - from) / (to - from) * (kAnchors[i].build - kAnchors[i - 1].build)));
  }
  return {};
}

/// The build of ik_llama.cpp of the time when a log was posted: threads and pull requests of its repository are numbered as time goes; the runs of one
/// other repository are of August 2025 (speed over context) and of March 2026 (perplexity), whose builds count the merges of a fork as well.
std::string ik_build_of(const CsvRow& row) {
  struct Anchor {
    std::int64_t number, build;
  };
  constexpr Anchor kAnchors[] = {{188, 3551}, {235, 3575}, {262, 3592}, {273, 3599}, {299, 3615}, {341, 3649}, {370, 3663}, {394, 3679}, {430, 3704},
                                 {461, 3714}, {520, 3745}, {560, 3774}, {630, 3807}, {700, 3843}, {800, 3897}, {900, 3950}, {943, 3983}};
  const auto& source = row["source_url"];
  if (contains(source, "/ts_graphs/")) return "b3844";
  if (contains(source, "/bench_ppl")) return "b4364";
  const auto slash = source.find_last_of('/');
  const auto number = contains(source, "/ik_llama.cpp/") ? text::parse_int(std::string_view(source).substr(slash + 1)) : std::nullopt;
  if (!number) return {};
  const auto* after = std::find_if(std::begin(kAnchors), std::end(kAnchors), [&](const Anchor& a) { return a.number >= *number; });
  if (after == std::begin(kAnchors) || after == std::end(kAnchors)) return {};
  const auto* before = after - 1;
  // Discussions go on for months.
  constexpr std::int64_t kLater = 40;
  return fmt::format("b{}", (contains(source, "/discussions/") ? kLater : 0) + before->build + (*number - before->number) * (after->build - before->build) / (after->number - before->number));
}

/// The generation of a server's rules two weeks after a model's release: logs are of what is new.
std::string generation_after(const std::string& release, const Engine& engine) {
  const auto days = days_of(release);
  if (!days) return {};
  constexpr double kLag = 14;
  std::string since = "0.0";
  for (const auto& rules : engine.server) {
    const auto from = days_of(rules.date);
    if (from && *from <= *days + kLag) since = rules.since;
  }
  return since;
}

LogModel model_of(const LogGroup& g) {
  const auto& first = g.rows.front();
  LogModel m;
  const auto& name = first["hf_id"].empty() ? first["model"] : first["hf_id"];
  if (!name.empty()) m.name = printed(name);
  if (!first["quant"].empty()) m.file_type = printed(first["quant"]);
  if (const auto gib = text::parse_double(first["file_size_gib"])) {
    m.tensor_bytes = printed(static_cast<std::int64_t>(*gib * 0x1p30));
    m.tensor_bytes_rounding = static_cast<std::int64_t>(0.005 * 0x1p30);
  }
  if (!g.geometry) return m;
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
  if (const auto n = number_behind(note, "fused_moe=")) s.fused_experts = printed(*n != 0);
  // "c^KV": the latent is cached, and beside it "kv^T" where flash attention is off; full heads otherwise.
  if (!s.mla && log.engine == LogEngine::ik_llama_cpp) {
    if (contains(note, "c^KV")) s.mla = printed<std::int64_t>(1);
    else if (note.starts_with("K ")) s.mla = printed<std::int64_t>(0);
  }
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
  if (contains(note, "LoRA")) s.lora = printed(true);
  if (contains(note, "cpu-moe)") || contains(note, "auto-fit") || contains(note, "partial offload")) s.other_overrides = printed(true);
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

}  // namespace

std::optional<LogEngine> log_engine_of(const std::string& name) {
  if (name == "ik_llama.cpp") return LogEngine::ik_llama_cpp;
  if (name.starts_with("llama.cpp")) return LogEngine::llama_cpp;
  if (name.starts_with("ollama")) return LogEngine::ollama;
  if (name == "vLLM") return LogEngine::vllm;
  if (name == "SGLang") return LogEngine::sglang;
  if (name == "TensorRT-LLM") return LogEngine::tensorrt_llm;
  return std::nullopt;
}

/// The log that a group's rows were taken from; `why` where there is none.
std::optional<EngineLog> log_of_rows(const LogGroup& g, const Catalog& catalog, std::string& why) {
  const auto& first = g.rows.front();
  const auto engine = log_engine_of(first["engine"]);
  if (!engine) {
    why = "logs of this engine are not read";
    return std::nullopt;
  }
  EngineLog log;
  log.origin = g.id;
  log.engine = *engine;
  if (is_server(*engine)) {
    // Rows that an engine of another make printed.
    if (contains(first["source_url"], "vllm-gfx906") || contains(first["note"], "early port")) {
      why = "a fork, or a port from before the engine knew the model: it stores weights and places layers in its own way";
      return std::nullopt;
    }
  }
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
  for (const auto& row : g.rows) {
    if (row["component"] == "kv" && row["note"] != first["note"]) read_note(row["note"], log);
  }
  if (contains(first["model"], "LoRA")) s.lora = printed(true);

  auto version = first["engine_version"];
  if (const auto end = version.find_first_of(" -("); end != std::string::npos) version.resize(end);
  if (version.size() > 1 && version.front() == 'v') version.erase(0, 1);
  if (!version.empty() && (version.front() == 'b' || is_server(*engine))) log.version = printed(version);
  if (*engine == LogEngine::ik_llama_cpp) {
    // Builds of the main line in its threads (above 5000) and those of a fork are no builds of its own.
    const auto own = ik_build_of(first);
    if (log.version && (contains(first["source_url"], "GGUF-Tool-Suite") || text::parse_int(version.substr(1)).value_or(0) > 5000)) log.version.reset();
    if (!log.version) log.style_version = own;
  }
  if (!log.version && (*engine == LogEngine::llama_cpp || is_server(*engine)) && log.model.name) {
    try {
      const auto& release = catalog.resolve_model(log.model.name->value).release_date;
      if (*engine == LogEngine::llama_cpp) {
        log.style_version = build_after(release);
      } else {
        log.style_version = generation_after(release, catalog.resolve_engine(to_string(*engine)));
      }
    } catch (const Error&) {
      // The check will say that nobody knows it.
    }
  }

  if (!log.version && *engine == LogEngine::vllm) {
    // Activations were printed by the V0 engine, from late 2024 on.
    const bool activations = std::any_of(g.rows.begin(), g.rows.end(), [](const CsvRow& row) { return row["component"] == "activation"; });
    if (activations) log.style_version = "0.7";
    // Whole blocks of tokens were printed up to v0.20.
    const bool blocks = std::any_of(g.rows.begin(), g.rows.end(), [](const CsvRow& row) {
      const auto n = text::parse_double(row["mib"]);
      return row["component"] == "kv_tokens" && n && std::fmod(*n, 16) == 0;
    });
    if (blocks && log.style_version.empty()) log.style_version = "0.19";
  }

  // The server's own choice: four slots on one cache (kv_unified is printed, but no column of the table).
  constexpr std::int64_t kFirstWithUnifiedSlots = 6900;
  const auto build = log.version ? text::parse_int(log.version->value.substr(1)) : text::parse_int(log.style_version.substr(log.style_version.empty() ? 0 : 1));
  const bool newest = *engine == LogEngine::llama_cpp && (build ? *build >= kFirstWithUnifiedSlots : log.style_version.empty());
  if (newest && s.sequences && s.sequences->value == 4) s.kv_unified = printed(true);

  const auto names = device_names(first["device"]);
  for (std::size_t i = 0; i < names.size() && !is_server(*engine); ++i) {
    for (const std::string_view prefix : {"CUDA", "Vulkan", "ROCm", "SYCL"})
      log.devices.push_back({fmt::format("{}{}", prefix, i), names[i], std::nullopt, std::nullopt, 1});
    if (i == 0) log.devices.push_back({"Metal", names[i], std::nullopt, std::nullopt, 1});
  }
  if (is_server(*engine) && !names.empty()) {
    if (log.devices.empty()) log.devices.push_back({"CUDA0", {}, std::nullopt, std::nullopt, 1});
    log.devices.front().name = names.front();
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
    // Several shards are mapped to several ranges, several caches lie on one device; other repetitions are other loads.
    const bool adds_up = *term == LogTerm::kv || b.where.ends_with("_Mapped") || (*term == LogTerm::model && b.where == "CPU");
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
  if (is_server(*engine)) {
    for (auto& d : log.devices) d.where = "rank 0";
    for (auto& b : log.buffers) b.where = b.term == LogTerm::kv_tokens ? "ALL" : "rank 0";
  }
  if (placed_by_hand(log)) s.other_overrides = printed(true);
  return log;
}

std::vector<LogGroup> read_log_groups(const std::filesystem::path& facts) {
  std::vector<LogGroup> groups;
  for (auto& row : read_csv(facts / "memory.csv")) {
    if (groups.empty() || groups.back().id != row["id"]) groups.push_back({row["id"], {}, std::nullopt});
    groups.back().rows.push_back(std::move(row));
  }
  for (auto& row : read_csv(facts / "memory_geom.csv")) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const LogGroup& g) { return g.id == row["id"]; });
    if (same != groups.end()) same->geometry = std::move(row);
  }
  return groups;
}

}  // namespace planner::test
