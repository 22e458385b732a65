// Values of metadata, and files in several shards.
#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "import/bytes.h"
#include "import/gguf_reader.h"
#include "planner/error.h"
#include "planner/gguf.h"

namespace planner {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& problem) {
  throw Error(ErrorKind::invalid_file, printable_path(path) + ": " + problem);
}

// --- decoding ---------------------------------------------------------------------------------------------------------

/// One integer or bool of an array. Those beyond int64_t are no number that anything here could use.
std::int64_t decode_integer(GgufType type, const std::byte* at, bool big) {
  switch (type) {
    case GgufType::u8:
    case GgufType::boolean: return load_number<std::uint8_t>(at, big);
    case GgufType::i8: return load_number<std::int8_t>(at, big);
    case GgufType::u16: return load_number<std::uint16_t>(at, big);
    case GgufType::i16: return load_number<std::int16_t>(at, big);
    case GgufType::u32: return load_number<std::uint32_t>(at, big);
    case GgufType::i32: return load_number<std::int32_t>(at, big);
    case GgufType::i64: return load_number<std::int64_t>(at, big);
    default: break;
  }
  const auto n = load_number<std::uint64_t>(at, big);
  if (n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Error(ErrorKind::invalid_file, "a GGUF array has the element " + std::to_string(n) + ", expected at most 2^63 - 1");
  }
  return static_cast<std::int64_t>(n);
}

[[noreturn]] void wrong_elements(GgufType type, std::string_view expected) {
  throw Error(ErrorKind::invalid_file,
              "a GGUF array has elements of type " + std::string(to_string(type)) + ", expected " + std::string(expected));
}

}  // namespace

std::vector<std::int64_t> GgufArray::integers() const {
  if (!is_integer(element_type_) && element_type_ != GgufType::boolean) wrong_elements(element_type_, "integers");
  std::vector<std::int64_t> out(size_);
  const std::size_t step = fixed_size(element_type_);
  for (std::size_t i = 0; i < size_; ++i) out[i] = decode_integer(element_type_, header_->data() + begin_ + i * step, big_endian_);
  return out;
}

std::vector<double> GgufArray::numbers() const {
  std::vector<double> out(size_);
  const std::size_t step = fixed_size(element_type_);
  if (element_type_ == GgufType::f32) {
    for (std::size_t i = 0; i < size_; ++i)
      out[i] = static_cast<double>(load_number<float>(header_->data() + begin_ + i * step, big_endian_));
  } else if (element_type_ == GgufType::f64) {
    for (std::size_t i = 0; i < size_; ++i) out[i] = load_number<double>(header_->data() + begin_ + i * step, big_endian_);
  } else {
    if (!is_integer(element_type_)) wrong_elements(element_type_, "numbers");
    const auto whole = integers();
    std::transform(whole.begin(), whole.end(), out.begin(), [](std::int64_t n) { return static_cast<double>(n); });
  }
  return out;
}

std::vector<std::string_view> GgufArray::strings() const {
  if (element_type_ != GgufType::string) wrong_elements(element_type_, "strings");
  std::vector<std::string_view> out;
  out.reserve(size_);
  std::size_t at = begin_;
  for (std::size_t i = 0; i < size_; ++i) {
    const auto length = static_cast<std::size_t>(load_number<std::uint64_t>(header_->data() + at, big_endian_));
    at += sizeof(std::uint64_t);
    out.emplace_back(reinterpret_cast<const char*>(header_->data() + at), length);
    at += length;
  }
  return out;
}

