// Lines of Ollama's server: what it expects before a load (memory.required, no allocation), and what its own engine allocates.
#include "core/text.h"
#include "import/log_reader.h"

namespace planner::logs {
namespace {

using text::contains;

/// memory.required.full="20.1 GiB" memory.required.kv="1.6 GiB" memory.weights.total="15.4 GiB" memory.graph.full="565.0 MiB"
void read_forecast(const Line& line, Collector& out) {
  constexpr std::pair<std::string_view, LogTerm> kForecasts[] = {{"memory.required.full", LogTerm::total},
                                                                 {"memory.weights.total", LogTerm::model},
                                                                 {"memory.required.kv", LogTerm::kv},
                                                                 {"memory.graph.full", LogTerm::compute}};
  // A forecast is made before the load that it is for.
  if (!out.load().is_empty()) out.begin_load(line.number);
  auto& l = out.load();
  if (l.first_line == 0) l.first_line = line.number;
  l.forecasts.clear();
  for (const auto& [name, term] : kForecasts) {
    auto value = field(line.text, name);
    if (!value) continue;
    if (const auto amount = take_amount(*value)) l.forecasts.push_back({"ALL", term, amount->bytes, amount->rounding, line.number, std::string(name)});
  }
  const auto set = [&](std::string_view key, MaybePrinted<std::int64_t>& target) {
    auto value = field(line.text, key);
    if (!value) return;
    if (const auto n = take_integer(*value)) target = Printed<std::int64_t>{*n, line.number};
  };
  set("layers.offload", l.settings.gpu_layers);
  set("layers.model", l.settings.all_layers);
}

/// cmd="... runner --model /blobs/sha256-... --ctx-size 8192 --batch-size 512 --parallel 2 --flash-attn"
void read_runner(const Line& line, Collector& out) {
  auto& s = out.load().settings;
  const auto set = [&](std::string_view flag, MaybePrinted<std::int64_t>& target) {
    if (const auto n = integer_after(line.text, flag)) target = Printed<std::int64_t>{*n, line.number};
  };
  set("--ctx-size ", s.context);
  set("--batch-size ", s.batch);
  set("--parallel ", s.sequences);
  if (contains(line.text, "--flash-attn")) s.flash_attention = Printed<bool>{true, line.number};
  if (const auto type = after(line.text, "--kv-cache-type ")) s.kv_type_k = s.kv_type_v = Printed<std::string>{clean(until(*type, " \"")), line.number};
}

/// msg="model weights" buffer=ROCm0 size="16.2 GiB"; newer: device=ROCm0
void read_allocation(const Line& line, LogTerm term, Collector& out) {
  auto size = field(line.text, "size");
  if (!size) return;
  const auto amount = take_amount(*size);
  if (!amount) return;
  auto where = field(line.text, "buffer");
  if (!where) where = field(line.text, "device");
  if (!where) where = field(line.text, "backend");
  if (!where) return;
  LogBuffer b{clean(*where), term, amount->bytes, amount->rounding, line.number, {}};
  if (term != LogTerm::model) {
    // The graph is laid out more than once; the last one stays.
    out.load().put(std::move(b), true);
    return;
  }
  auto* load = &out.load();
  if (!load->context.empty()) {
    out.begin_load(line.number);
    load = &out.load();
  }
  for (auto& w : load->weights) {
    if (w.where != b.where) continue;
    w = std::move(b);
    return;
  }
  if (load->weights.size() < kMostBuffers) load->weights.push_back(std::move(b));
}

}  // namespace

void read_ollama_line(const Line& line, Collector& out) {
  const auto text = line.text;
  if (!contains(text, "msg=")) {
    if (contains(text, "OLLAMA_") && contains(text, "source=")) out.saw(LogEngine::ollama);
    return;
  }
  if (!contains(text, "source=")) return;
  const auto message = field(text, "msg").value_or("");
  if (contains(text, "memory.required.full")) {
    out.saw(LogEngine::ollama);
    read_forecast(line, out);
    return;
  }
  if (message == "model weights" || message == "kv cache" || message == "compute graph") {
    out.saw(LogEngine::ollama);
    read_allocation(line, message == "model weights" ? LogTerm::model : message == "kv cache" ? LogTerm::kv : LogTerm::compute, out);
    return;
  }
  if (message == "starting llama server" || message == "starting runner") {
    out.saw(LogEngine::ollama);
    read_runner(line, out);
    return;
  }
  if (message == "inference compute") {
    out.saw(LogEngine::ollama);
    const auto library = field(text, "library").value_or("");
    LogDevice d;
    d.name = clean(field(text, "name").value_or(""));
    d.line = line.number;
    const auto index = field(text, "id").value_or("0");
    d.where = library == "metal" || library == "Metal" ? "Metal"
                                                       : (library == "cuda" || library == "CUDA"   ? "CUDA"
                                                          : library == "rocm" || library == "ROCm" ? "ROCm"
                                                                                                   : "Vulkan") +
                                                             std::string(index.size() == 1 ? index : "0");
    auto total = field(text, "total").value_or("");
    if (const auto amount = take_amount(total)) d.memory_bytes = amount->bytes;
    auto free = field(text, "available").value_or("");
    if (const auto amount = take_amount(free)) d.free_bytes = amount->bytes;
    if (library != "cpu") out.device(std::move(d));
    return;
  }
  if (const auto architecture = field(text, "architecture"); architecture && contains(text, "num_tensors")) {
    out.saw(LogEngine::ollama);
    auto& m = out.load().model;
    m.architecture = Printed<std::string>{clean(*architecture), line.number};
    if (const auto type = field(text, "file_type"); type && !type->empty()) m.file_type = Printed<std::string>{clean(*type), line.number};
    if (const auto name = field(text, "name"); name && !name->empty()) m.name = Printed<std::string>{clean(*name), line.number};
  }
}

}  // namespace planner::logs
