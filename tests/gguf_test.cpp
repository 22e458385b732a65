// The GGUF import: real headers against what is known of them, and every kind of damage.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "planner/error.h"
#include "planner/gguf.h"
#include "support/files.h"

namespace {

using planner::Error;
using planner::ErrorKind;
using planner::FormatId;
using planner::GgufFile;
using planner::GgufTensorDifference;
using planner::GgufType;
using planner::LayerKind;
using planner::read_gguf_header;
using planner::test::facts_folder;
using planner::test::TemporaryFolder;
namespace fs = std::filesystem;

// --- where the files are ----------------------------------------------------------------------------------------------

/// Files of one kind, sorted; none where the folder is absent.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) {
    if (entry.path().extension() == ".gguf") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

fs::path fixtures_folder() { return fs::path(PLANNER_SOURCE_DIR) / "tests" / "fixtures" / "gguf"; }

fs::path fixture(const std::string& name) { return fixtures_folder() / (name + ".gguf"); }

/// Files of a folder of the facts; none, with a message, where the facts are absent.
std::vector<fs::path> facts(const std::string& folder) {
  const auto root = facts_folder();
  if (!root) MESSAGE("no facts beside the repository or at PLANNER_FACTS: " << folder << " skipped");
  return root ? files_in(*root / folder) : std::vector<fs::path>();
}

/// The fixtures, and the headers of the facts where they are there.
std::vector<fs::path> all_headers() {
  auto out = files_in(fixtures_folder());
  REQUIRE(out.size() == 4);
  const auto more = facts("gguf_headers");
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in, "cannot read " << path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// --- writing files ----------------------------------------------------------------------------------------------------

/// Appends numbers and strings as GGUF has them.
class Writer {
 public:
  explicit Writer(bool big_endian = false) : big_endian_(big_endian) {}

  template <typename T>
  Writer& number(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    if (big_endian_ != (std::endian::native == std::endian::big)) std::reverse(raw, raw + sizeof(T));
    bytes.append(raw, sizeof(T));
    return *this;
  }
  Writer& u32(std::uint32_t v) { return number(v); }
  Writer& u64(std::uint64_t v) { return number(v); }
  Writer& type(GgufType t) { return u32(static_cast<std::uint32_t>(t)); }
  Writer& string(std::string_view s) {
    u64(s.size());
    bytes += s;
    return *this;
  }
  Writer& raw(std::string_view s) {
    bytes += s;
    return *this;
  }

  std::string bytes;

 private:
  bool big_endian_;
};

struct WrittenTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

/// A file to be written: each part can be damaged on its own. Entries are the bytes behind the key: type and value.
struct Draft {
  bool big_endian = false;
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> n_tensors, n_keys;  // other than there are
  std::vector<std::pair<std::string, std::string>> entries;
  std::vector<WrittenTensor> tensors;
  std::uint64_t alignment = 32;
  std::uint64_t data_bytes = 0;  // zeros behind the header

  Writer writer() const { return Writer(big_endian); }
  template <typename T>
  Draft& scalar(const std::string& key, GgufType type, T value) {
    entries.emplace_back(key, writer().type(type).number(value).bytes);
    return *this;
  }
  Draft& u32(const std::string& key, std::uint32_t v) { return scalar(key, GgufType::u32, v); }
  Draft& string(const std::string& key, std::string_view s) {
    entries.emplace_back(key, writer().type(GgufType::string).string(s).bytes);
    return *this;
  }
  Draft& strings(const std::string& key, const std::vector<std::string>& list) {
    auto w = writer();
    w.type(GgufType::array).type(GgufType::string).u64(list.size());
    for (const auto& s : list) w.string(s);
    entries.emplace_back(key, w.bytes);
    return *this;
  }
  template <typename T>
  Draft& numbers(const std::string& key, GgufType type, const std::vector<T>& list) {
    auto w = writer();
    w.type(GgufType::array).type(type).u64(list.size());
    for (const auto v : list) w.number(v);
    entries.emplace_back(key, w.bytes);
    return *this;
  }
  Draft& raw(const std::string& key, const Writer& value) {
    entries.emplace_back(key, value.bytes);
    return *this;
  }
  /// Adds a tensor behind the others.
  Draft& tensor(const std::string& name, const std::vector<std::uint64_t>& shape, FormatId id = FormatId::f32) {
    const auto& format = planner::tensor_format(id);
    std::uint64_t elements = 1;
    for (const auto n : shape) elements *= n;
    tensors.push_back({name, shape, static_cast<std::uint32_t>(format.gguf_type), data_bytes});
    const auto rows = shape.empty() || shape.front() == 0 ? std::uint64_t{1} : elements / shape.front();
    const auto bytes = elements / static_cast<std::uint64_t>(format.block_weights) * static_cast<std::uint64_t>(format.block_bytes) +
                       rows * static_cast<std::uint64_t>(format.row_meta);
    data_bytes += (bytes + alignment - 1) / alignment * alignment;
    return *this;
  }

  std::string header() const {
    auto w = writer();
    w.raw(magic).u32(version).u64(n_tensors.value_or(tensors.size())).u64(n_keys.value_or(entries.size()));
    for (const auto& [key, value] : entries) w.string(key).raw(value);
    for (const auto& t : tensors) {
      w.string(t.name).u32(static_cast<std::uint32_t>(t.shape.size()));
      for (const auto n : t.shape) w.u64(n);
      w.u32(t.type).u64(t.offset);
    }
    return w.bytes;
  }
  std::string file() const {
    auto out = header();
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    out.resize(out.size() + data_bytes);
    return out;
  }
};

/// A small model of an architecture that nobody describes.
Draft small_draft(const std::string& architecture = "smallish", bool big_endian = false) {
  Draft d;
  d.big_endian = big_endian;
  const std::string a = architecture + ".";
  d.string("general.architecture", architecture);
  d.u32(a + "block_count", 2).u32(a + "embedding_length", 64).u32(a + "context_length", 2048).u32(a + "feed_forward_length", 96);
  d.u32(a + "attention.head_count", 4).u32(a + "attention.head_count_kv", 2);
  d.scalar<std::uint8_t>(a + "flag", GgufType::boolean, 1).scalar<float>(a + "rope.freq_base", GgufType::f32, 10000.0F);
  d.strings("tokenizer.ggml.tokens", {"a", std::string("\0b", 2), "\xFF", ""});
  d.numbers<float>("tokenizer.ggml.scores", GgufType::f32, {0.5F, -1.0F, 2.0F, 0.0F});
  d.tensor("token_embd.weight", {64, 4}).tensor("output_norm.weight", {64});
  for (const std::string block : {"blk.0.", "blk.1."}) {
    d.tensor(block + "attn_q.weight", {64, 64}, FormatId::q8_0).tensor(block + "attn_k.weight", {64, 32}, FormatId::q8_0);
    d.tensor(block + "attn_v.weight", {64, 32}, FormatId::q8_0).tensor(block + "attn_output.weight", {64, 64}, FormatId::q4_0);
    d.tensor(block + "ffn_gate.weight", {64, 96}, FormatId::f16).tensor(block + "ffn_up.weight", {64, 96}, FormatId::f16);
    d.tensor(block + "ffn_down.weight", {96, 64}, FormatId::f16);
  }
  return d;
}

/// A file that was read, written again: another byte order, version or architecture.
Draft redraft(const GgufFile& file, bool big_endian, const std::string& architecture = {}) {
  Draft d;
  d.big_endian = big_endian;
  d.alignment = static_cast<std::uint64_t>(file.alignment);
  const std::string old_prefix = std::string(file.find_string("general.architecture").value_or("")) + ".";
  const std::function<void(Writer&, const planner::GgufArray&)> write_array = [&](Writer& w, const planner::GgufArray& a) {
    w.type(a.element_type()).u64(a.size());
    if (a.element_type() == GgufType::string) {
      for (const auto s : a.strings()) w.string(s);
    } else if (a.element_type() == GgufType::array) {
      for (const auto& inner : a.arrays()) write_array(w, inner);
    } else if (a.element_type() == GgufType::f32) {
      for (const auto x : a.numbers()) w.number(static_cast<float>(x));
    } else if (a.element_type() == GgufType::f64) {
      for (const auto x : a.numbers()) w.number(x);
    } else {
      for (const auto n : a.integers()) {
        switch (a.element_type()) {
          case GgufType::u8:
          case GgufType::i8:
          case GgufType::boolean: w.number(static_cast<std::uint8_t>(n)); break;
          case GgufType::u16:
          case GgufType::i16: w.number(static_cast<std::uint16_t>(n)); break;
          case GgufType::u32:
          case GgufType::i32: w.number(static_cast<std::uint32_t>(n)); break;
          default: w.number(static_cast<std::uint64_t>(n));
        }
      }
    }
  };
  for (const auto& [key, value] : file.metadata) {
    auto renamed = key;
    if (!architecture.empty() && key.starts_with(old_prefix)) renamed = architecture + "." + key.substr(old_prefix.size());
    auto w = d.writer();
    w.type(value.type);
    const auto bits = [&] {
      const auto* u = std::get_if<std::uint64_t>(&value.value);
      return u != nullptr ? *u : static_cast<std::uint64_t>(std::get<std::int64_t>(value.value));
    };
    switch (value.type) {
      case GgufType::u8:
      case GgufType::i8: w.number(static_cast<std::uint8_t>(bits())); break;
      case GgufType::u16:
      case GgufType::i16: w.number(static_cast<std::uint16_t>(bits())); break;
      case GgufType::u32:
      case GgufType::i32: w.number(static_cast<std::uint32_t>(bits())); break;
      case GgufType::u64:
      case GgufType::i64: w.number(bits()); break;
      case GgufType::f32: w.number(static_cast<float>(std::get<double>(value.value))); break;
      case GgufType::f64: w.number(std::get<double>(value.value)); break;
      case GgufType::boolean: w.number(static_cast<std::uint8_t>(std::get<bool>(value.value) ? 1 : 0)); break;
      case GgufType::string:
        w.string(!architecture.empty() && key == "general.architecture" ? architecture : std::get<std::string>(value.value));
        break;
      case GgufType::array: write_array(w, std::get<planner::GgufArray>(value.value)); break;
    }
    d.raw(renamed, w);
  }
  for (const auto& t : file.tensors) {
    std::vector<std::uint64_t> shape;
    for (std::int32_t i = 0; i < t.n_dims; ++i) shape.push_back(static_cast<std::uint64_t>(t.shape[static_cast<std::size_t>(i)]));
    d.tensors.push_back(
        {t.name, shape, static_cast<std::uint32_t>(planner::tensor_format(t.format).gguf_type), static_cast<std::uint64_t>(t.offset)});
  }
  return d;
}

// --- expectations -----------------------------------------------------------------------------------------------------

/// The message of the Error that `action` throws; empty when it throws none.
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::invalid_file);
    return e.what();
  }
  return {};
}

