// Lines of llama.cpp and of what is built on it (ik_llama.cpp, KoboldCpp, LM Studio, Ollama's older runner).
#include <algorithm>

#include "core/text.h"
#include "import/log_reader.h"
#include "planner/units.h"

namespace planner::logs {
namespace {

using text::contains;

/// Words in front of `at`, the nearest first.
std::array<std::string_view, 3> words_before(std::string_view text, std::size_t at) {
  std::array<std::string_view, 3> words;
  constexpr std::size_t kFarthest = 200;
  const std::size_t begin = at > kFarthest ? at - kFarthest : 0;
  auto rest = text.substr(begin, at - begin);
  for (auto& word : words) {
    rest = text::trim(rest);
    const auto space = rest.find_last_of(" \t");
    word = space == std::string_view::npos ? rest : rest.substr(space + 1);
    rest = space == std::string_view::npos ? std::string_view() : rest.substr(0, space);
  }
  return words;
}

/// "load_tensors:   CPU_Mapped model buffer size =   545.62 MiB", "llm_load_tensors:      CUDA0 buffer size =  2113.28 MiB"
void read_buffers(const Line& line, Collector& out) {
  constexpr std::string_view kMarker = "buffer size";
  for (auto at = line.text.find(kMarker); at != std::string_view::npos; at = line.text.find(kMarker, at + kMarker.size())) {
    const auto words = words_before(line.text, at);
    auto rest = skip_spaces(line.text.substr(at + kMarker.size()));
    if (rest.empty() || rest.front() != '=') continue;
    rest.remove_prefix(1);
    const auto amount = take_amount(rest);
    if (!amount) continue;

    constexpr std::pair<std::string_view, LogTerm> kKinds[] = {
        {"model", LogTerm::model}, {"KV", LogTerm::kv}, {"output", LogTerm::output}, {"compute", LogTerm::compute}, {"RS", LogTerm::recurrent_state}};
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.first == words[0]; });
    LogBuffer b{{}, LogTerm::model, amount->bytes, amount->rounding, line.number, {}};
    if (kind != std::end(kKinds)) {
      b.term = kind->second;
      b.where = words[1].ends_with(':') ? "ALL" : clean(words[1]);
      if (contains(words[2], "compute_meta")) continue;  // of a projector
    } else if (words[1].ends_with("tensors:")) {
      b.where = clean(words[0]);
    } else {
      continue;
    }
    if (b.where.empty()) continue;
    out.saw(LogEngine::llama_cpp);

    auto* load = &out.load();
    if (b.term == LogTerm::model) {
      if (!load->context.empty()) {
        out.begin_load(line.number);
        load = &out.load();
      }
      if (load->weights.size() < kMostBuffers) load->weights.push_back(std::move(b));
    } else if (b.term == LogTerm::output) {
      // It grows while running; the first one is what the context starts with.
      if (!load->has(LogTerm::output)) load->put(std::move(b), false);
    } else {
      if (b.term == LogTerm::kv) b.detail = load->cache_part;
      const bool replaces = b.term == LogTerm::compute;
      load->put(std::move(b), replaces);
    }
  }
}

template <typename T>
void set(MaybePrinted<T>& field, T value, const Line& line) {
  field = Printed<T>{std::move(value), line.number};
}

/// "8.03 B", "671.026 B", "1.026 T", "494.03 M"
void read_parameters(std::string_view value, const Line& line, LogModel& model) {
  const auto number = take_decimal(value);
  if (!number) return;
  value = skip_spaces(value);
  const double scale = value.starts_with('K') ? 1e3 : value.starts_with('M') ? 1e6 : value.starts_with('B') ? 1e9 : value.starts_with('T') ? 1e12 : 0;
  if (scale == 0) return;
  set(model.parameters, number->value * scale, line);
  model.parameters_rounding = number->half_digit * scale;
}

void read_size(std::string_view value, const Line& line, LogModel& model) {
  const auto amount = take_amount(value);
  if (!amount) return;
  set(model.tensor_bytes, amount->bytes, line);
  model.tensor_bytes_rounding = amount->rounding;
}

