#include "decision/log_subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "engine/compute_buffers.h"
#include "planner/error.h"

namespace planner::decision {
namespace {

/// "C:\models\Qwen3-30B-A3B-Q4_K_M-00001-of-00002.gguf" -> "Qwen3-30B-A3B-Q4_K_M"
std::string stem_of(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.ends_with(".gguf")) name.remove_suffix(5);
  constexpr std::string_view kShard = "-00001-of-00002";
  if (name.size() > kShard.size()) {
    const auto tail = name.substr(name.size() - kShard.size());
    if (tail.front() == '-' && tail.substr(6, 4) == "-of-") name.remove_suffix(kShard.size());
  }
  return std::string(name.starts_with("sha256-") ? std::string_view() : name);
}

/// The entry of a name, or of the name without its last words ("...-UD-Q4_K_XL", "...-128K"); null: none.
const ModelEntry* entry_named(std::string name, const LogModel& printed, const Catalog& catalog) {
  constexpr int kMostCuts = 6;
  for (int cut = 0; cut <= kMostCuts; ++cut) {
    if (name.size() < 4) return nullptr;
    try {
      const auto& entry = catalog.resolve_model(name);
      if (const auto* model = entry.find_model(); model != nullptr && contradiction(*model, printed).empty()) return &entry;
    } catch (const Error&) {
      // Nobody knows that name, or several do: the next shorter one.
    }
    const auto last = name.find_last_of("-_ .");
    if (last == std::string::npos || last == 0) return nullptr;
    name.resize(last);
  }
  return nullptr;
}

bool names_a_geometry(const LogModel& m) { return m.layers && m.hidden_size && (m.parameters || m.vocab_size || m.heads); }

/// Words that two names share.
std::size_t shared_words(std::string_view a, std::string_view b) {
  const std::string lower = text::to_lower(b);
  std::size_t n = 0;
  std::string word;
  const auto count = [&] {
    if (!word.empty() && lower.find(word) != std::string::npos) ++n;
    word.clear();
  };
  for (const char c : text::to_lower(a)) {
    if (c == '-' || c == '_' || c == ' ' || c == '/' || c == '.')
      count();
    else
      word += c;
  }
  count();
  return n;
}

std::string geometry_text(const LogModel& m) {
  std::string out;
  const auto add = [&](std::string_view what, const MaybePrinted<std::int64_t>& v) {
    if (v) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", what, v->value);
  };
  if (m.architecture) out = m.architecture->value;
  add("n_layer", m.layers);
  add("n_embd", m.hidden_size);
  add("n_head", m.heads);
  add("n_vocab", m.vocab_size);
  return out.empty() ? "no geometry is printed" : out;
}

}  // namespace

std::string contradiction(const Model& model, const LogModel& printed) {
  const auto& hp = model.hyperparameters;
  const auto differs = [](const MaybePrinted<std::int64_t>& v, std::int64_t own) { return v && v->value != own; };
  const bool is_mla = hp.kv_lora_rank > 0;
  if (printed.layers && printed.layers->value != hp.n_layers && printed.layers->value != hp.n_layers + hp.n_mtp_layers) {
    return fmt::format("n_layer {}, not {}", hp.n_layers, printed.layers->value);
  }
  if (differs(printed.hidden_size, hp.hidden_size)) return fmt::format("n_embd {}, not {}", hp.hidden_size, printed.hidden_size->value);
  if (differs(printed.heads, hp.n_heads) && hp.n_heads > 0 && hp.n_heads_per_layer.empty())
    return fmt::format("n_head {}, not {}", hp.n_heads, printed.heads->value);
  if (differs(printed.kv_heads, hp.n_kv_heads) && hp.n_kv_heads > 0 && hp.n_kv_heads_per_layer.empty() && hp.n_kv_heads_swa == 0 && !is_mla) {
    return fmt::format("n_head_kv {}, not {}", hp.n_kv_heads, printed.kv_heads->value);
  }
  if (differs(printed.experts, hp.n_experts)) return fmt::format("n_expert {}, not {}", hp.n_experts, printed.experts->value);
  if (differs(printed.vocab_size, hp.vocab_size) && printed.vocab_size->value != engine::file_vocabulary(hp)) {
    return fmt::format("n_vocab {}, not {}", hp.vocab_size, printed.vocab_size->value);
  }
  if (printed.parameters) {
    // Beside the digits printed: factors of rotary embeddings count as parameters there, prediction layers may.
    constexpr double kSlack = 0.003;
    const auto n = model.parameters();
    const double own = static_cast<double>(n.total);
    const double with_mtp = static_cast<double>(n.total + n.mtp);
    const double slack = printed.parameters_rounding + kSlack * printed.parameters->value;
    const double tied = hp.tied_embeddings ? static_cast<double>(hp.vocab_size * hp.hidden_size) : 0.0;
    const double p = printed.parameters->value;
    if (std::abs(own - p) > slack && std::abs(with_mtp - p) > slack && (tied == 0 || std::abs(own + tied - p) > slack)) {
      return fmt::format("{:.3f} B parameters, not {:.3f} B", own / 1e9, p / 1e9);
    }
  }
  return {};
}