/// That reading `path` is an Error of one line that names the file and says `part`.
void check_refused(const fs::path& path, const std::string& part) {
  const auto message = error_of([&] { (void)read_gguf_header(path); });
  CAPTURE(message);
  CHECK_FALSE(message.empty());
  CHECK(message.find(part) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.find(".gguf: ") != std::string::npos);
}

std::int64_t i64(std::size_t n) { return static_cast<std::int64_t>(n); }

// --- real headers -----------------------------------------------------------------------------------------------------

void check_against_json(const fs::path& path) {
  CAPTURE(path);
  const auto json = nlohmann::json::parse(bytes_of(fs::path(path).replace_extension(".json")));
  const auto file = read_gguf_header(path);
  CHECK(file.version == 3);
  CHECK_FALSE(file.big_endian);
  CHECK(file.find_string("general.architecture") == json.at("arch").get<std::string>());
  CHECK(i64(file.metadata.size()) == json.at("n_kv").get<std::int64_t>());
  CHECK(i64(file.tensors.size()) == json.at("n_tensors").get<std::int64_t>());
  CHECK(file.n_elements() == json.at("n_params").get<std::int64_t>());
  CHECK(file.alignment == json.at("alignment").get<std::int64_t>());
  CHECK(file.data_offset == json.at("header_bytes").get<std::int64_t>());
  CHECK(file.data_offset == json.at("data_offset").get<std::int64_t>());
  CHECK(file.tensor_bytes == json.at("tensor_bytes").get<std::int64_t>());
  CHECK(file.data_bytes == json.at("data_bytes").get<std::int64_t>());
  CHECK(file.declared_file_bytes == json.at("file_bytes").get<std::int64_t>());
  CHECK(file.file_bytes == i64(fs::file_size(path)));
  CHECK_FALSE(file.is_complete());
  REQUIRE(file.shards.size() == 1);
  CHECK(file.shards[0].path == path);
  CHECK(file.shards[0].declared_file_bytes == file.declared_file_bytes);

  std::map<std::string, std::int64_t> counts;
  for (const auto& t : file.tensors) ++counts[std::string(planner::tensor_format(t.format).name)];
  CHECK(counts == json.at("type_counts").get<std::map<std::string, std::int64_t>>());

  const auto hp = hyperparameters_from_gguf(file);
  CHECK(hp.vocab_size == json.at("n_vocab").get<std::int64_t>());
  CHECK(i64(hp.layer_kinds.size()) == hp.n_layers);
  if (json.at("vocab_mode") != "none") CHECK(i64(file.strings("tokenizer.ggml.tokens").size()) == hp.vocab_size);
}

TEST_CASE("gguf: real headers hold what is known of them") {
  for (const auto& path : all_headers()) check_against_json(path);
}

TEST_CASE("gguf: whole files are complete, vocabularies too") {
  for (const auto& path : facts("tiny_models")) {
    CAPTURE(path);
    const auto file = read_gguf_header(path);
    CHECK(file.is_complete());
    CHECK(file.file_bytes == file.declared_file_bytes);
    std::string note;
    const auto model = model_from_gguf(file, &note);
    CHECK(note.empty());
    CHECK(i64(model.layers.size()) == model.hyperparameters.n_layers);
    CHECK(file.strings("tokenizer.ggml.tokens").size() == 512);
  }
  for (const auto& path : facts("tokenizers")) {
    CAPTURE(path);
    const auto file = read_gguf_header(path);
    CHECK(file.is_complete());
    CHECK(file.tensors.empty());
    CHECK(file.declared_file_bytes == file.file_bytes);
    const auto hp = hyperparameters_from_gguf(file);
    CHECK(hp.vocab_size == i64(file.strings("tokenizer.ggml.tokens").size()));
    CHECK(i64(hp.layer_kinds.size()) == hp.n_layers);
    CHECK(hp.n_heads > 0);
    CHECK(error_of([&] { (void)model_from_gguf(file); }).find("holds no tensors") != std::string::npos);
  }
}

// --- the format -------------------------------------------------------------------------------------------------------

TEST_CASE("gguf: every type of value, in both byte orders") {
  const TemporaryFolder folder;
  for (const bool big : {false, true}) {
    CAPTURE(big);
    Draft d;
    d.big_endian = big;
    d.scalar<std::uint8_t>("u8", GgufType::u8, 200).scalar<std::int8_t>("i8", GgufType::i8, -100);
    d.scalar<std::uint16_t>("u16", GgufType::u16, 60000).scalar<std::int16_t>("i16", GgufType::i16, -30000);
    d.scalar<std::uint32_t>("u32", GgufType::u32, 4000000000U).scalar<std::int32_t>("i32", GgufType::i32, -2000000000);
    d.scalar<std::uint64_t>("u64", GgufType::u64, UINT64_MAX).scalar<std::int64_t>("i64", GgufType::i64, INT64_MIN);
    d.scalar<float>("f32", GgufType::f32, 0.1F).scalar<double>("f64", GgufType::f64, 0.1);
    d.scalar<std::uint8_t>("yes", GgufType::boolean, 1).scalar<std::uint8_t>("no", GgufType::boolean, 0);
    d.string("text", std::string("a\0\xFFz", 4)).strings("words", {"", "two", std::string("\0", 1)});
    d.numbers<std::uint16_t>("u16s", GgufType::u16, {1, 60000}).numbers<std::int8_t>("i8s", GgufType::i8, {-1, 1});
    d.numbers<std::int64_t>("i64s", GgufType::i64, {INT64_MIN, 5}).numbers<std::uint64_t>("u64s", GgufType::u64, {UINT64_MAX});
    d.numbers<float>("f32s", GgufType::f32, {0.5F}).numbers<double>("f64s", GgufType::f64, {-0.1});
    d.numbers<std::uint8_t>("bools", GgufType::boolean, {1, 0, 1}).numbers<std::uint32_t>("none", GgufType::u32, {});
    auto nested = d.writer();
    nested.type(GgufType::array).type(GgufType::array).u64(4);
    nested.type(GgufType::string).u64(2).string("x").string("yz");
    nested.type(GgufType::u32).u64(1).u32(7);
    nested.type(GgufType::array).u64(1).type(GgufType::string).u64(0);
    nested.type(GgufType::u8).u64(2).number<std::uint8_t>(8).number<std::uint8_t>(9);
    d.raw("nested", nested);

    const auto file = read_gguf_header(folder.write("types.gguf", d.file()));
    CHECK(file.big_endian == big);
    CHECK(file.find("u8")->type == GgufType::u8);
    CHECK(file.find_integer("u8") == 200);
    CHECK(file.find_integer("i8") == -100);
    CHECK(file.find_integer("u16") == 60000);
    CHECK(file.find_integer("i16") == -30000);
    CHECK(file.find_integer("u32") == 4000000000);
    CHECK(file.find_integer("i32") == -2000000000);
    CHECK(std::get<std::uint64_t>(file.find("u64")->value) == UINT64_MAX);
    CHECK(file.find_integer("i64") == INT64_MIN);
    CHECK(file.find_number("f32") == static_cast<double>(0.1F));
    CHECK(file.find_number("f64") == 0.1);
    CHECK(file.find_number("u16") == 60000.0);
    CHECK(file.find_bool("yes") == true);
    CHECK(file.find_bool("no") == false);
    CHECK(file.find_integer("yes") == 1);
    CHECK(file.find_string("text") == std::string_view("a\0\xFFz", 4));
    CHECK(file.strings("words") == std::vector<std::string_view>{"", "two", std::string_view("\0", 1)});
    CHECK(file.integers("u16s") == std::vector<std::int64_t>{1, 60000});
    CHECK(file.integers("i8s") == std::vector<std::int64_t>{-1, 1});
    CHECK(file.numbers("i8s") == std::vector<double>{-1, 1});
    CHECK(file.integers("i64s") == std::vector<std::int64_t>{INT64_MIN, 5});
    CHECK(file.numbers("f32s") == std::vector<double>{0.5});
    CHECK(file.numbers("f64s") == std::vector<double>{-0.1});
    CHECK(file.integers("bools") == std::vector<std::int64_t>{1, 0, 1});
    CHECK(file.integers("none").empty());

    const auto inner = std::get<planner::GgufArray>(file.find("nested")->value).arrays();
    REQUIRE(inner.size() == 4);
    CHECK(inner[0].strings() == std::vector<std::string_view>{"x", "yz"});
    CHECK(inner[1].integers() == std::vector<std::int64_t>{7});
    REQUIRE(inner[2].arrays().size() == 1);
    CHECK(inner[2].arrays()[0].strings().empty());
    CHECK(inner[3].integers() == std::vector<std::int64_t>{8, 9});

    // Absent is nothing; another type is an error that names the key.
    CHECK_FALSE(file.find_integer("absent").has_value());
    CHECK(file.strings("absent").empty());
    struct Wrong {
      std::function<void()> look_up;
      const char* part;
    };
    const Wrong wrong[] = {
        {[&] { (void)file.find_integer("f32"); }, "key 'f32' is of type f32, expected an integer"},
        {[&] { (void)file.find_integer("u64"); }, "key 'u64' is 18446744073709551615, expected at most 2^63 - 1"},
        {[&] { (void)file.find_number("text"); }, "key 'text' is of type string, expected a number"},
        {[&] { (void)file.find_bool("u8"); }, "key 'u8' is of type u8, expected a bool"},
        {[&] { (void)file.find_string("words"); }, "key 'words' is of type array of string, expected a string"},
        {[&] { (void)file.integers("words"); }, "key 'words' is of type array of string, expected an array of integers"},
        {[&] { (void)file.integers("u8"); }, "key 'u8' is of type u8, expected an array of integers"},
        {[&] { (void)file.numbers("bools"); }, "key 'bools' is of type array of bool, expected an array of numbers"},
        {[&] { (void)file.strings("nested"); }, "key 'nested' is of type array of array, expected an array of strings"},
        {[&] { (void)file.integers("u64s"); }, "18446744073709551615"},
        {[&] { (void)inner[0].integers(); }, "expected integers"},
        {[&] { (void)inner[0].numbers(); }, "expected numbers"},
        {[&] { (void)inner[1].strings(); }, "expected strings"},
        {[&] { (void)inner[1].arrays(); }, "expected arrays"},
    };
    for (const auto& w : wrong) {
      const auto message = error_of(w.look_up);
      CAPTURE(message);
      CHECK(message.find(w.part) != std::string::npos);
    }
  }
}

