// Lines of vLLM, from 0.4 (V0) to the present V1 engine.
#include "core/text.h"
#include "import/log_reader.h"
#include "planner/units.h"

namespace planner::logs {
namespace {

using text::contains;

/// "rank 1" of "(Worker_TP1 pid=313)"; the first rank where none is named.
std::string rank_of(std::string_view text) {
  for (const std::string_view marker : {"Worker_TP", "_TP", "rank="}) {
    auto rest = after(text, marker);
    if (!rest) continue;
    if (const auto n = take_integer(*rest); n && *n < 1024) return "rank " + std::to_string(*n);
  }
  return "rank 0";
}

class Reader {
 public:
  Reader(const Line& line, Collector& out) : line_(line), out_(out) {}

  void engine_arguments() {
    auto& l = out_.load();
    const auto text = line_.text;
    if (const auto model = field(text, "model"); model && !model->empty()) {
      // A path of the container says less than what the server calls it.
      const auto served = field(text, "served_model_name");
      const bool path = model->starts_with('/') || model->starts_with('.');
      const bool better = path && served && !served->empty() && !served->starts_with('/') && !served->starts_with("[") && *served != "None";
      l.model.name = Printed<std::string>{clean(better ? *served : *model), line_.number};
    }
    integer("max_seq_len", l.settings.context);
    integer("max_model_len", l.settings.context);
    integer("tensor_parallel_size", l.settings.tensor_parallel);
    integer("pipeline_parallel_size", l.settings.pipeline_parallel);
    integer("max_num_seqs", l.settings.sequences);
    integer("max_num_batched_tokens", l.settings.batch);
    integer("block_size", l.settings.block_size);
    word("quantization", l.model.file_type);
    if (const auto lora = field(text, "enable_lora"); lora && *lora == "True") l.settings.lora = Printed<bool>{true, line_.number};
    word("dtype", l.settings.dtype);
    MaybePrinted<std::string> cache;
    word("kv_cache_dtype", cache);
    if (cache && cache->value != "auto") l.settings.kv_type_k = l.settings.kv_type_v = cache;
    if (auto fraction = field(text, "gpu_memory_utilization")) {
      if (const auto value = take_decimal(*fraction)) l.settings.memory_fraction = Printed<double>{value->value, line_.number};
    }
  }

  void put(LogTerm term, const std::optional<Amount>& amount) {
    if (!amount) return;
    LogBuffer b{rank_of(line_.text), term, amount->bytes, amount->rounding, line_.number, {}};
    auto& l = out_.load();
    if (term != LogTerm::model) {
      // A figure that is printed again with more digits replaces the first.
      for (const auto& c : l.context) {
        if (c.term == term && c.where == b.where && c.rounding < b.rounding) return;
      }
      l.put(std::move(b), true);
      return;
    }
    for (auto& w : l.weights) {
      if (w.where != b.where) continue;
      if (w.rounding >= b.rounding) w = std::move(b);
      return;
    }
    if (l.weights.size() < kMostDevices) l.weights.push_back(std::move(b));
  }

  void tokens(std::optional<std::int64_t> n) {
    // Blocks are of 16 tokens or a multiple; since v0.21 the figure is concurrency times context.
    constexpr std::int64_t kBlock = 16;
    if (n && *n % kBlock != 0) out_.saw_later_style("0.21");
    if (n) out_.load().put({"ALL", LogTerm::kv_tokens, *n, 0, line_.number, {}}, true);
  }

  void total_memory(const std::optional<Amount>& amount) {
    if (amount) out_.device({rank_of(line_.text), {}, amount->bytes, std::nullopt, line_.number});
  }

  void fraction(std::string_view marker) {
    auto rest = after(line_.text, marker);
    if (!rest) return;
    const auto at = rest->find_first_not_of(" \t=(");
    if (at == std::string_view::npos) return;
    auto value = rest->substr(at);
    if (const auto f = take_decimal(value); f && f->value > 0 && f->value <= 1) out_.load().settings.memory_fraction = Printed<double>{f->value, line_.number};
  }

 private:
  void integer(std::string_view key, MaybePrinted<std::int64_t>& target) {
    auto value = field(line_.text, key);
    if (!value) return;
    if (const auto n = take_integer(*value)) target = Printed<std::int64_t>{*n, line_.number};
  }
  void word(std::string_view key, MaybePrinted<std::string>& target) {
    const auto value = field(line_.text, key);
    if (value && !value->empty() && *value != "None") target = Printed<std::string>{clean(*value), line_.number};
  }

