// Build tool: reads data/*.yaml, checks every entry, and writes the compiled facts as C++.
//   planner-datagen OUT.cpp DATA_FOLDER
//   planner-datagen --embed OUT.cpp FUNCTION=FILE...     files as they stand, each returned by a function of planner::calibration
// Exit status 1 with "file:line: problem" when an entry is wrong.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "catalog/link.h"
#include "catalog/readers.h"
#include "catalog/speed_groups.h"
#include "core/text.h"
#include "planner/error.h"

namespace {

using namespace planner;
namespace fs = std::filesystem;

void check_reads(const Record& r) {
  switch (r.kind) {
    case RecordKind::device: (void)read_device(r); break;
    case RecordKind::model: (void)read_model(r); break;
    case RecordKind::quantization: (void)read_quantization(r), (void)read_parametric(r); break;
    case RecordKind::engine: (void)read_engine(r); break;
    case RecordKind::publisher: (void)read_publisher(r); break;
    case RecordKind::tokenizer: (void)read_tokenizer(r); break;
    case RecordKind::tokenizer_fallback: (void)read_tokenizer_averages(r); break;
    case RecordKind::speed: (void)read_speed(r); break;
    case RecordKind::platform: (void)read_platform(r); break;
    default: break;
  }
}

/// No two entries of a kind answer to the same name.
void check_unique(const std::vector<Record>& records) {
  std::map<std::pair<RecordKind, std::string>, const Record*> ids;
  std::map<std::pair<RecordKind, std::string>, const Record*> common;
  for (const auto& r : records) {
    const auto keys = keys_of(r);
    const auto claim = [&](auto& table, const std::string& key, const char* what) {
      const auto [it, fresh] = table.emplace(std::pair(r.kind, key), &r);
      if (!fresh && it->second != &r) {
        throw Error(ErrorKind::invalid_file, fmt::format("{}: '{}' answers to the {} '{}', as does '{}' ({})", r.place(), r.id, what, key, it->second->id, it->second->place()));
      }
    };
    for (const auto& key : keys.exact) claim(ids, key, "name");
    for (const auto& key : keys.common) claim(common, key, "common name");
  }
}

std::string escaped(std::string_view bytes) {
  std::string out;
  std::size_t on_line = 0;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    // Three-digit octal never swallows what follows.
    if (c == '"' || c == '\\') out += fmt::format("\\{}", c);
    else if (u >= 0x20 && u < 0x7f && c != '?') out += c;
    else out += fmt::format("\\{:03o}", u);
    if (++on_line % 4096 == 0) out += "\"\n\"";
  }
  return out;
}

std::string lines(const std::vector<std::string>& keys) {
  std::string out;
  for (const auto& key : keys) out += (out.empty() ? "" : "\n") + key;
  return out;
}

std::string literal(std::string_view bytes) { return fmt::format("{{\"{}\", {}}}", escaped(bytes), bytes.size()); }

constexpr const char* kKindNames[] = {"device", "model", "quantization", "engine", "tokenizer", "tokenizer_fallback", "evaluation", "quality", "platform", "speed", "publisher"};

void write(const fs::path& out_path, const std::string& code) {
  const fs::path partial = out_path.string() + ".part";
  std::ofstream out(partial, std::ios::binary);
  out << code;
  out.close();
  if (!out) throw Error(ErrorKind::invalid_file, partial.string() + ": cannot be written");
  fs::rename(partial, out_path);
}

int run(const fs::path& out_path, const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());

  std::vector<Record> records;
  for (const auto& file : files) {
    auto more = read_records(file, "data/" + fs::relative(file, folder).generic_string());
    records.insert(records.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  link_records(records, [](RecordKind, const std::string&) { return nullptr; });
  for (const auto& r : records) check_reads(r);
  check_unique(records);

  std::string code = "// Generated from data/ by planner-datagen.\n#include \"catalog/builtin.h\"\n\nnamespace planner {\nnamespace {\n\nconstexpr BuiltinRecord kRecords[] = {\n";
  for (const auto& r : records) {
    const auto keys = keys_of(r);
    const auto cbor = nlohmann::json::to_cbor(r.value);
    code += fmt::format("    {{RecordKind::{}, {}, {}, {}, {},\n     {}}},\n", kKindNames[static_cast<std::size_t>(r.kind)], literal(r.id), literal(lines(keys.exact)),
                        literal(lines(keys.common)), literal(r.place()), literal({reinterpret_cast<const char*>(cbor.data()), cbor.size()}));
  }
  code += "};\n\n}  // namespace\n\nstd::span<const BuiltinRecord> builtin_records() { return kRecords; }\n\n}  // namespace planner\n";

  write(out_path, code);
  return 0;
}

int embed(const fs::path& out_path, int n, char** files) {
  std::string code = "// Generated by planner-datagen.\n#include \"calibration/builtin_measurements.h\"\n\nnamespace planner::calibration {\n\n";
  for (int i = 0; i < n; ++i) {
    const std::string pair = files[i];
    const auto equals = pair.find('=');
    if (equals == std::string::npos) throw Error(ErrorKind::usage, "'" + pair + "': expected FUNCTION=FILE");
    std::ifstream in(pair.substr(equals + 1), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    if (!in) throw Error(ErrorKind::invalid_file, pair.substr(equals + 1) + ": cannot be read");
    code += fmt::format("std::string_view {}() {{ return {}; }}\n\n", pair.substr(0, equals), literal(content));
  }
  write(out_path, code + "}  // namespace planner::calibration\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::string_view(argv[1]) == "--embed") {
    try {
      return embed(argv[2], argc - 3, argv + 3);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      return 1;
    }
  }
  if (argc != 3) {
    std::fprintf(stderr, "usage: planner-datagen OUT.cpp DATA_FOLDER\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