TEST_CASE("gguf: arrays outlive the file they came from") {
  const TemporaryFolder folder;
  planner::GgufArray tokens;
  {
    const auto file = read_gguf_header(folder.write("model.gguf", small_draft().file()));
    tokens = std::get<planner::GgufArray>(file.find("tokenizer.ggml.tokens")->value);
  }
  CHECK(tokens.strings() == std::vector<std::string_view>{"a", std::string_view("\0b", 2), "\xFF", ""});
}

/// That two files say the same.
void check_same(const GgufFile& a, const GgufFile& b) {
  REQUIRE(a.metadata.size() == b.metadata.size());
  for (std::size_t i = 0; i < a.metadata.size(); ++i) {
    const auto& x = a.metadata[i];
    const auto& y = b.metadata[i];
    CAPTURE(x.key);
    CHECK(x.key == y.key);
    REQUIRE(x.value.type == y.value.type);
    const auto* array = std::get_if<planner::GgufArray>(&x.value.value);
    if (array == nullptr) {
      CHECK((x.value.type == GgufType::array || std::visit([](const auto&) { return true; }, x.value.value)));
      if (x.value.type == GgufType::string) CHECK(std::get<std::string>(x.value.value) == std::get<std::string>(y.value.value));
      if (std::holds_alternative<double>(x.value.value)) CHECK(std::get<double>(x.value.value) == std::get<double>(y.value.value));
      if (std::holds_alternative<std::uint64_t>(x.value.value))
        CHECK(std::get<std::uint64_t>(x.value.value) == std::get<std::uint64_t>(y.value.value));
    } else {
      const auto& other = std::get<planner::GgufArray>(y.value.value);
      REQUIRE(array->element_type() == other.element_type());
      CHECK(array->size() == other.size());
      if (array->element_type() == GgufType::string) CHECK(array->strings() == other.strings());
      if (array->element_type() == GgufType::f32) CHECK(array->numbers() == other.numbers());
      if (array->element_type() == GgufType::i32) CHECK(array->integers() == other.integers());
    }
  }
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    CHECK(a.tensors[i].name == b.tensors[i].name);
    CHECK(a.tensors[i].shape == b.tensors[i].shape);
    CHECK(a.tensors[i].format == b.tensors[i].format);
    CHECK(a.tensors[i].offset == b.tensors[i].offset);
    CHECK(a.tensors[i].bytes == b.tensors[i].bytes);
  }
  CHECK(a.data_bytes == b.data_bytes);
  CHECK(a.data_offset == b.data_offset);
}

TEST_CASE("gguf: big endian and version 2 files say the same as the originals") {
  const TemporaryFolder folder;
  for (const auto& path : files_in(fixtures_folder())) {
    CAPTURE(path);
    const auto original = read_gguf_header(path);
    for (const bool big : {false, true}) {
      for (const std::uint32_t version : {2U, 3U}) {
        auto draft = redraft(original, big);
        draft.version = version;
        const auto again = read_gguf_header(folder.write("again.gguf", draft.file()));
        CHECK(again.version == version);
        CHECK(again.big_endian == big);
        check_same(original, again);
        if (!big && version == 3) CHECK(draft.header() == bytes_of(path).substr(0, draft.header().size()));
      }
    }
  }
}

TEST_CASE("gguf: sizes on disk") {
  const TemporaryFolder folder;
  auto draft = small_draft();
  draft.tensor("last", {3});  // 12 bytes, padded to 32
  const auto whole = draft.file();
  const auto path = folder.write("model.gguf", whole);
  const auto file = read_gguf_header(path);
  CHECK(file.is_complete());
  CHECK(file.declared_file_bytes == i64(whole.size()));
  CHECK(file.data_offset == i64(whole.size()) - i64(draft.data_bytes));
  CHECK(file.data_bytes == i64(draft.data_bytes));
  CHECK(file.tensor_bytes == file.data_bytes - 20);
  CHECK(file.shards[0].header_bytes == i64(draft.header().size()));
  CHECK(file.shards[0].needed_file_bytes == file.declared_file_bytes - 20);
  CHECK(file.position(file.tensors[1]) == file.data_offset + 64 * 4 * 4);
  CHECK(file.find_tensor("blk.1.attn_output.weight")->bytes == 64 * 64 / 32 * 18);
  CHECK(file.find_tensor("blk.2.attn_output.weight") == nullptr);

  // The last padding may be missing, no byte more.
  fs::resize_file(path, whole.size() - 20);
  CHECK(read_gguf_header(path).is_complete());
  fs::resize_file(path, whole.size() - 21);
  CHECK_FALSE(read_gguf_header(path).is_complete());
  CHECK(read_gguf_header(path).declared_file_bytes == i64(whole.size()));
}

TEST_CASE("gguf: unusual but right") {
  const TemporaryFolder folder;
  // Another alignment.
  for (const std::uint32_t alignment : {1U, 8U, 64U, 4096U}) {
    CAPTURE(alignment);
    Draft d;
    d.alignment = alignment;
    d.u32("general.alignment", alignment).tensor("a", {3}).tensor("b", {5});
    const auto file = read_gguf_header(folder.write("aligned.gguf", d.file()));
    CHECK(file.alignment == alignment);
    CHECK(file.data_offset % alignment == 0);
    CHECK(file.tensors[1].offset == i64((12 + alignment - 1) / alignment * alignment));
    CHECK(file.is_complete());
  }
  // Tensors listed in another order than their data has.
  auto shuffled = small_draft();
  std::reverse(shuffled.tensors.begin(), shuffled.tensors.end());
  CHECK(read_gguf_header(folder.write("shuffled.gguf", shuffled.file())).tensors.back().name == "token_embd.weight");
  // No tensors, no keys, a number without dimensions.
  CHECK(read_gguf_header(folder.write("empty.gguf", Draft().header())).is_complete());
  Draft scalar;
  scalar.tensors.push_back({"one", {}, 0, 0});
  scalar.data_bytes = 32;
  const auto one = read_gguf_header(folder.write("scalar.gguf", scalar.file()));
  CHECK(one.tensors[0].n_elements() == 1);
  CHECK(one.tensors[0].n_dims == 0);
  // Every type that there is.
  Draft every;
  for (const auto& format : planner::tensor_formats()) {
    if (format.gguf_type >= 0) every.tensor(std::string(format.name), {256, 2}, format.id);
  }
  const auto all = read_gguf_header(folder.write("every.gguf", every.file()));
  for (const auto& t : all.tensors) CHECK(planner::tensor_format(t.format).name == t.name);
}

// --- damage -----------------------------------------------------------------------------------------------------------

