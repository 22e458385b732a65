/// What is asked of a model: context, depth, prompt, concurrency, cache formats, and the engine's switches that change memory or speed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "planner/tensor_format.h"

namespace planner {

enum class FlashAttention : std::uint8_t { automatic, on, off };

struct Workload {
  std::int64_t context = 8192;   ///< tokens that one sequence may use
  std::int64_t depth = 0;        ///< tokens already in the cache where decode speed is quoted
  std::int64_t prompt = 512;     ///< tokens of the prefill that prefill speed and time to first token are quoted for
  std::int64_t cached_prompt = 0;  ///< of those already in the cache
  std::int64_t concurrency = 1;  ///< sequences at once; the engine gets context * concurrency in all
  std::int64_t batch = 2048;     ///< n_batch: tokens of one decode call
  std::int64_t ubatch = 512;     ///< n_ubatch: tokens computed at once
  FormatId kv_type_k = FormatId::f16;
  FormatId kv_type_v = FormatId::f16;
  FlashAttention flash_attention = FlashAttention::automatic;
  bool swa_full = false;         ///< sliding-window layers cache the whole context
  bool kv_unified = false;       ///< one cache shared by the sequences instead of one each
  std::int64_t outputs = 0;      ///< tokens of one decode call whose logits are wanted; 0: one per sequence, as a server's slots do
  bool kv_offload = true;        ///< the cache lies with its layers; false: on the host
  std::optional<std::int64_t> mla;     ///< ik_llama.cpp's -mla: 0 caches full heads, 1 to 3 the latent; absent: the version's default
  std::int64_t attention_max_mib = 0;  ///< ik_llama.cpp's -amb: scores are computed in pieces of at most this; 0: at once
  std::optional<bool> fused_experts;   ///< ik_llama.cpp's -fmoe; absent: the version's default
  std::int64_t draft_states = 0;       ///< recurrent states kept per sequence beside its own, for drafted tokens that may be taken back
  std::optional<bool> moves_products;  ///< large batches are multiplied on an accelerator though the matrices lie on the host; absent: as the engine does. Not where
                                       ///< accelerators lack their formats (repacked ones, ik_llama.cpp's -rtr)
  std::optional<std::int64_t> copies;  ///< llama.cpp's GGML_SCHED_MAX_COPIES, batches under way at once in pipeline parallelism; absent: the version's default

  // Speculative decoding.
  std::int64_t draft_tokens = 0;     ///< tokens drafted ahead at most; 0: nothing is drafted
  bool draft_by_mtp = false;         ///< by the model's own multi-token-prediction layers; otherwise by a draft model
  std::optional<double> acceptance;  ///< share of drafted tokens that the model accepts; absent: not stated

  // Servers with a pool. 0: the engine's default.
  std::int64_t max_num_seqs = 0;        ///< sequences that one step may hold
  std::int64_t max_batched_tokens = 0;  ///< tokens that one step may hold
  std::int64_t block_size = 0;          ///< tokens per block of the cache
};

}  // namespace planner
