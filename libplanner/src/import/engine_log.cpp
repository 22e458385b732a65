#include "planner/engine_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text.h"
#include "import/log_reader.h"
#include "planner/error.h"
#include "planner/units.h"

namespace planner {
namespace logs {
namespace {

constexpr std::size_t kLongestLine = 64U << 10;
constexpr std::size_t kLongestText = 200;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Colours and other terminal sequences taken out, into `scratch`.
std::string_view without_escapes(std::string_view text, std::string& scratch) {
  if (text.find('\x1b') == std::string_view::npos) return text;
  scratch.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      scratch += text[i];
      continue;
    }
    if (i + 1 >= text.size() || text[i + 1] != '[') continue;
    i += 2;
    while (i < text.size() && (text[i] < '@' || text[i] > '~')) ++i;
  }
  return scratch;
}

std::optional<double> unit_bytes(std::string_view word) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"B", 1.0},      {"KiB", 0x1p10}, {"KB", 0x1p10},  {"MiB", 0x1p20}, {"MB", 0x1p20},
                                                            {"GiB", 0x1p30}, {"GB", 0x1p30},  {"TiB", 0x1p40}, {"TB", 0x1p40}};
  for (const auto& [name, bytes] : kUnits) {
    if (word == name) return bytes;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> after(std::string_view text, std::string_view marker) {
  const auto at = text.find(marker);
  if (at == std::string_view::npos) return std::nullopt;
  return text.substr(at + marker.size());
}

std::string_view until(std::string_view text, std::string_view stops) { return text::trim(text.substr(0, text.find_first_of(stops))); }

std::string_view skip_spaces(std::string_view text) {
  const auto at = text.find_first_not_of(" \t");
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

std::string clean(std::string_view text) {
  std::string out;
  for (const char c : text::trim(text).substr(0, kLongestText)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u != 0x7f) out += c;
  }
  return out;
}

std::optional<std::int64_t> take_integer(std::string_view& text) {
  auto rest = skip_spaces(text);
  std::string digits;
  constexpr std::size_t kMostDigits = 18;
  std::size_t i = 0;
  for (; i < rest.size(); ++i) {
    const bool thousands = rest[i] == ',' && i > 0 && i + 1 < rest.size() && is_digit(rest[i - 1]) && is_digit(rest[i + 1]);
    if (thousands) continue;
    if (!is_digit(rest[i])) break;
    digits += rest[i];
    if (digits.size() > kMostDigits) return std::nullopt;
  }
  if (digits.empty()) return std::nullopt;
  text = rest.substr(i);
  return text::parse_int(digits);
}

std::optional<Decimal> take_decimal(std::string_view& text) {
  const auto rest = skip_spaces(text);
  std::string number;
  std::size_t i = 0;
  std::size_t decimals = 0;
  bool point = false;
  constexpr std::size_t kMostDigits = 24;
  for (; i < rest.size() && number.size() < kMostDigits; ++i) {
    const bool is_point = (rest[i] == '.' || rest[i] == ',') && !point && i > 0 && i + 1 < rest.size() && is_digit(rest[i + 1]);
    if (is_point) {
      number += '.';
      point = true;
      continue;
    }
    if (!is_digit(rest[i])) break;
    number += rest[i];
    decimals += point ? 1 : 0;
  }
  const auto value = text::parse_double(number);
  if (!value) return std::nullopt;
  text = rest.substr(i);
  return Decimal{*value, 0.5 * std::pow(10.0, -static_cast<double>(decimals))};
}

std::optional<Amount> take_amount(std::string_view& text) {
  auto rest = text;
  const auto number = take_decimal(rest);
  if (!number) return std::nullopt;
  rest = skip_spaces(rest);
  std::size_t end = 0;
  while (end < rest.size() && end < 4 && is_word(rest[end]) && !is_digit(rest[end])) ++end;
  const auto unit = unit_bytes(rest.substr(0, end));
  constexpr double kMostBytes = 0x1p52;
  if (!unit || number->value * *unit > kMostBytes) return std::nullopt;
  text = rest.substr(end);
  return Amount{std::llround(number->value * *unit), std::llround(number->half_digit * *unit)};
}

std::optional<std::int64_t> integer_after(std::string_view text, std::string_view marker) {
  auto rest = after(text, marker);
  if (!rest) return std::nullopt;
  const auto at = rest->find_first_not_of(" \t=:");
  if (at == std::string_view::npos) return std::nullopt;
  auto value = rest->substr(at);
  return take_integer(value);
}

std::optional<Amount> amount_after(std::string_view text, std::string_view marker) {
  auto rest = after(text, marker);
  if (!rest) return std::nullopt;
  const auto at = rest->find_first_not_of(" \t=:");
  if (at == std::string_view::npos) return std::nullopt;
  auto value = rest->substr(at);
  return take_amount(value);
}

std::optional<std::string_view> field(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '.' || text[at - 1] == '-')) continue;
    auto rest = text.substr(at + key.size());
    if (!rest.empty() && (rest.front() == '\'' || rest.front() == '"')) rest.remove_prefix(1);  // 'key': value
    rest = skip_spaces(rest);
    if (rest.empty() || (rest.front() != '=' && rest.front() != ':')) continue;
    rest = skip_spaces(rest.substr(1));
    if (rest.empty()) return std::nullopt;
    if (rest.front() == '"' || rest.front() == '\'') {
      const char quote = rest.front();
      rest.remove_prefix(1);
      return rest.substr(0, rest.find(quote));
    }
    return until(rest, " ,})");
  }
  return std::nullopt;
}

