// llama.cpp and what is built on it. Source: src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-context.cpp of ggml-org/llama.cpp.
#include <algorithm>
#include <limits>

#include "core/text.h"
#include "engine/allocation.h"

namespace planner::engine {
namespace {

std::int64_t pad(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// Tokens computed at once: the micro-batch, at most a batch and the context.
std::int64_t tokens_at_once(const Workload& w) { return std::min({w.ubatch, w.batch, w.context * w.concurrency}); }

struct Widths {
  std::int64_t q = 0, kv = 0, heads = 0, window = 0;
};

/// The widest attention of the model: its phases bound the buffer.
Widths widest(const Model& model) {
  Widths w;
  for (const auto& layer : model.layers) {
    for (const auto& mixer : layer.mixers) {
      if (const auto* a = std::get_if<Attention>(&mixer)) {
        w.q = std::max(w.q, a->n_heads * a->head_dim);
        w.kv = std::max(w.kv, a->n_kv_heads * a->head_dim);
        w.heads = std::max(w.heads, a->n_heads);
        if (a->window > 0) w.window = std::max(w.window, a->window);
      } else if (const auto* m = std::get_if<MlaAttention>(&mixer)) {
        // The absorbed form multiplies queries of the latent's width.
        w.q = std::max(w.q, m->n_heads * (m->kv_lora_rank + m->qk_rope_head_dim));
        w.kv = std::max(w.kv, m->kv_lora_rank + m->qk_rope_head_dim);
        w.heads = std::max(w.heads, m->n_heads);
      }
    }
  }
  return w;
}

/// Feed-forward intermediates per token: gate, up and their product, of all active experts.
std::int64_t ffn_elements(const Model& model) {
  std::int64_t most = 0;
  const std::int64_t hidden = model.hyperparameters.hidden_size;
  for (const auto& layer : model.layers) {
    std::int64_t here = 0;
    for (const auto& ffn : layer.ffns) {
      if (const auto* d = std::get_if<DenseFfn>(&ffn)) here = std::max(here, 3 * d->size);
      if (const auto* m = std::get_if<MoeFfn>(&ffn)) {
        std::int64_t experts = 3 * m->expert_size * m->n_active;
        if (hidden > 2 * m->expert_size) experts += hidden * m->n_active;
        here = std::max(here, experts);
      }
    }
    most = std::max(most, here);
  }
  return most;
}

}  // namespace

namespace {

constexpr std::int64_t kNewest = std::numeric_limits<std::int64_t>::max();

std::int64_t build_of(const Deployment& deployment) {
  const auto& version = deployment.engine_version;
  if (version.size() < 2 || version.front() != 'b') return kNewest;
  return text::parse_int(std::string_view(version).substr(1)).value_or(kNewest);
}

/// The loader turns flash attention off for Grok, whatever is asked. Source: llama_init_from_model in src/llama-context.cpp (ggml-org/llama.cpp).
bool is_never_flash(const Model& model) { return model.hyperparameters.architecture == "grok"; }

bool llama_cpp_allows_flash_attention(const Model& model, Generation generation) {
  if (is_never_flash(model)) return false;
  if (generation != Generation::b4748) return true;
  for (const auto& layer : model.layers) {
    for (const auto& mixer : layer.mixers) {
      if (std::holds_alternative<MlaAttention>(mixer)) return false;
      if (const auto* a = std::get_if<Attention>(&mixer); a != nullptr && a->head_dim != a->head_dim_v) return false;
    }
  }
  return true;
}

LlamaRules ik_rules(const Model& model, const Workload& w, std::int64_t build) {
  // Builds of ik_llama.cpp (commits up to then).
  constexpr std::int64_t kOneCopy = 3873;        // GGML_SCHED_MAX_COPIES is 1
  constexpr std::int64_t kUnpacksInHalf = 3590;  // March 2025: and as many heads at once as -amb lets
  constexpr std::int64_t kMovesFused = 3683;     // the fused operation of experts too
  constexpr std::int64_t kMovesByExpert = 3745;
  constexpr std::int64_t kHalfMask = 3907;       // F16 with flash attention
  constexpr std::int64_t kNoMtpCache = 3918;
  constexpr std::int64_t kFlashDefault = 3928;   // and fused experts
  constexpr std::int64_t kNoCopiesByHand = 3941;
  constexpr std::int64_t kLatentDefault = 3983;  // -mla 3
  LlamaRules r;
  r.is_ik = true;
  r.generation = Generation::b4748;
  r.flash_attention = !is_never_flash(model) && (w.flash_attention == FlashAttention::automatic ? build >= kFlashDefault : w.flash_attention == FlashAttention::on);
  const std::int64_t mla = w.mla.value_or(build >= kLatentDefault ? 3 : 0);
  r.mla_cache = mla == 0 ? MlaCache::expanded : mla == 1 && !r.flash_attention ? MlaCache::compressed_with_v : MlaCache::compressed;
  r.mla_graph = mla == 0 ? MlaGraph::expanded : mla > 1 && r.flash_attention ? MlaGraph::unpacked : MlaGraph::absorbed;
  r.fused_experts = w.fused_experts.value_or(build >= kFlashDefault);
  r.caches_mtp_layers = build < kNoMtpCache;
  r.copies = build < kOneCopy ? 4 : 1;
  r.copies_with_overrides = build < kNoCopiesByHand;
  r.caches_windows = r.splits_sequences = r.outputs_by_sequence = r.output_first = r.vulkan_has_events = false;
  r.graph.fused_parts = true;
  r.graph.fused_experts = r.fused_experts;
  r.graph.unpacks_in_f32 = build < kUnpacksInHalf;
  r.graph.moves_fused_experts = build >= kMovesFused;
  r.graph.moves_by_expert = build >= kMovesByExpert;
  r.graph.mask_is_cast = build < kHalfMask;
  return r;
}

}  // namespace

LlamaRules llama_cpp_rules(const Model& model, const Workload& w, const Deployment& deployment) {
  const auto build = build_of(deployment);
  if (deployment.engine->id == "ik_llama.cpp") return ik_rules(model, w, build);
  constexpr std::int64_t kLatent = 5137;           // April 2025
  constexpr std::int64_t kWindows = 5429;          // May 2025
  constexpr std::int64_t kFusedActivations = 5776; // June 2025
  constexpr std::int64_t kSequences = 5913;        // July 2025
  constexpr std::int64_t kIndexedWrites = 6307;    // August 2025; possible since July
  constexpr std::int64_t kOutputFirst = 7467;      // December 2025
  constexpr std::int64_t kVulkanEvents = 7502;     // December 2025
  constexpr std::int64_t kEmbeddingsInput = 7774;  // January 2026
  constexpr std::int64_t kLatentAlone = 7832;      // January 2026: V is a view of K
  constexpr std::int64_t kHalfMask = 9300;         // between May and June 2026: F16 with flash attention, logits by sequence, copies behind the result
  LlamaRules r;
  r.generation = build < kFusedActivations ? Generation::b4748 : Generation::v0_5_0;
  constexpr std::int64_t kFlashDefault = 6325;  // August 2025: -fa auto
  const bool wanted = w.flash_attention == FlashAttention::automatic ? build >= kFlashDefault : w.flash_attention == FlashAttention::on;
  r.mla_cache = build < kLatent ? MlaCache::expanded : build < kLatentAlone ? MlaCache::compressed_with_v : MlaCache::compressed;
  r.mla_graph = build < kLatent ? MlaGraph::expanded : MlaGraph::absorbed;
  r.flash_attention = wanted && llama_cpp_allows_flash_attention(model, r.generation);
  r.caches_windows = build >= kWindows;
  r.splits_sequences = build >= kSequences;
  r.outputs_by_sequence = build >= kHalfMask;
  r.output_first = build >= kOutputFirst;
  r.vulkan_has_events = build >= kVulkanEvents;
  r.graph.mask_is_cast = build < kHalfMask;
  r.graph.f16_cache_copies = build >= kHalfMask && deployment.backend == "cuda";
  r.graph.embeddings_input = build >= kEmbeddingsInput;
  r.graph.indexed_writes = build >= kIndexedWrites;
  if (wanted && build >= kLatent) r.flash_attention = model.hyperparameters.architecture != "grok";
  return r;
}

std::int64_t CacheCells::sliding(std::int64_t window, const Workload& w) const {
  if (whole_windows) return full;
  const std::int64_t sequences = w.kv_unified ? w.concurrency : 1;
  return pad(std::min(full, window * sequences + tokens_at_once(w)), padding);
}

CacheCells llama_cpp_cells(const Workload& w, const LlamaRules& rules, std::int64_t padding) {
  const std::int64_t context = w.context * w.concurrency;
  if (!rules.splits_sequences) {
    const std::int64_t step = rules.flash_attention ? 256 : 32;
    return {pad(context, step), 1, step, !rules.caches_windows || w.swa_full};
  }
  const std::int64_t total = pad(context, padding);
  if (w.kv_unified) return {total, 1, padding, w.swa_full};
  return {pad(total / w.concurrency, padding), w.concurrency, padding, w.swa_full};
}

GraphOptions llama_cpp_graph(const Model& model, const Workload& w, const CacheCells& cells, const LlamaRules& rules, bool windows) {
  GraphOptions o = rules.graph;
  o.generation = rules.generation;
  o.tokens = std::min(tokens_at_once(w), cells.total());
  // Older versions lay out one sequence.
  o.sequences = rules.generation == Generation::b4748 ? 1 : w.concurrency;
  o.outputs = rules.outputs_by_sequence ? std::min(o.tokens, w.outputs > 0 ? w.outputs : w.concurrency * (1 + w.draft_tokens)) : o.tokens;
  o.cells = cells.full;
  o.streams = cells.streams;
  const auto window = widest(model).window;
  // Sliding layers have a mask of their own even where their cache is as long as the others'.
  const bool masked_apart = windows || (rules.is_ik && !model.llama_cpp_ignores_window);
  if (masked_apart && window > 0) o.sliding_cells = cells.sliding(window, w);
  o.kv_type_k = w.kv_type_k;
  o.kv_type_v = w.kv_type_v;
  o.flash_attention = rules.flash_attention;
  o.mla = rules.mla_graph;
  o.mla_stores_v = rules.mla_cache == MlaCache::compressed_with_v;
  o.attention_max_mib = w.attention_max_mib;
  o.draft_states = w.draft_states;
  return o;
}

int llama_cpp_copies(const LlamaRules& rules, const Deployment& deployment, const Workload& w, const Placement& placement) {
  const bool whole = placement.output != kHost && std::find(placement.layer.begin(), placement.layer.end(), kHost) == placement.layer.end();
  const bool by_hand = deployment.placed_by_hand || !deployment.overrides.empty() ||
                       std::find(placement.experts_on_host.begin(), placement.experts_on_host.end(), true) != placement.experts_on_host.end();
  const bool has_events = deployment.backend == "cuda" || deployment.backend == "rocm" || (deployment.backend == "vulkan" && rules.vulkan_has_events);
  const bool in_layers = deployment.split == SplitMode::layer;
  const bool pipelines = deployment.devices.size() > 1 && whole && in_layers && w.kv_offload && (!by_hand || rules.copies_with_overrides) && has_events;
  return pipelines ? static_cast<int>(w.copies.value_or(rules.copies)) : 1;
}

std::int64_t llama_cpp_common_v_row(const Model& model, const LlamaRules& rules) {
  if (rules.flash_attention || rules.generation == Generation::b4748) return 0;
  std::int64_t most = 0;
  for (const auto& layer : model.layers) {
    for (const auto& mixer : layer.mixers) {
      if (const auto* a = std::get_if<Attention>(&mixer)) most = std::max(most, a->n_kv_heads * a->head_dim_v);
    }
  }
  return most;
}

std::int64_t activation_peak_bytes(const Model& model, std::int64_t tokens, std::int64_t sequences, std::int64_t tensor_parallel) {
  const auto& hp = model.hyperparameters;
  constexpr std::int64_t kHalf = 2;
  const auto width = widest(model);
  const std::int64_t sharded = (ffn_elements(model) + 2 * width.q + 2 * width.kv) / std::max<std::int64_t>(1, tensor_parallel);
  return tokens * kHalf * (4 * hp.hidden_size + sharded) + 4 * sequences * hp.vocab_size;
}

}  // namespace planner::engine
