// planner show: one entry of the catalog, all that is known of it and where it comes from.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <algorithm>
#include <cstdio>

#include "command.h"
#include "planner/listing.h"
#include "planner/units.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string name;
  std::string kind;
};

std::size_t page_width() { return std::min<std::size_t>(80, terminal_width()); }

/// `text` wrapped behind a margin, the margin of all lines but the first blank.
std::string behind(std::string_view margin, std::size_t margin_width, const std::string& text) {
  std::string lines = wrap(text, page_width() - margin_width, 0);
  for (auto at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1)) lines.insert(at + 1, std::string(margin_width, ' '));
  return std::string(margin) + lines + "\n";
}

/// Labelled facts, one under the other; what is unknown says so.
class Page {
 public:
  void title(const std::string& name, const std::string& id) {
    out_ += paint(name, Colour::bold) + "\n";
    if (id != name) out_ += id + "\n";
  }
  void section(const std::string& name) { out_ += "\n" + paint(name, Colour::bold) + "\n"; }
  void fact(std::string_view label, const std::string& text) {
    constexpr std::size_t kMargin = 20;
    out_ += behind(paint(fmt::format("  {:<17} ", label), Colour::dim), kMargin, text.empty() ? "unknown" : text);
  }
  /// Left out where there is none.
  void maybe(std::string_view label, const std::string& text) {
    if (!text.empty()) fact(label, text);
  }
  void paragraph(const std::string& text) { out_ += behind("  ", 2, text); }
  void item(const std::string& text) { out_ += behind("  - ", 4, text); }
  void table(const Table& t) { out_ += t.text(2); }
  void sources(const std::vector<Source>& list) {
    if (list.empty()) return;
    section("Sources");
    for (const auto& s : list) {
      const bool one_line = s.what.size() + s.url.size() + 6 <= page_width();
      if (s.what.empty())
        out_ += "  " + s.url + "\n";
      else if (one_line)
        out_ += fmt::format("  {}: {}\n", s.what, s.url);
      else
        out_ += behind("  ", 2, s.what + ":") + "    " + s.url + "\n";
    }
  }
  void notes(const std::vector<std::string>& list) {
    if (std::all_of(list.begin(), list.end(), [](const auto& n) { return n.empty(); })) return;
    section("Notes");
    for (const auto& note : list) {
      if (!note.empty()) item(note);
    }
  }
  void print() const { std::fputs(out_.c_str(), stdout); }

 private:
  std::string out_;
};

std::string joined(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, ", ")); }

std::string size_or_zero(std::int64_t bytes) { return bytes == 0 ? "0" : format_gib(bytes); }

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

std::string count_with_exact(std::int64_t n) {
  const auto rounded = parameters(n);
  const auto exact = thousands(n);
  return rounded == exact ? exact : fmt::format("{} ({})", rounded, exact);
}

std::string parameters_in_words(const ParameterCounts& n) {
  std::string out = count_with_exact(n.total);
  if (n.active != n.total) out += fmt::format(", {} active per token", parameters(n.active));
  if (n.embedding > 0) out += fmt::format(", {} of them embedding tables", parameters(n.embedding));
  std::vector<std::string> besides;
  if (n.mtp > 0) besides.push_back(parameters(n.mtp) + " multi-token prediction");
  if (n.vision > 0) besides.push_back(parameters(n.vision) + " vision");
  if (n.audio > 0) besides.push_back(parameters(n.audio) + " audio");
  if (!besides.empty()) out += "; besides: " + joined(besides);
  return out;
}

std::string published_in_words(const PublishedParameters& p) {
  if (!p.total && !p.active) return {};
  std::string out = p.total ? thousands(*p.total) : "total unknown";
  if (p.active) out += fmt::format(", {} active", thousands(*p.active));
  return p.note.empty() ? out : fmt::format("{} ({})", out, p.note);
}

