#include "planner/gguf_size.h"

namespace planner {
namespace {

constexpr std::int64_t kAlignment = 32;
std::int64_t padded(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Magic, version, two counts.
constexpr std::int64_t kPreamble = 4 + 4 + 8 + 8;
// general.* and the architecture's own keys: some 25 pairs. What published files leave beside tokenizer and chat template: 650 to 1950 bytes.
constexpr std::int64_t kOtherPairs = 1100;

}  // namespace

GgufFileSize gguf_file_size(const Model& model, const StoredModel& stored, const Tokenizer& tokenizer) {
  GgufFileSize size;
  size.metadata_bytes = tokenizer.header_bytes() + kOtherPairs;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (stored.bytes[i] == 0) continue;
    const auto& t = model.tensors[i];
    // Name, rank, extents, type, offset.
    size.directory_bytes += 8 + static_cast<std::int64_t>(t.name.size()) + 4 + 8 * t.n_dims + 4 + 8;
    size.data_bytes += padded(stored.bytes[i]);
  }
  size.total_bytes = padded(kPreamble + size.metadata_bytes + size.directory_bytes) + size.data_bytes;
  return size;
}

}  // namespace planner