  const Line& line_;
  Collector& out_;
};

}  // namespace

void read_vllm_line(const Line& line, Collector& out) {
  const auto text = line.text;
  Reader r(line, out);
  const auto saw = [&] { out.saw(LogEngine::vllm); };

  if (contains(text, "LLM engine (v")) {
    saw();
    if (!out.load().is_empty()) out.begin_load(line.number);
    if (const auto version = after(text, "LLM engine (v")) out.log().version = Printed<std::string>{clean(until(*version, ")")), line.number};
    if (out.load().first_line == 0) out.load().first_line = line.number;
    r.engine_arguments();
    return;
  }
  if (contains(text, "non-default args: ")) {
    saw();
    if (!out.load().is_empty()) out.begin_load(line.number);
    r.engine_arguments();
    return;
  }
  if (const auto rest = after(text, "vllm serve "); rest && !rest->starts_with('-') && !out.load().model.name) {
    out.load().model.name = Printed<std::string>{clean(until(*rest, " \t")), line.number};
    return;
  }
  if (!contains(text, "GiB") && !contains(text, " GB") && !contains(text, "locks: ") && !contains(text, "tokens") &&
      !contains(text, "gpu_memory_utilization") && !contains(text, "max model len"))
    return;

  if (contains(text, "Loading model weights took ")) return saw(), r.put(LogTerm::model, amount_after(text, "Loading model weights took "));
  if (contains(text, "Model loading took ")) return saw(), r.put(LogTerm::model, amount_after(text, "Model loading took "));
  if (contains(text, "Available KV cache memory")) out.saw_later_style(contains(text, "(EngineCore pid") ? "0.16" : contains(text, "(EngineCore") ? "0.11" : "0.9");
  if (contains(text, "Profiling CUDA graph memory")) out.saw_later_style("0.19");
  if (contains(text, "CUDA graph memory profiling is enabled (default since")) out.saw_later_style("0.21");
  if (contains(text, "Available KV cache memory")) return saw(), r.put(LogTerm::kv_pool, amount_after(text, "Available KV cache memory"));
  if (contains(text, "Graph capturing finished")) return saw(), r.put(LogTerm::graphs, amount_after(text, "took "));
  if (contains(text, "GPU KV cache size: ")) out.saw_later_style("0.8");
  if (contains(text, "GPU KV cache size: ")) return saw(), r.tokens(integer_after(text, "GPU KV cache size: "));
  if (contains(text, "the current vLLM instance can use")) {
    saw();
    r.total_memory(amount_after(text, "total_gpu_memory ("));
    r.fraction("gpu_memory_utilization");
    return;
  }
  if (contains(text, "model weights take")) {
    saw();
    out.saw_later_style("0.7");
    r.put(LogTerm::model, amount_after(text, "model weights take"));
    r.put(LogTerm::non_torch, amount_after(text, "non_torch_memory takes"));
    r.put(LogTerm::compute, amount_after(text, "activation peak memory takes"));
    r.put(LogTerm::kv_pool, amount_after(text, "reserved for KV Cache is"));
    return;
  }
  // One figure a line, and the older form with all of them as key=value.
  const bool profile = contains(text, "worker.py") || contains(text, "non_torch_memory=");
  if (profile && contains(text, "total_gpu_memory")) saw(), r.total_memory(amount_after(text, "total_gpu_memory"));
  if (profile && contains(text, "gpu_memory_utilization")) r.fraction("gpu_memory_utilization");
  if (profile && contains(text, "non_torch_memory")) saw(), r.put(LogTerm::non_torch, amount_after(text, "non_torch_memory"));
  if (profile && contains(text, "activation peak memory")) r.put(LogTerm::compute, amount_after(text, "activation peak memory"));
  if (profile && contains(text, "available_kv_cache_memory")) r.put(LogTerm::kv_pool, amount_after(text, "available_kv_cache_memory"));
  if (profile && contains(text, "kv_cache_size=")) r.put(LogTerm::kv_pool, amount_after(text, "kv_cache_size"));

  if (contains(text, "# GPU blocks: ") || contains(text, "# cuda blocks: ")) out.saw_later_style("0.6");
  for (const std::string_view marker : {"# GPU blocks: ", "# cuda blocks: ", "# CUDA blocks: "}) {
    const auto blocks = integer_after(text, marker);
    constexpr std::int64_t kBlock = 16;
    if (!blocks || *blocks > (std::int64_t{1} << 40)) continue;
    saw();
    const auto& size = out.load().settings.block_size;
    r.tokens(*blocks * (size && size->value > 0 && size->value <= 4096 ? size->value : kBlock));
  }
  if (const auto rest = after(text, "Actual usage is ")) {
    saw();
    // The newest engines print weights and non-torch memory together, the ones before them apart.
    r.put(LogTerm::compute, [&] {
      const auto part = rest->substr(0, rest->find(" for peak activation"));
      const auto space = part.find_last_of(',');
      auto value = space == std::string_view::npos ? std::string_view() : part.substr(space + 1);
      return take_amount(value);
    }());
    if (contains(*rest, " for non-torch memory")) {
      const auto part = rest->substr(0, rest->find(" for non-torch memory"));
      auto value = part.substr(std::min(part.size(), part.find_last_of(',') + 1));
      r.put(LogTerm::non_torch, take_amount(value));
    }
    if (auto desired = after(text, "GPU memory utilization is (")) {
      if (const auto f = take_decimal(*desired); f && f->value > 0 && f->value <= 1)
        out.load().settings.memory_fraction = Printed<double>{f->value, line.number};
    }
    if (auto total = after(text, "Free memory on device (")) {
      if (auto second = after(*total, "/")) r.total_memory(take_amount(*second));
    }
    return;
  }
  if (const auto n = integer_after(text, "Using max model len ")) saw(), out.load().settings.context = Printed<std::int64_t>{*n, line.number};
  if (const auto n = integer_after(text, "with max_num_batched_tokens=")) saw(), out.load().settings.batch = Printed<std::int64_t>{*n, line.number};
}

}  // namespace planner::logs