void add_layers(Page& page, const Model& model) {
  const auto groups = layer_groups(model);
  const auto& hp = model.hyperparameters;
  const auto words = [](const LayerGroup& g) {
    if (g.mixers.empty() && g.feed_forwards.empty()) return std::string("nothing that mixes tokens or widens");
    return g.mixers + (g.mixers.empty() || g.feed_forwards.empty() ? "" : "; ") + g.feed_forwards;
  };
  std::string first = fmt::format("{} layer{}", thousands(hp.n_layers), hp.n_layers == 1 ? "" : "s");
  if (groups.size() == 1) {
    page.fact("layers", first + ": " + words(groups.front()));
    return;
  }
  const auto kv_layers = model.kv_layers();
  if (kv_layers != hp.n_layers) first += fmt::format(", {} of them with a KV cache", thousands(kv_layers));
  page.fact("layers", first);
  for (const auto& g : groups) {
    const auto where = layers_in_words(g, model);
    page.fact(g.mtp ? "  prediction" : "",
              fmt::format("{} x {}{}", g.layers.size(), words(g), where == "all" ? "" : fmt::format(" (layer{} {})", g.layers.size() == 1 ? "" : "s", where)));
  }
}

void add_cache(Page& page, const Model& model) {
  const auto c = cache_summary(model);
  if (c.bytes_per_token == 0) {
    page.fact("KV cache", "none");
  } else {
    std::string text = fmt::format("{} bytes per token in f16", thousands(c.bytes_per_token));
    if (c.bytes_per_token_beyond_windows != c.bytes_per_token)
      text += fmt::format(", {} once the windows are full", thousands(c.bytes_per_token_beyond_windows));
    std::vector<std::string> sizes;
    for (const auto& at : c.at) sizes.push_back(fmt::format("{} at {}", format_gib(at.bytes), format_tokens(at.tokens)));
    page.fact("KV cache", text + "; " + joined(sizes));
    if (model.llama_cpp_ignores_window) page.fact("", "llama.cpp caches the whole context in every layer of this family");
  }
  if (c.recurrent_state_bytes > 0) page.fact("recurrent state", format_gib(c.recurrent_state_bytes) + " per sequence");
}

void add_evaluations(Page& page, const ModelEntry& m, std::vector<Source>& sources) {
  if (m.evaluations.empty()) return;
  // A note that all share is told once.
  const auto& common = m.evaluations.front().note;
  const bool shared = std::all_of(m.evaluations.begin(), m.evaluations.end(), [&](const Evaluation& e) { return e.note == common; });
  page.section(shared && !common.empty() ? "Evaluations, " + common : "Evaluations");
  Table table({{"", Align::left}, {"", Align::right}, {"", Align::left, true}});
  for (const auto& e : m.evaluations) {
    table.add({e.benchmark, fmt::format("{:g}", e.score), shared ? std::string() : e.note});
    const auto known = [&](const Source& s) { return s.url == e.source; };
    if (!e.source.empty() && std::none_of(sources.begin(), sources.end(), known)) sources.push_back({"evaluations", e.source});
  }
  page.table(table);
}

void show_model(const ModelEntry& m, const Catalog& catalog) {
  Page page;
  page.title(m.name, m.id);
  page.section("Model");
  page.fact("publisher", m.publisher);
  page.maybe("family", m.family);
  page.maybe("Hugging Face", m.hf_id);
  page.maybe("also called", joined(m.aliases));
  page.maybe("base model", m.base_model);
  std::vector<std::string> derived;
  for (const auto* d : derivatives_of(m, catalog)) derived.push_back(d->id);
  page.maybe("derived from it", joined(derived));
  page.fact("license", m.license);
  page.fact("released", m.release_date);
  page.fact("knowledge until", m.knowledge_cutoff);
  page.fact("modality", joined(m.modality));
  page.maybe("recommended for", joined(m.recommended_use));

  std::vector<std::string> notes = {m.note};
  page.section("Geometry");
  if (const auto* model = m.find_model()) {
    const auto& hp = model->hyperparameters;
    page.fact("architecture", hp.architecture);
    page.fact("parameters", parameters_in_words(model->parameters()));
    page.maybe("published", published_in_words(m.published));
    add_layers(page, *model);
    page.fact("hidden size", thousands(hp.hidden_size));
    page.fact("vocabulary", thousands(hp.vocab_size) + (hp.tied_embeddings ? ", the head is the embedding table" : ""));
    const auto context = m.context.value_or(hp.context_length);
    page.fact("context", context > 0 ? thousands(context) + " tokens" : "");
    page.fact("activation", activation_of(*model));
    page.fact("normalization", std::string(normalization_of(*model)));
    page.fact("positions", in_words(position_encoding(m)));
    add_cache(page, *model);
  } else {
    page.maybe("published", published_in_words(m.published));
    page.maybe("context", m.context ? thousands(*m.context) + " tokens" : "");
    try {
      (void)m.model();
    } catch (const Error& e) {
      notes.emplace_back(e.what());
    }
  }
  auto sources = m.sources;
  if (!m.published.source.empty()) sources.push_back({"published parameters", m.published.source});
  add_evaluations(page, m, sources);
  page.notes(notes);
  page.sources(sources);
  page.print();
}

