// planner estimate: one model, one answer; or the table of its quantizations and of the devices that run it.

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "command.h"
#include "planner/breakdown.h"
#include "planner/estimate.h"
#include "planner/units.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  EstimateRequest request;
  std::string kv_type, gpu_layers, reserve, flash_attention, kv_offload, kv_unified, mmap, repack, tensor_split;
  bool csv = false;
};

Colour colour_of(Verdict v) { return v == Verdict::fits ? Colour::green : v == Verdict::no ? Colour::red : Colour::yellow; }
Colour colour_of(const std::string& tier) { return tier == "comfortable" || tier == "fits" ? Colour::green : tier == "no" ? Colour::red : Colour::yellow; }

constexpr std::pair<Component, char> kLetters[] = {{Component::weights, 'W'}, {Component::kv, 'K'},     {Component::recurrent_state, 'S'},
                                                   {Component::compute, 'C'}, {Component::output, 'O'}, {Component::overhead, 'V'}};
/// Columns of the memory table. The output buffer is small: it shares the column of the compute buffers.
struct TermColumn {
  std::string_view title;
  std::vector<Component> of;
};
const std::vector<TermColumn>& term_columns() {
  static const std::vector<TermColumn> columns = {{"weights", {Component::weights}},
                                                  {"KV cache", {Component::kv}},
                                                  {"state", {Component::recurrent_state}},
                                                  {"compute", {Component::compute, Component::output}},
                                                  {"overhead", {Component::overhead}}};
  return columns;
}

std::string rate(double v) { return significant(v) + " tok/s"; }
std::string rate_or_dash(const std::optional<double>& v) { return v ? significant(*v) : "-"; }

void print_head(const Estimate& a) {
  const auto& m = a.model;
  std::string line = fmt::format("{}  {} parameters", paint(m.name, Colour::bold), parameters(m.parameters.total));
  if (m.parameters.active != m.parameters.total) line += fmt::format(" ({} active)", parameters(m.parameters.active));
  line += fmt::format(", {} layers", m.layers);
  if (m.kv_layers != m.layers) line += fmt::format(" ({} with KV cache)", m.kv_layers);
  if (m.context_max) line += fmt::format(", context up to {}", thousands(*m.context_max));
  std::puts(wrap(line, terminal_width(), 2).c_str());
  if (a.quantization) {
    std::string q = fmt::format("{}  {:.3f} bits per weight, tensors {}", paint(a.quantization->name.empty() ? "as in the file" : a.quantization->name, Colour::bold),
                                a.quantization->bits_per_weight, format_gb(a.quantization->tensor_bytes));
    if (a.quantization->file_size_bytes > 0) q += fmt::format(", file {}", format_gb(a.quantization->file_size_bytes));
    std::puts(q.c_str());
  }
  std::string line_of_work = fmt::format("context {}, {} sequence{}", thousands(a.workload.context), thousands(a.workload.concurrency), a.workload.concurrency == 1 ? "" : "s");
  if (a.engines.empty()) line_of_work += fmt::format(", KV {}/{}, {} {} ({})", tensor_format(a.workload.kv_type_k).name, tensor_format(a.workload.kv_type_v).name, a.engine, a.engine_version, a.backend);
  std::puts(wrap(line_of_work, terminal_width(), 2).c_str());
  std::string beside = a.machine.empty() ? "" : "on " + a.machine;
  if (!a.draft.empty()) beside += fmt::format("{}drafts by {}, {} tokens ahead", beside.empty() ? "" : ", ", a.draft, a.workload.draft_tokens);
  if (!a.projector.empty()) beside += (beside.empty() ? "with " : ", with ") + a.projector;
  if (!beside.empty()) std::puts(wrap(beside, terminal_width(), 2).c_str());
}

std::string device_name(const BreakdownRow& row) { return row.equals > 1 ? fmt::format("{}x {}", row.equals, row.device) : row.device; }

