// Mixes of published GGUF files that differ from what the quantizer makes today.
#pragma once

#include <optional>
#include <string_view>

#include "planner/model.h"
#include "planner/quantization.h"

namespace planner::test {

/// The recipe as the quantizer had it until March 2026, when fused attn_qkv tensors were not yet treated like attn_v: Q3_K_M, Q3_K_L and
/// IQ3_M gave them Q4_K, Q4_K_M Q5_K, Q5_K_M Q6_K, whatever the layer, and the other mixes their base.
/// Source: https://github.com/ggml-org/llama.cpp/pull/19770 and src/llama-quant.cpp before it.
[[nodiscard]] Quantization with_old_fused_qkv(const Quantization& quantization);

/// State of the branch that an uploader of many mixtures of experts quantizes with.
enum class ExpertBranch { may_2025, january_2026, march_2026 };

/// Bytes as that branch makes them for models of eight experts and more: `stock` where it does not differ.
/// Source: https://github.com/ggml-org/llama.cpp/pull/12727 (src/llama-quant.cpp, commits f609de5 and d28595e; the state between them is read off the files).
[[nodiscard]] StoredModel with_expert_branch(const Model& model, std::string_view mix, bool imatrix, ExpertBranch branch, StoredModel stock);

/// The prediction layer is not run when an importance matrix is made: what would need one there gets `format`.
[[nodiscard]] StoredModel with_uncovered_mtp(const Model& model, FormatId format, StoredModel stored);

}  // namespace planner::test
