#include "runtime/transformer.h"

#include "planner/error.h"
#include "transformer/weights.h"

namespace planner::runtime {

Transformer::Transformer(const std::filesystem::path& path) : file_(path) {
  const auto& header = file_.header();
  const auto architecture = header.find_string("general.architecture").value_or("");
  if (find_traits(architecture) != nullptr) {
    for (const auto& difference : compare_with_description(header)) {
      if (difference.kind == GgufTensorDifference::Kind::shape) {
        throw Error(ErrorKind::invalid_file, path.string() + ": " + difference.text() + " (architecture " + std::string(architecture) + ")");
      }
      notes_.push_back(difference.text());
    }
  }
  description_ = model_from_gguf(header);
  weights_ = std::make_unique<const Weights>(read_weights(file_, description_));
}

Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

std::int64_t Transformer::weight_bytes_per_token() const {
  std::int64_t bytes = 0;
  const auto& hp = description_.hyperparameters;
  for (const auto& tensor : description_.tensors) {
    const auto* stored = tensor.part == ModelPart::text ? file_.find(tensor.name) : nullptr;
    if (stored == nullptr || (tensor.is_table && !(tensor.name == "token_embd.weight" && hp.tied_embeddings))) continue;
    bytes += tensor.is_expert && hp.n_experts > 0 ? stored->bytes / hp.n_experts * hp.n_experts_active : stored->bytes;
  }
  return bytes;
}

std::vector<std::string_view> architectures_supported() {
  std::vector<std::string_view> out;
  for (const auto& traits : architecture_traits()) out.push_back(traits.name);
  return out;
}

}  // namespace planner::runtime