void print_memory(const Estimate& a) {
  const auto rows = breakdown(*a.memory);
  std::vector<const TermColumn*> shown;
  for (const auto& c : term_columns()) {
    if (a.memory->bytes(c.of.front()) > 0) shown.push_back(&c);
  }
  std::vector<Table::Column> columns = {{"device", Align::left, true}};
  for (const auto* c : shown) columns.push_back({std::string(c->title), Align::right});
  columns.push_back({"total", Align::right});
  columns.push_back({"usable", Align::right});
  Table table(columns);
  const auto amount = [](std::int64_t bytes) { return bytes > 0 ? format_gib(bytes) : std::string("-"); };
  for (const auto& row : rows) {
    std::vector<std::string> sizes = {device_name(row)};
    std::vector<std::string> margins = {paint("  off by at most", Colour::dim)};
    for (const auto* c : shown) {
      std::int64_t bytes = 0, uncertain = 0;
      for (const auto component : c->of) bytes += row.term(component).bytes, uncertain += row.term(component).uncertainty_bytes;
      sizes.push_back(amount(bytes));
      margins.push_back(paint(amount(uncertain), Colour::dim));
    }
    sizes.push_back(format_gib(row.total.bytes));
    sizes.push_back(row.usable_bytes ? format_gib(*row.usable_bytes) : "?");
    margins.push_back(paint(amount(row.total.uncertainty_bytes), Colour::dim));
    margins.emplace_back();
    table.add(std::move(sizes));
    table.add(std::move(margins));
  }
  std::vector<std::string> bases = {paint("rests on", Colour::dim)};
  for (const auto* c : shown) {
    const auto basis = basis_of(rows, c->of.front());
    bases.push_back(paint(basis ? to_string(*basis) : "", Colour::dim));
  }
  bases.resize(columns.size());
  table.add(std::move(bases));
  std::printf("\n%s", table.text().c_str());
  for (const auto& row : rows) {
    if (row.equals > 1) std::puts(paint(fmt::format("{}x: bytes on each, of the fullest; --json lists all", row.equals), Colour::dim).c_str());
  }
  for (const auto& row : rows) {
    if (!row.capacity_bytes) continue;
    std::vector<BarPart> parts;
    for (const auto& [component, letter] : kLetters) {
      parts.push_back({row.term(component).bytes, letter, component == Component::weights ? Colour::blue : component == Component::kv ? Colour::cyan : Colour::yellow});
    }
    constexpr std::size_t kBar = 40;
    const auto percent = 100.0 * static_cast<double>(row.total.bytes) / static_cast<double>(*row.capacity_bytes);
    std::printf("%s %.0f %% of %s%s\n", bar(parts, *row.capacity_bytes, kBar).c_str(), percent, format_gib(*row.capacity_bytes).c_str(), rows.size() > 2 ? (", " + row.device).c_str() : "");
  }
  if (!a.advice.empty()) std::printf("%s\n", wrap(a.advice, terminal_width(), 2).c_str());
}

void print_fit(const Estimate& a) {
  const auto& f = *a.fit;
  std::string line = paint(std::string(to_string(f.verdict)), colour_of(f.verdict));
  switch (f.verdict) {
    case Verdict::fits: line = paint("fits", Colour::green); break;
    case Verdict::tight: line = paint("fits, but tight", Colour::yellow) + ": less than 5 % of usable memory to spare"; break;
    case Verdict::offload: line = paint("fits only with a part on the host", Colour::yellow); break;
    case Verdict::no: line = paint("does not fit", Colour::red); break;
  }
  if (f.shortfall_bytes > 0) line += fmt::format(": {} short on {}, {} the largest part", format_gib(f.shortfall_bytes), f.limiting_device, f.limiting_term);
  if (f.verdict == Verdict::offload) line += fmt::format("; -ngl {}", f.gpu_layers);
  if (f.verdict == Verdict::offload && f.n_cpu_moe > 0) line += fmt::format(" --n-cpu-moe {}", f.n_cpu_moe);
  std::printf("\n%s\n", wrap(line, terminal_width(), 2).c_str());
  std::vector<std::string> solved;
  if (f.max_context) solved.push_back(*f.max_context > 0 ? fmt::format("largest context {}", thousands(*f.max_context)) : std::string("no context fits"));
  if (!f.best_quantization.empty()) solved.push_back("best quantization " + f.best_quantization);
  if (f.max_concurrency && *f.max_concurrency > 0) solved.push_back(fmt::format("up to {} sequence{}", thousands(*f.max_concurrency), *f.max_concurrency == 1 ? "" : "s"));
  if (f.min_gpus && *f.min_gpus > 1) solved.push_back(fmt::format("{} such devices hold it", *f.min_gpus));
  if (!solved.empty()) std::puts(wrap(fmt::format("{}", fmt::join(solved, ", ")), terminal_width(), 2).c_str());
  if (f.knobs.empty()) return;
  Table table({{"one step of", Align::left}, {"", Align::left}, {"frees", Align::right}, {"decode", Align::right}});
  for (const auto& k : f.knobs) table.add({k.knob, k.step, k.bytes_freed < 0 ? "-" + format_gib(-k.bytes_freed) : format_gib(k.bytes_freed), k.decode_ratio ? fmt::format("x {:.2f}", *k.decode_ratio) : "-"});
  std::printf("\n%s", table.text().c_str());
}

