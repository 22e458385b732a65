// Words in, entries out.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/text.h"
#include "planner/listing.h"

namespace planner {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

/// Lower case without separators, but for a point between two numbers: "RTX 4090" -> "rtx4090", "llama-3-3" -> "llama3.3".
std::string squashed(std::string_view s) {
  std::string out;
  bool separated = false;
  for (const char c : text::to_lower(s)) {
    if (!is_digit(c) && !is_letter(c)) {
      separated = true;
      continue;
    }
    if (separated && is_digit(c) && !out.empty() && is_digit(out.back())) out += '.';
    out += c;
    separated = false;
  }
  return out;
}

/// Whether `word` stands in `field`, at the beginning of a number where it begins with a digit; with `whole_numbers` at the end of one where it ends with a
/// digit.
bool stands_in(std::string_view field, std::string_view word, bool whole_numbers = false) {
  for (auto at = field.find(word); at != std::string_view::npos; at = field.find(word, at + 1)) {
    const auto end = at + word.size();
    if (whole_numbers && is_digit(word.back()) && end < field.size() && is_digit(field[end])) continue;
    if (at == 0 || !is_digit(word.front())) return true;
    const char before = field[at - 1];
    const bool inside_number = is_digit(before) || (before == '.' && at > 1 && is_digit(field[at - 2]));
    if (!inside_number) return true;
  }
  return false;
}

/// The words of a filter, ready to be compared.
class Filter {
 public:
  explicit Filter(std::span<const std::string> words) {
    for (const auto& word : words) {
      for (const auto part : text::split(word, ' ')) {
        if (part.empty()) continue;
        Word w{text::to_lower(part), {}};
        if (is_letter(w.plain.front())) w.squashed = squashed(part);
        words_.push_back(std::move(w));
      }
    }
  }

  /// Whether each word is in one of `fields`, or in one of those that `more` gives when they do not settle it.
  [[nodiscard]] bool matches(const std::vector<std::string>& fields, const std::function<std::vector<std::string>()>& more = {}) const {
    std::optional<std::vector<std::string>> late;
    return std::all_of(words_.begin(), words_.end(), [&](const Word& word) {
      const auto hit = [&](const std::string& field) {
        // "qwen3" is in "qwen3-32b", not in "qwen-32b".
        return stands_in(text::to_lower(field), word.plain) || (!word.squashed.empty() && stands_in(squashed(field), word.squashed, true));
      };
      if (std::any_of(fields.begin(), fields.end(), hit)) return true;
      if (!more) return false;
      if (!late) late = more();
      return std::any_of(late->begin(), late->end(), hit);
    });
  }

 private:
  struct Word {
    std::string plain;
    std::string squashed;  ///< empty: not to be compared that way
  };
  std::vector<Word> words_;
};

template <typename... Lists>
std::vector<std::string> fields_of(std::vector<std::string> first, const Lists&... lists) {
  (first.insert(first.end(), lists.begin(), lists.end()), ...);
  return first;
}

/// "24gib" and "24gb": people write either.
void add_memory(std::vector<std::string>& fields, std::int64_t bytes) {
  if (bytes % kGiB != 0) return;
  fields.push_back(fmt::format("{}gib", bytes / kGiB));
  fields.push_back(fmt::format("{}gb", bytes / kGiB));
}

template <typename T>
std::vector<std::string> names_of(const std::vector<const T*>& entries) {
  std::vector<std::string> names;
  for (const auto* e : entries) {
    if constexpr (requires { e->id; })
      names.push_back(e->id);
    else
      names.push_back(e->name);
  }
  return names;
}

}  // namespace