/// "print_info: n_embd           = 4096", "llm_load_print_meta: model ftype      = Q4_K - Medium"
void read_meta(std::string_view info, const Line& line, Collector& out) {
  const auto equals = info.find('=');
  if (equals == std::string_view::npos) return;
  const auto key = text::trim(info.substr(0, equals));
  const auto value = text::trim(info.substr(equals + 1));
  const bool starts = key == "format" || key == "file format";
  if (starts && (!out.load().weights.empty() || out.load().model.architecture)) out.begin_load(line.number);
  auto& m = out.load().model;
  out.saw(LogEngine::llama_cpp);
  if (out.load().first_line == 0) out.load().first_line = line.number;

  if (key == "arch") return set(m.architecture, clean(value), line);
  if (key == "general.name") return set(m.name, clean(value), line);
  if (key == "file type" || key == "model ftype") return set(m.file_type, clean(value), line);
  if (key == "model params") return read_parameters(value, line, m);
  if (key == "file size" || key == "model size") return read_size(value, line, m);
  if (key == "repeating layers") return out.saw(LogEngine::ik_llama_cpp);
  const std::pair<std::string_view, MaybePrinted<std::int64_t>*> numbers[] = {{"n_layer", &m.layers},
                                                                              {"n_embd", &m.hidden_size},
                                                                              {"n_head", &m.heads},
                                                                              {"n_head_kv", &m.kv_heads},
                                                                              {"n_embd_head_k", &m.head_dim_k},
                                                                              {"n_embd_head_v", &m.head_dim_v},
                                                                              {"n_ff", &m.ffn_size},
                                                                              {"n_expert", &m.experts},
                                                                              {"n_expert_used", &m.experts_active},
                                                                              {"n_ff_exp", &m.expert_ffn_size},
                                                                              {"n_vocab", &m.vocab_size},
                                                                              {"n_swa", &m.window}};
  for (const auto& [name, target] : numbers) {
    if (key != name) continue;
    auto rest = value;  // a list, where layers differ, is no number
    if (const auto n = take_integer(rest)) set(*target, *n, line);
    return;
  }
}

/// "llama_model_loader: loaded meta data with ...", "llama_model_loader: - kv   2:   general.name str   = Granite 8b Code Instruct 128k"
void read_loader(std::string_view rest, const Line& line, Collector& out) {
  out.saw(LogEngine::llama_cpp);
  if (rest.starts_with("loaded meta data")) {
    out.begin_load(line.number);
    if (const auto from = after(rest, "tensors from ")) {
      const auto end = from->rfind(" (version");
      set(out.load().model.file, clean(from->substr(0, end)), line);
    }
    return;
  }
  if (!rest.starts_with("- kv")) return;
  const auto equals = rest.find('=');
  const auto colon = rest.find(": ");
  if (equals == std::string_view::npos || colon == std::string_view::npos || colon > equals) return;
  const auto key = until(skip_spaces(rest.substr(colon + 1)), " \t");
  const auto value = text::trim(rest.substr(equals + 1));
  auto& m = out.load().model;
  const auto type = text::trim(rest.substr(rest.find(key) + key.size(), equals - rest.find(key) - key.size()));
  constexpr std::size_t kMostMetadata = 512;
  if (!type.empty() && !type.starts_with("arr") && m.metadata.size() < kMostMetadata) m.metadata.push_back({clean(key), clean(type), clean(value)});
  if (key == "general.name" && !m.name) return set(m.name, clean(value), line);
  if (key == "general.architecture" && !m.architecture) return set(m.architecture, clean(value), line);
  const std::pair<std::string_view, MaybePrinted<std::int64_t>*> numbers[] = {{".block_count", &m.layers},         {".embedding_length", &m.hidden_size},
                                                                              {".attention.head_count", &m.heads}, {".attention.head_count_kv", &m.kv_heads},
                                                                              {".expert_count", &m.experts},       {".vocab_size", &m.vocab_size}};
  for (const auto& [name, target] : numbers) {
    if (!key.ends_with(name) || *target) continue;
    auto digits = value;
    if (const auto n = take_integer(digits)) set(*target, *n, line);
    return;
  }
}

bool is_on(std::string_view value) { return value.starts_with('1') || value.starts_with("enabled") || value.starts_with("true") || value.starts_with("on"); }