void print_speed(const Estimate& a) {
  const auto& t = *a.throughput;
  const auto line = [](std::string_view what, const std::string& text) { std::printf("%-9s%s\n", std::string(what).c_str(), wrap(text, terminal_width() - 9, 9).c_str()); };
  std::puts("");
  line("decode", fmt::format("{} ({} to {}) at depth {}, bound by {}, {:.0f} % of bandwidth", paint(rate(t.decode_tokens_per_s), Colour::bold), significant(t.decode_low), significant(t.decode_high),
                             thousands(a.workload.depth), to_string(t.bound), 100 * t.efficiency));
  if (a.workload.concurrency > 1) line("", rate(t.aggregate_decode_tokens_per_s) + " over all sequences");
  if (t.prefill_tokens_per_s > 0) {
    line("prefill", fmt::format("{} ({} to {}), first token after {} s for a prompt of {}", rate(t.prefill_tokens_per_s), significant(t.prefill_low), significant(t.prefill_high),
                                significant(t.time_to_first_token_s), thousands(a.workload.prompt)));
  }
}

void print_sweep(const Estimate& a) {
  Table table({{a.sweep_axis, Align::right}, {"KV cache", Align::right}, {"total", Align::right}, {"", Align::left}, {"decode", Align::right}, {"all", Align::right}, {"prefill", Align::right},
               {"first token", Align::right}});
  for (const auto& p : a.sweep) {
    table.add({thousands(p.at), format_gib(p.kv_bytes), format_gib(p.total_bytes), paint(to_string(p.verdict), colour_of(p.verdict)), rate_or_dash(p.decode_tokens_per_s),
               rate_or_dash(p.aggregate_decode_tokens_per_s), rate_or_dash(p.prefill_tokens_per_s), p.time_to_first_token_s ? significant(*p.time_to_first_token_s) + " s" : "-"});
  }
  std::printf("\n%s%s\n", table.text().c_str(), paint("decode: tok/s of one sequence; all: of all together; prefill: of the prompt", Colour::dim).c_str());
}

void print_engines(const Estimate& a) {
  Table table({{"engine", Align::left}, {"quant", Align::left, true}, {"weights", Align::right}, {"KV", Align::right}, {"compute", Align::right}, {"total", Align::right}, {"", Align::left},
               {"tok/s", Align::right}});
  for (const auto& row : a.engines) {
    if (!row.error.empty()) continue;
    const auto& m = *row.answer.memory;
    table.add({row.id, row.answer.quantization ? row.answer.quantization->name : "", format_gib(m.bytes(Component::weights)), format_gib(m.bytes(Component::kv)),
               format_gib(m.bytes(Component::compute)), format_gib(m.total_bytes()), paint(to_string(row.answer.fit->verdict), colour_of(row.answer.fit->verdict)),
               row.answer.throughput ? significant(row.answer.throughput->decode_tokens_per_s) : "-"});
  }
  std::printf("\n%s\n", table.text().c_str());
  for (const auto& row : a.engines) {
    if (const auto& text = row.error.empty() ? row.difference : row.error; !text.empty()) std::puts(wrap(row.id + ": " + text, terminal_width(), 2).c_str());
  }
}

