// planner models, gpus, quants, engines: what the catalog holds, one line an entry.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "command.h"
#include "planner/listing.h"
#include "planner/units.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  std::vector<std::string> filter;
  bool formats = false;
};

// ---------------------------------------------------------------------------------------------------------------------
// Tables that leave out columns
// ---------------------------------------------------------------------------------------------------------------------

struct ListColumn {
  Table::Column column;
  int expendable = 0;  ///< left out where the line would be too wide, the largest number first; 0: always there
};

constexpr std::size_t kLeastShrunk = 12;  ///< what Table leaves of a column that may shrink
constexpr std::size_t kGap = 2;

/// The table with as many columns as fit on the terminal; says which are missing.
void print_list(const std::vector<ListColumn>& columns, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> filled;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t widest = 0;
    for (const auto& row : rows) widest = std::max(widest, screen_width(row[i]));
    filled.push_back(widest > 0);
    const auto width = std::max(screen_width(columns[i].column.title), widest);
    widths.push_back(columns[i].column.may_shrink ? std::min(width, kLeastShrunk) : width);
  }
  std::vector<std::size_t> shown(columns.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  std::erase_if(shown, [&](std::size_t i) { return !filled[i] && columns[i].expendable > 0; });
  const auto needed = [&] {
    return std::accumulate(shown.begin(), shown.end(), kGap * (shown.size() - 1), [&](std::size_t sum, std::size_t i) { return sum + widths[i]; });
  };
  std::vector<std::string> missing;
  while (needed() > terminal_width()) {
    const auto least =
        std::max_element(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) { return columns[a].expendable < columns[b].expendable; });
    if (columns[*least].expendable == 0) break;
    missing.push_back(columns[*least].column.title);
    shown.erase(least);
  }
  std::vector<Table::Column> kept;
  for (const auto i : shown) kept.push_back(columns[i].column);
  Table table(kept);
  for (const auto& row : rows) {
    std::vector<std::string> cells;
    for (const auto i : shown) cells.push_back(row[i]);
    table.add(std::move(cells));
  }
  std::fputs(table.text().c_str(), stdout);
  if (missing.empty()) return;
  std::fflush(stdout);
  const auto line = fmt::format("not shown for lack of space: {}; `planner show` and --json tell all", fmt::join(missing, ", "));
  std::fprintf(stderr, "%s\n", wrap(line, terminal_width(), 2).c_str());
}

