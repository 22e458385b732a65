// Lines of SGLang's server (0.3 to the present). It prints GB and means GiB.
#include "core/text.h"
#include "import/log_reader.h"

namespace planner::logs {
namespace {

using text::contains;

/// "rank 1" of "[2025-11-10 19:59:09 TP1] ..."; the first rank where none is named.
std::string rank_of(std::string_view text) {
  auto rest = after(text.substr(0, text.find(']')), " TP");
  if (!rest) return "rank 0";
  const auto n = take_integer(*rest);
  constexpr std::int64_t kMost = 1024;
  return "rank " + std::to_string(n && *n < kMost ? *n : 0);
}

class Reader {
 public:
  Reader(const Line& line, Collector& out) : line_(line), out_(out) {}

  void arguments() {
    auto& l = out_.load();
    if (const auto model = field(line_.text, "model_path"); model && !model->empty()) l.model.name = Printed<std::string>{clean(*model), line_.number};
    word("quantization", l.model.file_type);
    word("dtype", l.settings.dtype);
    integer("tp_size", l.settings.tensor_parallel);
    integer("pp_size", l.settings.pipeline_parallel);
    integer("chunked_prefill_size", l.settings.batch);
    integer("page_size", l.settings.block_size);
    integer("context_length", l.settings.context);
    MaybePrinted<std::string> cache;
    word("kv_cache_dtype", cache);
    if (cache && cache->value.starts_with("fp8")) l.settings.kv_type_k = l.settings.kv_type_v = Printed<std::string>{"fp8", line_.number};
    if (auto fraction = field(line_.text, "mem_fraction_static")) {
      if (const auto f = take_decimal(*fraction); f && f->value > 0 && f->value <= 1) l.settings.memory_fraction = Printed<double>{f->value, line_.number};
    }
  }

  void put(LogTerm term, const std::optional<Amount>& amount, bool weights = false) {
    if (!amount) return;
    LogBuffer b{rank_of(line_.text), term, amount->bytes, amount->rounding, line_.number, {}};
    auto& l = out_.load();
    if (!weights) {
      l.put(std::move(b), true);
      return;
    }
    for (const auto& w : l.weights) {
      if (w.where == b.where) return;
    }
    if (l.weights.size() < kMostDevices) l.weights.push_back(std::move(b));
  }

  void pool() {
    auto k = amount_after(line_.text, " K size:");
    const auto v = amount_after(line_.text, " V size:");
    const auto both = amount_after(line_.text, " KV size:");
    if (k && v) put(LogTerm::kv_pool, Amount{k->bytes + v->bytes, k->rounding + v->rounding});
    else if (both) put(LogTerm::kv_pool, both);
    if (const auto n = integer_after(line_.text, "#tokens:")) out_.load().put({"ALL", LogTerm::kv_tokens, *n, 0, line_.number, {}}, true);
    if (contains(line_.text, "float8") || contains(line_.text, "fp8")) {
      auto& s = out_.load().settings;
      s.kv_type_k = s.kv_type_v = Printed<std::string>{"fp8", line_.number};
    }
  }

  void integer(std::string_view key, MaybePrinted<std::int64_t>& target) {
    auto value = field(line_.text, key);
    if (!value) return;
    if (const auto n = take_integer(*value)) target = Printed<std::int64_t>{*n, line_.number};
  }

 private:
  void word(std::string_view key, MaybePrinted<std::string>& target) {
    const auto value = field(line_.text, key);
    if (value && !value->empty() && *value != "None" && *value != "auto") target = Printed<std::string>{clean(*value), line_.number};
  }

  const Line& line_;
  Collector& out_;
};

}  // namespace

void read_sglang_line(const Line& line, Collector& out) {
  const auto text = line.text;
  Reader r(line, out);
  const auto saw = [&] { out.saw(LogEngine::sglang); };
  if (contains(text, "ServerArgs(") || contains(text, "server_args=")) {
    saw();
    if (!out.load().is_empty()) out.begin_load(line.number);
    if (out.load().first_line == 0) out.load().first_line = line.number;
    r.arguments();
    return;
  }
  if (contains(text, "Load weight end.")) return saw(), r.put(LogTerm::model, amount_after(text, "mem usage="), true);
  if (contains(text, "Init torch distributed ends.")) return saw(), r.put(LogTerm::non_torch, amount_after(text, "mem usage="));
  if (contains(text, "KV Cache is allocated.")) return saw(), r.pool();
  if (contains(text, "Capture cuda graph end.")) return saw(), r.put(LogTerm::graphs, amount_after(text, "mem usage="));
  if (contains(text, "max_total_num_tokens=")) {
    saw();
    r.integer("context_len", out.load().settings.context);
    r.integer("chunked_prefill_size", out.load().settings.batch);
  }
}

}  // namespace planner::logs