TEST_CASE("gguf: damage is told with file, place and expectation") {
  struct Damage {
    const char* name;
    std::function<std::string()> bytes;
    std::string part;
  };
  const auto draft = [](const std::function<void(Draft&)>& damage) {
    return [damage] {
      auto d = small_draft();
      damage(d);
      return d.file();
    };
  };
  const auto tensor = [&](const std::function<void(WrittenTensor&)>& damage) {
    return draft([damage](Draft& d) { damage(d.tensors[1]); });
  };
  const auto key = [&](const std::function<void(Draft&)>& add) {
    return [add] {
      Draft d;
      d.u32("first", 1);
      add(d);
      return d.file();
    };
  };
  std::vector<Damage> damages = {
      {"empty file", [] { return std::string(); }, "byte 0: the file ends (0 bytes), expected 4 bytes of the magic"},
      {"two bytes", [] { return std::string("GG"); }, "byte 0: the file ends (2 bytes), expected 4 bytes of the magic"},
      {"another file", [] { return std::string("PK\3\4 and so on"); }, "byte 0: 'PK\\x03\\x04' is no GGUF file, expected the magic 'GGUF'"},
      {"GGML file", [] { return std::string("tjgg....."); }, "a GGML file from before August 2023"},
      {"Git LFS pointer", [] { return std::string("version https://git-lfs.github.com/spec/v1"); }, "perhaps a Git LFS pointer"},
      {"swapped magic", draft([](Draft& d) { d.magic = "FUGG"; }), "swapped bytes"},
      {"version 0", draft([](Draft& d) { d.version = 0; }), "byte 4: GGUF version 0 is unknown, expected 2 or 3"},
      {"version 1", draft([](Draft& d) { d.version = 1; }), "byte 4: GGUF version 1, made before October 2023, is not supported"},
      {"version 1, big endian", draft([](Draft& d) { d.version = 1U << 24U; }), "GGUF version 1"},
      {"version 4", draft([](Draft& d) { d.version = 4; }), "GGUF version 4 is unknown"},
      {"tensor count beyond the file", draft([](Draft& d) { d.n_tensors = 1U << 30U; }), "byte 8: the tensor count is 1073741824, but the"},
      {"tensor count of 2^64 - 1", draft([](Draft& d) { d.n_tensors = UINT64_MAX; }), "the tensor count is 18446744073709551615"},
      {"key count beyond the file", draft([](Draft& d) { d.n_keys = UINT64_MAX / 2; }),
       "byte 16: the key count is 9223372036854775807, but the"},
      {"one key too many", key([](Draft& d) { d.n_keys = 2; }), "of key 2 of 2"},
      {"one tensor too many", draft([](Draft& d) { d.n_tensors = d.tensors.size() + 1; }), "of tensor 17 of 17"},
      {"empty key", key([](Draft& d) { d.u32("", 1); }), "the name of key 2 of 2 is empty"},
      {"key longer than the file",
       [] {
         Draft d;
         d.u32("first", 1).n_keys = 2;
         return d.header() + Writer().u64(UINT64_MAX).raw("second, and more than enough to be one").bytes;
       },
       "the name of key 2 of 2 is a string of 18446744073709551615 bytes, but the file has only 38 more"},
      {"key too long", key([](Draft& d) { d.u32(std::string(70000, 'k'), 1); }), "has 70000 bytes, expected at most 65535"},
      {"zero byte in a key", key([](Draft& d) { d.u32(std::string("a\0b", 3), 1); }), "'a\\x00b' contains a zero byte"},
      {"key that is no UTF-8", key([](Draft& d) { d.u32("a\xC3(\xE2\x82", 1); }), "'a\\xc3(\\xe2\\x82' is no plain UTF-8 text"},
      {"overlong UTF-8", key([](Draft& d) { d.u32("\xC0\xAF", 1); }), "'\\xc0\\xaf' is no plain UTF-8 text"},
      {"surrogate in UTF-8", key([](Draft& d) { d.u32("\xED\xA0\x80", 1); }), "is no plain UTF-8 text"},
      {"new line in a key", key([](Draft& d) { d.u32("a\nb", 1); }), "'a\\x0ab' is no plain UTF-8 text"},
      {"key twice", key([](Draft& d) { d.u32("first", 2); }), "the key 'first' is there twice"},
      {"value type 13", key([](Draft& d) { d.raw("x", Writer().u32(13).u32(0)); }), "the value type of key 'x' is 13, expected 0 to 12"},
      {"element type 99", key([](Draft& d) { d.raw("x", Writer().type(GgufType::array).u32(99).u64(0)); }),
       "the element type of key 'x' is 99"},
      {"array longer than the file", key([](Draft& d) { d.raw("x", Writer().type(GgufType::array).type(GgufType::u32).u64(1000)); }),
       "the array length of key 'x' is 1000, but the"},
      {"array whose bytes overflow",
       key([](Draft& d) { d.raw("x", Writer().type(GgufType::array).type(GgufType::u64).u64(std::uint64_t{1} << 61U)); }),
       "the array length of key 'x' is 2305843009213693952"},
      {"strings more than the file",
       key([](Draft& d) { d.raw("x", Writer().type(GgufType::array).type(GgufType::string).u64(UINT64_MAX)); }),
       "the array length of key 'x' is 18446744073709551615"},
      {"string in an array longer than the file",
       key([](Draft& d) { d.raw("x", Writer().type(GgufType::array).type(GgufType::string).u64(2).string("a").u64(5000).u64(0)); }),
       "an element of key 'x' is a string of 5000 bytes, but the file has only"},
      {"string longer than the file", key([](Draft& d) { d.raw("x", Writer().type(GgufType::string).u64(UINT64_MAX)); }),
       "the value of key 'x' is a string of 18446744073709551615 bytes"},
      {"arrays within arrays within arrays", key([](Draft& d) {
         Writer w;
         w.type(GgufType::array);
         for (int i = 0; i < 4; ++i) w.type(GgufType::array).u64(1);
         d.raw("x", w.type(GgufType::u8).u64(0));
       }),
       "arrays of key 'x' are nested more than 4 deep"},
      {"bool of 2", key([](Draft& d) { d.scalar<std::uint8_t>("x", GgufType::boolean, 2); }), "a bool of key 'x' is 2, expected 0 or 1"},
      {"bool of 7 in an array", key([](Draft& d) {
         d.numbers<std::uint8_t>("x", GgufType::boolean, {1, 7});
       }),
       "a bool of key 'x' is 7"},
      {"alignment 0", key([](Draft& d) { d.u32("general.alignment", 0); }), "general.alignment is 0, expected a power of two"},
      {"alignment 24", key([](Draft& d) { d.u32("general.alignment", 24); }), "general.alignment is 24, expected a power of two"},
      {"alignment of 1 GiB", key([](Draft& d) { d.u32("general.alignment", 1U << 30U); }), "expected a power of two up to 1048576"},
      {"negative alignment", key([](Draft& d) { d.scalar<std::int32_t>("general.alignment", GgufType::i32, -32); }),
       "general.alignment is -32"},
      {"alignment in words", key([](Draft& d) { d.string("general.alignment", "32"); }),
       "general.alignment is a string, expected an integer"},
      {"nameless tensor", tensor([](WrittenTensor& t) { t.name.clear(); }), "the name of tensor 2 of 16 is empty"},
      {"tensor twice", tensor([](WrittenTensor& t) { t.name = "token_embd.weight"; }), "the tensor 'token_embd.weight' is there twice"},
      {"zero byte in a name", tensor([](WrittenTensor& t) { t.name = std::string("a\0", 2); }), "'a\\x00' contains a zero byte"},
      {"name too long", tensor([](WrittenTensor& t) { t.name = std::string(2000, 'n'); }), "has 2000 bytes, expected at most 1024"},
      {"five dimensions", tensor([](WrittenTensor& t) {
         t.shape = {1, 1, 1, 1, 1};
       }),
       "tensor 'output_norm.weight' has 5 dimensions, expected at most 4"},
      {"dimension of 0", tensor([](WrittenTensor& t) {
         t.shape = {64, 0};
       }),
       "dimension 1 of tensor 'output_norm.weight' is 0, expected at least 1"},
      {"dimensions that overflow", tensor([](WrittenTensor& t) {
         t.shape = {std::uint64_t{1} << 32U, std::uint64_t{1} << 32U};
       }),
       "dimension 1 of tensor 'output_norm.weight' is 4294967296, which makes more than 2^48 elements"},
      {"negative dimension", tensor([](WrittenTensor& t) { t.shape = {UINT64_MAX}; }), "is 18446744073709551615, which makes more than"},
      {"row that is no multiple of the block", tensor([](WrittenTensor& t) { t.type = 12; }),
       "tensor 'output_norm.weight' has rows of 64 elements, expected a multiple of Q4_K's block of 256"},
      {"unknown type", tensor([](WrittenTensor& t) { t.type = 999; }),
       "tensor 'output_norm.weight' has the type number 999, which is unknown"},
      {"type number beyond int32", tensor([](WrittenTensor& t) { t.type = UINT32_MAX; }), "has the type number 4294967295"},
      {"unaligned offset", tensor([](WrittenTensor& t) { t.offset += 1; }),
       "the offset of tensor 'output_norm.weight' is 1025, expected a multiple"},
      {"overlapping tensors", tensor([](WrittenTensor& t) { t.offset -= 32; }),
       "tensor 'output_norm.weight' begins at offset 992 inside tensor 'token_embd.weight', which ends at 1024"},
      {"same place twice", tensor([](WrittenTensor& t) { t.offset = 0; }), "begins at offset 0 inside tensor 'token_embd.weight'"},
      {"offset beyond the data", tensor([](WrittenTensor& t) { t.offset = 1U << 20U; }),
       "tensor 'blk.0.attn_q.weight' has offset 1280, expected 1024"},
      {"last tensor beyond the data", draft([](Draft& d) { d.tensors.back().offset = d.data_bytes; }), "but the tensors take only"},
      {"offset of 2^63", tensor([](WrittenTensor& t) { t.offset = std::uint64_t{1} << 63U; }), "which is beyond any file"},
      {"gap in front", draft([](Draft& d) {
         for (auto& t : d.tensors) t.offset += 32;
       }),
       "has offset 32, expected 0"},
  };
  for (const std::uint32_t removed : {4U, 5U, 31U, 32U, 33U, 36U, 37U, 38U}) {
    const std::map<std::uint32_t, std::string> names = {{4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
                                                        {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}};
    damages.push_back({"removed type", tensor([removed](WrittenTensor& t) { t.type = removed; }),
                       "has the type " + names.at(removed) + " (" + std::to_string(removed) + "), which was removed from GGUF"});
  }
  const TemporaryFolder folder;
  for (const auto& damage : damages) {
    CAPTURE(damage.name);
    check_refused(folder.write("damaged.gguf", damage.bytes()), damage.part);
  }
  check_refused(folder.path() / "absent.gguf", "no such file");
  fs::create_directory(folder.path() / "folder.gguf");
  check_refused(folder.path() / "folder.gguf", "is a folder");
  // A path is told in one line, too.
  CHECK(error_of([&] { (void)read_gguf_header(folder.path() / "a\nb.gguf"); }).find("a\\x0ab.gguf: no such file") != std::string::npos);
}

TEST_CASE("gguf: a header cut off anywhere is an error, tensor data may be absent") {
  const TemporaryFolder folder;
  auto draft = small_draft();
  const auto header = draft.header();
  const auto whole = draft.file();
  const auto path = folder.write("cut.gguf", whole);
  for (std::size_t n = whole.size(); n-- > 0;) {
    fs::resize_file(path, n);
    CAPTURE(n);
    if (n >= header.size()) {
      if (n % 97 == 0 || n == header.size()) CHECK_FALSE(read_gguf_header(path).is_complete());
    } else {
      const auto message = error_of([&] { (void)read_gguf_header(path); });
      CHECK_FALSE(message.empty());
    }
  }
  const auto real = folder.write("real.gguf", bytes_of(fixture("r1-distill-qwen-1.5b-Q2_K")));
  const auto end = read_gguf_header(real).shards[0].header_bytes;
  for (auto n = end - 1; n >= 0; n -= 7) {
    fs::resize_file(real, static_cast<std::uintmax_t>(n));
    CAPTURE(n);
    CHECK_FALSE(error_of([&] { (void)read_gguf_header(real); }).empty());
  }
}

TEST_CASE("gguf: flipped bytes are an error or a readable file, never worse") {
  const TemporaryFolder folder;
  std::mt19937 random(20240607);
  const auto any = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  std::vector<std::string> originals = {small_draft().header(), small_draft("llama").header(), small_draft("qwen2", true).header(),
                                        bytes_of(fixture("deepseek-v2-lite-legacy"))};
  int refused = 0;
  int read = 0;
  for (int round = 0; round < 4000; ++round) {
    auto bytes = originals[static_cast<std::size_t>(round) % 16 < 13 ? any(3) : 3];
    for (std::size_t flips = 1 + any(3); flips > 0; --flips) bytes[any(bytes.size())] = static_cast<char>(any(256));
    fs::remove(folder.path() / "flipped.gguf");  // some file systems are slow to overwrite
    const auto path = folder.write("flipped.gguf", bytes);
    try {
      const auto file = read_gguf_header(path);
      (void)hyperparameters_from_gguf(file);
      const auto model = model_from_gguf(file);
      (void)stored_from_gguf(file, model);
      (void)model.parameters();
      for (const auto& entry : file.metadata) {
        if (const auto* array = std::get_if<planner::GgufArray>(&entry.value.value)) {
          if (array->element_type() == GgufType::string) (void)array->strings();
        }
      }
      (void)compare_with_description(file);
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
  CHECK(read > 10);
}

// --- split files ------------------------------------------------------------------------------------------------------

/// The small model in `n` shards; the first has all metadata.
std::vector<Draft> split(const Draft& whole, std::size_t n, bool tensors_in_first = true) {
  std::vector<Draft> shards(n);
  for (std::size_t i = 0; i < n; ++i) {
    auto& shard = shards[i];
    shard.big_endian = whole.big_endian;
    if (i == 0) shard.entries = whole.entries;
    shard.scalar("split.no", GgufType::u16, static_cast<std::uint16_t>(i))
        .scalar("split.count", GgufType::u16, static_cast<std::uint16_t>(n));
    shard.scalar("split.tensors.count", GgufType::i32, static_cast<std::int32_t>(whole.tensors.size()));
  }
  for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
    const auto& t = whole.tensors[i];
    const auto* format = planner::find_gguf_type(t.type);
    const std::size_t to = tensors_in_first ? i * n / whole.tensors.size() : 1 + i * (n - 1) / whole.tensors.size();
    shards[to].tensor(t.name, t.shape, format->id);
  }
  return shards;
}

std::string shard_name(std::size_t i, std::size_t n) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.gguf", i + 1, n);
  return name;
}

TEST_CASE("gguf: shards are read as one file, whichever is given") {
  const auto whole = small_draft();
  for (const bool tensors_in_first : {true, false}) {
    const TemporaryFolder folder;
    const auto shards = split(whole, 3, tensors_in_first);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      folder.write(shard_name(i, 3), shards[i].file());
      bytes += shards[i].file().size();
    }
    for (std::size_t given = 0; given < 3; ++given) {
      CAPTURE(given);
      const auto file = read_gguf_header(folder.path() / shard_name(given, 3));
      CHECK(file.find_string("general.architecture") == "smallish");
      REQUIRE(file.shards.size() == 3);
      CHECK(file.shards[2].path == folder.path() / shard_name(2, 3));
      REQUIRE(file.tensors.size() == whole.tensors.size());
      for (std::size_t i = 0; i < whole.tensors.size(); ++i) CHECK(file.tensors[i].name == whole.tensors[i].name);
      CHECK(file.tensors.front().shard == (tensors_in_first ? 0 : 1));
      CHECK(file.tensors.back().shard == 2);
      CHECK(file.position(file.tensors.back()) == file.shards[2].data_offset + file.tensors.back().offset);
      CHECK(file.file_bytes == i64(bytes));
      // The padding behind a header without tensors is nobody's.
      const auto padding = tensors_in_first ? 0 : i64(shards[0].file().size() - shards[0].header().size());
      CHECK(file.declared_file_bytes == i64(bytes) - padding);
      CHECK(file.data_bytes == i64(whole.data_bytes));
      CHECK(file.is_complete());
      const auto model = model_from_gguf(file);
      CHECK(model.layers.size() == 2);
      CHECK(stored_from_gguf(file, model).tensor_bytes == file.tensor_bytes);
    }
    // One shard's data is missing.
    fs::resize_file(folder.path() / shard_name(1, 3), shards[1].header().size());
    CHECK_FALSE(read_gguf_header(folder.path() / shard_name(0, 3)).is_complete());
  }
}

