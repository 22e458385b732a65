// What a model file holds, for people and as "planner.inspect/1".
#include "planner/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/json_writer.h"
#include "core/text.h"
#include "import/gguf_reader.h"
#include "import/text_file.h"
#include "planner/error.h"

namespace planner {
namespace {

namespace fs = std::filesystem;

/// Lists with an entry per layer are shown, vocabularies are not.
constexpr std::size_t kLongestArray = 256;

/// Text of the key; empty where it is absent or no text.
std::string text_of(const GgufFile& file, std::string_view key) {
  const auto* value = file.find(key);
  const auto* text = value != nullptr ? std::get_if<std::string>(&value->value) : nullptr;
  return text != nullptr ? *text : std::string();
}

// ---------------------------------------------------------------------------------------------------------------------
// JSON
// ---------------------------------------------------------------------------------------------------------------------

/// Bytes of the UTF-8 sequence that `s` begins with; 0: none begins there.
std::size_t sequence_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  // Longer than needed, surrogates, beyond U+10FFFF.
  if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) > 0x9F) || (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F))
    return 0;
  return length;
}

/// The text with U+FFFD for each byte that is no UTF-8.
std::string as_utf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  while (!s.empty()) {
    const auto length = sequence_length(s);
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else
      out += s.substr(0, length);
    s.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out;
}

/// The double with the shortest digits that read back to the same float: 1e-06 for 1e-6f.
double short_float(double value) {
  std::array<char, 40> buffer;
  const auto [end, status] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), static_cast<float>(value));
  double out = value;
  if (status == std::errc()) (void)std::from_chars(buffer.data(), end, out);
  return out;
}

void write_count(JsonWriter& j, std::string_view type, std::size_t count) {
  j.begin_object().field("type", type).field("count", static_cast<std::int64_t>(count)).end_object();
}

void write_array(JsonWriter& j, const GgufArray& array, bool full) {
  const auto type = array.element_type();
  if (array.size() > kLongestArray && !full) {
    write_count(j, to_string(type), array.size());
    return;
  }
  if (type == GgufType::string) {
    j.begin_array();
    for (const auto text : array.strings()) j.value(as_utf8(text));
    j.end_array();
  } else if (type == GgufType::array) {
    j.begin_array();
    for (const auto& inner : array.arrays()) write_array(j, inner, full);
    j.end_array();
  } else if (type == GgufType::f32 || type == GgufType::f64) {
    j.begin_array();
    for (const auto number : array.numbers()) j.value(type == GgufType::f32 ? short_float(number) : number);
    j.end_array();
  } else {
    std::vector<std::int64_t> integers;
    try {
      integers = array.integers();
    } catch (const Error&) {  // beyond 2^63
      write_count(j, to_string(type), array.size());
      return;
    }
    j.begin_array();
    for (const auto n : integers) type == GgufType::boolean ? j.value(n != 0) : j.value(n);
    j.end_array();
  }
}

void write_value(JsonWriter& j, const GgufValue& value, bool full) {
  struct Writer {
    JsonWriter& j;
    GgufType type;
    bool full;
    void operator()(std::uint64_t n) const {
      if (n <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        j.value(static_cast<std::int64_t>(n));
      else
        j.value(static_cast<double>(n));
    }
    void operator()(std::int64_t n) const { j.value(n); }
    void operator()(double d) const { j.value(type == GgufType::f32 ? short_float(d) : d); }
    void operator()(bool b) const { j.value(b); }
    void operator()(const std::string& s) const { j.value(as_utf8(s)); }
    void operator()(const GgufArray& a) const { write_array(j, a, full); }
  };
  std::visit(Writer{j, value.type, full}, value.value);
}

void write_config(JsonWriter& j, const nlohmann::json& value, bool full) {
  switch (value.type()) {
    case nlohmann::json::value_t::object:
      j.begin_object();
      for (const auto& [key, item] : value.items()) {
        j.key(key);
        write_config(j, item, full);
      }
      j.end_object();
      break;
    case nlohmann::json::value_t::array:
      if (value.size() > kLongestArray && !full) {
        write_count(j, value.front().type_name(), value.size());
        break;
      }
      j.begin_array();
      for (const auto& item : value) write_config(j, item, full);
      j.end_array();
      break;
    case nlohmann::json::value_t::string: j.value(value.get_ref<const std::string&>()); break;
    case nlohmann::json::value_t::boolean: j.value(value.get<bool>()); break;
    case nlohmann::json::value_t::number_integer: j.value(value.get<std::int64_t>()); break;
    case nlohmann::json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        j.value(value.get<std::int64_t>());
      else
        j.value(value.get<double>());
      break;
    case nlohmann::json::value_t::number_float: j.value(value.get<double>()); break;
    default: j.null(); break;
  }
}

void write_shape(JsonWriter& j, const std::array<std::int64_t, 4>& shape, std::int32_t n_dims) {
  j.key("shape").begin_array();
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::clamp(n_dims, 0, 4)); ++i) j.value(shape[i]);
  j.end_array();
}