std::vector<GgufArray> GgufArray::arrays() const {
  if (element_type_ != GgufType::array) wrong_elements(element_type_, "arrays");
  std::vector<GgufArray> out;
  out.reserve(size_);
  std::size_t at = begin_;
  for (std::size_t i = 0; i < size_; ++i) {
    GgufArray& inner = out.emplace_back(*this);
    inner.element_type_ = static_cast<GgufType>(load_number<std::uint32_t>(header_->data() + at, big_endian_));
    inner.size_ = static_cast<std::size_t>(load_number<std::uint64_t>(header_->data() + at + 4, big_endian_));
    inner.begin_ = at + 4 + 8;
    inner.end_ = end_;
    // Where it ends is where the last of its own elements does.
    if (inner.element_type_ == GgufType::string) {
      const auto all = inner.strings();
      if (!all.empty())
        inner.end_ = inner.begin_ + static_cast<std::size_t>(all.back().data() + all.back().size() - all.front().data()) + 8;
    } else if (inner.element_type_ == GgufType::array) {
      const auto all = inner.arrays();
      if (!all.empty()) inner.end_ = all.back().end_;
    } else {
      inner.end_ = inner.begin_ + inner.size_ * fixed_size(inner.element_type_);
    }
    if (inner.size_ == 0) inner.end_ = inner.begin_;
    at = inner.end_;
  }
  return out;
}

// --- look-ups ---------------------------------------------------------------------------------------------------------

namespace {

[[noreturn]] void wrong_type(const GgufFile& file, std::string_view key, const GgufValue& value, std::string_view expected) {
  std::string type(to_string(value.type));
  if (const auto* array = std::get_if<GgufArray>(&value.value)) type = "array of " + std::string(to_string(array->element_type()));
  fail(file.path, "key '" + printable(key) + "' is of type " + type + ", expected " + std::string(expected));
}

const GgufArray* find_array(const GgufFile& file, std::string_view key, std::string_view expected) {
  const auto* value = file.find(key);
  if (value == nullptr) return nullptr;
  const auto* array = std::get_if<GgufArray>(&value->value);
  if (array == nullptr) wrong_type(file, key, *value, expected);
  return array;
}

}  // namespace

bool GgufFile::is_complete() const {
  return std::all_of(shards.begin(), shards.end(), [](const GgufShard& s) { return s.is_complete(); });
}

std::int64_t GgufFile::n_elements() const {
  std::int64_t n = 0;
  for (const auto& tensor : tensors) n += tensor.n_elements();
  return n;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const GgufTensor& t) { return t.name == name; });
  return it == tensors.end() ? nullptr : &*it;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto it = std::find_if(metadata.begin(), metadata.end(), [&](const GgufEntry& e) { return e.key == key; });
  return it == metadata.end() ? nullptr : &it->value;
}

std::optional<std::int64_t> GgufFile::find_integer(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* n = std::get_if<std::int64_t>(&value->value)) return *n;
  if (const auto* b = std::get_if<bool>(&value->value)) return *b ? 1 : 0;
  const auto* n = std::get_if<std::uint64_t>(&value->value);
  if (n == nullptr) wrong_type(*this, key, *value, "an integer");
  if (*n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail(path, "key '" + printable(key) + "' is " + std::to_string(*n) + ", expected at most 2^63 - 1");
  }
  return static_cast<std::int64_t>(*n);
}

std::optional<double> GgufFile::find_number(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* x = std::get_if<double>(&value->value)) return *x;
  if (!is_integer(value->type)) wrong_type(*this, key, *value, "a number");
  return static_cast<double>(*find_integer(key));
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* b = std::get_if<bool>(&value->value);
  if (b == nullptr) wrong_type(*this, key, *value, "a bool");
  return *b;
}

std::optional<std::string_view> GgufFile::find_string(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* s = std::get_if<std::string>(&value->value);
  if (s == nullptr) wrong_type(*this, key, *value, "a string");
  return *s;
}

std::vector<std::int64_t> GgufFile::integers(std::string_view key) const {
  constexpr std::string_view kExpected = "an array of integers";
  const auto* array = find_array(*this, key, kExpected);
  if (array == nullptr) return {};
  if (!is_integer(array->element_type()) && array->element_type() != GgufType::boolean) wrong_type(*this, key, *find(key), kExpected);
  return array->integers();
}