std::string model_of_log(const EngineLog& log, const Catalog& catalog, std::vector<std::string>& notes) {
  const auto& m = log.model;
  std::vector<std::string> names;
  if (m.name) names.push_back(m.name->value);
  if (m.file) names.push_back(stem_of(m.file->value));
  for (const auto& name : names) {
    if (const auto* entry = entry_named(name, m, catalog)) {
      if (!names_a_geometry(m)) notes.push_back(fmt::format("the model is '{}' by its name alone: the log prints no geometry", entry->id));
      return entry->id;
    }
  }
  const std::string shown = names.empty() ? std::string("no name") : "'" + names.front() + "'";
  if (!names_a_geometry(m)) {
    throw Error(ErrorKind::unknown_name,
                fmt::format("{}: the log does not say which model it is of ({}; {}): give it with --model", log.origin, shown, geometry_text(m)));
  }
  std::vector<const ModelEntry*> fitting;
  for (const auto* entry : catalog.models()) {
    const auto* model = entry->find_model();
    if (model == nullptr || !contradiction(*model, m).empty()) continue;
    if (m.architecture && model->hyperparameters.architecture != m.architecture->value) continue;
    fitting.push_back(entry);
  }
  if (fitting.empty()) {
    throw Error(ErrorKind::unknown_name, fmt::format("{}: no model of the catalog has the geometry of {} ({}): give a file or a config.json with --model",
                                                     log.origin, shown, geometry_text(m)));
  }
  const std::string name = names.empty() ? std::string() : names.front();
  const auto* best =
      *std::max_element(fitting.begin(), fitting.end(), [&](const auto* a, const auto* b) { return shared_words(name, a->id) < shared_words(name, b->id); });
  notes.push_back(fmt::format("the model ({}) is taken for {}, which has the geometry printed{}", shown, best->id,
                              fitting.size() > 1 ? fmt::format(", as have {} others", fitting.size() - 1) : ""));
  return best->id;
}

std::string quantization_of_log(const EngineLog& log, const Catalog& catalog) {
  const auto known = [&](const std::string& name) {
    const auto all = catalog.quantizations();
    return std::any_of(all.begin(), all.end(), [&](const Quantization* q) { return q->is_gguf() && text::equal_ignoring_case(q->name, name); });
  };
  if (is_server(log.engine)) {
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"awq", "AWQ"},
                                                                        {"gptq", "GPTQ"},
                                                                        {"bitsandbytes", "NF4"},
                                                                        {"bnb-4bit", "NF4"},
                                                                        {"nvfp4", "NVFP4-ST"},
                                                                        {"mxfp4", "MXFP4-ST"},
                                                                        {"modelopt_fp4", "NVFP4-ST"},
                                                                        {"fp8", "FP8"},
                                                                        {"w4a16", "W4A16"},
                                                                        {"w8a16", "W8A16"},
                                                                        {"w8a8", "INT8"},
                                                                        {"bf16", "FP16"},
                                                                        {"fp16", "FP16"},
                                                                        {"float16", "FP16"}};
    const auto named = [&](const std::string& text) -> std::string {
      const auto small = text::to_lower(text);
      for (const auto& [word, name] : kNames) {
        if (small.find(word) != std::string::npos) return std::string(name);
      }
      return {};
    };
    const std::string by_name = log.model.name ? named(log.model.name->value) : "";
    if (log.model.file_type) {
      // "Q4_K_M GGUF": its first word is the mix.
      const auto first = log.model.file_type->value.substr(0, log.model.file_type->value.find(' '));
      if (text::contains(log.model.file_type->value, "GGUF") && known(first)) return first;
      const auto by_type = named(log.model.file_type->value);
      return by_type.empty() ? by_name : by_type;
    }
    if (!by_name.empty()) return by_name;
    // Not told otherwise, it keeps the checkpoint's 16 bits.
    return "FP16";
  }
  if (log.model.file_type) {
    std::string name = log.model.file_type->value;
    if (const auto guess = name.find(" (guessed)"); guess != std::string::npos) name.resize(guess);
    constexpr std::pair<std::string_view, std::string_view> kSuffixes[] = {{" - Medium", "_M"}, {" - Small", "_S"}, {" - Large", "_L"}};
    for (const auto& [printed, suffix] : kSuffixes) {
      if (!name.ends_with(printed)) continue;
      name.resize(name.size() - printed.size());
      if (known(name + std::string(suffix))) return name + std::string(suffix);
      if (known(name)) return name;  // "Q2_K - Medium"
    }
    if (const auto dash = name.find(" - "); dash != std::string::npos) name.resize(dash);
    if (name.starts_with("all ")) name.erase(0, 4);
    if (text::equal_ignoring_case(name, "fp16")) name = "F16";
    if (const auto space = name.find(' '); space != std::string::npos) name.resize(space);  // "MXFP4 MoE"
    if (known(name)) return name;
  }
  // A file is usually called after its mix; the longest one that its name holds.
  std::string best;
  const auto look_in = [&](const std::string& where) {
    const auto upper_free = text::to_lower(where);
    for (const auto* q : catalog.quantizations()) {
      if (q->is_gguf() && q->name.size() > best.size() && upper_free.find(text::to_lower(q->name)) != std::string::npos) best = q->name;
    }
  };
  if (log.model.file) look_in(stem_of(log.model.file->value));
  if (best.empty() && log.model.name) look_in(log.model.name->value);
  return best;
}

std::optional<std::int64_t> build_of_log(const EngineLog& log) {
  const std::string version = log.version && !is_server(log.engine) ? log.version->value : log.style_version;
  if (version.size() < 2 || version.front() != 'b') return std::nullopt;
  return text::parse_int(std::string_view(version).substr(1));
}

std::string engine_of_log(const EngineLog& log, std::vector<std::string>& notes) {
  const std::string name(to_string(log.engine));
  if (log.version) return name + "@" + log.version->value;
  if (log.style_version.empty()) return name;
  notes.push_back(fmt::format("the version is not printed: the lines look like those of {}, whose rules are taken", log.style_version));
  return name + "@" + log.style_version;
}

}  // namespace planner::decision
