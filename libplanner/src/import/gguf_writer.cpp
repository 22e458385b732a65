#include "planner/gguf_writer.h"

#include <bit>
#include <cassert>
#include <cstring>

namespace planner {
namespace {

template <class T>
void put(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint64_t>(text.size()));
  out += text;
}

constexpr std::int64_t padded(std::int64_t bytes) {
  return (bytes + GgufHeaderWriter::kAlignment - 1) / GgufHeaderWriter::kAlignment * GgufHeaderWriter::kAlignment;
}

constexpr std::int64_t kPreamble = 4 + 4 + 8 + 8;  // magic, version, two counts

}  // namespace

void GgufHeaderWriter::begin(std::string_view key, GgufType type) {
  put_text(pairs_, key);
  put(pairs_, static_cast<std::uint32_t>(type));
  ++n_pairs_;
}

void GgufHeaderWriter::begin_array(std::string_view key, GgufType element, std::size_t n) {
  begin(key, GgufType::array);
  put(pairs_, static_cast<std::uint32_t>(element));
  put(pairs_, static_cast<std::uint64_t>(n));
}

void GgufHeaderWriter::add(std::string_view key, std::uint32_t value) {
  begin(key, GgufType::u32);
  put(pairs_, value);
}

void GgufHeaderWriter::add(std::string_view key, float value) {
  begin(key, GgufType::f32);
  put(pairs_, value);
}

void GgufHeaderWriter::add(std::string_view key, bool value) {
  begin(key, GgufType::boolean);
  put(pairs_, static_cast<char>(value));
}

void GgufHeaderWriter::add(std::string_view key, std::string_view value) {
  begin(key, GgufType::string);
  put_text(pairs_, value);
}

void GgufHeaderWriter::add_array(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::string, values.size());
  for (const auto& v : values) put_text(pairs_, v);
}

void GgufHeaderWriter::add_array(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, GgufType::i32, values.size());
  for (const auto v : values) put(pairs_, v);
}

void GgufHeaderWriter::add_array(std::string_view key, std::span<const std::uint32_t> values) {
  begin_array(key, GgufType::u32, values.size());
  for (const auto v : values) put(pairs_, v);
}

void GgufHeaderWriter::add_array(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::f32, values.size());
  for (const auto v : values) put(pairs_, v);
}

void GgufHeaderWriter::add_array(std::string_view key, const std::vector<bool>& values) {
  begin_array(key, GgufType::boolean, values.size());
  for (const bool v : values) put(pairs_, static_cast<char>(v));
}

std::int64_t GgufHeaderWriter::add_tensor(std::string_view name, std::span<const std::int64_t> shape, FormatId format) {
  const auto& layout = tensor_format(format);
  assert(!shape.empty() && shape.size() <= 4 && shape[0] % layout.block_weights == 0 && layout.gguf_type >= 0);
  put_text(directory_, name);
  put(directory_, static_cast<std::uint32_t>(shape.size()));
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    put(directory_, static_cast<std::uint64_t>(shape[i]));
    if (i > 0) rows *= shape[i];
  }
  put(directory_, static_cast<std::uint32_t>(layout.gguf_type));
  const std::int64_t offset = data_bytes_;
  put(directory_, static_cast<std::uint64_t>(offset));
  data_bytes_ += padded(rows * layout.row_bytes(shape[0]));
  ++n_tensors_;
  return offset;
}

std::int64_t GgufHeaderWriter::data_offset() const { return padded(kPreamble + static_cast<std::int64_t>(pairs_.size() + directory_.size())); }

std::string GgufHeaderWriter::bytes() const {
  std::string out = "GGUF";
  put(out, std::uint32_t{3});
  put(out, n_tensors_);
  put(out, n_pairs_);
  out += pairs_;
  out += directory_;
  out.resize(static_cast<std::size_t>(data_offset()), '\0');
  return out;
}

}  // namespace planner