/// "llama_context: n_ctx         = 131072"
void read_context(std::string_view rest, const Line& line, Collector& out) {
  const auto equals = rest.find('=');
  if (equals == std::string_view::npos) {
    if (rest.starts_with("Flash Attention was auto, set to")) set(out.load().settings.flash_attention, contains(rest, "enabled"), line);
    return;
  }
  const auto key = text::trim(rest.substr(0, equals));
  const auto value = text::trim(rest.substr(equals + 1));
  if (key.find(' ') != std::string_view::npos && key != "grouped er") return;
  out.saw(LogEngine::llama_cpp);
  if (key == "n_seq_max" || key == "n_ctx") out.begin_context(line.number);
  auto& s = out.load().settings;
  const std::pair<std::string_view, MaybePrinted<std::int64_t>*> numbers[] = {{"n_ctx", &s.context},
                                                                              {"n_ctx_per_seq", &s.context_per_sequence},
                                                                              {"n_ctx_seq", &s.context_per_sequence},
                                                                              {"n_batch", &s.batch},
                                                                              {"n_ubatch", &s.ubatch},
                                                                              {"n_seq_max", &s.sequences},
                                                                              {"mla_attn", &s.mla},
                                                                              {"attn_max_b", &s.attention_max_mib}};
  for (const auto& [name, target] : numbers) {
    if (key != name) continue;
    auto digits = value;
    if (const auto n = take_integer(digits)) set(*target, *n, line);
  }
  if (key == "flash_attn" && !value.starts_with("auto") && !value.starts_with("-1")) set(s.flash_attention, is_on(value), line);
  if (key == "fused_moe") set(s.fused_experts, is_on(value), line);
  if (key == "kv_unified") set(s.kv_unified, is_on(value), line);
  for (const std::string_view own : {"mla_attn", "attn_max_b", "fused_moe", "ser", "fused_up_gate", "grouped er", "graph_reuse"}) {
    if (key == own) out.saw(LogEngine::ik_llama_cpp);
  }
}

/// "K (f16):  512.00 MiB, V (q8_0):  512.00 MiB", "c^KV (f16):  274.50 MiB"
void read_cache_types(const Line& line, Collector& out) {
  auto& s = out.load().settings;
  const auto type_behind = [&](std::string_view marker, MaybePrinted<std::string>& target) {
    if (const auto rest = after(line.text, marker)) {
      const auto type = until(*rest, ")");
      constexpr std::size_t kLongest = 12;
      if (!type.empty() && type.size() <= kLongest) set(target, clean(type), line);
    }
  };
  if (contains(line.text, "c^KV (")) {
    type_behind("c^KV (", s.kv_type_k);
    s.kv_type_v = s.kv_type_k;
    // Not every build prints mla_attn; the latent is cached, and transposed as well in the first form.
    if (!s.mla) set(s.mla, contains(line.text, "kv^T: not used") ? std::int64_t{3} : std::int64_t{1}, line);
    return;
  }
  type_behind(", K (", s.kv_type_k);
  type_behind(", V (", s.kv_type_v);
}

/// "Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes, VRAM: 24217 MiB"
void read_cuda_device(std::string_view rest, const Line& line, Collector& out) {
  const auto index = take_integer(rest);
  if (!index || !rest.starts_with(": ")) return;
  const bool cuda = contains(rest, "compute capability");
  const bool rocm = contains(rest, ", gfx");
  if (!cuda && !rocm) return;
  LogDevice d;
  d.where = (cuda ? "CUDA" : "ROCm") + std::to_string(*index);
  d.name = clean(until(rest.substr(2), ","));
  d.line = line.number;
  if (const auto memory = amount_after(rest, "VRAM")) d.memory_bytes = memory->bytes;
  out.device(std::move(d));
}

/// "using device CUDA0 (NVIDIA GeForce RTX 5090) (0000:0b:00.0) - 30930 MiB free"
void read_used_device(std::string_view rest, const Line& line, Collector& out) {
  LogDevice d;
  d.where = clean(until(rest, " "));
  d.line = line.number;
  rest = skip_spaces(rest.substr(std::min(rest.size(), d.where.size())));
  if (d.where.empty() || d.where.size() > 64) return;
  if (rest.starts_with('(')) {
    int depth = 0;
    std::size_t end = 0;
    for (; end < rest.size(); ++end) {
      depth += rest[end] == '(' ? 1 : rest[end] == ')' ? -1 : 0;
      if (depth == 0) break;
    }
    d.name = clean(rest.substr(1, end > 0 ? end - 1 : 0));
  }
  if (const auto dash = after(rest, " - ")) {
    auto value = *dash;
    if (const auto amount = take_amount(value); amount && contains(value, "free")) d.free_bytes = amount->bytes;
  } else if (rest.starts_with("- ")) {
    auto value = rest.substr(2);
    if (const auto amount = take_amount(value); amount && contains(value, "free")) d.free_bytes = amount->bytes;
  }
  out.device(std::move(d));
}