void print_quantizations(const Estimate& a) {
  Table table({{"quantization", Align::left}, {"bits", Align::right}, {"file", Align::right}, {"with context", Align::right}, {"", Align::left}, {"tok/s", Align::right}, {"KLD", Align::right},
               {"quality", Align::left, true}});
  for (const auto& r : a.quantizations) {
    const auto size = r.quantization.file_size_bytes > 0 ? r.quantization.file_size_bytes : r.quantization.tensor_bytes;
    table.add({r.quantization.name, fmt::format("{:.2f}", r.quantization.bits_per_weight), format_gb(size), format_gib(r.total_bytes), paint(std::string(to_string(r.verdict)), colour_of(r.verdict)),
               rate_or_dash(r.decode_tokens_per_s), r.kl_divergence ? fmt::format("{:.4f}", *r.kl_divergence) : "-", r.quality});
  }
  std::printf("\n%s", table.text().c_str());
  for (const auto& r : a.quantizations) {
    if (r.quality_model.empty()) continue;
    std::printf("%s\n", paint(fmt::format("KLD: mean KL divergence against 16 bit, measured on {}", r.quality_model), Colour::dim).c_str());
    break;
  }
}

void print_devices(const Estimate& a) {
  Table table({{"device", Align::left, true}, {"memory", Align::right}, {"needs", Align::right}, {"", Align::left}, {"tok/s", Align::right}, {"price", Align::right}});
  std::string tier;
  std::size_t hidden = 0;
  constexpr std::size_t kShownPerTier = 12;
  std::size_t in_tier = 0;
  for (const auto& r : a.devices_ranked) {
    if (r.tier != tier) tier = r.tier, in_tier = 0;
    if (++in_tier > kShownPerTier) {
      ++hidden;
      continue;
    }
    table.add({r.name, r.memory_bytes ? format_gib(*r.memory_bytes) : "?", format_gib(r.total_bytes), paint(r.tier, colour_of(r.tier)), rate_or_dash(r.decode_tokens_per_s),
               r.price_usd ? fmt::format("{:.0f} USD", *r.price_usd) : "-"});
  }
  std::printf("\n%s", table.text().c_str());
  if (hidden > 0) std::printf("%s\n", paint(fmt::format("{} more devices: --json lists all", hidden), Colour::dim).c_str());
}

void print_explanations(const Estimate& a) {
  std::printf("\n%s\n", paint("Where each number comes from", Colour::bold).c_str());
  for (const auto& e : a.explain) {
    std::string value;
    if (e.unit == "bytes") value = fmt::format("{} bytes ({})", thousands(static_cast<std::int64_t>(e.value)), format_gib(static_cast<std::int64_t>(e.value)));
    else if (e.unit == "s") value = fmt::format("{:.3f} ms", e.value * 1e3);
    else if (e.unit == "parameters") value = thousands(static_cast<std::int64_t>(e.value));
    else value = significant(e.value) + " " + e.unit;
    std::printf("%s%s: %s\n", paint(e.term, Colour::cyan).c_str(), e.device.empty() ? "" : (" on " + e.device).c_str(), value.c_str());
    std::printf("    = %s\n", wrap(e.formula, terminal_width() - 6, 6).c_str());
    if (e.low != e.value || e.high != e.value) {
      if (e.unit == "bytes") std::printf("    between %s and %s\n", format_gib(static_cast<std::int64_t>(e.low)).c_str(), format_gib(static_cast<std::int64_t>(e.high)).c_str());
      else std::printf("    between %s and %s %s\n", significant(e.low).c_str(), significant(e.high).c_str(), e.unit.c_str());
    }
    std::printf("    %s%s\n", e.basis.c_str(), e.source.empty() ? "" : (", " + e.source).c_str());
  }
}

