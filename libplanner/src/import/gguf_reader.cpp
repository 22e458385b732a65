// The header of one GGUF file, byte by byte. Source of the format: docs/gguf.md (ggml-org/ggml).
#include "import/gguf_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "import/bytes.h"
#include "planner/error.h"

namespace planner {
namespace {

// Far beyond any real header; keep a damaged one from costing memory or time.
constexpr std::uint64_t kMostHeaderBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMostKeys = 65536;
constexpr std::uint64_t kMostTensors = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 48;  // of one tensor
constexpr std::uint64_t kMostAlignment = std::uint64_t{1} << 20;
constexpr std::size_t kMostKeyBytes = 65535;  // the format's own limit
constexpr std::size_t kMostNameBytes = 1024;  // the format says 64; builds of ggml with longer names exist
constexpr int kDeepestArray = 4;

constexpr std::uint64_t kReservedBytes = std::uint64_t{16} << 20;  // address space; memory is what has been read
constexpr std::size_t kLeastReadBytes = std::size_t{64} << 10;
constexpr std::size_t kMostReadBytes = std::size_t{1} << 20;

constexpr std::uint64_t kStringHead = 8;              // length
constexpr std::uint64_t kArrayHead = 4 + 8;           // element type, count
constexpr std::uint64_t kLeastEntry = 8 + 1 + 4 + 1;  // key of one byte, type, value of one byte
constexpr std::uint64_t kLeastTensor = 8 + 1 + 4 + 4 + 8;

/// Tensor types that GGUF once had. Source: the comments of enum ggml_type in ggml/include/ggml.h (ggml-org/llama.cpp).
struct RemovedType {
  std::uint32_t number;
  std::string_view name;
};
constexpr std::array kRemovedTypes = {
    RemovedType{4, "Q4_2"},      RemovedType{5, "Q4_3"},        RemovedType{31, "Q4_0_4_4"},   RemovedType{32, "Q4_0_4_8"},
    RemovedType{33, "Q4_0_8_8"}, RemovedType{36, "IQ4_NL_4_4"}, RemovedType{37, "IQ4_NL_4_8"}, RemovedType{38, "IQ4_NL_8_8"},
};

std::string number(std::uint64_t n) { return std::to_string(n); }

std::uint64_t padded(std::uint64_t n, std::uint64_t alignment) { return (n + alignment - 1) / alignment * alignment; }

/// Length of the UTF-8 character at the front; 0 where there is none.
std::size_t utf8_character(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0U) != 0x80U) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  const unsigned second = at(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 0;
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;
  return length;
}

/// Length of the character at the front that can be printed as it is; 0: it cannot. Control characters are U+0000 to U+001F and U+007F to
/// U+009F.
std::size_t plain_character(std::string_view s) {
  const auto first = static_cast<unsigned char>(s.front());
  if (first < 0x20 || first == 0x7F) return 0;
  if (first == 0xC2 && s.size() > 1 && static_cast<unsigned char>(s[1]) < 0xA0) return 0;
  return utf8_character(s);
}

bool is_plain_text(std::string_view s) {
  while (!s.empty()) {
    const std::size_t length = plain_character(s);
    if (length == 0) return false;
    s.remove_prefix(length);
  }
  return true;
}

bool is_type(std::uint32_t n) { return n <= static_cast<std::uint32_t>(GgufType::f64); }

std::uint64_t least_size(GgufType type) {
  if (type == GgufType::string) return kStringHead;
  if (type == GgufType::array) return kArrayHead;
  return fixed_size(type);
}

}  // namespace

std::string printable(std::string_view s, std::size_t most) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  while (!s.empty()) {
    if (out.size() >= most) return out + "...";
    const std::size_t length = plain_character(s);
    if (length > 0) {
      out += s.substr(0, length);
      s.remove_prefix(length);
    } else {
      const auto c = static_cast<unsigned char>(s.front());
      out += {'\\', 'x', kHex[c >> 4U], kHex[c & 15U]};
      s.remove_prefix(1);
    }
  }
  return out;
}

std::string printable_path(const std::filesystem::path& path) { return printable(path.native(), 4096); }