TEST_CASE("gguf: shards that do not fit together") {
  struct Damage {
    const char* name;
    std::function<void(std::vector<Draft>&)> damage;
    std::string part;
  };
  const auto set = [](Draft& d, const std::string& key, const std::string& bytes) {
    for (auto& [k, v] : d.entries) {
      if (k == key) v = bytes;
    }
  };
  const auto u16 = [](std::uint16_t n) { return Writer().type(GgufType::u16).number(n).bytes; };
  const auto drop = [](Draft& d, const std::string& key) { std::erase_if(d.entries, [&](const auto& e) { return e.first == key; }); };
  const std::vector<Damage> damages = {
      {"wrong number", [&](auto& s) { set(s[1], "split.no", u16(2)); }, "model-00002-of-00003.gguf: split.no is 2, expected 1"},
      {"wrong count", [&](auto& s) { set(s[2], "split.count", u16(4)); }, "model-00003-of-00003.gguf: split.count is 4, expected 3"},
      {"no number", [&](auto& s) { drop(s[1], "split.no"); },
       "model-00002-of-00003.gguf: the file is part of a split model, but has no split.no"},
      {"no tensor count", [&](auto& s) { drop(s[0], "split.tensors.count"); }, "but has no split.tensors.count"},
      {"number in words", [&](auto& s) { set(s[0], "split.no", Writer().type(GgufType::string).string("0").bytes); },
       "key 'split.no' is of type string"},
      {"other tensor count", [&](auto& s) { set(s[1], "split.tensors.count", Writer().type(GgufType::i32).number(std::int32_t{3}).bytes); },
       "model-00002-of-00003.gguf: split.tensors.count is 3, expected 16"},
      {"too few tensors", [&](auto& s) { s[2].tensors.pop_back(); }, "its shards hold 15 tensors, but split.tensors.count is 16"},
      {"tensor in two shards", [&](auto& s) { s[2].tensors[0].name = "token_embd.weight"; },
       "the tensor 'token_embd.weight' is in another shard as well"},
      {"other architecture", [&](auto& s) { s[1].string("general.architecture", "llama"); },
       "model-00002-of-00003.gguf: is of architecture 'llama', but the first shard of 'smallish'"},
      {"other version", [&](auto& s) { s[1].version = 2; }, "has another GGUF version or byte order"},
      {"damaged shard", [&](auto& s) { s[2].magic = "GGUX"; }, "model-00003-of-00003.gguf: byte 0: 'GGUX' is no GGUF file"},
  };
  for (const auto& damage : damages) {
    CAPTURE(damage.name);
    const TemporaryFolder folder;
    auto shards = split(small_draft(), 3);
    damage.damage(shards);
    for (std::size_t i = 0; i < 3; ++i) folder.write(shard_name(i, 3), shards[i].file());
    check_refused(folder.path() / shard_name(0, 3), damage.part);
  }

  const TemporaryFolder folder;
  const auto shards = split(small_draft(), 2);
  check_refused(folder.write("alone.gguf", shards[0].file()),
                "is one of 2 shards (split.count), but its name does not end in -00001-of-00002.gguf");
  check_refused(folder.write(shard_name(0, 2), shards[0].file()), "shard 2 of 2 is missing: ");
  check_refused(folder.write("model-00001-of-00003.gguf", shards[0].file()),
                "is one of 2 shards (split.count), but by its name number 1 of 3");
  check_refused(folder.write("plain-00001-of-00002.gguf", small_draft().file()), "by its name shard 1 of 2, but it has no split.count");
  check_refused(folder.write("model-00000-of-00002.gguf", shards[0].file()), "by its name number 0 of 2");
  // A shard under the name of another.
  folder.write(shard_name(1, 2), shards[0].file());
  check_refused(folder.path() / shard_name(1, 2), "model-00002-of-00002.gguf: split.no is 0, expected 1");
  // One of one is a plain file, and so is what gguf-split has merged.
  CHECK(read_gguf_header(folder.write("model-00001-of-00001.gguf", small_draft().file())).shards.size() == 1);
  auto merged = small_draft();
  merged.scalar<std::uint16_t>("split.count", GgufType::u16, 0);
  CHECK(read_gguf_header(folder.write("merged.gguf", merged.file())).shards.size() == 1);
}

