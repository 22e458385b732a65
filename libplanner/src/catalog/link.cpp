#include "catalog/link.h"

#include <algorithm>
#include <unordered_map>

#include "catalog/names.h"
#include "catalog/readers.h"
#include "planner/error.h"

namespace planner {
namespace {

void add_unique(std::vector<std::string>& keys, std::string key) {
  if (!key.empty() && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

std::string key_for(RecordKind kind, const std::string& name) {
  switch (kind) {
    case RecordKind::device: return names::device_key(name);
    case RecordKind::model: return names::model_key(name);
    default: return names::plain_key(name);
  }
}

}  // namespace

RecordKeys keys_of(const Record& record) {
  RecordKeys keys;
  const auto add = [&](const std::string& name) { add_unique(keys.exact, key_for(record.kind, name)); };
  add(record.id);
  for (const char* field : {"name", "hf_id"}) add(text_of(record.value, field));
  if (const auto it = record.value.find("aliases"); it != record.value.end() && it->is_array()) {
    for (const auto& alias : *it) add(alias.is_string() ? alias.get<std::string>() : alias.dump());
  }
  if (const auto it = record.value.find("default_for"); it != record.value.end() && it->is_array()) {
    for (const auto& name : *it) add_unique(keys.common, key_for(record.kind, name.is_string() ? name.get<std::string>() : name.dump()));
  }
  return keys;
}

void link_records(std::vector<Record>& records, const FindBase& find_base) {
  std::unordered_map<std::string, std::size_t> models;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].kind == RecordKind::model) models.emplace(records[i].id, i);
  }
  for (auto& r : records) {
    if (r.kind != RecordKind::model || !r.value.contains("config_of")) continue;
    const auto base_id = text_of(r.value, "config_of");
    const auto it = models.find(base_id);
    const Record* base = it != models.end() ? &records[it->second] : find_base(RecordKind::model, base_id);
    if (base == nullptr) throw Error(ErrorKind::invalid_file, r.place("config_of") + ": config_of names no model: '" + base_id + "'");
    if (base == &r || !base->value.contains("config")) {
      throw Error(ErrorKind::invalid_file, r.place("config_of") + ": config_of must name a model with a config of its own, '" + base_id + "' has none");
    }
    inherit_config(r, *base);
  }

  std::unordered_map<std::string, std::size_t> model_keys;
  std::unordered_map<std::string, std::size_t> quantization_keys;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto* table = records[i].kind == RecordKind::model ? &model_keys : records[i].kind == RecordKind::quantization ? &quantization_keys : nullptr;
    if (table == nullptr) continue;
    for (const auto& key : keys_of(records[i]).exact) table->emplace(key, i);
  }
  std::vector<std::pair<std::size_t, nlohmann::json>> moved;
  for (auto& r : records) {
    if (r.kind == RecordKind::evaluation) {
      (void)read_evaluation(r);
      if (const auto it = model_keys.find(names::model_key(text_of(r.value, "model"))); it != model_keys.end()) moved.emplace_back(it->second, std::move(r.value));
    } else if (r.kind == RecordKind::quality) {
      (void)read_quality(r);
      if (const auto it = quantization_keys.find(names::plain_key(text_of(r.value, "quant"))); it != quantization_keys.end()) moved.emplace_back(it->second, std::move(r.value));
    }
  }
  for (auto& [index, value] : moved) records[index].value[records[index].kind == RecordKind::model ? "evaluations" : "measurements"].push_back(std::move(value));
  std::erase_if(records, [](const Record& r) { return r.kind == RecordKind::evaluation || r.kind == RecordKind::quality; });
}

}  // namespace planner