std::size_t fixed_size(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean: return 1;
    case GgufType::u16:
    case GgufType::i16: return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32: return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64: return 8;
    case GgufType::string:
    case GgufType::array: return 0;
  }
  return 0;
}

bool is_integer(GgufType type) {
  return type != GgufType::f32 && type != GgufType::f64 && type != GgufType::boolean && type != GgufType::string && type != GgufType::array;
}

std::string_view to_string(GgufType type) {
  constexpr std::array<std::string_view, 13> kNames = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                       "bool", "string", "array", "u64", "i64", "f64"};
  const auto i = static_cast<std::size_t>(type);
  return i < kNames.size() ? kNames[i] : "unknown";
}

/// Reads on demand and keeps what it has read: the header is walked once, front to back, and the file is read little further than that.
class GgufHeaderReader {
 public:
  explicit GgufHeaderReader(const std::filesystem::path& path) : path_(path) { open(); }

  GgufHeader read() {
    read_magic_and_version();
    const std::uint64_t tensors_at = pos_;
    const std::uint64_t n_tensors = read_number<std::uint64_t>("the tensor count");
    const std::uint64_t keys_at = pos_;
    const std::uint64_t n_keys = read_number<std::uint64_t>("the key count");
    check_count(keys_at, "key count", n_keys, kLeastEntry, kMostKeys);
    check_count(tensors_at, "tensor count", n_tensors, kLeastTensor, kMostTensors);
    read_metadata(n_keys);
    header_.shard.alignment = read_alignment();
    read_tensors(n_tensors);
    finish();
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw Error(ErrorKind::invalid_file, printable_path(path_) + ": " + problem); }
  [[noreturn]] void fail_at(std::uint64_t position, const std::string& problem) const { fail("byte " + number(position) + ": " + problem); }

  // --- bytes ----------------------------------------------------------------------------------------------------------

  void open() {
    std::error_code problem;
    const auto status = std::filesystem::status(path_, problem);
    if (!std::filesystem::exists(status)) fail("no such file");
    if (std::filesystem::is_directory(status)) fail("is a folder, expected a GGUF file");
    if (!std::filesystem::is_regular_file(status)) fail("is no regular file");
    file_bytes_ = std::filesystem::file_size(path_, problem);
    if (problem) fail("cannot be read: " + problem.message());
    errno = 0;
    stream_.open(path_, std::ios::binary);
    if (!stream_) fail("cannot be read: " + std::generic_category().message(errno != 0 ? errno : EIO));
    bytes_->reserve(static_cast<std::size_t>(std::min(file_bytes_, kReservedBytes)));
    header_.shard.path = path_;
    header_.shard.file_bytes = static_cast<std::int64_t>(file_bytes_);
  }

  std::uint64_t left() const { return file_bytes_ - pos_; }

  /// Makes the next `n` bytes available in the buffer.
  void need(std::uint64_t n, std::string_view what) {
    if (n > bytes_->size() - pos_) fetch(n, what);
  }