void write_file(JsonWriter& j, const GgufFile& file, bool full) {
  j.field("tensor_bytes", file.tensor_bytes).field("data_bytes", file.data_bytes).field("data_offset", file.data_offset);
  j.field("declared_file_bytes", file.declared_file_bytes).field("file_bytes", file.file_bytes).field("complete", file.is_complete());
  j.field("bits_per_weight", file.tensors.empty() ? std::nullopt : std::optional(bits_per_weight(file)));
  j.field("gguf_version", static_cast<std::int64_t>(file.version)).field("big_endian", file.big_endian).field("alignment", file.alignment);
  j.key("shards").begin_array();
  for (const auto& s : file.shards) {
    j.begin_object().field("file", as_utf8(s.path.filename().string())).field("header_bytes", s.header_bytes).field("data_offset", s.data_offset);
    j.field("tensor_bytes", s.tensor_bytes)
        .field("data_bytes", s.data_bytes)
        .field("declared_file_bytes", s.declared_file_bytes)
        .field("file_bytes", s.file_bytes)
        .end_object();
  }
  j.end_array().key("formats").begin_array();
  for (const auto& f : format_shares(file)) {
    j.begin_object()
        .field("name", tensor_format(f.format).name)
        .field("tensors", f.tensors)
        .field("parameters", f.parameters)
        .field("bytes", f.bytes)
        .end_object();
  }
  j.end_array().key("tensors").begin_array();
  for (const auto& t : file.tensors) {
    j.begin_object().field("name", t.name);
    write_shape(j, t.shape, t.n_dims);
    j.field("format", tensor_format(t.format).name).field("bytes", t.bytes).field("offset", t.offset);
    if (file.shards.size() > 1) j.field("shard", static_cast<std::int64_t>(t.shard));
    j.end_object();
  }
  j.end_array().key("metadata").begin_object();
  for (const auto& entry : file.metadata) {
    j.key(entry.key);
    write_value(j, entry.value, full);
  }
  j.end_object();
}

constexpr std::string_view part_name(ModelPart part) {
  switch (part) {
    case ModelPart::text: return "text";
    case ModelPart::mtp: return "mtp";
    case ModelPart::vision: return "vision";
    case ModelPart::audio: return "audio";
  }
  return "text";
}

void write_prediction(JsonWriter& j, const Inspection& in, bool full) {
  for (const auto* key : {"tensor_bytes", "data_bytes", "data_offset", "declared_file_bytes", "file_bytes"}) j.key(key).null();
  j.key("tensors").begin_array();
  for (const auto& t : in.model->tensors) {
    j.begin_object().field("name", t.name);
    write_shape(j, t.shape, t.n_dims);
    j.key("format").null().key("bytes").null().key("offset").null().field("part", part_name(t.part)).field("parameter", t.is_parameter).end_object();
  }
  j.end_array().key("metadata");
  write_config(j, nlohmann::json::parse(in.config_json, nullptr, false), full);
}

}  // namespace

