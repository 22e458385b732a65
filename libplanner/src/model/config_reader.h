// Typed access to a Hugging Face config.json: each look-up names its key in errors and checks type and range.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace planner {

/// Keys are tried in order; the first that is present and not null counts. Integers must be within [0, 2^40]: a
/// config comes from anywhere, and products of sizes must not overflow.
class ConfigReader {
 public:
  using Keys = std::initializer_list<std::string_view>;

  /// `config` is the object that holds the text model's keys; `origin` names the file in errors. Both outlive the reader.
  ConfigReader(const nlohmann::json& config, const std::string& origin) : config_(&config), origin_(&origin) {}

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] const nlohmann::json* find(Keys keys) const;

  /// Throws Error (invalid_file) "…: config lacks 'hidden_size'" when none of the keys is there.
  [[nodiscard]] std::int64_t integer(Keys keys) const;
  [[nodiscard]] std::int64_t integer_or(Keys keys, std::int64_t otherwise) const;
  [[nodiscard]] bool boolean_or(Keys keys, bool otherwise) const;
  [[nodiscard]] double number_or(Keys keys, double otherwise) const;
  [[nodiscard]] std::string string_or(Keys keys, std::string_view otherwise) const;
  /// Empty when absent.
  [[nodiscard]] std::vector<std::int64_t> integers(Keys keys) const;
  [[nodiscard]] std::vector<std::string> strings(Keys keys) const;
  /// A nested object; nothing when absent.
  [[nodiscard]] std::optional<ConfigReader> object(std::string_view key) const;

  /// Throws Error (invalid_file) naming the first of `keys` that is absent. All are needed; null counts as present ("none").
  void require(Keys keys) const;

  /// Throws Error (invalid_file) about `key`: "FILE: config key 'KEY' PROBLEM".
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

  [[nodiscard]] const nlohmann::json& json() const { return *config_; }
  [[nodiscard]] const std::string& origin() const { return *origin_; }

 private:
  const nlohmann::json* config_;
  const std::string* origin_;
};

}  // namespace planner