std::vector<double> GgufFile::numbers(std::string_view key) const {
  constexpr std::string_view kExpected = "an array of numbers";
  const auto* array = find_array(*this, key, kExpected);
  if (array == nullptr) return {};
  const auto type = array->element_type();
  if (!is_integer(type) && type != GgufType::f32 && type != GgufType::f64) wrong_type(*this, key, *find(key), kExpected);
  return array->numbers();
}

std::vector<std::string_view> GgufFile::strings(std::string_view key) const {
  constexpr std::string_view kExpected = "an array of strings";
  const auto* array = find_array(*this, key, kExpected);
  if (array == nullptr) return {};
  if (array->element_type() != GgufType::string) wrong_type(*this, key, *find(key), kExpected);
  return array->strings();
}

// --- split files ------------------------------------------------------------------------------------------------------
// Source: llama_split_path and tools/gguf-split (ggml-org/llama.cpp).

namespace {

/// "dir/NAME-00002-of-00005.gguf" taken apart.
struct SplitName {
  std::filesystem::path folder;
  std::string stem;         ///< "NAME"
  std::int64_t number = 0;  ///< from 1
  std::int64_t count = 0;

  [[nodiscard]] std::filesystem::path sibling(std::int64_t n) const {
    return folder / (stem + "-" + digits(n) + "-of-" + digits(count) + ".gguf");
  }
  [[nodiscard]] static std::string digits(std::int64_t n) {
    const auto s = std::to_string(n);
    return s.size() < 5 ? std::string(5 - s.size(), '0') + s : s;
  }
};

std::optional<SplitName> split_name_of(const std::filesystem::path& path) {
  constexpr std::size_t kDigits = 5;
  const std::string name = path.filename().string();
  const std::string_view pattern = "-00000-of-00000.gguf";
  if (name.size() <= pattern.size()) return std::nullopt;
  const std::string_view tail = std::string_view(name).substr(name.size() - pattern.size());
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool is_digit = tail[i] >= '0' && tail[i] <= '9';
    if (pattern[i] == '0' ? !is_digit : tail[i] != pattern[i]) return std::nullopt;
  }
  SplitName split;
  split.folder = path.parent_path();
  split.stem = name.substr(0, name.size() - pattern.size());
  split.number = std::stoll(std::string(tail.substr(1, kDigits)));
  split.count = std::stoll(std::string(tail.substr(1 + kDigits + 4, kDigits)));
  return split;
}

/// A key of the split by name; Error where it is no integer.
std::optional<std::int64_t> split_key(const GgufHeader& header, const char* key) {
  GgufFile lookup;
  lookup.path = header.shard.path;
  for (const auto& entry : header.metadata) {
    if (entry.key == key) lookup.metadata.push_back(entry);
  }
  return lookup.find_integer(key);
}

std::int64_t required_split_key(const GgufHeader& header, const char* key) {
  const auto value = split_key(header, key);
  if (!value) fail(header.shard.path, "the file is part of a split model, but has no " + std::string(key));
  return *value;
}

std::optional<std::string> architecture_of(const GgufHeader& header) {
  for (const auto& entry : header.metadata) {
    const auto* s = std::get_if<std::string>(&entry.value.value);
    if (entry.key == "general.architecture" && s != nullptr) return *s;
  }
  return std::nullopt;
}

void append(GgufFile& file, GgufHeader&& header) {
  for (auto& tensor : header.tensors) {
    tensor.shard = file.shards.size();
    file.tensors.push_back(std::move(tensor));
  }
  if (header.shard.data_bytes > kMostDataBytes - file.data_bytes) fail(file.path, "its shards hold more than 2^56 bytes of tensors");
  file.tensor_bytes += header.shard.tensor_bytes;
  file.data_bytes += header.shard.data_bytes;
  file.declared_file_bytes += header.shard.declared_file_bytes;
  file.file_bytes += header.shard.file_bytes;
  file.shards.push_back(std::move(header.shard));
}