/// One line of cells; text with a comma or quote is quoted.
void print_csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const auto& cell : cells) {
    if (!line.empty()) line += ',';
    if (cell.find_first_of(",\"\n") == std::string::npos) {
      line += cell.empty() && line.empty() ? "\"\"" : cell;
      continue;
    }
    line += '"';
    for (const char c : cell) line += c == '"' ? "\"\"" : std::string(1, c);
    line += '"';
  }
  std::puts(line.c_str());
}

std::string number(const std::optional<double>& v) { return v ? fmt::format("{:.6g}", *v) : ""; }

void print_csv(const Estimate& a) {
  if (!a.engines.empty()) {
    print_csv_line({"engine", "quantization", "weights_bytes", "kv_cache_bytes", "compute_bytes", "overhead_bytes", "total_bytes", "fit", "decode_tokens_per_s", "difference", "error"});
    for (const auto& row : a.engines) {
      if (!row.error.empty()) {
        print_csv_line({row.id, "", "", "", "", "", "", "", "", "", row.error});
        continue;
      }
      const auto& m = *row.answer.memory;
      const auto bytes = [&](Component c) { return std::to_string(m.bytes(c)); };
      print_csv_line({row.id, row.answer.quantization ? row.answer.quantization->name : "", bytes(Component::weights), bytes(Component::kv), bytes(Component::compute), bytes(Component::overhead),
                      std::to_string(m.total_bytes()), std::string(to_string(row.answer.fit->verdict)), row.answer.throughput ? number(row.answer.throughput->decode_tokens_per_s) : "", row.difference, ""});
    }
  } else if (!a.sweep.empty()) {
    print_csv_line({a.sweep_axis, "total_bytes", "kv_cache_bytes", "compute_bytes", "fit", "decode_tokens_per_s", "aggregate_decode_tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s"});
    for (const auto& p : a.sweep) {
      print_csv_line({std::to_string(p.at), std::to_string(p.total_bytes), std::to_string(p.kv_bytes), std::to_string(p.compute_bytes), std::string(to_string(p.verdict)), number(p.decode_tokens_per_s),
                      number(p.aggregate_decode_tokens_per_s), number(p.prefill_tokens_per_s), number(p.time_to_first_token_s)});
    }
  } else if (!a.quantizations.empty()) {
    print_csv_line({"quantization", "bits_per_weight", "file_size_bytes", "memory_bytes", "fit", "decode_tokens_per_s", "kl_divergence", "quality"});
    for (const auto& r : a.quantizations) {
      print_csv_line({r.quantization.name, fmt::format("{:.6g}", r.quantization.bits_per_weight), r.quantization.file_size_bytes > 0 ? std::to_string(r.quantization.file_size_bytes) : "",
                      std::to_string(r.total_bytes), std::string(to_string(r.verdict)), number(r.decode_tokens_per_s), number(r.kl_divergence), r.quality});
    }
  } else if (!a.devices_ranked.empty()) {
    print_csv_line({"device", "vendor", "kind", "memory_bytes", "total_bytes", "tier", "decode_tokens_per_s", "price_usd"});
    for (const auto& r : a.devices_ranked) {
      print_csv_line({r.id, r.vendor, r.kind, r.memory_bytes ? std::to_string(*r.memory_bytes) : "", std::to_string(r.total_bytes), r.tier, number(r.decode_tokens_per_s), number(r.price_usd)});
    }
  } else {
    print_csv_line({"device", "buffer", "component", "bytes", "basis", "uncertainty_bytes"});
    for (const auto& d : a.memory->devices) {
      for (const auto& b : d.buffers) {
        print_csv_line({d.name, b.name, std::string(to_string(b.component)), std::to_string(b.bytes), std::string(to_string(b.basis)), std::to_string(b.uncertainty_bytes)});
      }
    }
  }
}

