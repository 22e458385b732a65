/// Command lines that belong to a question: planner's own, and the engine's that does what the answer says.
#pragma once

#include <string>

#include "planner/catalog.h"
#include "planner/estimate.h"

namespace planner {

/// `planner estimate ...` that asks the same question, quoted for a POSIX shell. What is at its default is left out.
/// Example: planner estimate --model deepseek-r1-distill-qwen-1.5b --quant Q4_K_M --gpu rtx-4090 --context 131072
[[nodiscard]] std::string planner_command(const EstimateRequest& request);

/// The engine's command line for the answer, quoted for a POSIX shell: llama-server, vllm serve, sglang, mlx_lm.server; the model is its own file where the
/// request names one, else a file name or Hugging Face id to fill in. Empty: no command line is known for the engine.
/// Sources of the options: common/arg.cpp in ggml-org/llama.cpp; vllm/engine/arg_utils.py in vllm-project/vllm; python/sglang/srt/server_args.py in
/// sgl-project/sglang.
[[nodiscard]] std::string engine_command(const EstimateRequest& request, const Estimate& answer, const Catalog& catalog);

}  // namespace planner
