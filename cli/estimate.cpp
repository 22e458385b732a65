// planner estimate: one model, one answer; or the table of its quantizations and of the devices that run it.

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "command.h"
#include "planner/estimate.h"
#include "planner/units.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  EstimateRequest request;
  std::string kv_type, gpu_layers, reserve, flash_attention, kv_offload, kv_unified;
  bool csv = false;
};

Colour colour_of(Verdict v) { return v == Verdict::fits ? Colour::green : v == Verdict::no ? Colour::red : Colour::yellow; }
Colour colour_of(const std::string& tier) { return tier == "comfortable" || tier == "fits" ? Colour::green : tier == "no" ? Colour::red : Colour::yellow; }

constexpr std::pair<Component, char> kLetters[] = {{Component::weights, 'W'}, {Component::kv, 'K'},     {Component::recurrent_state, 'S'},
                                                   {Component::compute, 'C'}, {Component::output, 'O'}, {Component::overhead, 'V'}};
constexpr std::pair<Component, std::string_view> kTitles[] = {{Component::weights, "weights"},      {Component::kv, "KV cache"}, {Component::recurrent_state, "state"},
                                                              {Component::compute, "compute"}, {Component::output, "output"}, {Component::overhead, "overhead"}};

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
  std::printf("context %s, %s sequence%s, KV %s/%s, %s %s (%s)\n", thousands(a.workload.context).c_str(), thousands(a.workload.concurrency).c_str(),
              a.workload.concurrency == 1 ? "" : "s", std::string(tensor_format(a.workload.kv_type_k).name).c_str(), std::string(tensor_format(a.workload.kv_type_v).name).c_str(),
              a.engine.c_str(), a.engine_version.c_str(), a.backend.c_str());
}

void print_memory(const Estimate& a) {
  // The output buffer is small: it shares the column of the compute buffers.
  std::vector<Component> shown;
  for (const auto& [component, title] : kTitles) {
    if (component != Component::output && a.memory->bytes(component) > 0) shown.push_back(component);
  }
  std::vector<Table::Column> columns = {{"device", Align::left, true}};
  for (const auto component : shown) columns.push_back({std::string(kTitles[static_cast<std::size_t>(component)].second), Align::right});
  columns.push_back({"total", Align::right});
  columns.push_back({"usable", Align::right});
  Table table(columns);
  for (const auto& d : a.memory->devices) {
    std::vector<std::string> row = {d.name};
    for (const auto component : shown) {
      const auto bytes = d.bytes(component) + (component == Component::compute ? d.bytes(Component::output) : 0);
      row.push_back(bytes > 0 ? format_gib(bytes) : "-");
    }
    row.push_back(format_gib(d.total_bytes()));
    row.push_back(d.usable_bytes ? format_gib(*d.usable_bytes) : "?");
    table.add(std::move(row));
  }
  std::printf("\n%s", table.text().c_str());
  for (const auto& d : a.memory->devices) {
    if (!d.capacity_bytes) continue;
    std::vector<BarPart> parts;
    for (const auto& [component, letter] : kLetters) parts.push_back({d.bytes(component), letter, component == Component::weights ? Colour::blue : component == Component::kv ? Colour::cyan : Colour::yellow});
    constexpr std::size_t kBar = 50;
    const auto percent = 100.0 * static_cast<double>(d.total_bytes()) / static_cast<double>(*d.capacity_bytes);
    std::printf("%s %.0f %% of %s\n", bar(parts, *d.capacity_bytes, kBar).c_str(), percent, format_gib(*d.capacity_bytes).c_str());
  }
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
  std::printf("\n%s\n", line.c_str());
  std::vector<std::string> solved;
  if (f.max_context) solved.push_back(*f.max_context > 0 ? fmt::format("largest context {}", thousands(*f.max_context)) : std::string("no context fits"));
  if (!f.best_quantization.empty()) solved.push_back("best quantization " + f.best_quantization);
  if (f.max_concurrency && *f.max_concurrency > 0) solved.push_back(fmt::format("up to {} sequences", thousands(*f.max_concurrency)));
  if (f.min_gpus && *f.min_gpus > 1) solved.push_back(fmt::format("{} such devices hold it", *f.min_gpus));
  if (!solved.empty()) std::puts(wrap(fmt::format("{}", fmt::join(solved, ", ")), terminal_width(), 2).c_str());
  for (const auto& c : f.smallest_change) std::printf("smallest change that makes it fit: %s %s -> %s\n", c.knob.c_str(), c.from.c_str(), c.to.c_str());
  if (f.knobs.empty()) return;
  Table table({{"one step of", Align::left}, {"", Align::left}, {"frees", Align::right}, {"decode", Align::right}});
  for (const auto& k : f.knobs) table.add({k.knob, k.step, format_gib(k.bytes_freed), k.decode_ratio ? fmt::format("x {:.2f}", *k.decode_ratio) : "-"});
  std::printf("\n%s", table.text().c_str());
}