std::string_view to_string(EntryKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"model", "device", "quantization", "engine"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<const ModelEntry*> filtered_models(const Catalog& catalog, std::span<const std::string> words) {
  const Filter filter(words);
  auto out = catalog.models();
  std::erase_if(out, [&](const ModelEntry* m) {
    // The architecture comes last: it takes building the model.
    const auto architecture = [&] {
      const auto* model = m->find_model();
      return model != nullptr ? std::vector<std::string>{model->hyperparameters.architecture, model->hyperparameters.model_type} : std::vector<std::string>{};
    };
    return !filter.matches(fields_of({m->id, m->name, m->hf_id, m->publisher, m->family, m->license}, m->aliases, m->modality), architecture);
  });
  return out;
}

std::vector<const Device*> filtered_devices(const Catalog& catalog, std::span<const std::string> words) {
  const Filter filter(words);
  auto out = catalog.devices();
  std::erase_if(out, [&](const Device* d) {
    auto fields = fields_of({d->id, d->name, d->vendor, d->family, d->generation, d->market, std::string(to_string(d->kind)), d->memory_type});
    if (d->memory_bytes) add_memory(fields, *d->memory_bytes);
    for (const auto option : d->memory_options) add_memory(fields, option);
    return !filter.matches(fields);
  });
  return out;
}

std::vector<const Quantization*> filtered_quantizations(const Catalog& catalog, std::span<const std::string> words) {
  const Filter filter(words);
  auto out = catalog.quantizations();
  std::erase_if(out, [&](const Quantization* q) { return !filter.matches(fields_of({q->name, q->ecosystem}, q->aliases)); });
  return out;
}

std::vector<const Publisher*> filtered_publishers(const Catalog& catalog, std::span<const std::string> words) {
  const Filter filter(words);
  auto out = catalog.publishers();
  std::erase_if(out, [&](const Publisher* p) {
    std::vector<std::string> mixes;
    for (const auto& mix : p->mixes) mixes.push_back(mix.name);
    return !filter.matches(fields_of({p->id, p->name, p->owner}, p->aliases, mixes));
  });
  return out;
}

std::vector<const Engine*> filtered_engines(const Catalog& catalog, std::span<const std::string> words) {
  const Filter filter(words);
  auto out = catalog.engines();
  std::erase_if(out, [&](const Engine* e) { return !filter.matches(fields_of({e->id, e->name}, e->aliases, e->ecosystems, e->backends)); });
  return out;
}

std::vector<const TensorFormat*> filtered_formats(std::span<const std::string> words) {
  const Filter filter(words);
  std::vector<const TensorFormat*> out;
  for (const auto& f : tensor_formats()) {
    if (filter.matches({std::string(f.name)})) out.push_back(&f);
  }
  return out;
}

Error no_match(EntryKind kind, std::span<const std::string> words, const Catalog& catalog) {
  std::vector<std::string> names;
  std::function<bool(const std::string&)> occurs;
  switch (kind) {
    case EntryKind::model:
      names = names_of(catalog.models());
      occurs = [&](const std::string& w) { return !filtered_models(catalog, std::array{w}).empty(); };
      break;
    case EntryKind::device:
      names = names_of(catalog.devices());
      occurs = [&](const std::string& w) { return !filtered_devices(catalog, std::array{w}).empty(); };
      break;
    case EntryKind::quantization:
      names = names_of(catalog.quantizations());
      occurs = [&](const std::string& w) { return !filtered_quantizations(catalog, std::array{w}).empty(); };
      break;
    case EntryKind::engine:
      names = names_of(catalog.engines());
      occurs = [&](const std::string& w) { return !filtered_engines(catalog, std::array{w}).empty(); };
      break;
  }
  std::vector<std::string> parts;
  for (const auto& word : words) {
    for (const auto part : text::split(word, ' ')) {
      if (!part.empty()) parts.emplace_back(part);
    }
  }
  // Whole names first, then the words that they consist of ("deepseek").
  auto vocabulary = names;
  for (const auto& name : names) {
    for (const auto part : text::split(name, '-')) vocabulary.emplace_back(part);
  }
  for (const auto& word : parts) {
    if (!occurs(word)) return {ErrorKind::unknown_name, fmt::format("no {} matches '{}'{}", to_string(kind), word, text::did_you_mean(word, vocabulary))};
  }
  return {ErrorKind::unknown_name, fmt::format("no {} matches all of '{}'", to_string(kind), fmt::join(parts, "', '"))};
}

}  // namespace planner
