#include "planner/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/text.h"
#include "planner/tensor_format.h"

namespace planner {
namespace {

/// As one word of a POSIX shell.
std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,+%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

/// A command line in the making.
class CommandLine {
 public:
  explicit CommandLine(std::string program) : text_(std::move(program)) {}

  CommandLine& flag(std::string_view name) {
    text_ += ' ';
    text_ += name;
    return *this;
  }
  CommandLine& option(std::string_view name, std::string_view value) { return flag(name).flag(shell_word(value)); }
  CommandLine& option(std::string_view name, std::int64_t value) { return option(name, std::to_string(value)); }
  template <typename T>
  CommandLine& option_if(std::string_view name, const std::optional<T>& value) {
    if (value) option(name, fmt::format("{}", *value));
    return *this;
  }
  CommandLine& option_if(std::string_view name, const std::string& value) { return value.empty() ? *this : option(name, value); }
  CommandLine& flag_if(bool on, std::string_view name) { return on ? flag(name) : *this; }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string joined(const std::vector<double>& shares) { return fmt::format("{:g}", fmt::join(shares, ",")); }

bool is_file(const std::string& model) {
  return text::ends_with(model, ".gguf") || text::ends_with(model, ".json") || model.starts_with("/") || model.starts_with(".");
}

/// What a file of the model and quantization is usually called.
std::string gguf_name(const EstimateRequest& request, const Estimate& answer) {
  if (text::ends_with(request.model, ".gguf")) return request.model;
  const auto slash = answer.model.hf_id.find('/');
  const auto name = slash == std::string::npos ? answer.model.name : answer.model.hf_id.substr(slash + 1);
  return fmt::format("{}-{}.gguf", name, answer.quantization ? answer.quantization->name : std::string("F16"));
}

std::string hub_name(const EstimateRequest& request, const Estimate& answer) {
  if (is_file(request.model))
    return std::filesystem::path(request.model).has_extension() ? std::filesystem::path(request.model).parent_path().string() : request.model;
  return answer.model.hf_id.empty() ? answer.model.name : answer.model.hf_id;
}

std::string llama_server(const EstimateRequest& request, const Estimate& answer) {
  const auto& w = answer.workload;
  CommandLine c("llama-server");
  c.option("-m", gguf_name(request, answer)).option("-c", w.context * w.concurrency).option("-np", w.concurrency);
  if (answer.fit) {
    c.option("-ngl", answer.fit->gpu_layers);
    if (answer.fit->n_cpu_moe > 0) c.option("-ncmoe", answer.fit->n_cpu_moe);
  }
  const auto standard = text::to_lower(tensor_format(FormatId::f16).name);
  const auto k = text::to_lower(tensor_format(w.kv_type_k).name), v = text::to_lower(tensor_format(w.kv_type_v).name);
  if (k != standard) c.option("-ctk", k);
  if (v != standard) c.option("-ctv", v);
  if (request.flash_attention != FlashAttention::automatic) c.option("-fa", request.flash_attention == FlashAttention::on ? "on" : "off");
  c.option_if("-b", request.batch).option_if("-ub", request.ubatch);
  c.option_if("-sm", request.split);
  if (!request.tensor_split.empty()) c.option("-ts", joined(request.tensor_split));
  for (const auto& rule : request.override_tensors) c.option("-ot", rule);
  c.flag_if(request.swa_full, "--swa-full").flag_if(request.kv_unified, "-kvu").flag_if(!request.kv_offload, "-nkvo").flag_if(!request.mmap, "--no-mmap");
  c.flag_if(!request.repack, "-nr");
  return c.text();
}

/// Devices of the request, nodes counted by what is in them.
std::int64_t device_count(const EstimateRequest& request, const Catalog& catalog) {
  std::int64_t n = 0;
  for (const auto& name : request.devices) n += name == "cpu" ? 0 : catalog.resolve_device(name).device->node_count;
  return std::max<std::int64_t>(1, n * request.device_count);
}

std::string vllm(const EstimateRequest& request, const Estimate& answer, const Catalog& catalog) {
  CommandLine c("vllm serve");
  c.flag(shell_word(hub_name(request, answer)))
      .option("--max-model-len", answer.workload.context)
      .option("--max-num-seqs", request.max_num_seqs.value_or(answer.workload.concurrency));
  const auto stages = request.pipeline_parallel.value_or(1);
  const auto ranks = request.tensor_parallel.value_or(std::max<std::int64_t>(1, device_count(request, catalog) / std::max<std::int64_t>(1, stages)));
  if (ranks > 1) c.option("--tensor-parallel-size", ranks);
  if (stages > 1) c.option("--pipeline-parallel-size", stages);
  c.option_if("--gpu-memory-utilization", request.memory_fraction)
      .option_if("--max-num-batched-tokens", request.max_batched_tokens)
      .option_if("--block-size", request.block_size);
  if (!request.kv_type_k.empty() && text::to_lower(request.kv_type_k) == "fp8") c.option("--kv-cache-dtype", "fp8");
  return c.text();
}

std::string sglang(const EstimateRequest& request, const Estimate& answer, const Catalog& catalog) {
  CommandLine c("python -m sglang.launch_server");
  c.option("--model-path", hub_name(request, answer))
      .option("--context-length", answer.workload.context)
      .option("--max-running-requests", answer.workload.concurrency);
  if (const auto ranks = request.tensor_parallel.value_or(device_count(request, catalog)); ranks > 1) c.option("--tp-size", ranks);
  c.option_if("--mem-fraction-static", request.memory_fraction);
  return c.text();
}

std::string mlx(const EstimateRequest& request, const Estimate& answer, const Catalog&) {
  return CommandLine("mlx_lm.server").option("--model", hub_name(request, answer)).text();
}

std::string llama(const EstimateRequest& request, const Estimate& answer, const Catalog&) { return llama_server(request, answer); }

struct EngineWriter {
  std::string_view engine;
  std::string (*write)(const EstimateRequest&, const Estimate&, const Catalog&);
};
constexpr EngineWriter kWriters[] = {{"llama.cpp", llama}, {"ik_llama.cpp", llama}, {"vllm", vllm}, {"sglang", sglang}, {"mlx", mlx}};

}  // namespace

std::string planner_command(const EstimateRequest& request) {
  const EstimateRequest standard;
  CommandLine c("planner estimate");
  c.option("--model", request.model).option_if("--quant", request.quantization);
  for (const auto& device : request.devices) c.option("--gpu", device);
  if (request.device_count != standard.device_count) c.option("--gpus", request.device_count);
  c.option_if("--machine", request.machine);
  if (request.engine != standard.engine) c.option("--engine", request.engine);
  c.option_if("--backend", request.backend).option_if("--context", request.context).option_if("--depth", request.depth).option_if("--prompt", request.prompt);
  c.option_if("--cached-prompt", request.cached_prompt).option_if("--concurrency", request.concurrency);
  if (!request.kv_type_k.empty() && request.kv_type_k == request.kv_type_v)
    c.option("--kv-type", request.kv_type_k);
  else
    c.option_if("--kv-type-k", request.kv_type_k).option_if("--kv-type-v", request.kv_type_v);
  c.option_if("--batch", request.batch).option_if("--ubatch", request.ubatch);
  if (request.flash_attention != FlashAttention::automatic) c.option("--flash-attn", request.flash_attention == FlashAttention::on ? "on" : "off");
  c.option_if("--gpu-layers", request.gpu_layers);
  if (request.n_cpu_moe != standard.n_cpu_moe) c.option("--n-cpu-moe", request.n_cpu_moe);
  for (const auto& rule : request.override_tensors) c.option("--override-tensor", rule);
  c.option_if("--split", request.split);
  if (!request.tensor_split.empty()) c.option("--tensor-split", joined(request.tensor_split));
  if (!request.kv_offload) c.option("--kv-offload", "off");
  c.flag_if(request.swa_full, "--swa-full");
  if (request.kv_unified) c.option("--kv-unified", "on");
  if (!request.mmap) c.option("--mmap", "off");
  if (!request.repack) c.option("--repack", "off");
  c.option_if("--outputs", request.outputs).option_if("--tensor-parallel", request.tensor_parallel).option_if("--pipeline-parallel", request.pipeline_parallel);
  c.option_if("--gpu-memory-utilization", request.memory_fraction).option_if("--max-num-seqs", request.max_num_seqs);
  c.option_if("--max-batched-tokens", request.max_batched_tokens).option_if("--block-size", request.block_size);
  c.option_if("--draft", request.draft).option_if("--mmproj", request.mmproj).option_if("--acceptance", request.acceptance);
  c.option_if("--reserve", request.reserve_bytes);
  return c.text();
}

std::string engine_command(const EstimateRequest& request, const Estimate& answer, const Catalog& catalog) {
  const auto& id = catalog.resolve_engine(request.engine).id;
  for (const auto& writer : kWriters) {
    if (writer.engine == id) return writer.write(request, answer, catalog);
  }
  return {};
}

}  // namespace planner
