// The compiled facts: what the generator (datagen.cpp) writes and the catalog reads. Constant data, no start-up work.
#pragma once

#include <span>
#include <string_view>

#include "catalog/record.h"

namespace planner {

struct BuiltinRecord {
  RecordKind kind;
  std::string_view id;
  std::string_view exact_keys;   ///< normalised, one a line
  std::string_view common_keys;  ///< likewise: names that it answers as the most common variant
  std::string_view origin;       ///< "data/devices/x.yaml:12"
  std::string_view cbor;         ///< the entry's value
};

[[nodiscard]] std::span<const BuiltinRecord> builtin_records();

}  // namespace planner
