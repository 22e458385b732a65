/// What an inference engine printed while it loaded a model: the buffers that it allocated, and all that a prediction of them needs.
///
/// Read are the logs of llama.cpp (llama-cli, llama-server, llama-bench -v; the printing styles since early 2024), ik_llama.cpp, Ollama (its own runner and
/// llama.cpp's), vLLM, SGLang and TensorRT-LLM. Lines may carry time stamps, levels, colours, process ids, prefixes of Docker and journals, or be glued to others: what is
/// looked for is found anywhere in a line.
///
/// A log is not trusted. It is read once from front to back, of each line the first 64 KiB; what is kept of it is bounded, and free of control characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace planner {

/// A value and the line (from 1) that it stands in.
template <typename T>
struct Printed {
  T value{};
  std::int64_t line = 0;
};
template <typename T>
using MaybePrinted = std::optional<Printed<T>>;

enum class LogEngine : std::uint8_t { llama_cpp, ik_llama_cpp, ollama, vllm, sglang, tensorrt_llm };
/// The engine's id in the catalog: "llama.cpp", "ik_llama.cpp", "ollama", "vllm", "sglang", "tensorrt-llm".
[[nodiscard]] std::string_view to_string(LogEngine engine);
/// Whether it prints ranks and a pool: vLLM, SGLang, TensorRT-LLM.
[[nodiscard]] constexpr bool is_server(LogEngine engine) { return engine >= LogEngine::vllm; }

/// What a printed amount is of.
enum class LogTerm : std::uint8_t {
  model,            ///< weights
  kv,               ///< KV cache
  recurrent_state,  ///< recurrent and convolution states
  output,           ///< logits
  compute,          ///< the graph's work space; of vLLM the peak of activations
  kv_pool,          ///< what vLLM has left for its cache
  kv_tokens,        ///< tokens that the pool holds: `amount` is tokens
  non_torch,        ///< device memory beside the engine's own: the driver's context, libraries
  graphs,           ///< captured CUDA graphs
  total,            ///< of all
};
[[nodiscard]] std::string_view to_string(LogTerm term);

struct LogBuffer {
  std::string where;  ///< as printed: "CUDA0", "CPU_Mapped", "Metal", "ROCm_Host"; of vLLM "rank 0"; "ALL" where it is a sum
  LogTerm term = LogTerm::model;
  std::int64_t amount = 0;    ///< bytes (kv_tokens: tokens)
  std::int64_t rounding = 0;  ///< the true amount is within +- this: half of the last digit printed
  std::int64_t line = 0;
  std::string detail;  ///< "full" or "sliding" of a cache in two parts; for forecasts, their name
};

/// One accelerator as the engine names it.
struct LogDevice {
  std::string where;                         ///< the prefix of its buffers: "CUDA0", "Vulkan1", "Metal"
  std::string name;                          ///< "NVIDIA GeForce RTX 4090"; empty: not printed
  std::optional<std::int64_t> memory_bytes;  ///< of the device
  std::optional<std::int64_t> free_bytes;    ///< before the load; of Apple devices the recommended working set
  std::int64_t line = 0;
};

/// A line of a model file's metadata that a loader printed: "qwen3.block_count u32 = 36". Lists are cut off in print and left out.
struct LogMetadata {
  std::string key, type, value;
};

/// The model, as far as it is printed.
struct LogModel {
  MaybePrinted<std::string> name;          ///< general.name; of vLLM the model argument
  MaybePrinted<std::string> file;          ///< path of the file
  MaybePrinted<std::string> architecture;  ///< as GGUF spells it
  MaybePrinted<std::string> file_type;     ///< "Q4_K - Medium"; of vLLM the quantization argument
  MaybePrinted<std::int64_t> layers, hidden_size, heads, kv_heads, head_dim_k, head_dim_v, ffn_size, experts, experts_active, expert_ffn_size, vocab_size,
      window;
  MaybePrinted<double> parameters;  ///< with the digits printed: `parameters_rounding`
  double parameters_rounding = 0;
  MaybePrinted<std::int64_t> tensor_bytes;  ///< size of the model; `tensor_bytes_rounding`
  std::int64_t tensor_bytes_rounding = 0;
  std::vector<LogMetadata> metadata;  ///< in order
};

/// The engine's switches, as far as they are printed.
struct LogSettings {
  MaybePrinted<std::int64_t> context;  ///< cells in all (llama.cpp), the longest sequence (vLLM)
  MaybePrinted<std::int64_t> context_per_sequence;
  MaybePrinted<std::int64_t> batch, ubatch, sequences;
  MaybePrinted<bool> flash_attention, kv_unified, swa_full;
  MaybePrinted<std::string> kv_type_k, kv_type_v;
  MaybePrinted<std::int64_t> gpu_layers, all_layers;  ///< "offloaded 33/33 layers to GPU"
  MaybePrinted<std::int64_t> mla, attention_max_mib;  ///< ik_llama.cpp's mla_attn and attn_max_b
  MaybePrinted<bool> fused_experts;                   ///< ik_llama.cpp's fused_moe
  MaybePrinted<std::int64_t> copies;                  ///< of the scheduler, in pipeline parallelism
  MaybePrinted<std::int64_t> draft_states;            ///< recurrent states kept per sequence beside its own, for tokens that a draft may take back
  // Tensors placed by hand (-ot, --cpu-moe, --n-cpu-moe).
  std::vector<std::int64_t> expert_layers_on_host;  ///< ascending
  std::int64_t overridden_tensors = 0;              ///< lines that say so
  MaybePrinted<bool> other_overrides;               ///< tensors that are no experts, or on another device than the host
  // vLLM
  MaybePrinted<std::int64_t> tensor_parallel, pipeline_parallel, block_size;
  MaybePrinted<double> memory_fraction;
  MaybePrinted<bool> lora;  ///< slots for LoRA adapters are kept beside the weights
  MaybePrinted<std::string> dtype;
};

struct EngineLog {
  std::string origin;  ///< file name, for messages
  LogEngine engine = LogEngine::llama_cpp;
  MaybePrinted<std::string> version;  ///< "b4748", "0.11.0"
  std::string style_version;          ///< where no version is printed: one of the time when lines looked like that; empty: the newest style
  MaybePrinted<bool> is_server;       ///< llama-server
  LogModel model;
  LogSettings settings;
  std::vector<LogDevice> devices;    ///< in the engine's order
  std::vector<LogBuffer> buffers;    ///< of the load that counts
  std::vector<LogBuffer> forecasts;  ///< what Ollama thought before it loaded (memory.required): no allocations
  std::int64_t lines = 0;
  std::int64_t loads = 0;                      ///< loads of a model in the log; the last complete one counts
  std::int64_t first_line = 0, last_line = 0;  ///< of the load that counts
  bool complete = false;                       ///< the load reached its end: weights, cache and compute buffers are printed
  std::vector<std::string> notes;              ///< what was assumed or left out
};

/// Reads a log. Throws Error (invalid_file): no line in it is of an engine that is known here, or none says what was allocated.
[[nodiscard]] EngineLog read_engine_log(std::string_view text, const std::string& origin);

}  // namespace planner
