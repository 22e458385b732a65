#include <yaml-cpp/yaml.h>

#include <fstream>
#include <sstream>

#include "catalog/record.h"
#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

[[noreturn]] void fail(const std::string& file, int line, const std::string& problem) {
  throw Error(ErrorKind::invalid_file, file + ":" + std::to_string(line) + ": " + problem);
}

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

constexpr int kDeepest = 64;

constexpr std::size_t kMostNodes = 1'000'000;  // aliases may name a list of lists of lists ...

nlohmann::json to_json(const YAML::Node& node, const std::string& file, std::size_t& nodes, int depth = 0) {
  if (depth > kDeepest) fail(file, line_of(node), "nested too deeply");
  if (++nodes > kMostNodes) fail(file, line_of(node), "more than a million values, counting what aliases repeat");
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null: return nullptr;
    case YAML::NodeType::Sequence: {
      auto out = nlohmann::json::array();
      for (const auto& item : node) out.push_back(to_json(item, file, nodes, depth + 1));
      return out;
    }
    case YAML::NodeType::Map: {
      auto out = nlohmann::json::object();
      for (const auto& item : node) {
        const auto key = item.first.as<std::string>();
        if (out.contains(key)) fail(file, line_of(item.first), "key '" + key + "' is given twice");
        out[key] = to_json(item.second, file, nodes, depth + 1);
      }
      return out;
    }
    case YAML::NodeType::Scalar: break;
  }
  const std::string& scalar = node.Scalar();
  if (node.Tag() == "!") return scalar;  // quoted: a string whatever it looks like
  if (scalar == "true") return true;
  if (scalar == "false") return false;
  if (scalar == "null" || scalar == "~") return nullptr;
  if (const auto i = text::parse_int(scalar)) return *i;
  if (const auto d = text::parse_double(scalar)) return *d;
  return scalar;
}

nlohmann::json to_json(const YAML::Node& node, const std::string& file) {
  std::size_t nodes = 0;
  return to_json(node, file, nodes);
}

Record make_record(RecordKind kind, const YAML::Node& node, const std::string& file, const char* id_key) {
  if (!node.IsMap()) fail(file, line_of(node), "expected an entry with keys");
  Record r;
  r.kind = kind;
  r.file = file;
  r.line = line_of(node);
  r.value = to_json(node, file);
  for (const auto& item : node) r.key_lines[item.first.as<std::string>()] = line_of(item.first);
  if (id_key != nullptr) {
    const auto it = r.value.find(id_key);
    if (it == r.value.end() || !it->is_string() || it->get<std::string>().empty()) fail(file, r.line, std::string("the entry lacks '") + id_key + "'");
    r.id = it->get<std::string>();
  }
  return r;
}

/// Keys of the file that each entry inherits where it has none of its own.
void inherit(Record& r, const YAML::Node& root, std::initializer_list<const char*> keys, const std::string& file) {
  for (const char* key : keys) {
    if (root[key] && !r.value.contains(key)) r.value[key] = to_json(root[key], file);
  }
}

/// Replaces {uses: GROUP} by the group's rules, and adds those that the file's recipes all end with.
void expand_rules(Record& r, const YAML::Node& groups, const YAML::Node& always, const std::string& file) {
  if (!r.value.contains("rules")) return;
  auto expanded = nlohmann::json::array();
  for (const auto& rule : r.value["rules"]) {
    if (!rule.is_object() || !rule.contains("uses")) {
      expanded.push_back(rule);
      continue;
    }
    const auto name = rule["uses"].get<std::string>();
    if (!groups || !groups[name]) fail(file, r.line, "quantization '" + r.id + "' uses the unknown group '" + name + "'");
    for (const auto& item : groups[name]) expanded.push_back(to_json(item, file));
  }
  for (const auto& item : always) {
    auto rule = to_json(item, file);
    if (const auto mixes = rule.find("mixes"); mixes != rule.end()) {
      if (std::find(mixes->begin(), mixes->end(), r.id) == mixes->end()) continue;
      rule.erase("mixes");
    }
    expanded.push_back(std::move(rule));
  }
  r.value["rules"] = std::move(expanded);
}

struct ListKind {
  const char* key;
  RecordKind kind;
  const char* id_key;  ///< null: entries have no id
};
constexpr ListKind kLists[] = {
    {"devices", RecordKind::device, "id"},           {"quantizations", RecordKind::quantization, "name"},
    {"engines", RecordKind::engine, "id"},           {"tokenizers", RecordKind::tokenizer, "id"},
    {"fallbacks", RecordKind::tokenizer_fallback, nullptr}, {"evaluations", RecordKind::evaluation, nullptr},
    {"quality", RecordKind::quality, nullptr},       {"platforms", RecordKind::platform, "id"},
    {"speed", RecordKind::speed, "id"},              {"publishers", RecordKind::publisher, "id"},
};

std::vector<Record> records_of(const YAML::Node& root, const std::string& file) {
  std::vector<Record> out;
  if (root.IsNull()) return out;
  if (!root.IsMap()) fail(file, line_of(root), "expected keys at the top level");
  if (root["config"] || root["config_of"]) {
    out.push_back(make_record(RecordKind::model, root, file, "id"));
    return out;
  }
  bool known = false;
  for (const auto& list : kLists) {
    const auto entries = root[list.key];
    if (!entries) continue;
    known = true;
    if (!entries.IsSequence() && !entries.IsNull()) fail(file, line_of(entries), std::string("'") + list.key + "' is not a list");
    for (const auto& entry : entries) {
      auto r = make_record(list.kind, entry, file, list.id_key);
      if (list.kind == RecordKind::device) inherit(r, root, {"vendor", "family", "generation", "market"}, file);
      if (list.kind == RecordKind::quantization) {
        inherit(r, root, {"source", "ecosystem", "head_copies"}, file);
        expand_rules(r, root["groups"], root["always"], file);
      }
      if (list.kind == RecordKind::quality) inherit(r, root, {"source", "model", "dataset"}, file);
      out.push_back(std::move(r));
    }
  }
  if (!known) {
    fail(file, 1, "no kind of data file: expected 'devices', 'quantizations', 'engines', 'tokenizers', 'evaluations', 'quality', 'platforms', 'speed', 'publishers', or a model with 'config' or 'config_of'");
  }
  return out;
}

}  // namespace

std::string Record::place(const std::string& key) const {
  const auto it = key_lines.find(key);
  const int at = it == key_lines.end() ? line : it->second;
  return at > 0 ? file + ":" + std::to_string(at) : file;
}

std::vector<Record> read_records(const std::filesystem::path& path, const std::string& shown_as) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::invalid_file, shown_as + ": cannot be read");
  std::stringstream content;
  content << in.rdbuf();
  try {
    return records_of(YAML::Load(content.str()), shown_as);
  } catch (const YAML::Exception& e) {
    throw Error(ErrorKind::invalid_file, shown_as + ":" + std::to_string(e.mark.line + 1) + ": not YAML: " + e.msg);
  }
}

}  // namespace planner
