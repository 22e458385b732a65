#include "planner/gguf_size.h"

#include <string_view>

namespace planner {
namespace {

constexpr std::int64_t kAlignment = 32;
std::int64_t padded(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Magic, version, two counts.
constexpr std::int64_t kPreamble = 4 + 4 + 8 + 8;
// general.* and the architecture's own keys: some 25 pairs. What published files leave beside tokenizer and chat template: 650 to 1950 bytes.
constexpr std::int64_t kOtherPairs = 1100;

}  // namespace

std::int64_t Tokenizer::header_bytes() const {
  constexpr std::int64_t kString = 8;            // length before the bytes
  constexpr std::int64_t kArray = 4 + 4 + 8;     // value type, element type, count
  const auto key = [](std::int64_t length) { return kString + length; };
  const auto text_pair = [&](std::string_view name, std::int64_t length) { return key(static_cast<std::int64_t>(name.size())) + 4 + kString + length; };
  const auto array = [&](std::string_view name, std::int64_t content) { return key(static_cast<std::int64_t>(name.size())) + kArray + content; };

  std::int64_t bytes = text_pair("tokenizer.ggml.model", static_cast<std::int64_t>(model.size()));
  if (!pre.empty()) bytes += text_pair("tokenizer.ggml.pre", static_cast<std::int64_t>(pre.size()));
  bytes += array("tokenizer.ggml.tokens", kString * tokens + token_bytes);
  if (token_types) bytes += array("tokenizer.ggml.token_type", 4 * tokens);
  if (scores) bytes += array("tokenizer.ggml.scores", 4 * tokens);
  if (merges > 0) bytes += array("tokenizer.ggml.merges", kString * merges + merge_bytes);
  if (chat_template_bytes > 0) bytes += text_pair("tokenizer.chat_template", chat_template_bytes);
  for (const auto& small : small_keys) {
    constexpr std::int64_t kPrefix = 15;  // "tokenizer.ggml."
    bytes += key(kPrefix + static_cast<std::int64_t>(small.size())) + 4 + (small.starts_with("add_") ? 1 : 4);
  }
  return bytes + other_bytes;
}

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
