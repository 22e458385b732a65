#include "planner/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <cmath>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "catalog/builtin.h"
#include "catalog/link.h"
#include "catalog/mix_names.h"
#include "catalog/names.h"
#include "catalog/readers.h"
#include "catalog/speed_groups.h"
#include "catalog/tokenizers.h"
#include "core/text.h"
#include "planner/error.h"
#include "planner/speed_class.h"

namespace planner {
namespace {

Record decoded(const BuiltinRecord& b) {
  Record r;
  r.kind = b.kind;
  r.id = b.id;
  r.file = b.origin;
  r.value = nlohmann::json::from_cbor(b.cbor.begin(), b.cbor.end());
  return r;
}

/// How closely a class fits a device: -1 not at all, else the number of things it names.
int match_score(const DeviceClass& c, std::string_view vendor, std::string_view generation, DeviceKind kind, std::string_view backend) {
  int score = 0;
  const auto weigh = [&](const std::string& named, std::string_view actual) {
    if (named.empty()) return true;
    ++score;
    return named == actual;
  };
  if (!weigh(c.vendor, vendor) || !weigh(c.generation, generation) || !weigh(c.backend, backend)) return -1;
  if (c.kind && *c.kind != kind) return -1;
  return score + (c.kind ? 1 : 0);
}

/// One entry, decoded when somebody first looks at it.
template <typename T>
class Slot {
 public:
  Slot(const BuiltinRecord* builtin, T (*read)(const Record&)) : builtin_(builtin), read_(read) {}
  Slot(Record record, T (*read)(const Record&)) : own_(std::make_unique<Record>(std::move(record))), read_(read) {}

  [[nodiscard]] std::string id() const { return own_ ? own_->id : std::string(builtin_->id); }
  [[nodiscard]] Record record() const {
    return own_ ? *own_ : decoded(*builtin_);
  }
  [[nodiscard]] const T& get() const {
    std::call_once(once_, [this] { value_ = std::make_unique<T>(read_(record())); });
    return *value_;
  }
  [[nodiscard]] RecordKeys keys() const {
    if (own_) return keys_of(*own_);
    const auto split = [](std::string_view lines) {
      std::vector<std::string> out;
      if (lines.empty()) return out;
      for (const auto part : text::split(lines, '\n')) out.emplace_back(part);
      return out;
    };
    return {split(builtin_->exact_keys), split(builtin_->common_keys)};
  }

 private:
  const BuiltinRecord* builtin_ = nullptr;
  std::unique_ptr<Record> own_;
  T (*read_)(const Record&);
  mutable std::once_flag once_;
  mutable std::unique_ptr<T> value_;
};

/// The entries of one kind and the names they answer to.
template <typename T>
struct Table {
  std::deque<Slot<T>> slots;
  std::unordered_map<std::string, std::size_t> by_id;
  std::unordered_map<std::string, std::size_t> exact;
  std::unordered_map<std::string, std::size_t> common;
  std::vector<const Slot<T>*> order;

  void add(std::string id, const Slot<T>& slot, std::size_t index) {
    // An overlay replaces: its names win over those of the entry it hides.
    by_id[std::move(id)] = index;
    const auto keys = slot.keys();
    for (const auto& key : keys.exact) exact[key] = index;
    for (const auto& key : keys.common) common[key] = index;
  }
  template <typename Payload>
  void emplace(Payload&& payload, T (*read)(const Record&)) {
    slots.emplace_back(std::forward<Payload>(payload), read);
    add(slots.back().id(), slots.back(), slots.size() - 1);
  }
  [[nodiscard]] bool is_hidden(std::size_t index) const { return by_id.at(slots[index].id()) != index; }
  [[nodiscard]] const T* find(std::string_view id) const {
    const auto it = by_id.find(std::string(id));
    return it == by_id.end() ? nullptr : &slots[it->second].get();
  }
  [[nodiscard]] const T* find_exact(const std::string& key) const {
    const auto it = exact.find(key);
    return it == exact.end() ? nullptr : &slots[it->second].get();
  }
  [[nodiscard]] std::vector<const T*> all() const {
    std::vector<const T*> out;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!is_hidden(i)) out.push_back(&slots[i].get());
    }
    return out;
  }
};

bool is_subset(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return std::all_of(part.begin(), part.end(), [&](const auto& word) { return std::find(whole.begin(), whole.end(), word) != whole.end(); });
}