// --- hyperparameters --------------------------------------------------------------------------------------------------

planner::Hyperparameters hyperparameters_of(const TemporaryFolder& folder, const Draft& draft) {
  return hyperparameters_from_gguf(read_gguf_header(folder.write("model.gguf", draft.file())));
}

TEST_CASE("gguf: hyperparameters of real headers") {
  {
    const auto hp = hyperparameters_from_gguf(read_gguf_header(fixture("r1-distill-qwen-1.5b-Q2_K")));
    CHECK(hp.architecture == "qwen2");
    CHECK(hp.model_type.empty());
    CHECK(hp.n_layers == 28);
    CHECK(hp.hidden_size == 1536);
    CHECK(hp.vocab_size == 151936);
    CHECK(hp.context_length == 131072);
    CHECK_FALSE(hp.tied_embeddings);
    CHECK(hp.n_heads == 12);
    CHECK(hp.n_kv_heads == 2);
    CHECK(hp.head_dim == 128);
    CHECK(hp.head_dim_v == 128);
    CHECK(hp.rotary_dim == 128);
    CHECK(hp.ffn_size == 8960);
    CHECK(hp.attention_bias);
    CHECK_FALSE(hp.attention_out_bias);
    CHECK_FALSE(hp.mlp_bias);
    CHECK_FALSE(hp.qk_norm);
    CHECK(hp.layer_kinds == std::vector<LayerKind>(28, LayerKind::full_attention));
    CHECK(hp.extra("gguf.block_count") == 28);
    CHECK(hp.extra("gguf.general.file_type") >= 0);
  }
  {
    const auto hp = hyperparameters_from_gguf(read_gguf_header(fixture("deepseek-v2-lite-legacy")));
    CHECK(hp.n_layers == 27);
    CHECK(hp.kv_lora_rank == 512);
    CHECK(hp.q_lora_rank == 0);
    CHECK(hp.qk_rope_head_dim == 64);
    CHECK(hp.qk_nope_head_dim == 128);
    CHECK(hp.v_head_dim == 128);
    CHECK(hp.n_experts == 64);
    CHECK(hp.n_experts_active == 6);
    CHECK(hp.expert_ffn_size == 1408);
    CHECK(hp.n_shared_experts == 2);
    CHECK(hp.shared_ffn_size == 2816);
    CHECK(hp.n_dense_leading == 1);
    CHECK(hp.ffn_size == 10944);
    CHECK(hp.rope_scaling == planner::RopeScaling::yarn);
  }
  {
    const auto hp = hyperparameters_from_gguf(read_gguf_header(fixture("gemma-4-26b-a4b")));
    CHECK(hp.tied_embeddings);
    CHECK(hp.sliding_window == 1024);
    CHECK(hp.layer_kinds[0] == LayerKind::sliding_attention);
    CHECK(hp.layer_kinds[5] == LayerKind::full_attention);
    CHECK(std::count(hp.layer_kinds.begin(), hp.layer_kinds.end(), LayerKind::full_attention) == 5);
    CHECK(hp.head_dim == 512);
    CHECK(hp.head_dim_swa == 256);
    CHECK(hp.head_dim_v_swa == 256);
    REQUIRE(hp.n_kv_heads_per_layer.size() == 30);
    CHECK(hp.n_kv_heads_per_layer[0] == 8);
    CHECK(hp.n_kv_heads_per_layer[5] == 2);
    CHECK(hp.n_experts == 128);
    CHECK(hp.expert_ffn_size == 704);
    CHECK(hp.qk_norm);
    CHECK(hp.extra("gguf.attention.sliding_window_pattern.0") == 1);
    CHECK(hp.extra("gguf.attention.sliding_window_pattern.5") == 0);
  }
}

TEST_CASE("gguf: hyperparameters from keys and tensors of any architecture") {
  const TemporaryFolder folder;
  const auto small = [] { return small_draft("someone-s"); };
  const auto a = [](const char* key) { return std::string("someone-s.") + key; };
  {
    const auto hp = hyperparameters_of(folder, small());
    CHECK(hp.architecture == "someone-s");
    CHECK(hp.head_dim == 16);
    CHECK(hp.vocab_size == 4);
    CHECK(hp.tied_embeddings);
    CHECK(hp.rope_scaling == planner::RopeScaling::none);
    CHECK(hp.extra("gguf.flag") == 1);
    CHECK_THROWS_AS((void)hp.extra("gguf.rope.freq_base"), Error);
  }
  {
    auto d = small();
    d.tensor("output.weight", {64, 4}).tensor("rope_freqs.weight", {8}).tensor("blk.0.attn_q.bias", {64});
    d.tensor("blk.0.attn_output.bias", {64}).tensor("blk.1.ffn_up.bias", {96}).tensor("blk.1.attn_q_norm.weight", {16});
    const auto hp = hyperparameters_of(folder, d);
    CHECK_FALSE(hp.tied_embeddings);
    CHECK(hp.attention_bias);
    CHECK(hp.attention_out_bias);
    CHECK(hp.mlp_bias);
    CHECK(hp.qk_norm);
    CHECK(hp.rope_scaling == planner::RopeScaling::llama3);
  }
  {
    auto d = small();
    d.string(a("rope.scaling.type"), "longrope").u32(a("attention.key_length"), 24).u32(a("rope.dimension_count"), 12);
    const auto hp = hyperparameters_of(folder, d);
    CHECK(hp.rope_scaling == planner::RopeScaling::longrope);
    CHECK(hp.head_dim == 24);
    CHECK(hp.head_dim_v == 24);
    CHECK(hp.rotary_dim == 12);
  }
  // Sliding layers: a list, a period, or not told.
  {
    auto d = small();
    d.u32(a("attention.sliding_window"), 32).numbers<std::uint8_t>(a("attention.sliding_window_pattern"), GgufType::boolean, {0, 1});
    CHECK(hyperparameters_of(folder, d).layer_kinds == std::vector{LayerKind::full_attention, LayerKind::sliding_attention});
  }
  {
    auto d = small();
    d.u32(a("attention.sliding_window"), 32).u32(a("attention.sliding_window_pattern"), 2);
    CHECK(hyperparameters_of(folder, d).layer_kinds == std::vector{LayerKind::sliding_attention, LayerKind::full_attention});
  }
  {
    auto d = small();
    d.u32(a("attention.sliding_window"), 32);
    CHECK(hyperparameters_of(folder, d).layer_kinds == std::vector(2, LayerKind::full_attention));
    std::string note;
    (void)model_from_gguf(read_gguf_header(folder.write("model.gguf", d.file())), &note);
    CHECK(note.find("architecture 'someone-s' is not described") != std::string::npos);
    CHECK(note.find("does not say in which layers") != std::string::npos);
  }
  // Experts: which layers route is what the tensors say.
  const auto experts = [](Draft& d, const std::string& block) {
    d.tensor(block + "ffn_gate_inp.weight", {64, 8}).tensor(block + "ffn_gate_exps.weight", {64, 48, 8}, FormatId::f16);
    d.tensor(block + "ffn_up_exps.weight", {64, 48, 8}, FormatId::f16).tensor(block + "ffn_down_exps.weight", {48, 64, 8}, FormatId::f16);
  };
  {
    auto d = small();
    d.u32(a("expert_count"), 8).u32(a("expert_used_count"), 2);
    experts(d, "blk.1.");
    d.tensor("blk.1.ffn_down_shexp.weight", {40, 64});
    const auto hp = hyperparameters_of(folder, d);
    CHECK(hp.expert_ffn_size == 48);
    CHECK(hp.shared_ffn_size == 40);
    CHECK(hp.n_dense_leading == 1);
    CHECK(hp.moe_layers.empty());
    const auto model = model_from_gguf(read_gguf_header(folder.write("model.gguf", d.file())));
    REQUIRE(model.layers[1].ffns.size() == 2);
    const auto& moe = std::get<planner::MoeFfn>(model.layers[1].ffns[0]);
    CHECK(moe.n_experts == 8);
    CHECK(moe.n_active == 2);
    CHECK(moe.expert_size == 48);
    CHECK(moe.shared_size == 40);
    CHECK(moe.gated);
  }
  {
    auto d = small();
    d.u32(a("expert_count"), 8).u32(a("expert_used_count"), 2);
    experts(d, "blk.0.");
    CHECK(hyperparameters_of(folder, d).moe_layers == std::vector<bool>{true, false});
  }
  // Vocabulary without tensors: the key, then the tokens.
  {
    auto d = small();
    d.tensors.clear();
    d.data_bytes = 0;
    CHECK(hyperparameters_of(folder, d).vocab_size == 4);
    CHECK_FALSE(hyperparameters_of(folder, d).tied_embeddings);
    d.u32(a("vocab_size"), 77);
    CHECK(hyperparameters_of(folder, d).vocab_size == 77);
  }
}