void print_text(const Estimate& a) {
  print_head(a);
  if (a.memory) print_memory(a);
  if (a.fit && a.devices_ranked.empty() && a.sweep.empty()) print_fit(a);
  if (a.throughput && a.sweep.empty()) print_speed(a);
  if (!a.sweep.empty()) print_sweep(a);
  if (!a.engines.empty()) print_engines(a);
  if (!a.quantizations.empty()) print_quantizations(a);
  if (!a.devices_ranked.empty()) print_devices(a);
  for (const auto& note : a.notes) std::puts(wrap("note: " + note, terminal_width(), 6).c_str());
  if (!a.explain.empty()) print_explanations(a);
}

bool on_off(const std::string& text) { return text == "on"; }

Status run(Options& o) {
  auto& r = o.request;
  if (!o.kv_type.empty()) {
    if (r.kv_type_k.empty()) r.kv_type_k = o.kv_type;
    if (r.kv_type_v.empty()) r.kv_type_v = o.kv_type;
  }
  if (!o.gpu_layers.empty() && o.gpu_layers != "auto") r.gpu_layers = std::stoll(o.gpu_layers);
  if (!o.reserve.empty()) r.reserve_bytes = parse_bytes(o.reserve.find_first_not_of("0123456789") == std::string::npos ? o.reserve + " B" : o.reserve);
  if (o.flash_attention == "on") r.flash_attention = FlashAttention::on;
  if (o.flash_attention == "off") r.flash_attention = FlashAttention::off;
  if (!o.kv_offload.empty()) r.kv_offload = on_off(o.kv_offload);
  if (!o.kv_unified.empty()) r.kv_unified = on_off(o.kv_unified);
  if (!o.mmap.empty()) r.mmap = on_off(o.mmap);
  if (!o.repack.empty()) r.repack = on_off(o.repack);
  if (!o.tensor_split.empty()) r.tensor_split = parse_shares(o.tensor_split);
  const auto answer = estimate(r, catalog_for(o.common));
  if (o.common.json) std::puts(to_json(answer).c_str());
  else if (o.csv) print_csv(answer);
  else print_text(answer);
  return Status::answered;
}

}  // namespace

