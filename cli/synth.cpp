// planner synth: a GGUF file of a catalog model's geometry with random weights, to measure with.

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/App.hpp>

#include <cstdio>

#include "command.h"
#include "planner/units.h"
#include "render.h"
#include "runtime/synth.h"

namespace planner::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model, quantization, output;
  runtime::SynthOptions synth;
};

Status run(Options& o) {
  const auto& catalog = catalog_for(o.common);
  const auto& model = catalog.resolve_model(o.model);
  std::unique_ptr<Quantization> made;
  const auto& quantization = catalog.resolve_quantization(o.quantization, made);
  if (isatty(STDERR_FILENO) != 0) {
    o.synth.progress = [last = -1LL](std::int64_t done, std::int64_t total) mutable {
      const auto percent = total > 0 ? 100 * done / total : 100;
      if (percent == last) return;
      last = percent;
      std::fprintf(stderr, "\r%3lld %%  %s of %s%s", static_cast<long long>(percent), format_gb(done).c_str(), format_gb(total).c_str(), done >= total ? "\n" : "");
    };
  }
  const auto file = runtime::synthesize(model, quantization, catalog, o.output, o.synth);
  std::fprintf(stderr, "%s: %s %s, %s bytes in %s tensors (predicted %s)\n", o.output.c_str(), model.name.c_str(), quantization.name.c_str(), thousands(file.file_bytes).c_str(),
               thousands(file.n_tensors).c_str(), thousands(file.predicted_bytes).c_str());
  return Status::answered;
}

}  // namespace

Command add_synth(CLI::App& program) {
  auto o = std::make_shared<Options>();
  auto* app = program.add_subcommand("synth", "Writes a GGUF file of a catalog model's geometry with random weights, to measure speed and memory with");
  app->add_option("--model,-m", o->model, "A model of the catalog")->required();
  app->add_option("--quant,-q", o->quantization, "A GGUF mix or format")->required();
  app->add_option("--output,-o", o->output, "The file to write")->required();
  app->add_option("--seed", o->synth.seed, "Of the random numbers")->capture_default_str();
  app->add_option("--threads,-t", o->synth.n_threads, "0: all of the machine")->capture_default_str()->check(CLI::Range(0, 1024));
  add_data_option(*app, o->common);
  return {app, [o] { return run(*o); }};
}

}  // namespace planner::cli