// ---------------------------------------------------------------------------------------------------------------------
// Devices, quantizations, engines
// ---------------------------------------------------------------------------------------------------------------------

void show_device(const DeviceMatch& match, const Catalog& catalog) {
  const auto& d = *match.device;
  Page page;
  page.title(d.name, d.id);
  page.section("Device");
  page.fact("vendor", d.vendor);
  page.maybe("family", d.family);
  page.maybe("generation", d.generation);
  page.fact("kind", std::string(to_string(d.kind)) + (d.market.empty() ? "" : ", " + d.market));
  if (!d.node_device.empty()) page.fact("made of", fmt::format("{} x {}", d.node_count, d.node_device));
  page.fact("launch", d.launch);
  page.fact("price", d.price ? thousands(static_cast<std::int64_t>(d.price->value())) + " USD at launch" : "");
  page.fact("power", d.power ? thousands(static_cast<std::int64_t>(d.power->value())) + " W" : "");

  page.section("Memory");
  const auto memory = match.memory_bytes > 0 ? std::optional(match.memory_bytes) : d.memory_bytes;
  page.fact("memory", memory                      ? format_gib(*memory) + (d.memory_type.empty() ? "" : " " + d.memory_type)
                      : d.kind == DeviceKind::cpu ? (d.memory_type.empty() ? "" : d.memory_type + ", ") + "as much as is plugged in"
                                                  : "");
  if (d.memory_options.size() > 1) {
    std::vector<std::string> sizes;
    for (const auto bytes : d.memory_options) sizes.push_back(format_gib(bytes));
    page.fact("sold with", joined(sizes));
  }
  if (memory) {
    const auto reserve = catalog.platform_reserve(d, *memory);
    if (reserve.bytes > 0) {
      page.fact("not usable", format_gib(reserve.bytes) + ", kept by driver, desktop or operating system");
      page.maybe("", reserve.note);
      page.maybe("", reserve.source);
    }
  }
  page.fact("bandwidth", d.bandwidth ? format_bandwidth(*d.bandwidth) + (d.bus_bits ? fmt::format(", {} bit wide", thousands(*d.bus_bits)) : "") : "");

  page.section("Compute, dense");
  const auto& c = d.compute;
  const std::pair<std::string_view, std::optional<OpsPerSecond>> rates[] = {{"fp32", c.fp32}, {"fp16", c.fp16}, {"bf16", c.bf16},
                                                                            {"fp8", c.fp8},   {"fp4", c.fp4},   {"int8", c.int8}};
  bool any = false;
  for (const auto& [name, rate] : rates) {
    if (!rate) continue;
    any = true;
    page.fact(name, format_ops(*rate, name == "int8" ? "TOP/s" : "TFLOP/s"));
  }
  if (!any) page.paragraph("not published");

  if (!d.pcie.empty() || !d.link_name.empty()) {
    page.section("Interconnect");
    page.maybe("PCIe", d.pcie);
    if (!d.link_name.empty())
      page.fact("link", d.link_name + (d.link_bandwidth ? ", " + format_bandwidth(*d.link_bandwidth) + " per device, both directions together" : ""));
  }
  page.notes({match.note, d.note});
  page.sources(d.sources);
  page.print();
}