// ---------------------------------------------------------------------------------------------------------------------

bool Load::has(LogTerm term) const {
  const auto is = [&](const LogBuffer& b) { return b.term == term; };
  return std::any_of(weights.begin(), weights.end(), is) || std::any_of(context.begin(), context.end(), is);
}

bool Load::is_complete() const { return has(LogTerm::model) && (has(LogTerm::compute) || has(LogTerm::kv_pool) || has(LogTerm::kv_tokens)); }

void Load::put(LogBuffer buffer, bool replaces) {
  if (replaces) {
    const auto same = std::find_if(context.begin(), context.end(), [&](const LogBuffer& b) { return b.term == buffer.term && b.where == buffer.where; });
    if (same != context.end()) {
      *same = std::move(buffer);
      return;
    }
  }
  if (context.size() < kMostBuffers) context.push_back(std::move(buffer));
}

void Collector::close_load() {
  if (earlier_ && !load_.is_complete()) load_ = std::move(*earlier_);
  earlier_.reset();
  if (!load_.is_empty() || !load_.forecasts.empty()) {
    if (!load_.is_empty()) ++log_.loads;
    const bool better = !best_ || load_.is_complete() || (!best_->is_complete() && (!load_.is_empty() || best_->is_empty()));
    if (better) best_ = std::move(load_);
  }
  load_ = Load();
}

void Collector::begin_load(std::int64_t line) {
  ignored_ = Load();
  if (draft_ == Draft::next_load) {
    close_load();
    draft_ = Draft::this_load;
    left_draft_out_ = true;
    return;
  }
  draft_ = Draft::none;
  // What was said before the file is opened (Ollama's forecast, the runner's flags) belongs to this load.
  if (load_.is_empty() && !earlier_) {
    if (load_.first_line == 0) load_.first_line = line;
    return;
  }
  close_load();
  load_.first_line = line;
}

void Collector::begin_context(std::int64_t line) {
  auto& l = load();
  if (&l != &load_ || l.context.empty()) return;
  if (l.is_complete()) earlier_ = l;
  l.context.clear();
  l.cache_part.clear();
  auto& s = l.settings;
  s.context = s.context_per_sequence = s.batch = s.ubatch = s.sequences = std::nullopt;
  s.flash_attention = s.kv_unified = s.swa_full = std::nullopt;
  s.kv_type_k = s.kv_type_v = std::nullopt;
  l.last_line = line;
}

void Collector::begin_draft(bool own_model) {
  draft_ = own_model ? Draft::next_load : Draft::contexts;
  left_draft_out_ = left_draft_out_ || !own_model;
}

void Collector::saw_later_style(std::string_view version) {
  const auto minor = [](std::string_view v) {
    const auto dot = v.find('.');
    return dot == std::string_view::npos ? std::int64_t{-1} : text::parse_int(v.substr(dot + 1)).value_or(-1);
  };
  if (minor(version) > minor(style_)) style_ = version;
}

void Collector::device(LogDevice device) {
  const auto same = std::find_if(log_.devices.begin(), log_.devices.end(), [&](const LogDevice& d) { return d.where == device.where; });
  if (same == log_.devices.end()) {
    if (log_.devices.size() < kMostDevices) log_.devices.push_back(std::move(device));
    return;
  }
  if (!device.name.empty()) same->name = std::move(device.name);
  if (device.memory_bytes) same->memory_bytes = device.memory_bytes;
  if (device.free_bytes) same->free_bytes = device.free_bytes;
}

