#include "logic/glossary.h"

#include <algorithm>
#include <array>

namespace planner::gui {
namespace {

constexpr std::array kTerms = {
    Term{"model", "A language model with open weights. Type part of a name, or drop a .gguf file or a config.json on the window."},
    Term{"quantization",
         "How many bits each weight is stored in. A mix such as Q4_K_M gives every tensor a block format of its own; fewer bits are smaller and faster, and "
         "lose quality."},
    Term{"bits per weight",
         "Stored bits per weight over the whole model, scales included. It is more than the name of the mix says, because some tensors keep more bits."},
    Term{"context", "Tokens that one sequence may use: prompt and answer together. The KV cache is allocated for all of them."},
    Term{"KV cache",
         "Keys and values of all tokens so far, kept so that they need not be computed again. It grows with the context; grouped queries, latent attention and "
         "sliding windows make it smaller."},
    Term{"KV format", "The number format of the KV cache. q8_0 halves it with hardly any loss, q4_0 quarters it with some."},
    Term{"engine", "The program that runs the model. Each allocates memory by rules of its own, which the figures follow."},
    Term{"backend", "The interface through which the engine drives the device: CUDA, Metal, ROCm, Vulkan, SYCL or the CPU."},
    Term{"concurrency", "Sequences that are answered at once. Each has its own KV cache; the weights are read once for all of them."},
    Term{"prompt", "Tokens of the prompt that prefill speed and time to first token are quoted for."},
    Term{"device", "A graphics card, a machine whose CPU and GPU share one memory, a CPU platform, or a node of several equal devices."},
    Term{"verdict",
         "fits: all of it on the device. tight: it fits with less than 5 % to spare. offload: only with layers or experts in host memory, which is slower. no: "
         "it does not fit."},
    Term{"memory", "What the model needs with everything on the device, of what driver and desktop leave usable. GiB are binary: 1 GiB = 1,073,741,824 bytes."},
    Term{"decode",
         "Tokens per second of one sequence while the answer is written, with half the context filled. Every token reads all active weights and the cache "
         "once, so bandwidth decides. The range holds 80 % of measurements."},
    Term{"prefill", "Tokens per second while the prompt is read. Many tokens share each weight that is read, so arithmetic decides."},
    Term{"TTFT", "Time to first token: how long the prompt takes before the answer begins."},
    Term{"TPOT", "Time per output token of one sequence, after the first."},
    Term{"price", "Price at launch in US dollars, of all devices together. A dash: not known."},
    Term{"tok/s per dollar", "Decode speed of all sequences together for each dollar of the launch price."},
    Term{"watts", "Board power of all devices together, as the vendor states it."},
    Term{"weights", "The model's parameters as stored: computed tensor by tensor from its geometry and the quantizer's rules."},
    Term{"compute",
         "Buffers for intermediate results, laid out as the engine's own allocator does; they grow with the ubatch and, without flash attention, with the "
         "context."},
    Term{"recurrent state", "What recurrent layers keep per sequence, whatever its length."},
    Term{"output", "The logits of the tokens that are sampled."},
    Term{"overhead", "The engine's context, libraries and work space on the device."},
    Term{"free", "Usable memory that nothing of this takes."},
    Term{"short", "What is missing when everything is to lie on the device."},
    Term{"KL divergence",
         "How far the quantized model's distribution over the next token is from the unquantized one's; 0 is no difference. Measured on the model named."},
    Term{"experts",
         "A mixture-of-experts layer has many feed-forwards and uses few of them per token: most of the bytes, little of the work. They are the first to go to "
         "host memory."},
    Term{"layer", "One block of the model: attention (or a recurrent mixer) and a feed-forward. Its cache lies where the layer is."},
    Term{"several of these", "So many of each device, the model spread over them."},
    Term{"largest context", "The longest context that still fits with everything on the device."},
    Term{"requests per second", "Requests that arrive per second, on average."},
    Term{"KV capacity", "Tokens that the cache holds in all: what the sequences share."},
    Term{"tensor parallel", "Each layer is shared by several devices, which exchange results after it: faster per token, needs a fast link."},
    Term{"bandwidth-bound", "Limited by the bytes that have to be read, not by arithmetic."},
};

}  // namespace

std::span<const Term> glossary() { return kTerms; }

QString meaning_of(std::string_view term) {
  const auto found = std::find_if(kTerms.begin(), kTerms.end(), [&](const Term& t) { return t.name == term; });
  return found == kTerms.end() ? QString() : QString::fromUtf8(found->meaning.data(), static_cast<qsizetype>(found->meaning.size()));
}

}  // namespace planner::gui
