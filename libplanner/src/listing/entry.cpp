// One entry by any of its names, whatever its kind.
#include <fmt/format.h>

#include <algorithm>

#include "catalog/names.h"
#include "core/text.h"
#include "planner/listing.h"

namespace planner {
namespace {

/// How well a name fits; smaller is better.
enum class Closeness : std::uint8_t { letter_for_letter, name, alias, part };

struct Found {
  CatalogEntry entry;
  Closeness closeness = Closeness::part;
  std::string name;
};

template <typename Key>
Closeness closeness_of(std::string_view typed, Key key, std::initializer_list<std::string_view> names, const std::vector<std::string>& aliases) {
  if (std::find(names.begin(), names.end(), typed) != names.end()) return Closeness::letter_for_letter;
  const auto wanted = key(typed);
  const auto same = [&](std::string_view name) { return !name.empty() && key(name) == wanted; };
  if (std::any_of(names.begin(), names.end(), same)) return Closeness::name;
  return std::any_of(aliases.begin(), aliases.end(), same) ? Closeness::alias : Closeness::part;
}

Found find_one(const Catalog& catalog, std::string_view typed, EntryKind kind) {
  Found found;
  auto& e = found.entry;
  e.kind = kind;
  switch (kind) {
    case EntryKind::model:
      e.model = &catalog.resolve_model(typed);
      found.closeness = closeness_of(typed, names::model_key, {e.model->id, e.model->name, e.model->hf_id}, e.model->aliases);
      found.name = e.model->id;
      break;
    case EntryKind::device:
      e.device = catalog.resolve_device(typed);
      found.closeness = closeness_of(typed, names::device_key, {e.device.device->id, e.device.device->name}, {});
      found.name = e.device.device->id;
      break;
    case EntryKind::quantization:
      e.quantization = &catalog.resolve_quantization(typed, e.own_quantization);
      found.closeness = closeness_of(typed, names::plain_key, {e.quantization->name}, e.quantization->aliases);
      found.name = e.quantization->name;
      break;
    case EntryKind::engine:
      e.engine = &catalog.resolve_engine(typed);
      found.closeness = closeness_of(typed.substr(0, typed.find('@')), names::plain_key, {e.engine->id, e.engine->name}, e.engine->aliases);
      found.name = e.engine->id;
      break;
  }
  return found;
}

[[noreturn]] void fail_unknown(const Catalog& catalog, std::string_view typed) {
  std::vector<std::string> names;
  for (const auto* m : catalog.models()) names.push_back(m->id);
  for (const auto* d : catalog.devices()) names.push_back(d->id);
  for (const auto* q : catalog.quantizations()) names.push_back(q->name);
  for (const auto* e : catalog.engines()) names.push_back(e->id);
  throw Error(ErrorKind::unknown_name,
              fmt::format("unknown name '{}'{}; `planner models`, `gpus`, `quants` and `engines` list all", typed, text::did_you_mean(typed, names)));
}

}  // namespace

CatalogEntry resolve_entry(const Catalog& catalog, std::string_view typed, std::optional<EntryKind> kind) {
  if (text::trim(typed).empty()) throw Error(ErrorKind::usage, "no name is given");
  if (kind) return find_one(catalog, typed, *kind).entry;
  std::vector<Found> found;
  std::vector<Error> errors;
  for (const auto k : {EntryKind::model, EntryKind::device, EntryKind::quantization, EntryKind::engine}) {
    try {
      found.push_back(find_one(catalog, typed, k));
    } catch (const Error& e) {
      errors.push_back(e);
    }
  }
  if (found.empty()) {
    // "unknown model ..." says less than "model ... is ambiguous" or "... is not sold with 20 GiB".
    for (const auto& e : errors) {
      if (!std::string_view(e.what()).starts_with("unknown ")) throw e;
    }
    fail_unknown(catalog, typed);
  }
  const auto closest = std::min_element(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.closeness < b.closeness; })->closeness;
  std::erase_if(found, [&](const Found& f) { return f.closeness != closest; });
  if (found.size() == 1) return std::move(found.front().entry);
  std::string list;
  for (const auto& f : found) list += fmt::format("{}{} {}", list.empty() ? "" : ", ", to_string(f.entry.kind), f.name);
  throw Error(ErrorKind::unknown_name, fmt::format("'{}' is the name of several things ({}): say which with --kind", typed, list));
}

}  // namespace planner