void print_json(const std::string& json) { std::puts(json.c_str()); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

/// "2025-01-20" -> "2025-01"
std::string month(const std::string& date) { return date.empty() ? "-" : date.substr(0, 7); }

std::string joined(const std::vector<std::string>& list) { return list.empty() ? "-" : fmt::format("{}", fmt::join(list, ", ")); }

// ---------------------------------------------------------------------------------------------------------------------
// The lists
// ---------------------------------------------------------------------------------------------------------------------

Status list_models(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  const auto models = filtered_models(catalog, o.filter);
  if (o.common.json) {
    print_json(list_json(EntryKind::model, o.filter, catalog));
    return Status::answered;
  }
  if (models.empty()) throw no_match(EntryKind::model, o.filter, catalog);
  std::vector<std::vector<std::string>> rows;
  for (const auto* m : models) {
    const auto* model = m->find_model();
    std::vector<std::string> row = {m->id};
    if (model != nullptr) {
      const auto n = model->parameters();
      const auto& hp = model->hyperparameters;
      const auto context = m->context.value_or(hp.context_length);
      row.insert(row.end(), {parameters(n.total), n.active != n.total ? parameters(n.active) : "", thousands(hp.n_layers),
                             context > 0 ? format_tokens(context) : "?", hp.architecture});
    } else {
      row.insert(row.end(), {m->published.total ? parameters(*m->published.total) : "?", m->published.active ? parameters(*m->published.active) : "", "?",
                             m->context ? format_tokens(*m->context) : "?", "?"});
    }
    row.insert(row.end(), {or_dash(m->license), month(m->release_date)});
    rows.push_back(std::move(row));
  }
  print_list({{{"model"}},
              {{"params", Align::right}},
              {{"active", Align::right}, 1},
              {{"layers", Align::right}, 4},
              {{"context", Align::right}},
              {{"arch", Align::left, true}, 3},
              {{"license", Align::left, true}, 2},
              {{"release"}}},
             rows);
  return Status::answered;
}

/// Half precision where it is published, else what is, with its name.
std::string compute_of(const ComputeRates& c) {
  const std::pair<std::optional<OpsPerSecond>, std::string_view> rates[] = {{c.fp16, "fp16"}, {c.bf16, "bf16"}, {c.fp32, "fp32"}, {c.fp8, "fp8"}};
  for (const auto& [rate, name] : rates) {
    if (!rate) continue;
    const auto text = format_ops(*rate);
    return text.substr(0, text.find(' ')) + " " + std::string(name);
  }
  return "-";
}

std::string without_unit(const std::string& quantity) { return quantity.substr(0, quantity.find(' ')); }

Status list_gpus(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  const auto devices = filtered_devices(catalog, o.filter);
  if (o.common.json) {
    print_json(list_json(EntryKind::device, o.filter, catalog));
    return Status::answered;
  }
  if (devices.empty()) throw no_match(EntryKind::device, o.filter, catalog);
  std::vector<std::vector<std::string>> rows;
  for (const auto* d : devices) {
    rows.push_back({d->id, d->name, d->memory_bytes ? format_gib(*d->memory_bytes) : "-", d->bandwidth ? without_unit(format_bandwidth(*d->bandwidth)) : "-",
                    compute_of(d->compute), d->power ? fmt::format("{:.0f}", d->power->value()) : "-",
                    d->price ? thousands(static_cast<std::int64_t>(d->price->value())) : "-", month(d->launch)});
  }
  print_list({{{"device"}},
              {{"name", Align::left, true}, 4},
              {{"memory", Align::right}},
              {{"GB/s", Align::right}},
              {{"TFLOP/s", Align::right}},
              {{"W", Align::right}, 2},
              {{"USD", Align::right}, 1},
              {{"launch"}, 3}},
             rows);
  return Status::answered;
}

/// The first thing that a sentence says, where the whole would be cut anyway.
std::string gist(const std::string& sentence) {
  constexpr std::size_t kRoomForAll = 130;
  return terminal_width() >= kRoomForAll ? sentence : sentence.substr(0, std::min(sentence.find(';'), sentence.find(". ")));
}

Status list_formats(const Options& o) {
  const auto formats = filtered_formats(o.filter);
  if (formats.empty()) {
    std::vector<std::string> names;
    for (const auto& f : tensor_formats()) names.emplace_back(f.name);
    throw Error(ErrorKind::unknown_name, fmt::format("no format matches '{}' (known: {})", fmt::join(o.filter, " "), fmt::join(names, ", ")));
  }
  Table table({{"format"}, {"weights/block", Align::right}, {"bytes/block", Align::right}, {"bits/weight", Align::right}, {"GGUF type", Align::right}});
  for (const auto* f : formats) {
    table.add({std::string(f->name), thousands(f->block_weights), thousands(f->block_bytes), fmt::format("{:.4g}", f->bits_per_weight()),
               f->gguf_type >= 0 ? std::to_string(f->gguf_type) : "-"});
  }
  std::fputs(table.text().c_str(), stdout);
  return Status::answered;
}

void print_quants(const std::vector<const Quantization*>& quantizations, const Catalog& catalog) {
  const auto measured_model = reference_model(catalog);
  bool any_measured = false;
  std::vector<std::vector<std::string>> rows;
  for (const auto* q : quantizations) {
    const auto bits = base_bits_per_weight(*q);
    const auto* recipe = std::get_if<GgufRecipe>(&q->recipe);
    const auto* measured = find_measurement(*q, measured_model);
    any_measured = any_measured || measured != nullptr;
    rows.push_back({q->name, q->ecosystem, bits ? fmt::format("{:.4g}", *bits) : "chosen",
                    recipe == nullptr || recipe->imatrix == Imatrix::none ? ""
                    : recipe->imatrix == Imatrix::required                ? "required"
                                                                          : "usual",
                    measured != nullptr ? fmt::format("{:.4f}", *measured->kl_divergence) : "", gist(q->quality)});
  }
  print_list({{{"quant"}},
              {{"ecosystem", Align::left, true}},
              {{"bits", Align::right}},
              {{"imatrix"}, 1},
              {{"KLD", Align::right}, 2},
              {{"quality", Align::left, true}}},
             rows);
  const auto legend = fmt::format("bits: per weight of the base format; a whole model has more{}",
                                  any_measured ? "; KLD: mean KL divergence against 16 bit, measured on " + measured_model : "");
  std::puts(paint(wrap(legend, terminal_width(), 2), Colour::dim).c_str());
}

void print_publishers(const std::vector<const Publisher*>& publishers) {
  std::vector<std::vector<std::string>> rows;
  for (const auto* p : publishers) rows.push_back({p->id, publisher_in_words(*p)});
  print_list({{{"publisher"}}, {{"what is different in the files: MIX@PUBLISHER asks for them", Align::left, true}}}, rows);
}

Status list_quants(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  const auto quantizations = filtered_quantizations(catalog, o.filter);
  const auto publishers = filtered_publishers(catalog, o.filter);
  if (o.common.json) {
    print_json(list_json(EntryKind::quantization, o.filter, catalog));
    return Status::answered;
  }
  if (o.formats) return list_formats(o);
  if (quantizations.empty() && publishers.empty()) throw no_match(EntryKind::quantization, o.filter, catalog);
  if (!quantizations.empty()) print_quants(quantizations, catalog);
  if (!quantizations.empty() && !publishers.empty()) std::puts("");
  if (!publishers.empty()) print_publishers(publishers);
  return Status::answered;
}

std::string overhead_in_words(const EngineOverhead& e) {
  const auto size = [](std::int64_t bytes) { return bytes == 0 ? std::string("0") : format_gib(bytes); };
  const auto range = e.low == e.high ? std::string() : fmt::format(" ({} to {})", size(e.low), size(e.high));
  return fmt::format("{}{}{}{}", e.backend, e.backend.empty() ? "" : " ", size(e.bytes), range);
}

void print_labelled(std::string_view label, const std::string& text) {
  constexpr std::size_t kLabel = 12;
  std::string lines = wrap(text, terminal_width() - kLabel, 0);
  for (auto at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1)) lines.insert(at + 1, std::string(kLabel, ' '));
  std::printf("%s%s\n", paint(fmt::format("  {:<10}", label), Colour::dim).c_str(), lines.c_str());
}