Inspection inspect(const fs::path& given) {
  Inspection in;
  in.path = given;
  std::error_code status;
  if (fs::is_directory(in.path, status)) in.path /= "config.json";
  if (!fs::exists(in.path, status)) throw Error(ErrorKind::invalid_file, printable_path(in.path) + ": no such file");
  if (text::equal_ignoring_case(in.path.extension().string(), ".json")) {
    in.config_json = read_text_file(in.path, kLargestConfig, "config.json");
    in.model = build_model(hyperparameters_from_config(in.config_json, printable_path(in.path)));
    in.architecture = in.model->hyperparameters.architecture;
    in.parameters_total = in.model->parameters().total;
    return in;
  }
  in.file = read_gguf_header(in.path);
  in.architecture = as_utf8(text_of(*in.file, "general.architecture"));
  in.name = as_utf8(text_of(*in.file, "general.name"));
  in.parameters_total = in.file->n_elements();
  try {
    std::string note;
    in.model = model_from_gguf(*in.file, &note);
    if (!note.empty()) in.notes.push_back(note);
  } catch (const Error& e) {
    in.notes.emplace_back(e.what());
  }
  if (!in.file->is_complete()) in.notes.emplace_back("the file holds a header only, or is cut short: sizes are those that the header declares");
  return in;
}

std::vector<FormatShare> format_shares(const GgufFile& file) {
  std::vector<FormatShare> out;
  for (const auto& t : file.tensors) {
    auto it = std::find_if(out.begin(), out.end(), [&](const FormatShare& f) { return f.format == t.format; });
    if (it == out.end()) it = out.insert(out.end(), {t.format, 0, 0, 0});
    ++it->tensors;
    it->parameters += t.n_elements();
    it->bytes += t.bytes;
  }
  std::stable_sort(out.begin(), out.end(), [](const FormatShare& a, const FormatShare& b) { return a.bytes > b.bytes; });
  return out;
}

double bits_per_weight(const GgufFile& file) {
  const auto n = file.n_elements();
  return n > 0 ? 8.0 * static_cast<double>(file.tensor_bytes) / static_cast<double>(n) : 0.0;
}

std::string preview(const GgufValue& value, std::size_t width) {
  const std::size_t most = width == 0 ? std::numeric_limits<std::size_t>::max() : width;
  struct Previewer {
    GgufType type;
    std::size_t most;
    std::string operator()(std::uint64_t n) const { return std::to_string(n); }
    std::string operator()(std::int64_t n) const { return std::to_string(n); }
    std::string operator()(double d) const { return fmt::format("{}", type == GgufType::f32 ? short_float(d) : d); }
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(const std::string& s) const { return printable(s, most); }
    std::string operator()(const GgufArray& a) const {
      std::string kind = fmt::format("[{} x {}]", a.size(), to_string(a.element_type()));
      std::vector<std::string> items;
      // An element takes two characters at least: no need to decode a vocabulary to see that it is too long.
      if (a.size() > most / 2 || a.element_type() == GgufType::array) return kind;
      try {
        if (a.element_type() == GgufType::string) {
          for (const auto s : a.strings()) items.push_back("\"" + printable(s, most) + "\"");
        } else if (a.element_type() == GgufType::f32 || a.element_type() == GgufType::f64) {
          for (const auto d : a.numbers()) items.push_back(fmt::format("{}", a.element_type() == GgufType::f32 ? short_float(d) : d));
        } else {
          for (const auto n : a.integers()) items.push_back(a.element_type() == GgufType::boolean ? (n != 0 ? "true" : "false") : std::to_string(n));
        }
      } catch (const Error&) {
        return kind;
      }
      auto out = fmt::format("[{}]", fmt::join(items, ", "));
      return out.size() <= most ? out : kind;
    }
  };
  return std::visit(Previewer{value.type, most}, value.value);
}

std::string to_json(const Inspection& in, bool full) {
  JsonWriter j;
  j.begin_object().field("schema", "planner.inspect/1").field("file", as_utf8(in.path.string())).field("kind", in.file ? "gguf" : "config");
  j.key("architecture").text_or_null(in.architecture).key("name").text_or_null(in.name).field("parameters_total", in.parameters_total);
  std::optional<ParameterCounts> counts;
  if (in.model) counts = in.model->parameters();
  j.field("parameters_active", counts ? std::optional(counts->active) : std::nullopt);
  j.field("layers", in.model ? std::optional(in.model->hyperparameters.n_layers) : std::nullopt)
      .field("kv_layers", in.model ? std::optional(in.model->kv_layers()) : std::nullopt);
  if (in.file)
    write_file(j, *in.file, full);
  else
    write_prediction(j, in, full);
  j.key("notes").begin_array();
  for (const auto& note : in.notes) j.value(as_utf8(note));
  j.end_array().end_object();
  return j.take();
}

}  // namespace planner