void read_devices(const Line& line, Collector& out) {
  const auto text = line.text;
  if (contains(text, "_init: found ") && contains(text, " devices")) out.forget_devices();
  if (const auto rest = after(text, "Device ")) read_cuda_device(*rest, line, out);
  if (const auto rest = after(text, "using device ")) read_used_device(*rest, line, out);
  if (const auto rest = after(text, "ggml_vulkan: "); rest && contains(*rest, " | uma")) {
    auto value = *rest;
    if (const auto index = take_integer(value); index && value.starts_with(" = ")) {
      out.device({"Vulkan" + std::to_string(*index), clean(until(value.substr(3), "(|")), std::nullopt, std::nullopt, line.number});
    }
  }
  if (const auto rest = after(text, "level_zero:gpu:")) {  // a table: | 0| [level_zero:gpu:0]| Intel Arc A770 Graphics| 12.55| 512| 1024| 32| 16225M| ...
    auto value = *rest;
    const auto cells = text::split(value, '|');
    constexpr std::size_t kMemoryCell = 6;
    if (const auto index = take_integer(value); index && cells.size() > kMemoryCell) {
      LogDevice d{"SYCL" + std::to_string(*index), clean(cells[1]), std::nullopt, std::nullopt, line.number};
      auto memory = cells[kMemoryCell];
      if (const auto mib = take_integer(memory); mib && memory.starts_with('M')) d.memory_bytes = *mib * kMiB;
      out.device(std::move(d));
    }
  }
  if (contains(text, "ggml_metal")) {
    if (const auto rest = after(text, "found device: ")) out.device({"Metal", clean(*rest), std::nullopt, std::nullopt, line.number});
    if (const auto rest = after(text, "GPU name: "); rest && !contains(*rest, "MTL"))
      out.device({"Metal", clean(*rest), std::nullopt, std::nullopt, line.number});
    if (const auto rest = after(text, "recommendedMaxWorkingSetSize")) {
      auto value = skip_spaces(*rest);
      if (value.starts_with('=')) {
        value.remove_prefix(1);
        // Printed in millions of bytes.
        if (const auto mb = take_decimal(value)) out.device({"Metal", {}, std::nullopt, static_cast<std::int64_t>(mb->value * 1e6), line.number});
      }
    }
  }
}

/// "build: 4623 (21c84b5d2)", "main: build = 2797 (858f6b73)", "version: 4202 (9f912511)", "build=3871 commit=", "build: 9515c613 (6097)", "b9849-799fcc04a"
void read_version(const Line& line, Collector& out) {
  constexpr std::int64_t kFewest = 100;
  const auto accept = [&](std::int64_t n) {
    if (n >= kFewest) set(out.log().version, "b" + std::to_string(n), line);
  };
  for (const std::string_view marker : {"build: ", "build = ", "version: ", "build="}) {
    const auto rest = after(line.text, marker);
    if (!rest) continue;
    auto value = *rest;
    const auto n = take_integer(value);
    if (n && (value.starts_with(" (") || value.starts_with(" commit="))) return accept(*n);
    const auto word = until(*rest, " ");
    const bool is_hash = word.size() >= 7 && word.size() <= 40 && word.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (const auto inside = after(*rest, "("); is_hash && inside) {
      auto digits = *inside;
      if (const auto number = take_integer(digits); number && digits.starts_with(')')) return accept(*number);
    }
  }
  if (auto rest = after(line.text, "build_info: b")) {
    if (const auto n = take_integer(*rest)) accept(*n);
  }
}

/// "Tensor blk.12.ffn_up_exps.weight buffer type overriden to CPU"
void read_override(const Line& line, Collector& out) {
  auto& l = out.load();
  ++l.settings.overridden_tensors;
  const auto target = after(line.text, " to ");
  const bool to_host = target && (target->starts_with("CPU") || contains(until(*target, " \t\r"), "_Host"));
  auto name = after(line.text, "blk.");
  const auto layer = name ? take_integer(*name) : std::nullopt;
  if (layer && to_host && contains(*name, "_exps.") && *layer < kMostLayers)
    l.experts_on_host[static_cast<std::size_t>(*layer)] = true;
  else
    set(l.settings.other_overrides, true, line);
}

