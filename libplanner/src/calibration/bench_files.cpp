// llama-bench's output in its four forms. Field names: tools/llama-bench of ggml-org/llama.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "calibration/observations.h"
#include "calibration/table.h"
#include "core/text.h"
#include "planner/error.h"
#include "planner/measurement.h"

namespace planner {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

/// Why a line is not taken.
struct Refusal {
  std::string reason;
};
[[noreturn]] void refuse(std::string reason) { throw Refusal{std::move(reason)}; }

std::string field(const Fields& f, std::string_view key) {
  const auto it = f.find(key);
  return it == f.end() ? std::string() : it->second;
}

const std::string& needed(const Fields& f, std::string_view key) {
  const auto it = f.find(key);
  if (it == f.end()) refuse(fmt::format("there is no column '{}'", key));
  if (text::trim(it->second).empty()) refuse(fmt::format("'{}' is empty", key));
  return it->second;
}

/// A number that is finite and not negative.
double number(const Fields& f, std::string_view key) {
  const auto& typed = needed(f, key);
  const auto v = text::parse_double(text::trim(typed));
  if (!v || !std::isfinite(*v)) refuse(fmt::format("'{}' is '{}', expected a number", key, typed.substr(0, 40)));
  if (*v < 0) refuse(fmt::format("'{}' is {}, below zero", key, typed.substr(0, 40)));
  return *v;
}

double number_or(const Fields& f, std::string_view key, double otherwise) { return field(f, key).empty() ? otherwise : number(f, key); }

bool is_true(std::string_view s) { return s == "1" || text::equal_ignoring_case(s, "true") || text::equal_ignoring_case(s, "on"); }

/// "Q4_K - Medium" -> "Q4_K_M", "IQ2_XXS - 2.0625 bpw" -> "IQ2_XXS", "MXFP4 MoE" -> "MXFP4", "all F32" -> "F32".
std::string mix_of_type(std::string_view type) {
  const auto dash = type.find(" - ");
  std::string base(text::trim(type.substr(0, dash)));
  if (const auto space = base.find_last_of(' '); space != std::string::npos) base = base.substr(space + 1) == "MoE" ? base.substr(0, space) : base.substr(space + 1);
  if (const auto space = base.find_last_of(' '); space != std::string::npos) base = base.substr(space + 1);
  if (dash == std::string_view::npos) return base;
  const auto size = text::trim(type.substr(dash + 3));
  if (size == "Small") return base + "_S";
  if (size == "Medium") return base == "Q2_K" ? base : base + "_M";
  if (size == "Large") return base + "_L";
  return base;
}

/// The last part of a path, without ".gguf" and the number of a split's part.
std::string file_stem(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  std::string stem(slash == std::string_view::npos ? path : path.substr(slash + 1));
  if (text::ends_with(text::to_lower(stem), ".gguf")) stem.resize(stem.size() - 5);
  if (const auto of = stem.find("-of-"); of != std::string::npos && of > 6) stem.resize(of - 6);
  return stem;
}

std::string backend_of(std::string_view backends) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"cuda", "cuda"}, {"rocm", "rocm"}, {"hip", "rocm"}, {"metal", "metal"}, {"mtl", "metal"}, {"vulkan", "vulkan"}, {"sycl", "sycl"}};
  const auto lower = text::to_lower(backends);
  for (const auto& [name, id] : kNames) {
    if (text::contains(lower, name)) return std::string(id);
  }
  return "cpu";
}

/// Turns lines into measurements; remembers the first one's model and device, which all others must share.
class Importer {
 public:
  Importer(const std::filesystem::path& path, const ImportOptions& options, const Catalog& catalog) : file_(path.filename().string()), options_(options), catalog_(catalog) {
    if (!options.device.empty()) device_ = catalog.resolve_device(options.device).device;
    if (!options.model.empty()) model_ = &catalog.resolve_model(options.model);
  }

  void take(std::int64_t line, const Fields& fields) {
    try {
      for (auto& m : measured(line, fields)) out_.accepted.push_back(std::move(m));
    } catch (const Refusal& r) {
      out_.refused.push_back({line, r.reason});
    } catch (const Error& e) {
      out_.refused.push_back({line, e.what()});
    }
  }
  void refuse_line(std::int64_t line, std::string reason) { out_.refused.push_back({line, std::move(reason)}); }
  /// Device that the program printed above its table.
  void saw_device(std::string name) { printed_devices_.push_back(std::move(name)); }
  ImportedFile finish() { return std::move(out_); }