/// Every typed word is one of the name's, the last one perhaps only begun ("r1 1.5b", "qwen3 8").
bool words_match(const std::vector<std::string>& typed, const std::vector<std::string>& name) {
  for (std::size_t i = 0; i < typed.size(); ++i) {
    const bool last = i + 1 == typed.size();
    const auto hit = [&](const std::string& word) { return word == typed[i] || (last && typed[i].size() >= 2 && word.starts_with(typed[i])); };
    if (std::none_of(name.begin(), name.end(), hit)) return false;
  }
  return !typed.empty();
}

/// The candidate that all others are variants of: its words are in each of theirs. Null when there is none.
template <typename T, typename Words>
const T* base_of(const std::vector<const T*>& candidates, Words words_of) {
  for (const auto* candidate : candidates) {
    const auto words = words_of(*candidate);
    if (std::all_of(candidates.begin(), candidates.end(), [&](const T* other) { return is_subset(words, words_of(*other)); })) return candidate;
  }
  return nullptr;
}

[[noreturn]] void fail_ambiguous(std::string_view what, std::string_view typed, std::vector<std::string> names) {
  constexpr std::size_t kShown = 8;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) list += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kShown) list += fmt::format(" and {} more", names.size() - kShown);
  throw Error(ErrorKind::unknown_name, fmt::format("{} '{}' is ambiguous: {}", what, typed, list));
}

/// Nearness is judged by `key`: hyphens, vendors and the like do not count.
[[noreturn]] void fail_unknown(std::string_view what, std::string_view typed, const std::vector<std::string>& names, std::string_view listing, std::string (*key)(std::string_view)) {
  std::vector<std::string> keys;
  for (const auto& name : names) keys.push_back(key(name));
  std::string meant;
  for (const auto& near : text::nearest(key(typed), keys)) {
    const auto at = std::find(keys.begin(), keys.end(), near) - keys.begin();
    meant += (meant.empty() ? " (did you mean '" : ", '") + names[static_cast<std::size_t>(at)] + "'";
  }
  if (!meant.empty()) meant += "?)";
  throw Error(ErrorKind::unknown_name, fmt::format("unknown {} '{}'{}; `planner {}` lists them", what, typed, meant, listing));
}

/// A parametric quantization at so many bits: "EXL2" at 4.25 is "EXL2-4.25".
Quantization at_bits(const Quantization& parametric, double bits) {
  Quantization q = parametric;
  q.name = fmt::format("{}-{}", parametric.name, bits);
  q.aliases.clear();
  std::get<GroupScheme>(q.recipe).bits = bits;
  return q;
}

/// The groups of data/speed/, decoded when a device of theirs is asked for, and the profiles that came out.
class SpeedTable {
 public:
  struct Key {
    const Device* device;
    const Engine* engine;
    std::string_view backend;  ///< of kBackends
    bool is_host;
    int months;
    friend bool operator==(const Key&, const Key&) = default;
  };

  void add(const BuiltinRecord* b) { builtin_[b->id] = b; }
  void add(SpeedGroup group) { own_[group.id] = std::move(group); }  // a user's own wins

  [[nodiscard]] std::optional<SpeedGroup> find(const std::string& id) const {
    if (const auto it = own_.find(id); it != own_.end()) return it->second;
    if (const auto it = builtin_.find(id); it != builtin_.end()) return read_speed(decoded(*it->second));
    return std::nullopt;
  }
  [[nodiscard]] SpeedProfile sum(const Device* device, std::string_view backend, bool is_host, std::string_view engine, double years) const;

  template <typename Make>
  [[nodiscard]] std::shared_ptr<const SpeedProfile> kept(const Key& key, Make make) const {
    {
      const std::shared_lock lock(mutex_);
      if (const auto it = profiles_.find(key); it != profiles_.end()) return it->second;
    }
    auto made = std::make_shared<const SpeedProfile>(make());
    const std::unique_lock lock(mutex_);
    return profiles_.try_emplace(key, std::move(made)).first->second;
  }