/// "|   - CUDA0 (RTX 4090)   | 24080 = 9436 + (14193 = 13169 +      38 +     985) +         451 |", "|   - Host | 30956 = 30940 + 0 + 16 |"
void read_breakdown(std::string_view rest, const Line& line, Collector& out) {
  const auto name = after(rest, "- ");
  if (!name) return;
  const auto cells = text::split(*name, '|');
  if (cells.size() < 2) return;
  const auto where = clean(until(cells[0], " ("));
  std::vector<std::int64_t> numbers;
  auto value = cells[1];
  constexpr std::size_t kMost = 8;
  while (!value.empty() && numbers.size() < kMost) {
    const auto digit = value.find_first_of("0123456789");
    if (digit == std::string_view::npos) break;
    value.remove_prefix(digit);
    const auto n = take_integer(value);
    if (!n) break;
    numbers.push_back(*n);
  }
  const bool is_host = where == "Host";
  const std::size_t first = is_host ? 1 : 3;  // past total; of a device past total, free, self
  if (where.empty() || numbers.size() < first + 3) return;
  out.saw(LogEngine::llama_cpp);
  auto& l = out.load();
  if (l.breakdown.size() >= kMostDevices) return;
  const auto put = [&](LogTerm term, std::int64_t mib, const char* detail) { l.breakdown.push_back({where, term, mib * kMiB, kMiB, line.number, detail}); };
  put(LogTerm::model, numbers[first], "");
  put(LogTerm::kv, numbers[first + 1], "with states");
  put(LogTerm::compute, numbers[first + 2], "");
  if (!is_host && numbers.size() > first + 3) put(LogTerm::non_torch, numbers[first + 3], "unaccounted");
  if (!is_host) out.device({where, {}, numbers[0] * kMiB, std::nullopt, line.number});
}

/// A command line that is echoed: the model's file, tensors placed by hand, and switches, until what is printed later replaces them.
void read_command(const Line& line, Collector& out) {
  auto& s = out.load().settings;
  auto& m = out.load().model;
  for (const std::string_view flag : {" --model ", " -m ", " -hf ", " -hfr "}) {
    const auto rest = after(line.text, flag);
    if (!rest || m.file) continue;
    const auto path = skip_spaces(*rest);
    const auto quoted = path.starts_with('"') || path.starts_with('\'');
    const auto name = quoted ? until(path.substr(1), "\"'") : until(path, " \t");
    if (!name.empty()) set(m.file, clean(name), line);
  }
  const std::pair<std::string_view, MaybePrinted<std::int64_t>*> numbers[] = {
      {" --ctx-size ", &s.context},        {" -c ", &s.context},     {" --batch-size ", &s.batch},   {" -b ", &s.batch},
      {" --ubatch-size ", &s.ubatch},      {" -ub ", &s.ubatch},     {" --parallel ", &s.sequences}, {" -np ", &s.sequences},
      {" --n-gpu-layers ", &s.gpu_layers}, {" -ngl ", &s.gpu_layers}};
  for (const auto& [flag, target] : numbers) {
    if (const auto n = integer_after(line.text, flag)) set(*target, *n, line);
  }
  const std::pair<std::string_view, MaybePrinted<std::string>*> types[] = {
      {" --cache-type-k ", &s.kv_type_k}, {" -ctk ", &s.kv_type_k}, {" --cache-type-v ", &s.kv_type_v}, {" -ctv ", &s.kv_type_v}};
  for (const auto& [flag, target] : types) {
    if (const auto rest = after(line.text, flag)) set(*target, clean(until(*rest, " \t\"'")), line);
  }
  for (const std::string_view flag : {"--n-cpu-moe ", "-ncmoe "}) {
    if (const auto n = integer_after(line.text, flag)) {
      for (std::int64_t i = 0; i < std::min(*n, kMostLayers); ++i) out.load().experts_on_host[static_cast<std::size_t>(i)] = true;
    }
  }
  for (const std::string_view flag : {" -ot ", " --override-tensor ", " --cpu-moe", " -cmoe"}) {
    if (contains(line.text, flag)) set(s.other_overrides, true, line);
  }
  if (contains(line.text, "--swa-full")) set(s.swa_full, true, line);
  if (contains(line.text, "llama-server")) set(out.log().is_server, true, line);
}

}  // namespace