TEST_CASE("gguf: multi-token-prediction layers, counted in block_count or not, there or not") {
  struct Case {
    const char* name;
    std::uint32_t block_count;
    std::uint32_t nextn;
    std::int64_t held;  // blocks that have tensors; the last `marked` have nextn tensors
    std::int64_t marked;
    std::int64_t n_layers, n_mtp;
  };
  const Case cases[] = {
      {"none", 3, 0, 3, 0, 3, 0},
      {"counted and there", 4, 1, 4, 1, 3, 1},
      {"counted, dropped", 4, 1, 3, 0, 3, 0},
      {"not counted, there", 3, 1, 4, 1, 3, 1},
      {"not counted, dropped", 3, 1, 3, 0, 3, 0},
      {"two of them", 5, 2, 5, 2, 3, 2},
      {"without tensors", 4, 1, 0, 0, 3, 1},
      {"key forgotten", 3, 0, 4, 1, 3, 1},
  };
  const TemporaryFolder folder;
  for (const auto& c : cases) {
    CAPTURE(c.name);
    Draft d;
    d.string("general.architecture", "ahead").u32("ahead.block_count", c.block_count).u32("ahead.embedding_length", 64);
    if (c.nextn > 0) d.u32("ahead.nextn_predict_layers", c.nextn);
    for (std::int64_t i = 0; i < c.held; ++i) {
      const auto block = "blk." + std::to_string(i) + ".";
      d.tensor(block + "attn_k.weight", {64, 64});
      if (i >= c.held - c.marked) d.tensor(block + "nextn.eh_proj.weight", {128, 64});
    }
    const auto file = read_gguf_header(folder.write("mtp.gguf", d.file()));
    const auto hp = hyperparameters_from_gguf(file);
    CHECK(hp.n_layers == c.n_layers);
    CHECK(hp.n_mtp_layers == c.n_mtp);
    CHECK(i64(hp.layer_kinds.size()) == c.n_layers);
    if (c.held == 0) continue;
    const auto model = model_from_gguf(file);
    CHECK(i64(model.layers.size()) == c.n_layers + c.n_mtp);
    CHECK(model.file_holds_mtp == (c.n_mtp > 0));
    for (const auto& t : model.tensors) CHECK((t.part == planner::ModelPart::mtp) == (t.layer >= c.n_layers));
    for (std::size_t i = 0; i < model.layers.size(); ++i) CHECK(model.layers[i].mtp == (i64(i) >= c.n_layers));
  }
}

TEST_CASE("gguf: metadata that no model can have") {
  struct Damage {
    const char* name;
    std::function<void(Draft&)> damage;
    std::string part;
  };
  const auto drop = [](Draft& d, const std::string& key) { std::erase_if(d.entries, [&](const auto& e) { return e.first == key; }); };
  const auto replace = [&](Draft& d, const std::string& key, std::uint32_t n) {
    drop(d, key);
    d.u32(key, n);
  };
  const std::vector<Damage> damages = {
      {"no architecture", [&](Draft& d) { drop(d, "general.architecture"); }, "key 'general.architecture' is absent"},
      {"empty architecture",
       [&](Draft& d) {
         drop(d, "general.architecture");
         d.string("general.architecture", "");
       },
       "'general.architecture' is absent"},
      {"architecture is a number", [&](Draft& d) { replace(d, "general.architecture", 3); }, "key 'general.architecture' is of type u32"},
      {"no block_count", [&](Draft& d) { drop(d, "smallish.block_count"); }, "key 'smallish.block_count' is absent"},
      {"no embedding_length", [&](Draft& d) { drop(d, "smallish.embedding_length"); }, "key 'smallish.embedding_length' is absent"},
      {"no layers", [&](Draft& d) { replace(d, "smallish.block_count", 0); }, "key 'smallish.block_count' is 0, expected 1 to 4096"},
      {"a million layers", [&](Draft& d) { replace(d, "smallish.block_count", 1000000); },
       "'smallish.block_count' is 1000000, expected 1 to 4096"},
      {"all layers are MTP", [&](Draft& d) { d.u32("smallish.nextn_predict_layers", 2); },
       "'smallish.nextn_predict_layers' is 2 of 2 layers"},
      {"absurd width", [&](Draft& d) { replace(d, "smallish.embedding_length", 4000000000U); },
       "'smallish.embedding_length' is 4000000000"},
      {"negative heads",
       [&](Draft& d) {
         drop(d, "smallish.attention.head_count");
         d.scalar<std::int32_t>("smallish.attention.head_count", GgufType::i32, -4);
       },
       "'smallish.attention.head_count' is -4"},
      {"heads in words",
       [&](Draft& d) {
         drop(d, "smallish.attention.head_count");
         d.string("smallish.attention.head_count", "4");
       },
       "key 'smallish.attention.head_count' is of type string, expected an integer"},
      {"list too short",
       [&](Draft& d) {
         drop(d, "smallish.attention.head_count_kv");
         d.numbers<std::int32_t>("smallish.attention.head_count_kv", GgufType::i32, {2});
       },
       "key 'smallish.attention.head_count_kv' has 1 entries for 2 layers"},
      {"layer number beyond all", [](Draft& d) { d.tensor("blk.70000.attn_q.weight", {64}); },
       "the tensor 'blk.70000.attn_q.weight' is of layer 70000"},
      {"adapter", [](Draft& d) { d.string("general.type", "adapter"); }, "holds an adapter"},
      {"projector", [](Draft& d) { d.string("general.type", "mmproj"); }, "holds a projector"},
      {"importance matrix", [](Draft& d) { d.string("general.type", "imatrix"); }, "holds an importance matrix"},
  };
  const TemporaryFolder folder;
  for (const auto& damage : damages) {
    CAPTURE(damage.name);
    auto d = small_draft();
    damage.damage(d);
    const auto file = read_gguf_header(folder.write("model.gguf", d.file()));
    const auto message = error_of([&] { (void)hyperparameters_from_gguf(file); });
    CAPTURE(message);
    CHECK(message.find(damage.part) != std::string::npos);
    CHECK(message.find("model.gguf: ") != std::string::npos);
    CHECK_FALSE(error_of([&] { (void)model_from_gguf(file); }).empty());
  }
}

// --- models -----------------------------------------------------------------------------------------------------------

/// A mixer as text; `windows`: with the window that it sees.
std::string text_of(const planner::Mixer& mixer, bool windows) {
  std::ostringstream out;
  const auto put = [&](std::initializer_list<std::int64_t> numbers) {
    for (const auto n : numbers) out << ' ' << n;
  };
  if (const auto* a = std::get_if<planner::Attention>(&mixer)) {
    out << "attention";
    put({a->n_heads, a->n_kv_heads, a->head_dim, a->head_dim_v, windows ? a->window : 0, a->shares_kv_of, a->v_is_k, a->sinks, a->gated});
    put({a->cross_tokens, a->indexer_head_dim});
  } else if (const auto* l = std::get_if<planner::MlaAttention>(&mixer)) {
    out << "mla";
    put({l->n_heads, l->q_lora_rank, l->kv_lora_rank, l->qk_nope_head_dim, l->qk_rope_head_dim, l->v_head_dim, l->indexer_heads,
         l->indexer_head_dim});
  } else if (const auto* m = std::get_if<planner::Mamba>(&mixer)) {
    out << "mamba";
    put({m->inner_size, m->state_size, m->conv_kernel, m->dt_rank, m->n_heads, m->n_groups});
  } else if (const auto* n = std::get_if<planner::LinearAttention>(&mixer)) {
    out << "linear";
    put({static_cast<std::int64_t>(n->kind), n->n_k_heads, n->n_v_heads, n->k_head_dim, n->v_head_dim, n->conv_kernel});
  } else {
    out << "other " << mixer.index();
  }
  return out.str();
}

std::string text_of(const planner::Layer& layer, bool windows) {
  std::ostringstream out;
  for (const auto& mixer : layer.mixers) out << text_of(mixer, windows) << "; ";
  std::vector<std::string> ffns;
  for (const auto& ffn : layer.ffns) {
    std::ostringstream one;
    if (const auto* d = std::get_if<planner::DenseFfn>(&ffn)) {
      one << "dense " << d->size << ' ' << d->gated;
    } else {
      const auto& m = std::get<planner::MoeFfn>(ffn);
      one << "moe " << m.n_experts << ' ' << m.n_active << ' ' << m.expert_size << ' ' << m.shared_size << ' ' << m.gated;
    }
    ffns.push_back(one.str());
  }
  std::sort(ffns.begin(), ffns.end());
  for (const auto& f : ffns) out << f << "; ";
  if (layer.mtp) out << "mtp";
  return out.str();
}

bool is_described(const std::string& architecture) {
  const auto known = planner::architectures();
  return std::any_of(known.begin(), known.end(), [&](const auto& a) { return a.name == architecture; });
}

TEST_CASE("gguf: the descriptions predict the tensors of real headers") {
  int compared = 0;
  for (const auto& path : all_headers()) {
    CAPTURE(path);
    const auto file = read_gguf_header(path);
    if (!is_described(std::string(*file.find_string("general.architecture")))) continue;
    ++compared;
    const auto differences = compare_with_description(file);
    for (const auto& d : differences) MESSAGE(d.text());
    CHECK(differences.empty());

    std::string note;
    const auto model = model_from_gguf(file, &note);
    CHECK(note.empty());
    const auto& hp = model.hyperparameters;
    CHECK(i64(model.layers.size()) == hp.n_layers + (model.file_holds_mtp ? hp.n_mtp_layers : 0));
    REQUIRE(model.tensors.size() == file.tensors.size());

    // What each tensor is, from its name in the file as in the description.
    std::map<std::string, planner::Tensor> described;
    for (const auto& t : planner::build_model(hp).tensors) described.emplace(t.name, t);
    std::int64_t parameters = 0;
    for (std::size_t i = 0; i < model.tensors.size(); ++i) {
      const auto& t = model.tensors[i];
      CAPTURE(t.name);
      const auto& d = described.at(t.name);
      CHECK(t.shape == d.shape);
      CHECK(t.layer == d.layer);
      CHECK(t.role == d.role);
      CHECK(t.storage == d.storage);
      CHECK(t.part == d.part);
      CHECK(t.is_parameter == d.is_parameter);
      CHECK(t.is_expert == d.is_expert);
      CHECK(t.is_table == d.is_table);
      if (t.is_parameter) parameters += t.n_elements();
    }
    const auto stored = stored_from_gguf(file, model);
    CHECK(stored.tensor_bytes == file.tensor_bytes);
    CHECK(stored.parameters == parameters);
    CHECK(stored.formats.size() == file.tensors.size());
    const auto counts = model.parameters();
    CHECK(counts.total + counts.mtp == parameters);
  }
  if (compared == 0) MESSAGE("no header's architecture is described");
}