 private:
  std::vector<Measurement> measured(std::int64_t line, const Fields& f);
  const Device& device_of(const Fields& f, Measurement& m);
  const ModelEntry& model_of(const Fields& f);
  const ModelEntry* model_by_size(const Fields& f) const;
  std::string mix_of(const Fields& f) const;
  void check_rate(const Measurement& m);

  std::string file_;
  ImportOptions options_;
  const Catalog& catalog_;
  const Device* device_ = nullptr;     ///< asked for
  const ModelEntry* model_ = nullptr;  ///< asked for
  std::string first_device_, first_model_, first_file_;
  std::vector<std::string> printed_devices_;
  std::map<std::string, const ModelEntry*> by_size_;
  calibration::Observations observations_;
  ImportedFile out_;
};

const Device& Importer::device_of(const Fields& f, Measurement& m) {
  m.backend = backend_of(field(f, "backends").empty() ? field(f, "backend") : field(f, "backends"));
  std::string name = field(f, "gpu_info");
  if (m.backend == "cpu" || field(f, "n_gpu_layers") == "0") {
    m.backend = "cpu";
    name = field(f, "cpu_info");
  }
  if (name.empty() && !printed_devices_.empty() && m.backend != "cpu") {
    for (const auto& d : printed_devices_) name += (name.empty() ? "" : ", ") + d;
  }
  const auto names = text::split(name, ',');
  m.devices = std::max<std::int64_t>(1, static_cast<std::int64_t>(names.size()));
  for (const auto n : names) {
    if (text::trim(n) != text::trim(names.front())) refuse("the devices '" + name + "' are not of one kind");
  }
  if (device_ != nullptr) return *device_;
  if (text::trim(name).empty()) refuse("no device is named: say which with --gpu");
  std::string first(text::trim(names.front()));
  for (const std::string_view noise : {"(R)", "(TM)", " Processor", " CPU"}) {
    for (auto at = first.find(noise); at != std::string::npos; at = first.find(noise)) first.erase(at, noise.size());
  }
  return *catalog_.resolve_device(first).device;
}

std::string Importer::mix_of(const Fields& f) const {
  const auto type = field(f, "model_type").empty() ? field(f, "model") : field(f, "model_type");
  std::string mix = mix_of_type(type);
  std::unique_ptr<Quantization> made;
  return catalog_.resolve_quantization(mix, made).name;
}

const ModelEntry* Importer::model_by_size(const Fields& f) const {
  const auto parameters = text::parse_double(text::trim(field(f, "model_n_params")));
  if (!parameters || *parameters <= 0) return nullptr;
  const auto type = field(f, "model_type");
  const auto architecture = type.substr(0, type.find(' '));
  constexpr double kSame = 0.002;
  // Models of one geometry are as fast as each other: the one that others are made from stands for them.
  const ModelEntry* found = nullptr;
  for (const auto* entry : catalog_.models()) {
    const auto* model = entry->find_model();
    if (model == nullptr || model->hyperparameters.architecture != architecture) continue;
    if (std::fabs(static_cast<double>(model->parameters().total) / *parameters - 1) > kSame) continue;
    if (entry->base_model.empty()) return entry;
    if (found == nullptr) found = entry;
  }
  return found;
}

const ModelEntry& Importer::model_of(const Fields& f) {
  if (model_ != nullptr) return *model_;
  const auto path = field(f, "model_filename");
  if (!path.empty()) {
    // "Meta-Llama-3.1-8B-Instruct-Q4_K_M": shortened from the end until a model answers to it.
    std::string name = file_stem(path);
    while (!name.empty()) {
      try {
        return catalog_.resolve_model(name);
      } catch (const Error&) {
        const auto cut = name.find_last_of("-_.");
        if (cut == std::string::npos || cut < 4) break;
        name.resize(cut);
      }
    }
  }
  const auto key = field(f, "model_type") + '|' + field(f, "model_n_params");
  auto it = by_size_.find(key);
  if (it == by_size_.end()) it = by_size_.emplace(key, model_by_size(f)).first;
  if (it->second != nullptr) return *it->second;
  const auto shown = path.empty() ? (field(f, "model").empty() ? field(f, "model_type") : field(f, "model")) : file_stem(path);
  refuse(fmt::format("no known model is named '{}': say which with --model", shown.substr(0, 80)));
}