void read_llama_line(const Line& line, Collector& out) {
  const auto text = line.text;
  // Most lines of a long log are somebody else's.
  const bool has_colon = text.find(':') != std::string_view::npos;
  if (!has_colon && !contains(text, "llama-") && !contains(text, "build=") && !contains(text, "overrid")) return;

  if (contains(text, "llm_load_tensors: ")) out.saw_style("b4400");
  if (contains(text, "buffer size")) read_buffers(line, out);
  if (const auto info = after(text, "print_info: ")) read_meta(*info, line, out);
  if (const auto info = after(text, "llm_load_print_meta: ")) {
    out.saw_style("b4400");
    read_meta(*info, line, out);
  }
  if (const auto rest = after(text, "llama_model_loader: ")) read_loader(*rest, line, out);
  for (const std::string_view function : {"llama_context: ", "llama_new_context_with_model: ", "llama_init_from_model: "}) {
    if (const auto rest = after(text, function)) read_context(*rest, line, out);
  }
  if (contains(text, "llama_kv_cache")) {
    // How the cache is announced dates a log that does not print its version.
    if (contains(text, "llama_kv_cache_unified"))
      out.saw_style(contains(text, "kv_size =") ? "b5300" : "b6000");
    else if (contains(text, "llama_kv_cache_init: kv_size"))
      out.saw_style("b5000");
    else if (contains(text, "llama_kv_cache:") || contains(text, "llama_kv_cache_iswa:"))
      out.saw_style("");
    if (const auto rest = after(text, "creating ")) {
      if (rest->starts_with("non-SWA KV cache"))
        out.load().cache_part = "full";
      else if (contains(*rest, "SWA KV cache"))
        out.load().cache_part = "sliding";
    }
    if (contains(text, "full-size SWA cache")) set(out.load().settings.swa_full, true, line);
    if (const auto type = field(text, "type_k")) set(out.load().settings.kv_type_k, clean(*type), line);
    if (const auto type = field(text, "type_v")) set(out.load().settings.kv_type_v, clean(*type), line);
  }
  if (contains(text, "KV self size") || contains(text, " cells, ")) {
    read_cache_types(line, out);
    if (contains(text, "c^KV (")) out.saw(LogEngine::ik_llama_cpp);
    if (const auto at = text.find(" rs_seq"); at != std::string_view::npos) {
      auto digits = words_before(text, at)[0];
      if (const auto n = take_integer(digits)) set(out.load().settings.draft_states, *n, line);
    }
    if (const auto sum = amount_after(text, "KV self size")) {
      out.saw(LogEngine::llama_cpp);
      out.load().put({"ALL", LogTerm::kv, sum->bytes, sum->rounding, line.number, {}}, true);
    }
  }
  if (auto rest = after(text, "offloaded ")) {
    const auto some = take_integer(*rest);
    if (some && rest->starts_with('/')) {
      rest->remove_prefix(1);
      const auto all = take_integer(*rest);
      if (all && rest->starts_with(" layers to GPU")) {
        set(out.load().settings.gpu_layers, *some, line);
        set(out.load().settings.all_layers, *all, line);
      }
    }
  }
  if (contains(text, "evice") || contains(text, "ggml_vulkan: ") || contains(text, "level_zero:gpu") || contains(text, "ggml_metal")) read_devices(line, out);
  if (contains(text, "build") || contains(text, "version: ")) read_version(line, out);
  if (contains(text, "buffer type overrid")) read_override(line, out);
  if (const auto rest = after(text, "memory_breakdown_print: |")) read_breakdown(*rest, line, out);
  if (const auto copies = integer_after(text, "(n_copies=")) set(out.load().settings.copies, *copies, line);
  if (const auto slots = integer_after(text, "using n_parallel = ")) set(out.load().settings.sequences, *slots, line);
  if (contains(text, "draft")) {
    if (contains(text, "loading draft model"))
      out.begin_draft(true);
    else if (contains(text, "draft context"))
      out.begin_draft(false);
  }
  if (contains(text, "srv ") || contains(text, "server is listening")) set(out.log().is_server, true, line);
  if (contains(text, "llama-") && contains(text, " -")) read_command(line, out);
}

}  // namespace planner::logs