Command add_estimate(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("estimate", "Memory, fit and speed of a model on devices");
  app->add_option("--model,-m", o->request.model, "Catalog id, Hugging Face id, alias, or a .gguf, config.json or folder")->required();
  app->add_option("--quant,-q", o->request.quantization, "Quantization: Q4_K_M, IQ2_XXS, AWQ, FP8, EXL2-4.0, MLX-4 ... (default: the whole table)");
  app->add_option("--gpu,-g", o->request.devices, "Device by id, name or part of one; repeatable; cpu: the host alone");
  app->add_option("--gpus", o->request.device_count, "So many of the device given");
  app->add_option("--machine", o->request.machine, "A real box from a YAML file: cards, slots, links, memory (docs/data.md)");
  app->add_option("--engine", o->request.engine, "Inference engine, NAME or NAME@VERSION; all: side by side")->capture_default_str();
  app->add_option("--backend", o->request.backend, "cuda, metal, rocm, vulkan, sycl or cpu (default: the vendor's own)");
  app->add_option("--context,-c", o->request.context, "Tokens that one sequence may use (default: the model's limit, at most 8192)")->group("Workload");
  app->add_option("--depth", o->request.depth, "Tokens in the cache where decode speed is quoted (default: half the context)")->group("Workload");
  app->add_option("--prompt", o->request.prompt, "Tokens of the prompt that prefill speed is quoted for (default: 512)")->group("Workload");
  app->add_option("--cached-prompt", o->request.cached_prompt, "Of those already in the cache")->group("Workload");
  app->add_option("--concurrency", o->request.concurrency, "Sequences at once (default: 1)")->group("Workload");
  app->add_option("--kv-type", o->kv_type, "Format of keys and values: f16, q8_0, q4_0 ...")->group("Workload");
  app->add_option("--kv-type-k", o->request.kv_type_k, "Format of keys")->group("Workload");
  app->add_option("--kv-type-v", o->request.kv_type_v, "Format of values")->group("Workload");
  const auto switchable = CLI::IsMember({"on", "off"});
  constexpr const char* kLlama = "llama.cpp and what is built on it";
  app->add_option("--batch", o->request.batch, "Tokens of one decode call (n_batch)")->group(kLlama);
  app->add_option("--ubatch", o->request.ubatch, "Tokens computed at once (n_ubatch)")->group(kLlama);
  app->add_option("--flash-attn", o->flash_attention, "on, off or auto")->check(CLI::IsMember({"on", "off", "auto"}))->group(kLlama);
  app->add_option("--gpu-layers", o->gpu_layers, "Layers on the devices, or auto")->check(CLI::IsMember({"auto"}) | CLI::Range(0, 100000))->group(kLlama);
  app->add_option("--n-cpu-moe", o->request.n_cpu_moe, "Experts of the first N layers stay on the host")->check(CLI::Range(0, 100000))->group(kLlama);
  app->add_option("--override-tensor", o->request.override_tensors, "REGEX=BUFFER: tensors of that name lie in CPU, CUDA0 ...; repeatable, the first that matches counts")
      ->allow_extra_args(false)
      ->group(kLlama);
  app->add_option("--split", o->request.split, "Several devices share by layer or by row")->check(CLI::IsMember({"layer", "row"}))->group(kLlama);
  app->add_option("--tensor-split", o->tensor_split, "Shares of the devices: 3,1 (default: by free memory)")->group(kLlama);
  app->add_option("--kv-offload", o->kv_offload, "Cache on the devices: on or off")->check(switchable)->group(kLlama);
  app->add_option("--kv-unified", o->kv_unified, "One cache for all sequences: on or off")->check(switchable)->group(kLlama);
  app->add_flag("--swa-full", o->request.swa_full, "Sliding-window layers cache the whole context")->group(kLlama);
  app->add_option("--mmap", o->mmap, "The file is mapped instead of read: on or off (default: on)")->check(switchable)->group(kLlama);
  app->add_option("--repack", o->repack, "Matrices lie as CPU kernels want them: on or off (default: on)")->check(switchable)->group(kLlama);
  app->add_option("--outputs", o->request.outputs, "Tokens whose logits are kept at once: slots (one per sequence), batch, or a number")->group(kLlama);
  constexpr const char* kServers = "Servers";
  app->add_option("--tensor-parallel", o->request.tensor_parallel, "Ranks that share each layer")->group(kServers);
  app->add_option("--pipeline-parallel", o->request.pipeline_parallel, "Stages of layers behind each other")->group(kServers);
  app->add_option("--gpu-memory-utilization", o->request.memory_fraction, "Share of each device that an engine with a KV pool fills")->check(CLI::Range(0.0, 1.0))->group(kServers);
  app->add_option("--max-num-seqs", o->request.max_num_seqs, "Sequences that one step may hold")->group(kServers);
  app->add_option("--max-batched-tokens", o->request.max_batched_tokens, "Tokens that one step may hold")->group(kServers);
  app->add_option("--block-size", o->request.block_size, "Tokens per block of the cache")->group(kServers);
  constexpr const char* kMore = "More";
  app->add_option("--draft", o->request.draft, "Draft model for speculative decoding, named as --model; mtp: the model's own prediction layers")->group(kMore);
  app->add_option("--draft-quant", o->request.draft_quantization, "Its quantization (default: the model's)")->group(kMore);
  app->add_option("--draft-tokens", o->request.draft_tokens, "Tokens drafted ahead at most (default: 3)")->group(kMore);
  app->add_option("--acceptance", o->request.acceptance, "Share of drafted tokens that are accepted: 0 to 1")->group(kMore);
  app->add_option("--mmproj", o->request.mmproj, "Multimodal projector: a .gguf file, or auto")->group(kMore);
  app->add_option("--reserve", o->reserve, "Memory kept for driver and desktop, per device: 1 GiB")->group(kMore);
  app->add_option("--sweep", o->request.sweep, "Memory and speed along an axis: context, concurrency or prompt")->group(kMore);
  app->add_flag("--json", o->common.json, "planner.estimate/1")->group("Output");
  app->add_flag("--csv", o->csv, "Comma-separated values")->group("Output");
  app->add_flag("--explain", o->request.explain, "Formula, inputs and source of every number")->group("Output");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
