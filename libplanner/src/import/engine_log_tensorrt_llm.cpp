// Lines of TensorRT-LLM that say what its KV cache took. They name no model: it has to be given.
#include "core/text.h"
#include "import/log_reader.h"

namespace planner::logs {

using text::contains;

void read_tensorrt_llm_line(const Line& line, Collector& out) {
  const auto text = line.text;
  if (!contains(text, "TensorRT-LLM") && !contains(text, "MemUsageChange")) return;
  if (const auto version = after(text, "TensorRT-LLM version: ")) {
    out.saw(LogEngine::tensorrt_llm);
    out.log().version = Printed<std::string>{clean(until(*version, " \t")), line.number};
    return;
  }
  // "[MemUsageChange] Allocated 64.75 GiB for max tokens in paged KV cache (132608)."
  if (!contains(text, "for max tokens in paged KV cache (")) return;
  const auto pool = amount_after(text, "Allocated ");
  const auto tokens = integer_after(text, "paged KV cache (");
  if (!pool || !tokens) return;
  out.saw(LogEngine::tensorrt_llm);
  auto& l = out.load();
  if (l.first_line == 0) l.first_line = line.number;
  l.put({"rank 0", LogTerm::kv_pool, pool->bytes, pool->rounding, line.number, {}}, true);
  l.put({"ALL", LogTerm::kv_tokens, *tokens, 0, line.number, {}}, true);
}

}  // namespace planner::logs
