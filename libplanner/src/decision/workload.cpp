// Defaults and limits of what is asked of a model.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "decision/session.h"
#include "planner/error.h"

namespace planner::decision {
namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 31;

FormatId kv_format(const std::string& name, const Engine& engine) {
  const auto* format = find_tensor_format(name);
  const bool known = format != nullptr && std::find_if(engine.kv_types.begin(), engine.kv_types.end(), [&](const auto& t) { return text::equal_ignoring_case(t, name); }) != engine.kv_types.end();
  if (known) return format->id;
  std::string list;
  for (const auto& t : engine.kv_types) list += (list.empty() ? "" : ", ") + t;
  throw Error(ErrorKind::unknown_name, fmt::format("{} has no KV cache type '{}'{} (it takes {})", engine.name, name, text::did_you_mean(name, engine.kv_types), list));
}

std::int64_t in_range(std::string_view what, std::optional<std::int64_t> value, std::int64_t otherwise, std::int64_t low, std::int64_t high) {
  if (!value) return otherwise;
  if (*value < low || *value > high) throw Error(ErrorKind::usage, fmt::format("{} is {}, expected {} to {}", what, *value, low, high));
  return *value;
}

/// Tokens whose logits are kept: 0 stands for one per sequence.
std::int64_t outputs_of(const std::string& typed, std::int64_t batch) {
  if (typed.empty() || typed == "slots") return 0;
  if (typed == "batch") return batch;
  const auto n = text::parse_int(typed);
  if (!n || *n < 1 || *n > kMostTokens) throw Error(ErrorKind::usage, fmt::format("outputs is '{}', expected slots, batch or a number of tokens", typed));
  return *n;
}

/// Speculative decoding: how many tokens are drafted ahead, by what, and how many of them are accepted.
void speculate(Workload& w, const EstimateRequest& request, const Subject& subject, const Engine& engine) {
  constexpr std::int64_t kDefaultDraft = 3;  // --spec-draft-n-max in common/common.h of ggml-org/llama.cpp; servers have no default
  constexpr std::int64_t kMostDraft = 256;
  if (request.acceptance && !(*request.acceptance >= 0 && *request.acceptance <= 1)) throw Error(ErrorKind::usage, fmt::format("acceptance is {}, expected 0 to 1", *request.acceptance));
  if (request.draft.empty()) {
    if (request.draft_tokens || !request.draft_quantization.empty()) throw Error(ErrorKind::usage, "draft tokens or a draft quantization are given, but no draft");
    if (request.acceptance) throw Error(ErrorKind::usage, "acceptance is given, but no draft");
    return;
  }
  w.draft_by_mtp = text::equal_ignoring_case(request.draft, "mtp");
  w.draft_tokens = in_range("draft-tokens", request.draft_tokens, kDefaultDraft, 1, kMostDraft);
  w.acceptance = request.acceptance;
  // A recurrent state cannot be cut back: one more is kept for each token that may be taken back. Source: llm_arch_supports_rs_rollback in src/llama-arch.cpp,
  // llama_memory_recurrent in src/llama-memory-recurrent.cpp of ggml-org/llama.cpp.
  constexpr std::array<std::string_view, 10> kRollBack = {"kimi-k3", "qwen35", "qwen35moe", "qwen4exp", "deepseek4", "nemotron_h", "nemotron_h_moe", "lfm2", "lfm2moe", "bailingmoe3"};
  const auto& architecture = subject.model->hyperparameters.architecture;
  if (w.draft_by_mtp && std::find(kRollBack.begin(), kRollBack.end(), architecture) != kRollBack.end()) w.draft_states = w.draft_tokens;
  if (w.draft_by_mtp && subject.model->hyperparameters.n_mtp_layers == 0) throw Error(ErrorKind::usage, fmt::format("{} has no multi-token-prediction layers to draft with", subject.name));
  if (w.draft_by_mtp && !subject.model->file_holds_mtp && is_llama_cpp(engine)) {
    throw Error(ErrorKind::usage, fmt::format("the file of {} holds none of its multi-token-prediction layers: {} cannot draft with them", subject.name, engine.name));
  }
}

}  // namespace

std::int64_t context_limit(const Subject& subject) {
  return subject.entry != nullptr && subject.entry->context ? *subject.entry->context : subject.model->hyperparameters.context_length;
}

Workload resolve_workload(const EstimateRequest& request, const Subject& subject, const Engine& engine, std::vector<std::string>& notes) {
  constexpr std::int64_t kDefaultContext = 8192;
  Workload w;
  const auto model_limit = context_limit(subject);
  w.context = in_range("context", request.context, model_limit > 0 ? std::min(model_limit, kDefaultContext) : kDefaultContext, 1, kMostTokens);
  if (model_limit > 0 && w.context > model_limit) notes.push_back(fmt::format("the context of {} is beyond the model's own limit of {} tokens", w.context, model_limit));
  w.depth = in_range("depth", request.depth, w.context / 2, 0, kMostTokens);
  if (w.depth > w.context) throw Error(ErrorKind::usage, fmt::format("depth is {}, more than the context of {}", w.depth, w.context));
  w.prompt = in_range("prompt", request.prompt, std::min<std::int64_t>(512, w.context), 1, kMostTokens);
  w.cached_prompt = in_range("cached-prompt", request.cached_prompt, 0, 0, w.prompt);
  w.concurrency = in_range("concurrency", request.concurrency, 1, 1, 1 << 16);
  if (w.context > kMostTokens * 64 / w.concurrency) throw Error(ErrorKind::usage, "context times concurrency is more than any memory holds");
  w.batch = in_range("batch", request.batch, engine.batch > 0 ? engine.batch : 2048, 1, kMostTokens);
  w.ubatch = std::min(in_range("ubatch", request.ubatch, engine.ubatch > 0 ? engine.ubatch : 512, 1, kMostTokens), w.batch);
  const std::string standard = engine.default_kv_type.empty() ? "f16" : engine.default_kv_type;
  w.kv_type_k = request.kv_type_k.empty() ? (find_tensor_format(standard) != nullptr ? find_tensor_format(standard)->id : FormatId::f16) : kv_format(request.kv_type_k, engine);
  w.kv_type_v = request.kv_type_v.empty() ? w.kv_type_k : kv_format(request.kv_type_v, engine);
  w.flash_attention = request.flash_attention;
  w.swa_full = request.swa_full;
  w.kv_unified = request.kv_unified;
  w.outputs = outputs_of(request.outputs, w.batch);
  w.kv_offload = request.kv_offload;
  w.max_num_seqs = in_range("max-num-seqs", request.max_num_seqs, 0, 1, 1 << 20);
  w.max_batched_tokens = in_range("max-batched-tokens", request.max_batched_tokens, 0, 1, kMostTokens);
  w.block_size = in_range("block-size", request.block_size, 0, 1, 1 << 16);
  speculate(w, request, subject, engine);
  return w;
}

}  // namespace planner::decision