std::string bits(double b) { return fmt::format("{:g}", b); }

void add_scheme(Page& page, const GroupScheme& s) {
  page.fact("bits", s.bits > 0 ? bits(s.bits) + " per weight of the quantized matrices" : "chosen by name");
  if (s.block_rows > 0)
    page.fact("shared scale", fmt::format("per block of {} x {}", s.block_rows, s.group));
  else if (s.scale_bits > 0)
    page.fact("shared scale", s.group > 0 ? fmt::format("per {} weights of a row", s.group) : "per row");
  if (s.scale_bits > 0) page.fact("scale", bits(s.scale_bits) + " bits" + (s.zero_bits > 0 ? ", zero point " + bits(s.zero_bits) + " bits" : ""));
  if (s.input_bits > 0) page.fact("per input column", bits(s.input_bits) + " bits");
  page.fact("output head", s.head_too ? "quantized like the rest" : bits(s.head_bits) + " bits");
  page.fact("embedding table", s.embedding_too ? "quantized like the rest" : "16 bits");
  if (s.experts_only) page.fact("only", "the routed experts are quantized");
}

void show_quantization(const Quantization& q, const Catalog& catalog) {
  Page page;
  page.title(q.name, q.name);
  page.section("Quantization");
  page.fact("ecosystem", q.ecosystem);
  page.maybe("also called", joined(q.aliases));
  page.fact("quality", q.quality);
  if (const auto* publisher = q.publisher.empty() ? nullptr : catalog.find_publisher(q.publisher)) page.fact("publisher", publisher->name + ": " + publisher_in_words(*publisher));
  if (const auto* recipe = std::get_if<GgufRecipe>(&q.recipe)) {
    const auto& base = tensor_format(recipe->base);
    page.fact("base format", fmt::format("{}: {} bytes per block of {} weights, {:g} bits per weight", base.name, base.block_bytes, base.block_weights,
                                         base.bits_per_weight()));
    if (!recipe->rules.empty()) page.fact("", fmt::format("{} rules give some tensors another", recipe->rules.size()));
    page.fact("imatrix", recipe->imatrix == Imatrix::required ? "required"
                         : recipe->imatrix == Imatrix::usual  ? "usually made with one"
                                                              : "usually made without");
    if (!recipe->made.empty()) page.fact("as of", recipe->made);
    std::vector<std::string> published;
    for (const auto* p : catalog.publishers()) {
      if (q.publisher.empty() && p->has_own_rules()) published.push_back(q.name + "@" + p->id);
    }
    page.maybe("publishers'", joined(published));
    if (recipe->file_type >= 0) page.fact("file type", std::to_string(recipe->file_type));
  } else {
    add_scheme(page, std::get<GroupScheme>(q.recipe));
    const auto base = base_bits_per_weight(q);
    if (base && *base != std::get<GroupScheme>(q.recipe).bits) page.fact("with scales", fmt::format("{:.4g} bits per weight of the quantized matrices", *base));
  }
  std::vector<Source> sources = {{{}, q.source}};
  if (!q.measurements.empty()) {
    page.section("Measured against 16 bit");
    Table table(
        {{"model"}, {"imatrix"}, {"KL divergence", Align::right}, {"perplexity", Align::right}, {"increase", Align::right}, {"text", Align::left, true}});
    const auto number = [](const std::optional<double>& v) { return v ? fmt::format("{:.4f}", *v) : std::string("-"); };
    for (const auto& m : q.measurements) {
      table.add({m.model, m.imatrix ? "yes" : "no", number(m.kl_divergence), number(m.perplexity), number(m.perplexity_increase), m.dataset});
      const auto known = [&](const Source& s) { return s.url == m.source; };
      if (!m.source.empty() && std::none_of(sources.begin(), sources.end(), known)) sources.push_back({"measurements", m.source});
    }
    page.table(table);
    if (const auto* quoted = find_measurement(q, reference_model(catalog)))
      page.paragraph(fmt::format("Quoted elsewhere: {:.4f}, on {}.", *quoted->kl_divergence, quoted->model));
  }
  page.sources(sources);
  page.print();
}

