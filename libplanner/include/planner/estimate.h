/// The one call: a model, a quantization, devices and a workload in, a full explained answer out. The command line and every other front end ask
/// here.
///
///     planner::EstimateRequest request;
///     request.model = "deepseek-r1-distill-qwen-1.5b";
///     request.quantization = "Q4_K_M";
///     request.devices = {"rtx 4090"};
///     request.context = 131072;
///     const auto answer = planner::estimate(request, planner::Catalog::builtin());
///     answer.memory->total_bytes();          // bytes over all devices
///     answer.throughput->decode_tokens_per_s;
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/catalog.h"
#include "planner/memory.h"
#include "planner/throughput.h"
#include "planner/workload.h"

namespace planner {

/// What is asked. Absent fields take the engine's or the contract's default.
struct EstimateRequest {
  std::string model;                      ///< id, Hugging Face id, alias, or a path: .gguf, config.json, a folder with one
  std::string quantization;               ///< empty: the whole table of quantizations (or the file's own)
  std::vector<std::string> devices;       ///< empty: one device without a limit, and the ranking of all
  std::int64_t device_count = 1;          ///< repeats the one device given
  std::string machine;                    ///< path of a machine file (machine.h) instead of devices; with devices: its host alone
  std::string engine = "llama.cpp";       ///< NAME or NAME@VERSION; "all": every engine, side by side
  std::string backend;                    ///< empty: the device vendor's own
  std::optional<std::int64_t> context, depth, prompt, cached_prompt, concurrency, batch, ubatch;
  std::string kv_type_k, kv_type_v;       ///< empty: the engine's default
  FlashAttention flash_attention = FlashAttention::automatic;
  bool swa_full = false, kv_unified = false, kv_offload = true;
  std::string outputs;                    ///< logits kept at once: "slots" (one per sequence; also when empty), "batch", or a number of tokens
  std::optional<std::int64_t> gpu_layers;  ///< absent: as many as fit
  std::int64_t n_cpu_moe = 0;             ///< the experts of the first N layers stay on the host
  std::vector<std::string> override_tensors;  ///< "REGEX=BUFFER" (CPU, CUDA0, ...), the first that matches counts; they come before n_cpu_moe
  std::string split;                      ///< "layer" (also when empty) or "row"
  std::vector<double> tensor_split;       ///< shares of the devices; empty: by free memory
  bool mmap = true, repack = true;
  std::string draft;                      ///< draft model, named as `model`; "mtp": the model's own multi-token-prediction layers
  std::string draft_quantization;         ///< empty: as the model's
  std::optional<std::int64_t> draft_tokens;  ///< absent: the engine's default
  std::optional<double> acceptance;       ///< share of drafted tokens that are accepted
  std::string mmproj;                     ///< projector: a .gguf file, or "auto": the model's own tower in 16 bit; empty: none is loaded
  std::optional<std::int64_t> tensor_parallel, pipeline_parallel, max_num_seqs, max_batched_tokens, block_size;
  std::optional<std::int64_t> reserve_bytes;  ///< kept by driver and desktop, per device; absent: the platform's figure
  std::optional<double> memory_fraction;  ///< of engines with a pool
  std::string sweep;                      ///< "context", "concurrency" or "prompt": Estimate::sweep over that axis; empty: none
  bool solve = true;                      ///< largest context, best quantization ... (Fit's solved fields)
  bool explain = false;                   ///< fill Estimate::explain
};

struct ModelSummary {
  std::string id, name, hf_id, architecture;
  ParameterCounts parameters;
  std::int64_t layers = 0, kv_layers = 0;
  std::optional<std::int64_t> context_max;
};

struct QuantizationSummary {
  std::string name;
  double bits_per_weight = 0;
  std::int64_t file_size_bytes = 0;  ///< 0: not a GGUF file, or not known
  std::int64_t tensor_bytes = 0;
};

enum class Verdict : std::uint8_t { fits, tight, offload, no };
[[nodiscard]] std::string_view to_string(Verdict verdict);

/// One knob turned by one step.
struct Knob {
  std::string knob;  ///< "quantization", "context", "kv_type", "concurrency", "n_cpu_moe", "gpu_layers", "gpus"
  std::string step;  ///< "Q4_K_M -> Q4_K_S"
  std::int64_t bytes_freed = 0;      ///< on the limiting device; where none limits, on the one that it relieves most
  std::optional<double> decode_ratio;  ///< decode speed after / before
};

struct Change {
  std::string knob, from, to;
};

struct Fit {
  Verdict verdict = Verdict::fits;
  std::int64_t shortfall_bytes = 0;   ///< missing on the limiting device with everything on the accelerators; 0: none
  std::string limiting_device, limiting_term;  ///< empty where nothing limits
  std::int64_t gpu_layers = 0;        ///< llama.cpp's -ngl of the placement shown
  std::int64_t n_cpu_moe = 0;         ///< its --n-cpu-moe: layers, from the first on, whose experts lie on the host
  // Solved; absent when not asked for, or without a limit.
  std::optional<std::int64_t> max_context, max_concurrency, min_gpus;
  std::string best_quantization;
  /// Knobs that together make everything fit on the devices; leaving one out, or turning it one step less, does not. What hurts least goes first: the cache in
  /// 8 bits; quantizations of 4 bits and more; half the context; fewer sequences; the cache in 4 bits and quantizations of 3; of 2; the rest of the context; any
  /// quantization; more devices. Knobs of a later group are used only where all of the earlier ones together do not do.
  std::vector<Change> smallest_change;
  std::vector<Knob> knobs;
};

/// One line of the table of quantizations.
struct QuantizationRow {
  QuantizationSummary quantization;
  std::int64_t total_bytes = 0;  ///< with the cache of the workload's context
  Verdict verdict = Verdict::fits;
  std::optional<double> decode_tokens_per_s;
  std::string quality;
  std::optional<double> kl_divergence;  ///< measured on `quality_model`
  std::string quality_model;
  std::string ecosystem;
};

/// One line of the ranking of devices.
struct DeviceRow {
  std::string id, name, vendor, kind;
  std::string tier;  ///< "comfortable", "fits", "tight", "offload", "no"
  std::optional<std::int64_t> memory_bytes;
  std::int64_t total_bytes = 0;
  std::optional<double> decode_tokens_per_s;
  std::optional<double> price_usd;
};

struct Explanation {
  std::string term, device, formula;
  double value = 0;
  std::string unit;
  double low = 0, high = 0;
  std::string basis, source;
};

/// One point of a sweep.
struct SweepPoint {
  std::int64_t at = 0;  ///< tokens of context or prompt, or sequences
  std::int64_t total_bytes = 0, kv_bytes = 0, compute_bytes = 0;
  Verdict verdict = Verdict::fits;
  std::optional<double> decode_tokens_per_s, aggregate_decode_tokens_per_s, prefill_tokens_per_s, time_to_first_token_s;
};

struct EngineRow;

struct Estimate {
  ModelSummary model;
  std::optional<QuantizationSummary> quantization;
  std::string draft, projector;  ///< what is loaded beside the model: "Qwen3-0.6B Q4_K_M", "vision tower in F16"; empty: nothing
  std::string machine;           ///< name of the machine file's machine; empty: none was given
  Workload workload;
  std::string engine, engine_version, backend;
  std::optional<MemoryEstimate> memory;
  std::optional<Fit> fit;
  std::optional<Throughput> throughput;
  std::vector<QuantizationRow> quantizations;
  std::vector<DeviceRow> devices_ranked;
  std::vector<EngineRow> engines;  ///< of the request's "all"
  std::vector<SweepPoint> sweep;   ///< in order of the axis
  std::string sweep_axis;          ///< "context", "concurrency" or "prompt"; empty: none was asked for
  std::string advice;              ///< what dominates and what to change first, in one line; empty: nothing to say
  std::vector<std::string> notes;
  std::vector<Explanation> explain;
};

/// One engine of several side by side.
struct EngineRow {
  std::string id;
  Estimate answer;
  std::string difference;  ///< from the first engine that answers: which terms differ and why
  std::string error;       ///< why the engine cannot answer; empty: it does
};

/// Answers a request. Throws Error: unknown or ambiguous names, values out of range (usage), unreadable files, a model whose geometry is not known.
/// Thread-safe: the catalog is only read.
[[nodiscard]] Estimate estimate(const EstimateRequest& request, const Catalog& catalog);

/// "3,1", "24, 12" -> shares of a tensor split. Throws Error (usage).
[[nodiscard]] std::vector<double> parse_shares(std::string_view text);

/// "planner.estimate/1", one line without spaces between tokens. Unknown numbers are null.
[[nodiscard]] std::string to_json(const Estimate& answer);

/// Whether the answer would be read from a file that the request names: what a service for others does not allow.
[[nodiscard]] bool names_files(const EstimateRequest& request);

/// A request from its JSON form (the command line's flags in snake_case). Throws Error (usage): not JSON, an unknown key (with "did you mean"), a value of the
/// wrong kind.
[[nodiscard]] EstimateRequest request_from_json(std::string_view json_text);

}  // namespace planner