GgufFile file_of(const std::filesystem::path& path, GgufHeader&& first) {
  GgufFile file;
  file.path = path;
  file.version = first.version;
  file.big_endian = first.big_endian;
  file.metadata = std::move(first.metadata);
  file.alignment = first.shard.alignment;
  file.data_offset = first.shard.data_offset;
  append(file, std::move(first));
  return file;
}

void check_split_keys(const GgufHeader& shard, std::int64_t i, std::int64_t count, std::int64_t n_tensors) {
  const auto expect = [&](const char* key, std::int64_t expected) {
    const std::int64_t found = required_split_key(shard, key);
    if (found != expected) {
      fail(shard.shard.path, std::string(key) + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
    }
  };
  expect("split.no", i);
  expect("split.count", count);
  expect("split.tensors.count", n_tensors);
}

void check_same_model(const GgufHeader& shard, const GgufFile& file) {
  const auto& path = shard.shard.path;
  if (shard.version != file.version || shard.big_endian != file.big_endian) {
    fail(path, "has another GGUF version or byte order than the first shard");
  }
  const auto architecture = architecture_of(shard);
  const auto expected = file.find_string("general.architecture");
  if (architecture && expected && *architecture != *expected) {
    fail(path, "is of architecture '" + printable(*architecture) + "', but the first shard of '" + printable(*expected) + "'");
  }
}

GgufFile read_split(const std::filesystem::path& path, GgufHeader&& given, const SplitName& name) {
  const std::int64_t n_tensors = required_split_key(given, "split.tensors.count");
  const auto read_shard = [&](std::int64_t i) {
    if (i == name.number - 1) return std::move(given);
    const auto sibling = name.sibling(i + 1);
    std::error_code ignored;
    if (!std::filesystem::exists(sibling, ignored)) {
      fail(path, "shard " + std::to_string(i + 1) + " of " + std::to_string(name.count) + " is missing: " + printable_path(sibling));
    }
    return read_one_gguf_header(sibling);
  };
  GgufFile file;
  std::unordered_set<std::string> names;
  for (std::int64_t i = 0; i < name.count; ++i) {
    auto shard = read_shard(i);
    check_split_keys(shard, i, name.count, n_tensors);
    if (i > 0) check_same_model(shard, file);
    for (const auto& tensor : shard.tensors) {
      if (!names.insert(tensor.name).second) {
        fail(shard.shard.path, "the tensor '" + printable(tensor.name) + "' is in another shard as well");
      }
    }
    if (i == 0) {
      file = file_of(path, std::move(shard));
    } else {
      append(file, std::move(shard));
    }
  }
  const auto found = static_cast<std::int64_t>(file.tensors.size());
  if (found != n_tensors) {
    fail(path, "its shards hold " + std::to_string(found) + " tensors, but split.tensors.count is " + std::to_string(n_tensors));
  }
  return file;
}

}  // namespace

GgufFile read_gguf_header(const std::filesystem::path& path) {
  auto header = read_one_gguf_header(path);
  const std::int64_t count = split_key(header, "split.count").value_or(0);
  const auto name = split_name_of(path);
  if (count <= 1 && (!name || name->count <= 1)) return file_of(path, std::move(header));
  if (count <= 1) {
    fail(path, "by its name shard " + std::to_string(name->number) + " of " + std::to_string(name->count) + ", but it has no split.count");
  }
  const std::string said = "is one of " + std::to_string(count) + " shards (split.count)";
  if (!name)
    fail(path, said + ", but its name does not end in -00001-of-" + SplitName::digits(count) + ".gguf: the others cannot be found");
  if (name->count != count || name->number < 1 || name->number > count) {
    fail(path, said + ", but by its name number " + std::to_string(name->number) + " of " + std::to_string(name->count));
  }
  return read_split(path, std::move(header), *name);
}

}  // namespace planner