 private:
  struct Hash {
    std::size_t operator()(const Key& k) const {
      std::size_t h = std::hash<const void*>()(k.device) * 31 + std::hash<const void*>()(k.engine);
      return (h * 31 + std::hash<const void*>()(k.backend.data())) * 31 + static_cast<std::size_t>(k.months * 2 + (k.is_host ? 1 : 0));
    }
  };
  std::unordered_map<std::string_view, const BuiltinRecord*> builtin_;
  std::unordered_map<std::string, SpeedGroup> own_;
  mutable std::shared_mutex mutex_;
  mutable std::unordered_map<Key, std::shared_ptr<const SpeedProfile>, Hash> profiles_;
};

SpeedProfile SpeedTable::sum(const Device* device, std::string_view backend, bool is_host, std::string_view engine, double years) const {
  SpeedProfile out;
  std::array<double, kEffects> logarithms{};
  bool device_known = false;
  std::string base;
  for (const auto& name : speed_groups_of(device, backend, is_host, engine)) {
    if (name.level == SpeedLevel::backend) base = name.id;
    const auto group = find(name.id);
    if (!group) continue;
    for (std::size_t i = 0; i < kEffects; ++i) logarithms[i] += group->effects[i];
    if (name.level == SpeedLevel::generation && group->rows > 0 && out.basis == "default") out.basis = "fitted";
    if (name.level == SpeedLevel::device && group->rows > 0) out.basis = "fitted", device_known = true;
    if (name.level == SpeedLevel::local && group->rows > 0) out.basis = "calibrated", device_known = true;
    if (name.level != SpeedLevel::memory && name.level != SpeedLevel::engine) out.source = group->source.empty() ? "data/speed/: " + name.id : group->source;
  }
  fold_factors(logarithms, years, out.factor);
  const std::string known = device_known ? "known" : "unknown";
  for (const auto& id : {"range/" + known, fmt::format("range/{}/{}", base, known)}) {
    const auto group = find(id);
    if (!group) continue;
    const auto take = [](SpeedRange& to, const std::optional<SpeedRange>& from) {
      if (from) to = *from;
    };
    take(out.decode, group->decode), take(out.decode_experts, group->decode_experts);
    take(out.prefill, group->prefill), take(out.prefill_experts, group->prefill_experts);
  }
  return out;
}

}  // namespace

struct Catalog::Tables {
  Table<Device> devices;
  Table<ModelEntry> models;
  Table<Quantization> quantizations;
  Table<Engine> engines;
  Table<Publisher> publishers;
  std::vector<TokenizerRule> tokenizers;
  SpeedTable speeds;
  std::vector<PlatformRule> platforms;
  std::vector<TokenizerAverages> averages;
  std::once_flag tokenizers_once;
  std::vector<const BuiltinRecord*> builtin_tokenizers;
  std::vector<Record> own_tokenizers;

  void decode_tokenizers() {
    std::call_once(tokenizers_once, [this] {
      const auto take = [this](const Record& r) {
        if (r.kind == RecordKind::tokenizer) tokenizers.push_back(read_tokenizer(r));
        else averages.push_back(read_tokenizer_averages(r));
      };
      for (const auto& r : own_tokenizers) take(r);  // a user's own come first and so win
      for (const auto* b : builtin_tokenizers) {
        take(decoded(*b));
      }
    });
  }

  void add_builtin() {
    for (const auto& b : builtin_records()) {
      switch (b.kind) {
        case RecordKind::device: devices.emplace(&b, read_device); break;
        case RecordKind::model: models.emplace(&b, read_model); break;
        case RecordKind::quantization: quantizations.emplace(&b, read_quantization); break;
        case RecordKind::engine: engines.emplace(&b, read_engine); break;
        case RecordKind::publisher: publishers.emplace(&b, read_publisher); break;
        case RecordKind::tokenizer:
        case RecordKind::tokenizer_fallback: builtin_tokenizers.push_back(&b); break;
        case RecordKind::speed: speeds.add(&b); break;
        case RecordKind::platform: platforms.push_back(read_platform(decoded(b))); break;
        default: break;
      }
    }
  }