std::vector<Measurement> Importer::measured(std::int64_t line, const Fields& f) {
  Measurement m;
  // Numbers first: a line of noise has none.
  const bool is_table = f.contains("t/s");
  double prompt = 0, generated = 0;
  if (is_table) {
    const std::string test(text::trim(needed(f, "test")));
    std::string_view rest = test;
    if (const auto at = rest.find(" @ d"); at != std::string_view::npos) {
      const auto depth = text::parse_int(rest.substr(at + 4));
      if (!depth || *depth < 0) refuse("the test '" + test.substr(0, 40) + "' has no depth behind @ d");
      m.depth = static_cast<double>(*depth);
      rest = rest.substr(0, at);
    }
    const auto n = rest.size() > 2 ? text::parse_int(rest.substr(2)) : std::nullopt;
    if (!n || *n < 1 || !(rest.starts_with("pp") || rest.starts_with("tg"))) refuse("the test '" + test.substr(0, 40) + "' is neither ppN nor tgN");
    (rest.starts_with("pp") ? prompt : generated) = static_cast<double>(*n);
    std::string_view rate = text::trim(needed(f, "t/s"));
    rate = text::trim(rate.substr(0, rate.find("±")));
    const auto v = text::parse_double(rate);
    if (!v || !std::isfinite(*v)) refuse("t/s is '" + std::string(rate.substr(0, 40)) + "', expected a number");
    if (*v < 0) refuse("t/s is below zero");
    m.tokens_per_s = *v;
  } else {
    prompt = number(f, "n_prompt"), generated = number(f, "n_gen");
    m.depth = number_or(f, "n_depth", 0);
    m.tokens_per_s = number(f, "avg_ts");
    m.ubatch = number_or(f, "n_ubatch", 0);
  }
  if (m.tokens_per_s <= 0) refuse("the rate is zero");
  if (prompt > 0 && generated > 0) refuse("prompt and generation are timed together: one rate cannot be told from the other");
  if (prompt <= 0 && generated <= 0) refuse("neither a prompt nor generated tokens are timed");
  constexpr double kMostTokens = 1e9;
  if (prompt > kMostTokens || generated > kMostTokens || m.depth > kMostTokens) refuse("more tokens than any run has");
  m.test = prompt > 0 ? MeasuredTest::prefill : MeasuredTest::decode;
  m.tokens = prompt + generated;
  const auto flash = field(f, "flash_attn").empty() ? field(f, "fa") : field(f, "flash_attn");
  if (!flash.empty()) m.flash_attention = is_true(flash);
  for (const char* key : {"type_k", "type_v"}) {
    if (const auto type = field(f, key); !type.empty() && type != "f16") refuse(fmt::format("{} is {}: only caches of f16 are compared", key, type));
  }

  const auto& device = device_of(f, m);
  const auto& model = model_of(f);
  const auto file = field(f, "model_filename");
  if (first_model_.empty()) first_model_ = model.id, first_device_ = device.id, first_file_ = file;
  if (model.id != first_model_) refuse(fmt::format("it measures {}, the lines before {}: one model a file", model.id, first_model_));
  if (model_ != nullptr && !file.empty() && !first_file_.empty()) {
    // With --model the names are not compared with the catalog, but must agree among themselves up to the mix.
    const auto common = [](std::string name) { return text::to_lower(name.substr(0, name.find_last_of("-_."))); };
    if (common(file_stem(file)) != common(file_stem(first_file_)) && file_stem(file) != file_stem(first_file_)) {
      refuse(fmt::format("it measures '{}', the lines before '{}': one model a file", file_stem(file).substr(0, 60), file_stem(first_file_).substr(0, 60)));
    }
  }
  if (device.id != first_device_) refuse(fmt::format("it ran on {}, the lines before on {}: one device a file", device.id, first_device_));
  m.device = device.id;
  m.model = model.id;
  m.quantization = mix_of(f);
  m.engine = "llama.cpp";
  if (const auto build = field(f, "build_number"); !build.empty()) m.version = "b" + build;
  if (m.devices > 1) m.split = field(f, "split_mode").empty() ? "layer" : field(f, "split_mode");
  if (const auto bytes = text::parse_double(text::trim(field(f, "model_size"))); bytes && *bytes > 0) m.size_gib = *bytes / 0x1p30;
  if (const auto time = field(f, "test_time"); time.size() >= 7) {
    const auto year = text::parse_int(time.substr(0, 4));
    const auto month = text::parse_int(time.substr(5, 2));
    if (year && month) m.year = static_cast<double>(*year) + (static_cast<double>(*month) - 0.5) / 12;
  }
  m.id = fmt::format("{}:{}", file_, line);
  m.source = file_;
  check_rate(m);
  return {m};
}