LogEngine Collector::engine() const {
  for (const auto e : {LogEngine::vllm, LogEngine::sglang, LogEngine::tensorrt_llm, LogEngine::ollama, LogEngine::ik_llama_cpp}) {
    if (seen_[static_cast<std::size_t>(e)]) return e;
  }
  return LogEngine::llama_cpp;
}

EngineLog Collector::finish(std::int64_t lines) {
  close_load();
  log_.lines = lines;
  if (!saw_any()) {
    throw Error(ErrorKind::invalid_file,
                fmt::format("{}: no line of this log is llama.cpp's, ik_llama.cpp's, Ollama's, vLLM's, SGLang's or TensorRT-LLM's ({} lines read)", log_.origin, lines));
  }
  log_.engine = engine();
  if (!best_) {
    throw Error(ErrorKind::invalid_file,
                fmt::format("{}: {} is at work here, but no line says what it allocated ({} lines read; start it with its default verbosity or more)",
                            log_.origin, to_string(log_.engine), lines));
  }
  auto& l = *best_;
  log_.complete = l.is_complete();
  log_.model = std::move(l.model);
  log_.settings = std::move(l.settings);
  for (std::size_t i = 0; i < l.experts_on_host.size(); ++i) {
    if (l.experts_on_host[i]) log_.settings.expert_layers_on_host.push_back(static_cast<std::int64_t>(i));
  }
  // A table of whole MiB stands in for what is not printed otherwise.
  for (auto& b : l.breakdown) {
    const bool known = std::any_of(l.weights.begin(), l.weights.end(), [&](const LogBuffer& w) { return b.term == w.term; }) ||
                       std::any_of(l.context.begin(), l.context.end(), [&](const LogBuffer& c) { return c.term == b.term; });
    if (!known) l.context.push_back(std::move(b));
  }
  log_.buffers = std::move(l.weights);
  log_.buffers.insert(log_.buffers.end(), std::make_move_iterator(l.context.begin()), std::make_move_iterator(l.context.end()));
  // A sum says nothing beside its parts.
  const auto has_part = [&](LogTerm term) {
    return std::any_of(log_.buffers.begin(), log_.buffers.end(), [&](const LogBuffer& b) { return b.term == term && b.where != "ALL"; });
  };
  for (const auto term : {LogTerm::kv, LogTerm::model}) {
    if (has_part(term)) std::erase_if(log_.buffers, [&](const LogBuffer& b) { return b.term == term && b.where == "ALL"; });
  }
  log_.forecasts = std::move(l.forecasts);
  log_.first_line = l.first_line;
  log_.last_line = std::max(l.last_line, l.first_line);
  for (const auto& b : log_.buffers) log_.last_line = std::max(log_.last_line, b.line);
  log_.style_version = style_;
  if (log_.loads > 1) {
    log_.notes.push_back(fmt::format("{} loads of a model in this log: the last {}one counts, lines {} to {}", log_.loads, log_.complete ? "complete " : "",
                                     log_.first_line, log_.last_line));
  }
  if (!log_.complete) log_.notes.push_back("the log ends, or was cut, before all buffers were printed");
  if (left_draft_out_) log_.notes.push_back("the buffers of the draft are left out");
  return std::move(log_);
}

}  // namespace logs

std::string_view to_string(LogEngine engine) {
  constexpr std::array<std::string_view, 6> kNames = {"llama.cpp", "ik_llama.cpp", "ollama", "vllm", "sglang", "tensorrt-llm"};
  return kNames[static_cast<std::size_t>(engine)];
}

std::string_view to_string(LogTerm term) {
  constexpr std::array<std::string_view, 10> kNames = {"model",   "kv",        "recurrent_state", "output", "compute",
                                                       "kv_pool", "kv_tokens", "non_torch",       "graphs", "total"};
  return kNames[static_cast<std::size_t>(term)];
}

EngineLog read_engine_log(std::string_view text, const std::string& origin) {
  logs::Collector out(origin);
  std::string scratch;
  std::int64_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, std::min(end, logs::kLongestLine));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    line = logs::without_escapes(line, scratch);
    constexpr std::size_t kShortest = 12;
    if (line.size() < kShortest) continue;
    logs::read_llama_line({line, number}, out);
    logs::read_ollama_line({line, number}, out);
    logs::read_vllm_line({line, number}, out);
    logs::read_sglang_line({line, number}, out);
    logs::read_tensorrt_llm_line({line, number}, out);
  }
  return out.finish(number);
}

}  // namespace planner