void show_engine(const Engine& e) {
  Page page;
  page.title(e.name, e.id);
  page.section("Engine");
  page.maybe("", e.description);
  page.fact("version", e.version + (e.version_date.empty() ? "" : ", " + e.version_date));
  page.maybe("homepage", e.homepage);
  page.maybe("also called", joined(e.aliases));
  page.maybe("based on", e.based_on);
  page.fact("loads", joined(e.ecosystems));
  page.fact("back ends", joined(e.backends));
  std::vector<std::string> can;
  if (e.offload_layers) can.emplace_back("layers on the host");
  if (e.offload_experts) can.emplace_back("experts on the host");
  if (e.tensor_parallel) can.emplace_back("tensor parallel");
  if (e.pipeline_parallel) can.emplace_back("pipeline parallel");
  page.maybe("can", joined(can));

  page.section("KV cache");
  page.fact("types", joined(e.kv_types) + (e.default_kv_type.empty() ? "" : "; " + e.default_kv_type + " by default"));
  page.maybe("sliding layers", e.sliding_window == "full"       ? "cache the whole context"
                               : e.sliding_window == "windowed" ? "cache their window"
                                                                : e.sliding_window);
  if (e.kv_cell_padding > 1) page.fact("size", fmt::format("a multiple of {} tokens", e.kv_cell_padding));
  if (e.kv_pool && !e.server.empty()) {
    const auto& r = e.server.back();
    const std::string_view of = r.fraction_of == FractionOf::device ? "of the device's memory" : r.fraction_of == FractionOf::loaded ? "of what is free before loading" : "of what weights and activations leave";
    page.fact("pool", (r.fraction > 0 ? fmt::format("{:g} {}", r.fraction, of) : fmt::format("a share {} that follows from its size", of)) +
                          fmt::format(", blocks of {} token{}", r.block_size, r.block_size == 1 ? "" : "s"));
  }
  if (e.batch > 0) page.fact("batch", thousands(e.batch) + " tokens" + (e.ubatch > 0 ? ", computed " + thousands(e.ubatch) + " at a time" : ""));

  const auto add_overhead = [&](std::string_view label, const EngineOverhead& o) {
    page.fact(label, fmt::format("{}, {} to {} ({}){}", size_or_zero(o.bytes), size_or_zero(o.low), size_or_zero(o.high),
                                 o.measured ? "measured" : "assumption", o.note.empty() ? "" : ": " + o.note));
    page.maybe("", o.source);
  };
  if (!e.overheads.empty() || e.host_overhead) page.section("Memory beside weights, cache and compute buffers");
  for (const auto& o : e.overheads) add_overhead(o.backend, o);
  if (e.host_overhead) add_overhead("host", *e.host_overhead);
  page.notes(e.notes);
  page.sources(e.sources);
  page.print();
}

Status run(const Options& o) {
  const auto& catalog = catalog_for(o.common);
  std::optional<EntryKind> kind;
  for (const auto k : {EntryKind::model, EntryKind::device, EntryKind::quantization, EntryKind::engine}) {
    if (o.kind == to_string(k)) kind = k;
  }
  const auto entry = resolve_entry(catalog, o.name, kind);
  if (o.common.json) {
    std::puts(to_json(entry, catalog).c_str());
    return Status::answered;
  }
  switch (entry.kind) {
    case EntryKind::model: show_model(*entry.model, catalog); break;
    case EntryKind::device: show_device(entry.device, catalog); break;
    case EntryKind::quantization: show_quantization(*entry.quantization, catalog); break;
    case EntryKind::engine: show_engine(*entry.engine); break;
  }
  return Status::answered;
}

}  // namespace

Command add_show(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("show", "Shows one model, device, quantization or engine, with its sources");
  app->add_option("ID", o->name, "Id, name, alias, or part of a name")->required();
  app->add_option("--kind", o->kind, "What is meant where a name fits several: model, device, quantization or engine")
      ->check(CLI::IsMember({"model", "device", "quantization", "engine"}));
  app->add_flag("--json", o->common.json, "planner.show/1");
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