/// Refuses what would take more than the device's theoretical rates.
void Importer::check_rate(const Measurement& m) {
  std::string reason;
  if (!observations_.add(m, observations_.all().size(), catalog_, reason)) refuse(reason);
  const auto& o = observations_.all().back();
  double bytes = 0, matrices = 0;
  for (const auto& term : o.terms) {
    if (term.part == throughput::Part::weights) bytes += term.seconds;
    if (term.part == throughput::Part::matrices) matrices += term.seconds;
  }
  const double seconds = std::exp(o.log_seconds) * static_cast<double>(m.devices);
  // Per-layer tables are read in part, INT8 runs at twice the 16-bit rate, old cards at four times FP32: room for them.
  constexpr double kBytesRoom = 1.25, kMatrixRoom = 5;
  if (m.test == MeasuredTest::decode && seconds * kBytesRoom < bytes) {
    refuse(fmt::format("{:.4g} tokens/s would read {:.1f} times the bandwidth of {}", m.tokens_per_s, bytes / seconds, m.device));
  }
  if (m.test == MeasuredTest::prefill && seconds * kMatrixRoom < matrices) {
    refuse(fmt::format("{:.4g} tokens/s would compute {:.1f} times the peak of {}", m.tokens_per_s, matrices / seconds, m.device));
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The four forms
// ---------------------------------------------------------------------------------------------------------------------

std::string text_of(const nlohmann::json& v) {
  if (v.is_string()) return v.get<std::string>();
  if (v.is_boolean()) return v.get<bool>() ? "1" : "0";
  return v.is_null() ? std::string() : v.dump();
}

void take_object(Importer& importer, std::int64_t line, const nlohmann::json& object) {
  if (!object.is_object()) return importer.refuse_line(line, "is no JSON object");
  Fields fields;
  for (const auto& [key, value] : object.items()) fields[key] = value.is_primitive() ? text_of(value) : std::string();
  importer.take(line, fields);
}

void read_json(Importer& importer, const std::string& content, const std::string& shown) {
  nlohmann::json root;
  try {
    root = nlohmann::json::parse(content);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::invalid_file, fmt::format("{}: not JSON: {}", shown, e.what()));
  }
  // Lines of an array: entries, counted from one.
  std::int64_t entry = 0;
  for (const auto& object : root) take_object(importer, ++entry, object);
}

void read_json_lines(Importer& importer, const std::string& content) {
  std::int64_t n = 0;
  for (const auto line : text::split(content, '\n')) {
    ++n;
    if (text::trim(line).empty()) continue;
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (object.is_discarded()) importer.refuse_line(n, "is not JSON");
    else take_object(importer, n, object);
  }
}

void read_csv(Importer& importer, const std::string& content) {
  std::vector<std::string> heading;
  calibration::read_table(content, [&](std::int64_t line, const std::vector<std::string>& row) {
    if (heading.empty()) {
      heading = row;
      return;
    }
    if (row.size() != heading.size()) return importer.refuse_line(line, fmt::format("{} columns, the heading has {}", row.size(), heading.size()));
    Fields fields;
    for (std::size_t i = 0; i < row.size(); ++i) fields[heading[i]] = row[i];
    importer.take(line, fields);
  });
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> out;
  line = text::trim(line);
  if (line.starts_with("|")) line.remove_prefix(1);
  if (text::ends_with(line, "|")) line.remove_suffix(1);
  for (const auto cell : text::split(line, '|')) out.emplace_back(text::trim(cell));
  return out;
}

void read_markdown(Importer& importer, const std::string& content) {
  std::vector<std::string> heading;
  std::int64_t n = 0;
  for (const auto raw : text::split(content, '\n')) {
    ++n;
    const auto line = text::trim(raw);
    // "  Device 0: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes"
    if (const auto colon = line.find(": "); line.starts_with("Device ") && colon != std::string_view::npos && colon < 12) {
      const auto rest = line.substr(colon + 2);
      importer.saw_device(std::string(rest.substr(0, rest.find(','))));
    }
    if (!line.starts_with("|")) continue;
    const auto cells = cells_of(line);
    const bool is_rule = line.find_first_not_of("|-: ") == std::string_view::npos;
    if (is_rule) continue;
    if (std::find(cells.begin(), cells.end(), "t/s") != cells.end()) {
      heading = cells;
      continue;
    }
    if (heading.empty()) {
      importer.refuse_line(n, "stands before any heading with a column 't/s'");
      continue;
    }
    if (cells.size() != heading.size()) {
      importer.refuse_line(n, fmt::format("{} columns, the heading has {}", cells.size(), heading.size()));
      continue;
    }
    Fields fields;
    for (std::size_t i = 0; i < cells.size(); ++i) fields[heading[i]] = cells[i];
    fields["model_type"] = field(fields, "model");
    fields["n_gpu_layers"] = field(fields, "ngl");
    if (const auto ubatch = field(fields, "n_ubatch"); !ubatch.empty()) fields["n_ubatch"] = ubatch;
    const auto params = field(fields, "params");
    // "8.03 B": as precise as it is printed.
    if (const auto space = params.find(' '); space != std::string::npos) {
      if (const auto v = text::parse_double(params.substr(0, space))) fields["model_n_params"] = fmt::format("{}", *v * (params.substr(space + 1) == "M" ? 1e6 : 1e9));
    }
    const auto size = field(fields, "size");
    if (const auto space = size.find(' '); space != std::string::npos) {
      if (const auto v = text::parse_double(size.substr(0, space))) fields["model_size"] = fmt::format("{}", *v * (size.substr(space + 1) == "MiB" ? 0x1p20 : 0x1p30));
    }
    importer.take(n, fields);
  }
}

bool has_csv_heading(std::string_view line) { return text::contains(line, "avg_ts") || (text::contains(line, "n_prompt") && text::contains(line, ",")); }

bool has_table(std::string_view content) {
  for (const auto line : text::split(content, '\n')) {
    if (text::trim(line).starts_with("|") && text::contains(line, "t/s")) return true;
  }
  return false;
}

}  // namespace

