// Facts that stand in one entry but belong to another: a geometry taken over (config_of), evaluations of a model, measured quality of
// a quantization. Linking moves them to where they are read.
#pragma once

#include <functional>
#include <vector>

#include "catalog/record.h"

namespace planner {

/// Record of the compiled facts with that id; null when there is none.
using FindBase = std::function<const Record*(RecordKind, const std::string& id)>;

/// Resolves `config_of` among `records` and then `find_base`, and moves evaluation and quality rows into the entries they speak of. Rows whose
/// subject has no entry are dropped. Throws Error (invalid_file) when config_of names nothing, or itself.
void link_records(std::vector<Record>& records, const FindBase& find_base);

/// Names by which a record is found, normalised: exact keys, and keys that it answers as the most common variant.
struct RecordKeys {
  std::vector<std::string> exact;
  std::vector<std::string> common;
};
[[nodiscard]] RecordKeys keys_of(const Record& record);

}  // namespace planner
