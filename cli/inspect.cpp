// planner inspect: what a GGUF file or a config.json holds.

#include <fmt/format.h>
#include <CLI/App.hpp>

#include <algorithm>
#include <cstdio>

#include "command.h"
#include "planner/inspection.h"
#include "planner/listing.h"
#include "planner/units.h"
#include "render.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string file;
  bool full = false;
  bool tensors = false;
};

constexpr std::size_t kFirstMetadata = 24;

void print_wrapped(const std::string& text) { std::puts(wrap(text, std::min<std::size_t>(100, terminal_width()), 2).c_str()); }

std::string shape_text(const std::array<std::int64_t, 4>& shape, std::int32_t n_dims) {
  if (n_dims < 1) return "1";
  std::string out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::min(n_dims, 4)); ++i) out += (i > 0 ? " x " : "") + std::to_string(shape[i]);
  return out;
}

void print_geometry(const Model& model) {
  const auto& hp = model.hyperparameters;
  const auto n = model.parameters();
  if (n.active != n.total) print_wrapped(fmt::format("{} parameters active per token", parameters(n.active)));
  const auto kv_layers = model.kv_layers();
  print_wrapped(fmt::format("{} layers{}, hidden size {}, vocabulary {}{}", hp.n_layers,
                            kv_layers != hp.n_layers ? fmt::format(" ({} with KV cache)", kv_layers) : "", thousands(hp.hidden_size), thousands(hp.vocab_size),
                            hp.context_length > 0 ? ", context " + thousands(hp.context_length) : ""));
  for (const auto& g : layer_groups(model)) {
    std::string line = fmt::format("  {} x {}{}{}", g.layers.size(), g.mixers, g.mixers.empty() || g.feed_forwards.empty() ? "" : "; ", g.feed_forwards);
    if (const auto where = layers_in_words(g, model); where != "all")
      line += fmt::format(" ({}layer{} {})", g.mtp ? "prediction " : "", g.layers.size() == 1 ? "" : "s", where);
    std::puts(("  " + wrap(line.substr(2), std::min<std::size_t>(100, terminal_width()) - 2, 4)).c_str());
  }
}

void print_notes(const Inspection& in) {
  for (const auto& note : in.notes) print_wrapped("note: " + note);
}