  void add_own(Record record) {
    switch (record.kind) {
      case RecordKind::device: devices.emplace(std::move(record), read_device); (void)devices.slots.back().get(); break;
      case RecordKind::model: models.emplace(std::move(record), read_model); (void)models.slots.back().get(); break;
      case RecordKind::quantization: quantizations.emplace(std::move(record), read_quantization); (void)quantizations.slots.back().get(); break;
      case RecordKind::engine: engines.emplace(std::move(record), read_engine); (void)engines.slots.back().get(); break;
      case RecordKind::publisher: publishers.emplace(std::move(record), read_publisher); (void)publishers.slots.back().get(); break;
      case RecordKind::tokenizer: (void)read_tokenizer(record); own_tokenizers.push_back(std::move(record)); break;
      case RecordKind::tokenizer_fallback: (void)read_tokenizer_averages(record); own_tokenizers.push_back(std::move(record)); break;
      // A user's own come first and so win.
      case RecordKind::speed: speeds.add(read_speed(record)); break;
      case RecordKind::platform: platforms.insert(platforms.begin(), read_platform(record)); break;
      default: break;
    }
  }
};

// --- Catalog ----------------------------------------------------------------------------------------------------------

Catalog::Catalog() : tables_(std::make_unique<Tables>()) { tables_->add_builtin(); }
Catalog::~Catalog() = default;

const Catalog& Catalog::builtin() {
  static const Catalog catalog;
  return catalog;
}

