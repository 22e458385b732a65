// llama-bench's output formats.
// Source: tools/llama-bench/llama-bench.cpp (ggml-org/llama.cpp): names, order and types of the fields; the Markdown columns.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "runtime/measurement.h"

namespace planner::runtime {
namespace {

struct Field {
  std::string name;
  std::variant<std::string, std::int64_t, double, bool> value;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<Field> fields(const BenchContext& c, const BenchResult& r) {
  const auto integer = [](double x) { return static_cast<std::int64_t>(std::llround(x)); };
  return {{"build_commit", c.version},
          {"build_number", std::int64_t{0}},
          {"cpu_info", c.cpu},
          {"gpu_info", std::string()},
          {"backends", std::string("CPU")},
          {"model_filename", c.model_filename},
          {"model_type", c.model_type},
          {"model_size", c.model_bytes},
          {"model_n_params", c.model_parameters},
          {"n_batch", c.options.ubatch},
          {"n_ubatch", c.options.ubatch},
          {"n_threads", std::int64_t{c.n_threads}},
          {"cpu_mask", std::string("0x0")},
          {"cpu_strict", false},
          {"poll", std::int64_t{50}},
          {"type_k", lower(tensor_format(c.options.kv_type_k).name)},
          {"type_v", lower(tensor_format(c.options.kv_type_v).name)},
          {"n_gpu_layers", std::int64_t{0}},
          {"n_cpu_moe", std::int64_t{0}},
          {"split_mode", std::string("none")},
          {"main_gpu", std::int64_t{0}},
          {"no_kv_offload", false},
          {"flash_attn", std::int64_t{1}},
          {"devices", std::string("auto")},
          {"tensor_split", std::string("0.00")},
          {"tensor_buft_overrides", std::string("none")},
          {"load_mode", std::string("mmap")},
          {"embeddings", false},
          {"no_op_offload", std::int64_t{0}},
          {"no_host", false},
          {"n_prompt", r.test.n_prompt},
          {"n_gen", r.test.n_gen},
          {"n_depth", r.test.n_depth},
          {"test_time", r.time},
          {"avg_ns", integer(r.avg_ns())},
          {"stddev_ns", integer(r.stddev_ns())},
          {"avg_ts", r.avg_ts()},
          {"stddev_ts", r.stddev_ts()},
          {"gb_per_s", r.gb_per_s()},
          {"bandwidth_gb_per_s", r.bandwidth_bytes_per_s / 1e9},
          {"bandwidth_share", r.bandwidth_share()}};
}

std::string plain(const Field& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) return *text;
  if (const auto* flag = std::get_if<bool>(&field.value)) return *flag ? "1" : "0";
  if (const auto* n = std::get_if<std::int64_t>(&field.value)) return std::to_string(*n);
  return fmt::format("{:.6f}", std::get<double>(field.value));
}

std::string quoted_json(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json_value(const Field& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) return quoted_json(*text);
  if (const auto* flag = std::get_if<bool>(&field.value)) return *flag ? "true" : "false";
  return plain(field);
}

std::string json_object(const BenchContext& c, const BenchResult& r, std::string_view before, std::string_view between) {
  std::string out;
  for (const auto& field : fields(c, r)) out += fmt::format("{}\"{}\": {},{}", before, field.name, json_value(field), between);
  out += fmt::format("{}\"samples_ns\": [ {} ],{}", before, fmt::join(r.samples_ns, ", "), between);
  std::string rates;
  for (const double ts : r.samples_ts()) rates += fmt::format("{}{:.6f}", rates.empty() ? "" : ", ", ts);
  return out + fmt::format("{}\"samples_ts\": [ {} ]", before, rates);
}

std::string quoted_csv(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

/// Columns of the Markdown table: llama-bench's for its CPU back end, and what was added. Negative widths are those of texts.
struct Column {
  std::string_view title;
  int width;
};
constexpr Column kColumns[] = {{"model", -30}, {"size", 10}, {"params", 10}, {"backend", -10}, {"threads", 7},
                               {"test", 15},   {"t/s", 20},  {"GB/s", 8},    {"of peak", 8}};

std::string cell(std::string_view text, int width) {
  const auto n = static_cast<std::size_t>(std::abs(width));
  const auto characters = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  const std::string fill(n > characters ? n - characters : 0, ' ');
  return width < 0 ? std::string(text) + fill : fill + std::string(text);
}

std::string size_text(std::int64_t bytes) {
  const auto mib = static_cast<double>(bytes) / 1024 / 1024;
  return mib < 1024 ? fmt::format("{:.2f} MiB", mib) : fmt::format("{:.2f} GiB", mib / 1024);
}

std::string parameters_text(std::int64_t n) {
  return n < 1000000000 ? fmt::format("{:.2f} M", static_cast<double>(n) / 1e6) : fmt::format("{:.2f} B", static_cast<double>(n) / 1e9);
}

std::string markdown_row(const BenchContext& c, const BenchResult& r) {
  const std::string cells[] = {c.model_type,
                               size_text(c.model_bytes),
                               parameters_text(c.model_parameters),
                               "CPU",
                               std::to_string(c.n_threads),
                               r.test.name(),
                               fmt::format("{:.2f} ± {:.2f}", r.avg_ts(), r.stddev_ts()),
                               fmt::format("{:.2f}", r.gb_per_s()),
                               fmt::format("{:.1f} %", 100 * r.bandwidth_share())};
  std::string out = "|";
  for (std::size_t i = 0; i < std::size(kColumns); ++i) out += " " + cell(cells[i], kColumns[i].width) + " |";
  return out + "\n";
}

/// "1.5B", "135M"
std::string count_text(std::int64_t n) {
  const auto billions = static_cast<double>(n) / 1e9;
  return billions >= 1 ? fmt::format("{:.1f}B", billions) : fmt::format("{:.0f}M", 1000 * billions);
}

/// The mix that general.file_type names; where it names none, the format that most weights have.
std::string mix_name(const GgufFile& header, const Catalog& catalog) {
  if (const auto type = header.find_integer("general.file_type")) {
    for (const auto* quantization : catalog.quantizations()) {
      const auto* recipe = std::get_if<GgufRecipe>(&quantization->recipe);
      if (recipe != nullptr && recipe->file_type == *type) return quantization->name;
    }
  }
  std::vector<std::int64_t> weights(tensor_formats().size());
  for (const auto& tensor : header.tensors) weights[static_cast<std::size_t>(tensor.format)] += tensor.n_elements();
  const auto most = static_cast<FormatId>(std::max_element(weights.begin(), weights.end()) - weights.begin());
  return std::string(tensor_format(most).name);
}

}  // namespace

BenchContext bench_context(const Transformer& model, const Catalog& catalog, const BenchOptions& options, int n_threads, std::string version) {
  const auto& header = model.file().header();
  BenchContext c;
  c.model_filename = header.path.string();
  c.model_bytes = header.tensor_bytes;
  c.model_parameters = header.n_elements();
  c.cpu = cpu_name();
  c.version = std::move(version);
  c.n_threads = n_threads;
  c.options = options;
  c.model_type = fmt::format("{} {} {}", model.description().hyperparameters.architecture, count_text(c.model_parameters), mix_name(header, catalog));
  return c;
}

std::string bench_header(BenchFormat format, const BenchContext& context) {
  switch (format) {
    case BenchFormat::json: return "[\n";
    case BenchFormat::jsonl: return "";
    case BenchFormat::csv: {
      std::string out;
      for (const auto& field : fields(context, {})) out += (out.empty() ? "" : ",") + field.name;
      return out + "\n";
    }
    case BenchFormat::md: break;
  }
  std::string titles = "|", lines = "|";
  for (const auto& column : kColumns) {
    titles += " " + cell(column.title, column.width) + " |";
    lines += " " + std::string(static_cast<std::size_t>(std::abs(column.width)) - 1, '-') + (column.width > 0 ? ": |" : "- |");
  }
  return titles + "\n" + lines + "\n";
}

std::string bench_row(BenchFormat format, const BenchContext& context, const BenchResult& result, bool first) {
  switch (format) {
    case BenchFormat::json: return (first ? "  {\n" : ",\n  {\n") + json_object(context, result, "    ", "\n") + "\n  }";
    case BenchFormat::jsonl: return "{" + json_object(context, result, "", " ") + "}\n";
    case BenchFormat::csv: {
      std::string out;
      for (const auto& field : fields(context, result)) out += (out.empty() ? "" : ",") + quoted_csv(plain(field));
      return out + "\n";
    }
    case BenchFormat::md: break;
  }
  return markdown_row(context, result);
}

std::string bench_footer(BenchFormat format, const BenchContext& context) {
  if (format == BenchFormat::json) return "\n]\n";
  if (format == BenchFormat::md) return fmt::format("\nbuild: {}\n", context.version);
  return "";
}

}  // namespace planner::runtime