void print_file(const Inspection& in, const Options& o) {
  const auto& f = *in.file;
  print_wrapped(fmt::format("{}  GGUF version {}{}, {}{}", paint(in.path.filename().string(), Colour::bold), f.version, f.big_endian ? ", big endian" : "",
                            in.architecture.empty() ? "no architecture" : "architecture " + in.architecture, in.name.empty() ? "" : ": " + in.name));
  if (f.tensors.empty()) {
    print_wrapped("no tensors");
  } else {
    print_wrapped(fmt::format("{} parameters ({}) in {} tensors, {:.3f} bits per weight", parameters(in.parameters_total), thousands(in.parameters_total),
                              thousands(static_cast<std::int64_t>(f.tensors.size())), bits_per_weight(f)));
    if (in.model) print_geometry(*in.model);
    print_wrapped(fmt::format("tensor data {} ({} bytes) from byte {}", format_gb(f.data_bytes), thousands(f.data_bytes), thousands(f.data_offset)));
  }
  std::string size = fmt::format("{} {} bytes declared, {} on disk", f.shards.size() == 1 ? "file" : fmt::format("{} files,", f.shards.size()),
                                 thousands(f.declared_file_bytes), thousands(f.file_bytes));
  print_wrapped(size + (f.is_complete() ? "" : paint(": cut short", Colour::yellow)));
  print_notes(in);

  if (!f.tensors.empty()) {
    Table formats({{"format"}, {"tensors", Align::right}, {"parameters", Align::right}, {"bytes", Align::right}, {"", Align::right}});
    for (const auto& s : format_shares(f)) {
      formats.add({std::string(tensor_format(s.format).name), thousands(s.tensors), parameters(s.parameters), thousands(s.bytes), format_gb(s.bytes)});
    }
    std::printf("\n%s", formats.text().c_str());
  }

  if (!f.metadata.empty()) {
    const std::size_t shown = o.full ? f.metadata.size() : std::min(kFirstMetadata, f.metadata.size());
    std::size_t key_width = 0;
    for (std::size_t i = 0; i < shown; ++i) key_width = std::max(key_width, screen_width(f.metadata[i].key));
    key_width = std::min<std::size_t>(key_width, 44);
    const std::size_t room = terminal_width() > key_width + 24 ? terminal_width() - key_width - 4 : 20;
    std::printf("\n%s\n", paint(fmt::format("metadata, {} keys", thousands(static_cast<std::int64_t>(f.metadata.size()))), Colour::bold).c_str());
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& [key, value] = f.metadata[i];
      const std::string fill(key_width > screen_width(key) ? key_width - screen_width(key) : 0, ' ');
      std::printf("  %s%s  %s\n", paint(key, Colour::dim).c_str(), fill.c_str(), preview(value, o.full ? 0 : room - 3).c_str());
    }
    if (shown < f.metadata.size()) std::printf("  %s\n", paint(fmt::format("{} more: --full", f.metadata.size() - shown), Colour::dim).c_str());
  }

  if (!o.tensors || f.tensors.empty()) return;
  Table table({{"tensor", Align::left, true}, {"shape"}, {"format"}, {"bytes", Align::right}, {"offset", Align::right}});
  for (const auto& t : f.tensors)
    table.add({t.name, shape_text(t.shape, t.n_dims), std::string(tensor_format(t.format).name), std::to_string(t.bytes), std::to_string(t.offset)});
  std::printf("\n%s", table.text().c_str());
}

void print_config(const Inspection& in, const Options& o) {
  const auto n = in.model->parameters();
  print_wrapped(fmt::format("{}  model configuration, architecture {}{}", paint(in.path.filename().string(), Colour::bold), in.architecture,
                            in.model->hyperparameters.model_type.empty() ? "" : ", model type " + in.model->hyperparameters.model_type));
  print_wrapped(fmt::format("{} parameters ({}) in {} tensors", parameters(in.parameters_total), thousands(in.parameters_total),
                            thousands(static_cast<std::int64_t>(in.model->tensors.size()))));
  for (const auto& [count, what] :
       {std::pair{n.mtp, "multi-token prediction"}, std::pair{n.vision, "the vision tower"}, std::pair{n.audio, "the audio tower"}}) {
    if (count > 0) print_wrapped(fmt::format("besides: {} parameters of {}", parameters(count), what));
  }
  print_geometry(*in.model);
  print_notes(in);
  if (!o.tensors) {
    std::printf("%s\n", paint("--tensors lists the tensors that a GGUF file of it holds", Colour::dim).c_str());
    return;
  }
  Table table({{"tensor", Align::left, true}, {"shape"}, {"elements", Align::right}});
  for (const auto& t : in.model->tensors) table.add({t.name, shape_text(t.shape, t.n_dims), thousands(t.n_elements())});
  std::printf("\n%s", table.text().c_str());
}

Status run(const Options& o) {
  const auto in = inspect(o.file);
  if (o.common.json)
    std::puts(to_json(in, o.full).c_str());
  else if (in.file)
    print_file(in, o);
  else
    print_config(in, o);
  return Status::answered;
}

}  // namespace

Command add_inspect(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("inspect", "Shows what a GGUF file or a config.json holds; tensor data is not read");
  app->add_option("FILE", o->file, "A .gguf file (any shard of a split one), a config.json, or a folder that holds one")->required();
  app->add_flag("--tensors", o->tensors, "Lists the tensors");
  app->add_flag("--full", o->full, "All metadata, long arrays and texts included");
  app->add_flag("--json", o->common.json, "planner.inspect/1");
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