std::unique_ptr<Catalog> Catalog::with_overlays(std::span<const std::filesystem::path> folders) {
  namespace fs = std::filesystem;
  std::unique_ptr<Catalog> catalog(new Catalog());
  for (const auto& folder : folders) {
    std::error_code status;
    if (!fs::is_directory(folder, status)) continue;
    std::vector<fs::path> files;
    for (fs::recursive_directory_iterator it(folder, status), end; !status && it != end; it.increment(status)) {
      if (it->path().extension() == ".yaml") files.push_back(it->path());
    }
    if (status) throw Error(ErrorKind::invalid_file, folder.string() + ": cannot be read: " + status.message());
    std::sort(files.begin(), files.end());
    std::vector<Record> records;
    for (const auto& file : files) {
      auto more = read_records(file, file.string());
      records.insert(records.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    std::deque<Record> bases;
    link_records(records, [&](RecordKind, const std::string& id) -> const Record* {
      const auto it = catalog->tables_->models.by_id.find(id);
      if (it == catalog->tables_->models.by_id.end()) return nullptr;
      return &bases.emplace_back(catalog->tables_->models.slots[it->second].record());
    });
    for (auto& r : records) catalog->tables_->add_own(std::move(r));
  }
  return catalog;
}

std::vector<const Device*> Catalog::devices() const { return tables_->devices.all(); }
std::vector<const ModelEntry*> Catalog::models() const { return tables_->models.all(); }
std::vector<const Quantization*> Catalog::quantizations() const { return tables_->quantizations.all(); }
std::vector<const Engine*> Catalog::engines() const { return tables_->engines.all(); }
std::vector<const Publisher*> Catalog::publishers() const { return tables_->publishers.all(); }
const Publisher* Catalog::find_publisher(std::string_view name) const { return tables_->publishers.find_exact(names::plain_key(name)); }
const Device* Catalog::find_device(std::string_view id) const { return tables_->devices.find(id); }
const ModelEntry* Catalog::find_model(std::string_view id) const { return tables_->models.find(id); }
const Quantization* Catalog::find_quantization(std::string_view name) const { return tables_->quantizations.find(name); }

DeviceMatch Catalog::resolve_device(std::string_view typed) const {
  const auto& table = tables_->devices;
  if (text::trim(typed).empty()) throw Error(ErrorKind::unknown_name, "a device has no name");
  const auto common_for = [&](const std::string& key) -> const Device* {
    const auto it = table.common.find(key);
    return it == table.common.end() ? nullptr : &table.slots[it->second].get();
  };
  const auto assumed = [](const Device& d) {
    return d.memory_bytes ? fmt::format("taken as {} ({}), the most common variant", d.name, format_gib(*d.memory_bytes)) : fmt::format("taken as {}", d.name);
  };
  if (const auto* exact = table.find_exact(names::device_key(typed))) return {exact, 0, {}};
  if (const auto* common = common_for(names::device_key(typed))) return {common, 0, assumed(*common)};

  // "Apple M3 Max (64GB, cores not stated)", "RTX 3060 12GB": a name and, perhaps, a size.
  const auto [name, gib] = names::split_memory(typed);
  const auto key = names::device_key(name);
  const auto has_size = [gib = gib](const Device& d) {
    const std::int64_t bytes = gib * kGiB;
    return gib == 0 || (d.memory_bytes && *d.memory_bytes == bytes) || std::find(d.memory_options.begin(), d.memory_options.end(), bytes) != d.memory_options.end();
  };
  const auto match = [gib = gib](const Device& d, std::string note = {}) { return DeviceMatch{&d, gib * kGiB, std::move(note)}; };
  const auto* exact = table.find_exact(key);
  if (exact != nullptr && has_size(*exact)) return match(*exact);
  const auto* common = common_for(key);
  if (common != nullptr && has_size(*common)) return match(*common, gib == 0 ? assumed(*common) : std::string{});

  const auto typed_words = names::device_words(name);
  std::vector<const Device*> candidates;
  std::vector<std::string> all_ids;
  for (const auto* d : table.all()) {
    all_ids.push_back(d->id);
    const bool named = !typed_words.empty() && (is_subset(typed_words, names::device_words(d->name)) || is_subset(typed_words, names::device_words(d->id)));
    if (named && has_size(*d)) candidates.push_back(d);
  }
  if (candidates.size() == 1) return match(*candidates.front());
  if (const auto* base = base_of(candidates, [](const Device& d) { return names::device_words(d.id); })) return match(*base);
  if (!candidates.empty()) {
    std::vector<std::string> ids;
    for (const auto* d : candidates) ids.push_back(d->id);
    fail_ambiguous("device", typed, ids);
  }
  if (exact != nullptr) {
    std::string sizes = exact->memory_bytes ? format_gib(*exact->memory_bytes) : "no memory of its own";
    for (const auto option : exact->memory_options) {
      if (!exact->memory_bytes || option != *exact->memory_bytes) sizes += ", " + format_gib(option);
    }
    throw Error(ErrorKind::unknown_name, fmt::format("'{}' is not sold with {} GiB (known: {})", exact->name, gib, sizes));
  }
  fail_unknown("device", name, all_ids, "gpus", names::device_key);
}

const ModelEntry& Catalog::resolve_model(std::string_view typed) const {
  const auto& table = tables_->models;
  const auto key = names::model_key(typed);
  if (const auto* exact = table.find_exact(key)) return *exact;
  // A quantized upload is named after its model.
  for (const std::string_view suffix : {"gguf", "awq", "gptq", "fp8", "bf16", "bnb4bit", "int4", "mlx4bit", "mlx"}) {
    if (!text::ends_with(key, suffix)) continue;
    if (const auto* exact = table.find_exact(key.substr(0, key.size() - suffix.size()))) return *exact;
  }
  const auto typed_words = names::model_words(typed);
  std::vector<const ModelEntry*> candidates;
  std::vector<std::string> all_ids;
  for (const auto* m : table.all()) {
    all_ids.push_back(m->id);
    if (words_match(typed_words, names::model_words(m->id)) || words_match(typed_words, names::model_words(m->name))) candidates.push_back(m);
  }
  if (candidates.size() > 1) {
    // Whole words beat begun ones.
    std::vector<const ModelEntry*> whole;
    for (const auto* m : candidates) {
      if (is_subset(typed_words, names::model_words(m->id))) whole.push_back(m);
    }
    if (!whole.empty()) candidates = whole;
  }
  if (candidates.size() == 1) return *candidates.front();
  if (const auto* base = base_of(candidates, [](const ModelEntry& m) { return names::model_words(m.id); })) return *base;
  if (candidates.empty()) fail_unknown("model", typed, all_ids, "models", names::model_key);
  std::vector<std::string> ids;
  for (const auto* m : candidates) ids.push_back(m->id);
  fail_ambiguous("model", typed, ids);
}

const Quantization& Catalog::resolve_quantization(std::string_view typed, std::unique_ptr<Quantization>& made) const {
  const auto& table = tables_->quantizations;
  if (names_a_file(typed)) {
    made = std::make_unique<Quantization>(quantization_of_file(typed, *this));
    return *made;
  }
  const auto key = names::plain_key(typed);
  if (const auto* exact = table.find_exact(key)) return *exact;
  if (auto own = mix_of_a_publisher(typed, *this)) {
    made = std::make_unique<Quantization>(std::move(*own));
    return *made;
  }
  // NAME-BITS of a parametric one.
  for (const auto& slot : table.slots) {
    const auto record = slot.record();
    const auto range = read_parametric(record);
    const auto name = names::plain_key(record.id);
    if (!range || !key.starts_with(name)) continue;
    std::string_view rest = std::string_view(key).substr(name.size());
    for (const std::string_view unit : {"bpw", "bits", "bit"}) {
      if (text::ends_with(rest, unit)) rest.remove_suffix(unit.size());
    }
    const auto bits = text::parse_double(rest);
    if (!bits) continue;
    if (*bits < range->min || *bits > range->max) {
      throw Error(ErrorKind::unknown_name, fmt::format("'{}': {} takes {} to {} bits per weight", typed, record.id, range->min, range->max));
    }
    made = std::make_unique<Quantization>(at_bits(slot.get(), *bits));
    return *made;
  }
  std::vector<std::string> names;
  for (const auto* q : table.all()) {
    names.push_back(q->name);
    names.insert(names.end(), q->aliases.begin(), q->aliases.end());
  }
  for (const auto* publisher : publishers()) {
    for (const auto& mix : publisher->mixes) names.push_back(mix.name);
  }
  fail_unknown("quantization", typed, names, "quants", names::plain_key);
}

std::vector<std::shared_ptr<const Quantization>> Catalog::quantizations_of(const Engine& engine) const {
  std::vector<std::shared_ptr<const Quantization>> out;
  const auto& table = tables_->quantizations;
  for (std::size_t i = 0; i < table.slots.size(); ++i) {
    const auto& q = table.slots[i].get();
    if (table.is_hidden(i) || std::find(engine.ecosystems.begin(), engine.ecosystems.end(), q.ecosystem) == engine.ecosystems.end()) continue;
    const auto range = q.is_gguf() ? std::nullopt : read_parametric(table.slots[i].record());
    if (!range) {
      out.emplace_back(std::shared_ptr<const void>(), &q);  // the catalog's own: nothing to free
      continue;
    }
    for (const double bits : range->steps) out.push_back(std::make_shared<const Quantization>(at_bits(q, bits)));
  }
  return out;
}

const Engine& Catalog::resolve_engine(std::string_view typed) const {
  const auto& table = tables_->engines;
  const auto name = typed.substr(0, typed.find('@'));
  if (const auto* exact = table.find_exact(names::plain_key(name))) return *exact;
  std::vector<std::string> ids;
  for (const auto* e : table.all()) ids.push_back(e->id);
  fail_unknown("engine", name, ids, "engines", names::plain_key);
}

PlatformReserve Catalog::platform_reserve(const Device& device, std::int64_t capacity) const {
  const PlatformRule* best = nullptr;
  int best_score = -1;
  for (const auto& rule : tables_->platforms) {
    if (rule.up_to_bytes > 0 && capacity > rule.up_to_bytes) continue;
    const int score = match_score(rule.applies_to, device.vendor, device.generation, device.kind, {});
    if (score > best_score) best = &rule, best_score = score;
  }
  if (best == nullptr) return {};
  const auto kept = static_cast<std::int64_t>((1.0 - best->usable_fraction) * static_cast<double>(capacity));
  return {std::min(capacity, kept + best->reserve_bytes), best->note, best->source};
}

std::shared_ptr<const SpeedProfile> Catalog::speed_profile(const Device* device, std::string_view backend, bool is_host, const Engine& engine, double years) const {
  constexpr std::string_view kBackends[] = {"cuda", "metal", "rocm", "vulkan", "sycl", "cpu"};
  const auto& speeds = tables_->speeds;
  const auto* known = std::find(std::begin(kBackends), std::end(kBackends), backend);
  const auto make = [&] { return speeds.sum(device, backend, is_host, engine.id, years); };
  // What is not the catalog's may be gone tomorrow, and its address be another's.
  const bool ours = known != std::end(kBackends) && (device == nullptr || find_device(device->id) == device);
  if (!ours) return std::make_shared<const SpeedProfile>(make());
  return speeds.kept({device, &engine, *known, is_host, static_cast<int>(std::lround(years * 12))}, make);
}

SpeedProfile Catalog::speed_profile_of(const Device* device, std::string_view backend, bool is_host, std::string_view engine, double years) const {
  return tables_->speeds.sum(device, backend, is_host, engine, years);
}

Tokenizer Catalog::tokenizer_of(const Hyperparameters& hp, std::string_view model_name) const {
  tables_->decode_tokenizers();
  return pick_tokenizer(tables_->tokenizers, tables_->averages, hp, model_name);
}

}  // namespace planner