void print_speed(const Estimate& a) {
  const auto& t = *a.throughput;
  std::printf("\ndecode   %s  (%s to %s) at depth %s, bound by %s, %.0f %% of bandwidth\n", paint(rate(t.decode_tokens_per_s), Colour::bold).c_str(), significant(t.decode_low).c_str(),
              significant(t.decode_high).c_str(), thousands(a.workload.depth).c_str(), std::string(to_string(t.bound)).c_str(), 100 * t.efficiency);
  if (a.workload.concurrency > 1) std::printf("         %s over all sequences\n", rate(t.aggregate_decode_tokens_per_s).c_str());
  if (t.prefill_tokens_per_s > 0) {
    std::printf("prefill  %s  (%s to %s), first token after %s s for a prompt of %s\n", rate(t.prefill_tokens_per_s).c_str(), significant(t.prefill_low).c_str(), significant(t.prefill_high).c_str(),
                significant(t.time_to_first_token_s).c_str(), thousands(a.workload.prompt).c_str());
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
  if (!a.quantizations.empty()) {
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
  if (a.fit && a.throughput) print_fit(a);
  if (a.throughput) print_speed(a);
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
  app->add_option("--engine", o->request.engine, "Inference engine, NAME or NAME@VERSION")->capture_default_str();
  app->add_option("--backend", o->request.backend, "cuda, metal, rocm, vulkan, sycl or cpu (default: the vendor's own)");
  app->add_option("--context,-c", o->request.context, "Tokens that one sequence may use (default: the model's limit, at most 8192)")->group("Workload");
  app->add_option("--depth", o->request.depth, "Tokens in the cache where decode speed is quoted (default: half the context)")->group("Workload");
  app->add_option("--prompt", o->request.prompt, "Tokens of the prompt that prefill speed is quoted for (default: 512)")->group("Workload");
  app->add_option("--cached-prompt", o->request.cached_prompt, "Of those already in the cache")->group("Workload");
  app->add_option("--concurrency", o->request.concurrency, "Sequences at once (default: 1)")->group("Workload");
  app->add_option("--kv-type", o->kv_type, "Format of keys and values: f16, q8_0, q4_0 ...")->group("Workload");
  app->add_option("--kv-type-k", o->request.kv_type_k, "Format of keys")->group("Workload");
  app->add_option("--kv-type-v", o->request.kv_type_v, "Format of values")->group("Workload");
  app->add_option("--batch", o->request.batch, "Tokens of one decode call (n_batch)")->group("Engine");
  app->add_option("--ubatch", o->request.ubatch, "Tokens computed at once (n_ubatch)")->group("Engine");
  app->add_option("--flash-attn", o->flash_attention, "on, off or auto")->check(CLI::IsMember({"on", "off", "auto"}))->group("Engine");
  app->add_option("--gpu-layers", o->gpu_layers, "Layers on the devices, or auto")->check(CLI::IsMember({"auto"}) | CLI::Range(0, 100000))->group("Engine");
  app->add_option("--n-cpu-moe", o->request.n_cpu_moe, "Experts of the first N layers stay on the host")->check(CLI::Range(0, 100000))->group("Engine");
  app->add_option("--kv-offload", o->kv_offload, "Cache on the devices: on or off")->check(CLI::IsMember({"on", "off"}))->group("Engine");
  app->add_option("--kv-unified", o->kv_unified, "One cache for all sequences: on or off")->check(CLI::IsMember({"on", "off"}))->group("Engine");
  app->add_flag("--swa-full", o->request.swa_full, "Sliding-window layers cache the whole context")->group("Engine");
  app->add_option("--outputs", o->request.outputs, "Tokens whose logits are kept at once: slots (one per sequence), batch, or a number")->group("Engine");
  app->add_option("--gpu-memory-utilization", o->request.memory_fraction, "Share of each device that an engine with a KV pool fills")->check(CLI::Range(0.0, 1.0))->group("Engine");
  app->add_option("--reserve", o->reserve, "Memory kept for driver and desktop, per device: 1 GiB")->group("Engine");
  app->add_flag("--json", o->common.json, "planner.estimate/1")->group("Output");
  app->add_flag("--csv", o->csv, "Comma-separated values")->group("Output");
  app->add_flag("--explain", o->request.explain, "Formula, inputs and source of every number")->group("Output");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