ImportedFile import_bench(const std::filesystem::path& path, const ImportOptions& options, const Catalog& catalog) {
  const auto shown = path.string();
  Importer importer(path, options, catalog);
  std::error_code status;
  const auto size = std::filesystem::file_size(path, status);
  if (status) throw Error(ErrorKind::invalid_file, shown + ": cannot be read: " + status.message());
  if (size > kLargestImport) throw Error(ErrorKind::invalid_file, fmt::format("{}: {} MiB, larger than any result of llama-bench (at most {} MiB)", shown, size >> 20, kLargestImport >> 20));
  std::ifstream in(path, std::ios::binary);
  std::stringstream stream;
  stream << in.rdbuf();
  if (!in) throw Error(ErrorKind::invalid_file, shown + ": cannot be read");
  const std::string content = std::move(stream).str();
  const auto start = content.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) throw Error(ErrorKind::invalid_file, shown + ": is empty");
  const std::string_view body = std::string_view(content).substr(start);
  if (body.front() == '[') read_json(importer, content, shown);
  else if (body.front() == '{') read_json_lines(importer, content);
  else if (has_csv_heading(body.substr(0, body.find('\n')))) read_csv(importer, content);
  else if (has_table(content)) read_markdown(importer, content);
  else throw Error(ErrorKind::invalid_file, shown + ": none of llama-bench's forms (json, jsonl, csv, md): the first line has no column 'avg_ts', and no table has 't/s'");
  return importer.finish();
}

}  // namespace planner
