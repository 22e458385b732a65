#include "model/config_reader.h"

#include <cmath>

#include "planner/error.h"

namespace planner {
namespace {

constexpr std::int64_t kLargestSize = std::int64_t{1} << 40;

struct Found {
  std::string_view key;
  const nlohmann::json* value;
};

Found find_first(const nlohmann::json& config, ConfigReader::Keys keys) {
  for (const auto key : keys) {
    const auto it = config.find(key);
    if (it != config.end() && !it->is_null()) return {key, &*it};
  }
  return {{}, nullptr};
}

std::int64_t to_size(const ConfigReader& reader, std::string_view key, const nlohmann::json& value) {
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (!(number >= 0 && number <= static_cast<double>(kLargestSize)) || number != std::floor(number)) {
      reader.fail(key, "is " + value.dump() + ", expected an integer");
    }
    return static_cast<std::int64_t>(number);
  }
  if (!value.is_number_integer()) reader.fail(key, "is " + value.dump() + ", expected an integer");
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestSize)) {
    reader.fail(key, "is " + value.dump() + ", more than any model has");
  }
  const auto size = value.get<std::int64_t>();
  if (size < 0 || size > kLargestSize) reader.fail(key, "is " + value.dump() + ", expected 0 to 2^40");
  return size;
}

}  // namespace

void ConfigReader::fail(std::string_view key, const std::string& problem) const {
  throw Error(ErrorKind::invalid_file, *origin_ + ": config key '" + std::string(key) + "' " + problem);
}

void ConfigReader::require(Keys keys) const {
  for (const auto key : keys) {
    if (!config_->contains(key)) throw Error(ErrorKind::invalid_file, *origin_ + ": config lacks '" + std::string(key) + "'");
  }
}

bool ConfigReader::has(std::string_view key) const { return find({key}) != nullptr; }

const nlohmann::json* ConfigReader::find(Keys keys) const { return find_first(*config_, keys).value; }

std::int64_t ConfigReader::integer(Keys keys) const {
  const auto [key, value] = find_first(*config_, keys);
  if (value == nullptr) throw Error(ErrorKind::invalid_file, *origin_ + ": config lacks '" + std::string(*keys.begin()) + "'");
  return to_size(*this, key, *value);
}

std::int64_t ConfigReader::integer_or(Keys keys, std::int64_t otherwise) const {
  const auto [key, value] = find_first(*config_, keys);
  return value == nullptr ? otherwise : to_size(*this, key, *value);
}

bool ConfigReader::boolean_or(Keys keys, bool otherwise) const {
  const auto [key, value] = find_first(*config_, keys);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail(key, "is " + value->dump() + ", expected true or false");
  return value->get<bool>();
}

double ConfigReader::number_or(Keys keys, double otherwise) const {
  const auto [key, value] = find_first(*config_, keys);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) fail(key, "is " + value->dump() + ", expected a number");
  return value->get<double>();
}

std::string ConfigReader::string_or(Keys keys, std::string_view otherwise) const {
  const auto [key, value] = find_first(*config_, keys);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) fail(key, "is " + value->dump() + ", expected a string");
  return value->get<std::string>();
}

std::vector<std::int64_t> ConfigReader::integers(Keys keys) const {
  const auto [key, value] = find_first(*config_, keys);
  std::vector<std::int64_t> out;
  if (value == nullptr) return out;
  if (!value->is_array()) fail(key, "is not a list");
  for (const auto& item : *value) out.push_back(to_size(*this, key, item));
  return out;
}

std::vector<std::string> ConfigReader::strings(Keys keys) const {
  const auto [key, value] = find_first(*config_, keys);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (!value->is_array()) fail(key, "is not a list");
  for (const auto& item : *value) {
    if (!item.is_string()) fail(key, "has an entry that is not a string");
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::optional<ConfigReader> ConfigReader::object(std::string_view key) const {
  const auto* value = find({key});
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) fail(key, "is not an object");
  return ConfigReader(*value, *origin_);
}

}  // namespace planner