Status list_engines(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  const auto engines = filtered_engines(catalog, o.filter);
  if (o.common.json) {
    print_json(list_json(EntryKind::engine, o.filter, catalog));
    return Status::answered;
  }
  if (engines.empty()) throw no_match(EntryKind::engine, o.filter, catalog);
  bool first = true;
  for (const auto* e : engines) {
    if (!first) std::puts("");
    first = false;
    std::string head = paint(e->id, Colour::bold);
    if (e->name != e->id) head += "  " + e->name;
    if (!e->version.empty()) head += "  " + e->version + (e->version_date.empty() ? "" : " (" + e->version_date + ")");
    std::puts(head.c_str());
    print_labelled("loads", joined(e->ecosystems));
    print_labelled("backends", joined(e->backends));
    print_labelled("KV types", joined(e->kv_types));
    std::vector<std::string> overheads;
    for (const auto& overhead : e->overheads) overheads.push_back(overhead_in_words(overhead));
    if (e->host_overhead) overheads.push_back("host " + overhead_in_words(*e->host_overhead));
    print_labelled("overhead", joined(overheads));
  }
  return Status::answered;
}

Command add_list(CLI::App& program, const char* name, const char* description, const char* filter, const char* schema, Status (*run)(const Options&)) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand(name, description);
  app->add_option("FILTER", o->filter, filter);
  app->add_flag("--json", o->common.json, schema);
  if (run == list_quants) app->add_flag("--formats", o->formats, "The block formats that GGUF mixes are made of instead");
  add_data_option(*app, o->common);
  return {app, [o, run] { return run(*o); }};
}

}  // namespace

Command add_models(CLI::App& program) {
  return add_list(program, "models", "Lists the models of the catalog",
                  "Words that must all occur in name, family, publisher, architecture, license or modality", "planner.models/1", list_models);
}
Command add_gpus(CLI::App& program) {
  return add_list(program, "gpus", "Lists the devices of the catalog: GPUs, unified machines, CPU platforms, nodes",
                  "Words that must all occur in name, vendor, family, generation, market, kind or memory (24gb)", "planner.gpus/1", list_gpus);
}
Command add_quants(CLI::App& program) {
  return add_list(program, "quants", "Lists the quantizations of the catalog", "Words that must all occur in name or ecosystem", "planner.quants/1",
                  list_quants);
}
Command add_engines(CLI::App& program) {
  return add_list(program, "engines", "Lists the inference engines of the catalog", "Words that must all occur in name, ecosystems or back ends",
                  "planner.engines/1", list_engines);
}

}  // namespace planner::cli