TEST_CASE("gguf: layers read off the tensors equal the described ones") {
  const TemporaryFolder folder;
  for (const auto& path : all_headers()) {
    CAPTURE(path);
    const auto file = read_gguf_header(path);
    if (!is_described(std::string(*file.find_string("general.architecture")))) continue;
    const auto described = model_from_gguf(file);
    const auto nameless_file = read_gguf_header(folder.write("nameless.gguf", redraft(file, false, "nameless").header()));
    CHECK_THROWS_AS((void)compare_with_description(nameless_file), Error);
    std::string note;
    const auto nameless = model_from_gguf(nameless_file, &note);
    CHECK(note.starts_with("architecture 'nameless' is not described"));
    CHECK(nameless.hyperparameters.architecture == "nameless");
    CHECK(i64(nameless.hyperparameters.layer_kinds.size()) == described.hyperparameters.n_layers);
    CHECK(nameless.kv_layers() == described.kv_layers());
    REQUIRE(nameless.layers.size() == described.layers.size());
    // Where the file does not say which layers slide, only the description knows.
    const bool told = note.find("sliding window") == std::string::npos;
    for (std::size_t i = 0; i < nameless.layers.size(); ++i) {
      CAPTURE(i);
      CHECK(text_of(nameless.layers[i], told) == text_of(described.layers[i], told));
    }
    // Which tensors are buffers and no parameters only the description knows.
    for (std::size_t i = 0; i < nameless.tensors.size(); ++i) {
      const auto& t = nameless.tensors[i];
      CAPTURE(t.name);
      CHECK(t.part == described.tensors[i].part);
      CHECK(t.is_expert == described.tensors[i].is_expert);
      CHECK(t.is_table == described.tensors[i].is_table);
    }
  }
}

TEST_CASE("gguf: layers of kinds that the headers lack") {
  const TemporaryFolder folder;
  Draft d;
  d.string("general.architecture", "medley").u32("medley.block_count", 9).u32("medley.embedding_length", 64);
  d.u32("medley.attention.head_count", 4).u32("medley.attention.head_count_kv", 2).u32("medley.attention.key_length", 16);
  d.u32("medley.ssm.state_size", 8).u32("medley.ssm.time_step_rank", 4).u32("medley.wkv.head_size", 32).u32("medley.expert_count", 2);
  d.u32("medley.expert_used_count", 1).u32("medley.kda.head_dim", 16);
  // Mamba-1 (no groups), a short convolution, RWKV, cross-attention, nothing but a feed-forward.
  d.tensor("blk.0.ssm_in.weight", {64, 256}).tensor("blk.0.ssm_conv1d.weight", {4, 128}).tensor("blk.0.ssm_x.weight", {128, 20});
  d.tensor("blk.0.ssm_out.weight", {128, 64});
  d.tensor("blk.1.shortconv.conv.weight", {3, 64});
  d.tensor("blk.2.time_mix_key.weight", {64, 64}).tensor("blk.2.channel_mix_key.weight", {64, 224});
  d.tensor("blk.3.cross_attn_k_proj.weight", {64, 32});
  d.tensor("blk.4.ffn_up.weight", {64, 100}).tensor("blk.4.ffn_down.weight", {100, 64});
  // Keys and values in one tensor, gate and up in one; sinks; a gated query.
  d.tensor("blk.5.attn_qkv.weight", {64, 128}).tensor("blk.5.ffn_up.weight", {64, 200}).tensor("blk.5.ffn_down.weight", {100, 64});
  d.tensor("blk.6.attn_q.weight", {64, 128}).tensor("blk.6.attn_k.weight", {64, 32}).tensor("blk.6.attn_sinks.weight", {4});
  // No keys: reads an earlier cache. Experts one by one.
  d.tensor("blk.7.attn_q.weight", {64, 64}).tensor("blk.7.ffn_gate_inp.weight", {64, 2});
  for (const std::string e : {"0", "1"}) {
    d.tensor("blk.7.ffn_gate." + e + ".weight", {64, 48}).tensor("blk.7.ffn_up." + e + ".weight", {64, 48});
    d.tensor("blk.7.ffn_down." + e + ".weight", {48, 64});
  }
  // Kimi delta attention.
  d.tensor("blk.8.attn_q.weight", {64, 64}).tensor("blk.8.ssm_conv1d_q.weight", {4, 1, 64});
  // Towers in the same file.
  d.tensor("v.blk.0.attn_q.weight", {64, 64})
      .tensor("mm.0.weight", {64, 64})
      .tensor("mm.a.fc.weight", {64, 64})
      .tensor("a.conv1.weight", {64});

  const auto model = model_from_gguf(read_gguf_header(folder.write("medley.gguf", d.file())));
  using K = LayerKind;
  CHECK(model.hyperparameters.layer_kinds == std::vector{K::mamba, K::short_conv, K::linear_attention, K::cross_attention, K::none,
                                                         K::full_attention, K::full_attention, K::full_attention, K::linear_attention});
  const auto& layers = model.layers;
  REQUIRE(layers.size() == 9);
  CHECK(text_of(layers[0], true) == "mamba 128 8 4 4 0 0; ");
  CHECK(std::get<planner::ShortConv>(layers[1].mixers[0]).kernel == 3);
  CHECK(std::get<planner::ShortConv>(layers[1].mixers[0]).width == 64);
  CHECK(std::get<planner::Rwkv>(layers[2].mixers[0]).n_heads == 2);
  CHECK(std::get<planner::DenseFfn>(layers[2].ffns[0]).size == 224);
  CHECK(std::get<planner::Attention>(layers[3].mixers[0]).cross_tokens == 6404);
  CHECK(text_of(layers[4], true) == "dense 100 0; ");
  CHECK(text_of(layers[5], true) == "attention 4 2 16 16 0 -1 0 0 0 0 0; dense 100 1; ");
  CHECK(text_of(layers[6], true) == "attention 4 2 16 16 0 -1 1 1 1 0 0; ");
  CHECK(text_of(layers[7], true) == "attention 4 2 16 16 0 6 0 0 0 0 0; moe 2 1 48 0 1; ");
  CHECK(text_of(layers[8], true) == "linear 1 4 4 16 16 4; ");
  CHECK(model.kv_layers() == 3);
  const auto counts = model.parameters();
  CHECK(counts.vision == 2 * 64 * 64);
  CHECK(counts.audio == 64 * 64 + 64);
  CHECK(counts.total - counts.active == 3 * 64 * 48);
}

TEST_CASE("gguf: differences from a description, and files that it does not cover") {
  const TemporaryFolder folder;
  // The small model says that it is a llama, and lacks the norms.
  auto d = small_draft("llama");
  for (const std::string block : {"blk.0.", "blk.1."}) d.tensor(block + "attn_norm.weight", {64});
  d.tensor("blk.0.ffn_norm.weight", {64})
      .tensor("blk.1.ffn_norm.weight", {65})
      .tensor("blk.1.more.weight", {64})
      .tensor("v.tower.weight", {64});
  const auto file = read_gguf_header(folder.write("llama.gguf", d.file()));
  if (!is_described("llama")) return;
  const auto differences = compare_with_description(file);
  REQUIRE(differences.size() == 2);
  CHECK(differences[0].kind == GgufTensorDifference::Kind::shape);
  CHECK(differences[0].text() == "shape of blk.1.ffn_norm.weight: [65], predicted [64]");
  CHECK(differences[1].text() == "extra blk.1.more.weight [64]");
  std::string note;
  auto model = model_from_gguf(file, &note);
  CHECK(note ==
        "2 tensors are not as the description of architecture 'llama' predicts: shape of blk.1.ffn_norm.weight: [65], predicted [64] and "
        "others");
  CHECK(model.layers.size() == 2);

  const auto bare = read_gguf_header(folder.write("llama.gguf", small_draft("llama").file()));
  REQUIRE(compare_with_description(bare).size() == 4);
  CHECK(compare_with_description(bare)[0].text() == "missing blk.0.attn_norm.weight [64]");

  // No feed-forward width: the description cannot be built, the tensors can be read all the same.
  auto open = small_draft("llama");
  std::erase_if(open.entries, [](const auto& e) { return e.first == "llama.feed_forward_length"; });
  const auto open_file = read_gguf_header(folder.write("llama.gguf", open.file()));
  CHECK_THROWS_AS((void)compare_with_description(open_file), Error);
  model = model_from_gguf(open_file, &note);
  CHECK(note.starts_with("the description of architecture 'llama' does not cover this file ("));
  REQUIRE(model.layers.size() == 2);
  CHECK(text_of(model.layers[0], true) == "attention 4 2 16 16 0 -1 0 0 0 0 0; dense 96 1; ");
}

}  // namespace