  void fetch(std::uint64_t n, std::string_view what) {
    if (n > left()) {
      fail_at(pos_, "the file ends (" + number(file_bytes_) + " bytes), expected " + number(n) + (n == 1 ? " byte" : " bytes") + " of " +
                        std::string(what) + context());
    }
    if (pos_ + n > kMostHeaderBytes) {
      fail_at(pos_, "the header goes on beyond " + number(kMostHeaderBytes) + " bytes, expected less" + context());
    }
    const std::size_t have = bytes_->size();
    const std::uint64_t more = std::max<std::uint64_t>(pos_ + n - have, std::clamp(have, kLeastReadBytes, kMostReadBytes));
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(have + more, file_bytes_));
    bytes_->resize(wanted);
    stream_.read(reinterpret_cast<char*>(bytes_->data() + have), static_cast<std::streamsize>(wanted - have));
    if (static_cast<std::size_t>(stream_.gcount()) != wanted - have) fail_at(have, "the file cannot be read any further");
  }

  const std::byte* at(std::uint64_t position) const { return bytes_->data() + position; }

  template <typename T>
  T read_number(std::string_view what) {
    need(sizeof(T), what);
    const T value = load_number<T>(at(pos_), header_.big_endian);
    pos_ += sizeof(T);
    return value;
  }

  /// Steps over a string and returns where its bytes begin.
  std::uint64_t skip_string(std::string_view what) {
    const std::uint64_t length_at = pos_;
    const auto length = read_number<std::uint64_t>(what);
    if (length > left()) {
      fail_at(length_at, std::string(what) + context() + " is a string of " + number(length) + " bytes, but the file has only " +
                             number(left()) + " more");
    }
    need(length, what);
    const std::uint64_t begin = pos_;
    pos_ += length;
    return begin;
  }

  std::string read_string(std::string_view what) {
    const std::uint64_t begin = skip_string(what);
    return {reinterpret_cast<const char*>(at(begin)), static_cast<std::size_t>(pos_ - begin)};
  }

  /// A key or a tensor's name.
  std::string read_name(std::string_view what, std::size_t most) {
    const std::uint64_t begin = pos_;
    auto name = read_string(what);
    if (name.empty()) fail_at(begin, std::string(what) + context() + " is empty");
    if (name.size() > most) {
      fail_at(begin, std::string(what) + context() + " has " + number(name.size()) + " bytes, expected at most " + number(most));
    }
    if (!is_plain_text(name)) {
      const bool zero = name.find('\0') != std::string::npos;
      fail_at(begin, std::string(what) + " '" + printable(name) + "' " + (zero ? "contains a zero byte" : "is no plain UTF-8 text"));
    }
    return name;
  }

  void check_count(std::uint64_t position, const std::string& what, std::uint64_t count, std::uint64_t least_each, std::uint64_t most) {
    if (count > left() / least_each) {
      fail_at(position, "the " + what + " is " + number(count) + ", but the " + number(left()) + " bytes that are left hold at most " +
                            number(left() / least_each));
    }
    if (count > most) fail_at(position, "the " + what + " is " + number(count) + ", expected at most " + number(most));
  }

  /// " of key 'x'": what is being read, for messages.
  std::string context() const {
    if (!key_.empty()) return " of key '" + printable(key_) + "'";
    if (!tensor_.empty()) return " of tensor '" + printable(tensor_) + "'";
    return counting_.empty() ? std::string() : " of " + std::string(counting_) + " " + number(index_) + " of " + number(count_);
  }

  // --- parts ----------------------------------------------------------------------------------------------------------

  void read_magic_and_version() {
    std::array<char, 4> magic{};
    need(magic.size(), "the magic 'GGUF'");
    std::memcpy(magic.data(), at(0), magic.size());
    pos_ = magic.size();
    const std::string_view found(magic.data(), magic.size());
    if (found != "GGUF") {
      std::string hint;
      if (found == "lmgg" || found == "fmgg" || found == "tjgg") hint = ": a GGML file from before August 2023, convert the model again";
      if (found == "vers") hint = ": perhaps a Git LFS pointer instead of the file itself";
      if (found == "FUGG") hint = ": a GGUF file with swapped bytes";
      fail_at(0, "'" + printable(found) + "' is no GGUF file" + (hint.empty() ? std::string(", expected the magic 'GGUF'") : hint));
    }
    need(4, "the version");
    const auto little = load_number<std::uint32_t>(at(pos_), false);
    const auto big = load_number<std::uint32_t>(at(pos_), true);
    header_.big_endian = (little & 0xFFFFU) == 0 && little != 0;
    header_.version = header_.big_endian ? big : little;
    if (header_.version == 1) fail_at(pos_, "GGUF version 1, made before October 2023, is not supported; convert the model again");
    if (header_.version != 2 && header_.version != 3) {
      fail_at(pos_, "GGUF version " + number(header_.version) + " is unknown, expected 2 or 3");
    }
    pos_ += 4;
  }

  GgufType read_type(const char* what) {
    const std::uint64_t type_at = pos_;
    const auto n = read_number<std::uint32_t>(what);
    if (!is_type(n)) fail_at(type_at, std::string(what) + context() + " is " + number(n) + ", expected 0 to 12");
    return static_cast<GgufType>(n);
  }

  void check_bool(std::uint64_t position) const {
    const auto b = std::to_integer<unsigned>(*at(position));
    if (b > 1) fail_at(position, "a bool" + context() + " is " + number(b) + ", expected 0 or 1");
  }

  GgufArray read_array(int depth) {
    const std::uint64_t begin = pos_;
    if (depth > kDeepestArray) fail_at(begin, "arrays" + context() + " are nested more than " + number(kDeepestArray) + " deep");
    GgufArray array;
    array.header_ = bytes_;
    array.big_endian_ = header_.big_endian;
    array.element_type_ = read_type("the element type");
    const auto count = read_number<std::uint64_t>("the array length");
    const std::uint64_t least = least_size(array.element_type_);
    if (count > left() / least) {
      fail_at(begin, "the array length" + context() + " is " + number(count) + ", but the " + number(left()) +
                         " bytes that are left hold at most " + number(left() / least));
    }
    array.size_ = static_cast<std::size_t>(count);
    array.begin_ = static_cast<std::size_t>(pos_);
    switch (array.element_type_) {
      case GgufType::string:
        for (std::uint64_t i = 0; i < count; ++i) skip_string("an element");
        break;
      case GgufType::array:
        for (std::uint64_t i = 0; i < count; ++i) (void)read_array(depth + 1);
        break;
      default:
        need(count * least, "the elements");
        if (array.element_type_ == GgufType::boolean) {
          for (std::uint64_t i = 0; i < count; ++i) check_bool(pos_ + i);
        }
        pos_ += count * least;
    }
    array.end_ = static_cast<std::size_t>(pos_);
    return array;
  }

  GgufValue read_value() {
    constexpr std::string_view kWhat = "the value";
    GgufValue value;
    value.type = read_type("the value type");
    switch (value.type) {
      case GgufType::u8: value.value = std::uint64_t{read_number<std::uint8_t>(kWhat)}; break;
      case GgufType::u16: value.value = std::uint64_t{read_number<std::uint16_t>(kWhat)}; break;
      case GgufType::u32: value.value = std::uint64_t{read_number<std::uint32_t>(kWhat)}; break;
      case GgufType::u64: value.value = read_number<std::uint64_t>(kWhat); break;
      case GgufType::i8: value.value = std::int64_t{read_number<std::int8_t>(kWhat)}; break;
      case GgufType::i16: value.value = std::int64_t{read_number<std::int16_t>(kWhat)}; break;
      case GgufType::i32: value.value = std::int64_t{read_number<std::int32_t>(kWhat)}; break;
      case GgufType::i64: value.value = read_number<std::int64_t>(kWhat); break;
      case GgufType::f32: value.value = static_cast<double>(read_number<float>(kWhat)); break;
      case GgufType::f64: value.value = read_number<double>(kWhat); break;
      case GgufType::boolean:
        need(1, kWhat);
        check_bool(pos_);
        value.value = read_number<std::uint8_t>(kWhat) == 1;
        break;
      case GgufType::string: value.value = read_string(kWhat); break;
      case GgufType::array: value.value = read_array(1); break;
    }
    return value;
  }

  void begin_list(std::string_view counting, std::uint64_t count) {
    counting_ = counting;
    count_ = count;
  }

  void read_metadata(std::uint64_t n_keys) {
    begin_list("key", n_keys);
    std::unordered_set<std::string> seen;
    header_.metadata.reserve(static_cast<std::size_t>(n_keys));
    for (index_ = 1; index_ <= n_keys; ++index_) {
      const std::uint64_t begin = pos_;
      auto key = read_name("the name", kMostKeyBytes);
      if (!seen.insert(key).second) fail_at(begin, "the key '" + printable(key) + "' is there twice");
      key_ = key;
      auto& entry = header_.metadata.emplace_back();
      entry.key = std::move(key);
      if (entry.key == "general.alignment") alignment_at_ = pos_;
      entry.value = read_value();
      key_.clear();
    }
  }

  std::int64_t read_alignment() const {
    for (const auto& entry : header_.metadata) {
      if (entry.key != "general.alignment") continue;
      const auto* unsigned_value = std::get_if<std::uint64_t>(&entry.value.value);
      const auto* signed_value = std::get_if<std::int64_t>(&entry.value.value);
      if (unsigned_value == nullptr && signed_value == nullptr) {
        fail_at(alignment_at_, "general.alignment is a " + std::string(to_string(entry.value.type)) + ", expected an integer");
      }
      // A negative one is beyond every limit as unsigned.
      const std::uint64_t n = unsigned_value != nullptr ? *unsigned_value : static_cast<std::uint64_t>(*signed_value);
      if (!std::has_single_bit(n) || n > kMostAlignment) {
        const auto shown = signed_value != nullptr ? std::to_string(*signed_value) : number(n);
        fail_at(alignment_at_, "general.alignment is " + shown + ", expected a power of two up to " + number(kMostAlignment));
      }
      return static_cast<std::int64_t>(n);
    }
    return 32;
  }

  void read_tensors(std::uint64_t n_tensors) {
    begin_list("tensor", n_tensors);
    std::unordered_set<std::string> seen;
    header_.tensors.reserve(static_cast<std::size_t>(n_tensors));
    for (index_ = 1; index_ <= n_tensors; ++index_) {
      const std::uint64_t begin = pos_;
      auto name = read_name("the name", kMostNameBytes);
      if (!seen.insert(name).second) fail_at(begin, "the tensor '" + printable(name) + "' is there twice");
      tensor_ = name;
      auto& tensor = header_.tensors.emplace_back();
      tensor.name = std::move(name);
      read_shape(tensor);
      read_format(tensor);
      read_offset(tensor);
      tensor_.clear();
    }
    counting_ = {};
  }

  void read_shape(GgufTensor& tensor) {
    const std::uint64_t begin = pos_;
    const auto n_dims = read_number<std::uint32_t>("the number of dimensions");
    if (n_dims > tensor.shape.size())
      fail_at(begin, "tensor '" + printable(tensor_) + "' has " + number(n_dims) + " dimensions, expected at most 4");
    tensor.n_dims = static_cast<std::int32_t>(n_dims);
    std::uint64_t elements = 1;
    for (std::size_t i = 0; i < n_dims; ++i) {
      const std::uint64_t extent_at = pos_;
      const auto extent = read_number<std::uint64_t>("a dimension");
      if (extent == 0) fail_at(extent_at, "dimension " + number(i) + context() + " is 0, expected at least 1");
      if (extent > kMostElements / elements) {
        fail_at(extent_at, "dimension " + number(i) + context() + " is " + number(extent) + ", which makes more than 2^48 elements");
      }
      elements *= extent;
      tensor.shape[i] = static_cast<std::int64_t>(extent);
    }
  }

  void read_format(GgufTensor& tensor) {
    const std::uint64_t begin = pos_;
    const auto type = read_number<std::uint32_t>("the type");
    const auto* format = find_gguf_type(type);
    if (format == nullptr) {
      const auto* removed =
          std::find_if(kRemovedTypes.begin(), kRemovedTypes.end(), [&](const RemovedType& r) { return r.number == type; });
      if (removed != kRemovedTypes.end()) {
        fail_at(begin, "tensor '" + printable(tensor_) + "' has the type " + std::string(removed->name) + " (" + number(type) +
                           "), which was removed from GGUF; quantize the model again");
      }
      fail_at(begin, "tensor '" + printable(tensor_) + "' has the type number " + number(type) +
                         ", which is unknown: newer than this program or of a fork");
    }
    if (tensor.shape[0] % format->block_weights != 0) {
      fail_at(begin, "tensor '" + printable(tensor_) + "' has rows of " + std::to_string(tensor.shape[0]) +
                         " elements, expected a multiple of " + std::string(format->name) + "'s block of " +
                         std::to_string(format->block_weights));
    }
    tensor.format = format->id;
    // At most 2^48 elements of at most 8 bytes: no overflow.
    tensor.bytes = format->row_bytes(tensor.shape[0]) * (tensor.n_elements() / tensor.shape[0]);
  }

  void read_offset(GgufTensor& tensor) {
    const std::uint64_t begin = pos_;
    const auto offset = read_number<std::uint64_t>("the offset");
    const auto alignment = static_cast<std::uint64_t>(header_.shard.alignment);
    if (offset % alignment != 0) {
      fail_at(begin, "the offset" + context() + " is " + number(offset) + ", expected a multiple of the alignment of " + number(alignment));
    }
    if (offset > static_cast<std::uint64_t>(kMostDataBytes))
      fail_at(begin, "the offset" + context() + " is " + number(offset) + ", which is beyond any file");
    tensor.offset = static_cast<std::int64_t>(offset);
    offsets_at_.push_back(begin);
  }

  /// Sizes of the whole, and that the tensors fill the data without gap or overlap, in whatever order.
  void finish() {
    auto& shard = header_.shard;
    const auto alignment = static_cast<std::uint64_t>(shard.alignment);
    std::uint64_t tensor_bytes = 0;
    std::uint64_t data_bytes = 0;
    for (const auto& tensor : header_.tensors) {
      tensor_bytes += static_cast<std::uint64_t>(tensor.bytes);
      data_bytes += padded(static_cast<std::uint64_t>(tensor.bytes), alignment);
      if (data_bytes > static_cast<std::uint64_t>(kMostDataBytes)) fail("its tensors take more than 2^56 bytes");
    }
    shard.tensor_bytes = static_cast<std::int64_t>(tensor_bytes);
    shard.data_bytes = static_cast<std::int64_t>(data_bytes);
    const std::int64_t end = check_layout(data_bytes);

    shard.header_bytes = static_cast<std::int64_t>(pos_);
    shard.data_offset = static_cast<std::int64_t>(padded(pos_, alignment));
    const bool empty = header_.tensors.empty();
    shard.declared_file_bytes = empty ? shard.header_bytes : shard.data_offset + shard.data_bytes;
    shard.needed_file_bytes = empty ? shard.header_bytes : shard.data_offset + end;
  }

  /// Returns where the last tensor ends, unpadded.
  std::int64_t check_layout(std::uint64_t data_bytes) const {
    std::vector<std::size_t> order(header_.tensors.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto& tensors = header_.tensors;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return tensors[a].offset < tensors[b].offset; });
    const auto alignment = static_cast<std::uint64_t>(header_.shard.alignment);
    std::uint64_t end = 0;
    std::size_t before = 0;
    for (const std::size_t i : order) {
      const auto offset = static_cast<std::uint64_t>(tensors[i].offset);
      const auto shown = [&] { return "tensor '" + printable(tensors[i].name) + "'"; };
      if (offset < end) {
        fail_at(offsets_at_[i], shown() + " begins at offset " + number(offset) + " inside tensor '" + printable(tensors[before].name) +
                                    "', which ends at " + number(end));
      }
      if (offset >= data_bytes) {
        fail_at(offsets_at_[i], shown() + " has offset " + number(offset) + ", but the tensors take only " + number(data_bytes) + " bytes");
      }
      if (offset != padded(end, alignment)) {
        fail_at(offsets_at_[i],
                shown() + " has offset " + number(offset) + ", expected " + number(padded(end, alignment)) + ", where the one before ends");
      }
      end = offset + static_cast<std::uint64_t>(tensors[i].bytes);
      before = i;
    }
    return static_cast<std::int64_t>(end);
  }

  std::filesystem::path path_;
  std::ifstream stream_;
  std::uint64_t file_bytes_ = 0;
  std::shared_ptr<std::vector<std::byte>> bytes_ = std::make_shared<std::vector<std::byte>>();
  std::uint64_t pos_ = 0;
  GgufHeader header_;

  std::uint64_t alignment_at_ = 0;         // the value of general.alignment
  std::vector<std::uint64_t> offsets_at_;  // the offset fields of the tensors
  // What is being read, for messages.
  std::string key_, tensor_;
  std::string_view counting_;
  std::uint64_t index_ = 0, count_ = 0;
};

GgufHeader read_one_gguf_header(const std::filesystem::path& path) { return GgufHeaderReader(path).read(); }

}  // namespace planner
