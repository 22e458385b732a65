/// Allocation rules of engines other than llama.cpp, as fields of their descriptions (data/engines/): what differs between engines, and between the versions
/// of one, is data; the code that follows the rules names no engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace planner {

/// Device memory that an engine takes beside weights, cache and compute buffers.
struct EngineOverhead {
  std::string backend;
  std::int64_t bytes = 0, low = 0, high = 0;
  bool measured = false;  ///< printed by an engine somewhere; false: a stated assumption
  std::string source;
  std::string note;
};

/// What a server's memory fraction is a share of.
enum class FractionOf : std::uint8_t {
  device,  ///< the whole device as its driver reports it; weights, activations and libraries come out of the share (vLLM)
  loaded,  ///< what is free before the weights are loaded; weights and pool alone come out of it, activations and graphs take the rest (SGLang)
  left,    ///< what is free after weights and activations; the pool alone comes out of it (TensorRT-LLM)
};

/// How a pool serves layers that need different amounts per token.
enum class PoolKind : std::uint8_t {
  uniform,       ///< one block table: every layer caches every token
  shared_pages,  ///< groups of equally many layers share pages of one size; sliding layers and states take pages as they need them
  per_kind,      ///< full and sliding layers have pools of their own, states a third place
};

/// What an engine prints as the tokens that its pool holds.
enum class TokensPrinted : std::uint8_t {
  held,     ///< blocks / groups * tokens of the smallest block
  context,  ///< requests of the longest context that fit, times that context
};

/// Defaults of one step by the device's memory.
struct StepDefaults {
  std::int64_t memory_from = 0;      ///< for devices of at least this memory
  std::string except;                ///< but not those with this in their name
  std::int64_t tokens = 0;           ///< max_num_batched_tokens, chunked_prefill_size, max_num_tokens
  std::int64_t sequences = 0;        ///< max_num_seqs, max_batch_size
  std::int64_t graph_sequences = 0;  ///< largest batch that a graph is captured for; 0: by the number of sequences
  std::int64_t graph_sequences_tp4 = 0;  ///< the same from four ranks on; 0: the same
};

/// A default fraction that follows from a reserve: 1 - reserve / memory.
///     base + per_token * max(step tokens, least_tokens) + per_graph_sequence * largest graph + per_8_ranks * ranks / 8, at least `large_least` on devices
///     above `large_from`
struct FractionReserve {
  std::int64_t base = 0, per_token = 0, least_tokens = 0, per_graph_sequence = 0, per_8_ranks = 0, large_from = 0, large_least = 0;
};

/// Captured graphs: sizes 1, 2, 4, then every 8 up to 256, then every `step_beyond` up to the largest.
struct GraphCapture {
  std::int64_t largest = 0;      ///< sizes end here; 0: none are captured
  std::int64_t per_sequence = 1; ///< the largest size is at most so many times the sequences of a step
  std::int64_t step_beyond = 8;
  bool decode_too = false;       ///< a second set, for batches that only decode
  std::int64_t per_graph = 0;    ///< bytes per captured graph
  EngineOverhead base;           ///< bytes beside: the pool that the graphs share
};

/// How a server with a KV pool shares out a device. An engine has one for each generation of its rules, oldest first.
struct ServerRules {
  std::string since;  ///< first version: "0.8"; empty: from the beginning
  std::string date;   ///< of that version: "2025-03"; empty: not known

  double fraction = 0;  ///< default share; 0: by `reserve`
  std::optional<FractionReserve> reserve;
  FractionOf fraction_of = FractionOf::device;
  bool graphs_within = false;  ///< captured graphs come out of the share; otherwise on top of it

  std::vector<StepDefaults> steps;  ///< ascending by memory
  bool step_holds_context = false;  ///< a step takes at least the longest sequence whole

  PoolKind pool = PoolKind::uniform;
  std::int64_t block_size = 16;     ///< tokens
  std::int64_t block_size_mla = 0;  ///< of MLA models; 0: the same
  bool chunked_layers_slide = true;   ///< chunked attention frees what it no longer sees; false: caches the whole context
  std::int64_t state_pages = 1;     ///< shared_pages: pages of a request per group of recurrent layers
  double sliding_ratio = 0;         ///< per_kind: tokens of the sliding pool per token of the full one; 0: what the window needs
  std::int64_t conv_state_bytes = 2, mamba_state_bytes = 2, linear_state_bytes = 4;  ///< per element of a state
  TokensPrinted tokens_printed = TokensPrinted::held;

  bool absorbed_mla = false;        ///< copies of the MLA projections, multiplied into each other, lie beside the weights
  bool last_stage_takes_rest = false;  ///< layers over go to the last stage; otherwise to those before it
  std::int64_t logit_bytes = 0;     ///< per logit of the sequences of a step, while they are sampled
  std::int64_t rope_bytes = 0;      ///< per element of the rotary table (positions x rotary width); 0: none is kept on the device
  std::int64_t vocabulary_multiple = 1;  ///< the vocabulary is padded to this
  GraphCapture graphs;
  std::optional<EngineOverhead> context;     ///< of driver and kernels: outside the share where it is of the device
  std::optional<EngineOverhead> link, bus;   ///< communication per rank where ranks are several: over a link between the devices, or over the bus
};

/// How an engine that keeps everything in one process allocates.
struct ProcessRules {
  bool mla_expanded = false;        ///< MLA models cache full keys and values
  std::int64_t window_extra = 0;    ///< tokens that a sliding cache holds beside its window
  bool grows_by_copy = false;       ///< the cache grows by copying: one layer's share is held twice for a moment
  bool whole_prompt = false;        ///< a prompt goes through in one step
  bool dequantizes_cache = false;   ///< one layer's keys and values in 16 bit beside a quantized cache
  bool embedding_on_host = false;   ///< the embedding table stays in host memory
  bool rank_splits = false;         ///< several devices cut each layer; otherwise each takes whole layers
  std::int64_t device_reserve = 0;  ///< left free on each device
};

}  // namespace planner
