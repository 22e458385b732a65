#include "catalog/mix_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "catalog/names.h"
#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

[[noreturn]] void fail(std::string_view typed, const std::string& problem) { throw Error(ErrorKind::unknown_name, fmt::format("'{}': {}", typed, problem)); }

/// "bartowski-2026-03" -> {"bartowski", "2026-03"}; no date: all of it is the name.
std::pair<std::string_view, std::string_view> split_date(std::string_view text) {
  constexpr std::string_view kForm = "-dddd-dd-dd";
  for (const std::size_t length : {11U, 8U, 5U}) {
    if (text.size() <= length) continue;
    const auto tail = text.substr(text.size() - length);
    if (std::equal(tail.begin(), tail.end(), kForm.begin(), [](char c, char form) { return form == 'd' ? c >= '0' && c <= '9' : c == form; })) {
      return {text.substr(0, text.size() - length), tail.substr(1)};
    }
  }
  return {text, {}};
}

[[noreturn]] void fail_publisher(std::string_view typed, std::string_view name, const Catalog& catalog) {
  std::vector<std::string> known;
  for (const auto* p : catalog.publishers()) {
    known.push_back(p->id);
    known.insert(known.end(), p->aliases.begin(), p->aliases.end());
  }
  fail(typed, fmt::format("unknown publisher '{}'{}; `planner quants` lists them", name, text::did_you_mean(name, known)));
}

/// The publisher whose repository it is: of several with one account the one whose mark the name holds.
const Publisher* publisher_of_path(std::string_view owner, std::string_view path, const Catalog& catalog) {
  const Publisher* found = nullptr;
  const auto key = names::plain_key(owner);
  const auto small = text::to_lower(path);
  for (const auto* p : catalog.publishers()) {
    const bool is_owner = names::plain_key(p->owner) == key ||
                          std::any_of(p->aliases.begin(), p->aliases.end(), [&](const auto& alias) { return names::plain_key(alias) == key; });
    if (!is_owner) continue;
    if (p->mark.empty()) {
      if (found == nullptr) found = p;
    } else if (text::contains(small, "-" + p->mark + "-") || text::contains(small, "." + p->mark + "-")) {
      found = p;
    }
  }
  return found;
}

/// ".../Qwen3-30B-A3B-Q4_K_M-00001-of-00002.gguf" -> "Q4_K_M": the longest mix that the name ends in; empty: none.
std::string mix_at_end(std::string_view path, const Catalog& catalog) {
  std::string stem = text::to_lower(path);
  if (stem.ends_with(".gguf")) stem.resize(stem.size() - 5);
  constexpr std::string_view kShard = "-00001-of-00002";
  if (stem.size() > kShard.size() && stem.substr(stem.size() - 9, 4) == "-of-") stem.resize(stem.size() - kShard.size());
  for (const auto* p : catalog.publishers()) {
    const auto at = p->unpublished.empty() ? std::string::npos : stem.rfind(text::to_lower(p->unpublished));
    if (at != std::string::npos && at > 0 && (stem[at - 1] == '-' || stem[at - 1] == '/')) return stem.substr(at);
  }
  std::string best;
  const auto try_name = [&](const std::string& name) {
    if (name.size() <= best.size() || stem.size() <= name.size() || !stem.ends_with(text::to_lower(name))) return;
    const char before = stem[stem.size() - name.size() - 1];
    if (before == '-' || before == '.' || before == '_' || before == '/') best = name;
  };
  for (const auto* q : catalog.quantizations()) {
    if (q->is_gguf()) try_name(q->name);
  }
  for (const auto* p : catalog.publishers()) {
    for (const auto& mix : p->mixes) try_name(mix.name);
  }
  return best;
}

bool is_of_mix(const Publisher::Rule& rule, const std::string& mix) {
  return rule.mixes.empty() || std::find(rule.mixes.begin(), rule.mixes.end(), mix) != rule.mixes.end();
}

RecipeRule format_rule(std::uint32_t roles, std::vector<std::string> names, FormatId to) { return {roles, std::move(names), {}, {}, to}; }

/// As llama-quantize's --output-tensor-type: the embedding table too, where it serves as the head.
RecipeRule head_in(FormatId to) { return format_rule(1U << static_cast<unsigned>(TensorRole::output), {}, to); }
RecipeRule embedding_in(FormatId to) { return format_rule(~0U, {"token_embd"}, to); }

/// What `publisher` makes of a mix.
void apply(const Publisher& publisher, Quantization& q) {
  auto& recipe = std::get<GgufRecipe>(q.recipe);
  const auto mix = q.name;
  for (const auto& rule : publisher.rules) {
    if (!is_of_mix(rule, mix)) continue;
    recipe.rules.push_back(rule.rule);
    if (rule.to_base) recipe.rules.back().to = recipe.base;
  }
  recipe.head_copies.insert(recipe.head_copies.end(), publisher.head_copies.begin(), publisher.head_copies.end());
  if (publisher.imatrix == "always" && recipe.imatrix == Imatrix::none) recipe.imatrix = Imatrix::usual;
  if (publisher.imatrix == "never" && recipe.imatrix == Imatrix::usual) recipe.imatrix = Imatrix::none;
  if (!publisher.imatrix.empty() && publisher.imatrix.front() >= '0' && publisher.imatrix.front() <= '9') recipe.imatrix_since = publisher.imatrix;
  q.publisher = publisher.id;
  q.aliases.clear();
  if (!publisher.sources.empty()) q.source = publisher.sources.front().url;
  if (publisher.has_own_rules()) q.measurements.clear();  // they were made with the quantizer's own recipe
}

void apply_mix(const Publisher::Mix& mix, Quantization& q) {
  auto& rules = std::get<GgufRecipe>(q.recipe).rules;
  if (mix.output) rules.push_back(head_in(*mix.output));
  if (mix.token_embd) rules.push_back(embedding_in(*mix.token_embd));
  q.name = mix.name;
  if (!mix.quality.empty()) q.quality = mix.quality;
  q.measurements.clear();
}

void apply_option(std::string_view typed, std::string_view option, Quantization& q) {
  auto& recipe = std::get<GgufRecipe>(q.recipe);
  const auto equals = option.find('=');
  const auto name = text::to_lower(option.substr(0, equals));
  if (equals != std::string_view::npos && (name == "output" || name == "token_embd")) {
    const auto wanted = option.substr(equals + 1);
    const auto* format = find_tensor_format(wanted);
    if (format == nullptr) {
      std::vector<std::string> known;
      for (const auto& f : tensor_formats()) known.emplace_back(f.name);
      fail(typed, fmt::format("unknown format '{}'{}", wanted, text::did_you_mean(wanted, known)));
    }
    recipe.rules.push_back(name == "output" ? head_in(format->id) : embedding_in(format->id));
    q.name += fmt::format("+{}={}", name, format->name);
    q.measurements.clear();
    return;
  }
  if (name == "imatrix") {
    if (recipe.imatrix == Imatrix::none) recipe.imatrix = Imatrix::usual;
    recipe.imatrix_since.clear();
  } else if (name == "static") {
    if (recipe.imatrix == Imatrix::required) fail(typed, q.name + " cannot be made without an importance matrix");
    recipe.imatrix = Imatrix::none;
    recipe.imatrix_since.clear();
  } else if (name == "untied") {
    recipe.head_copies = {{}};
  } else {
    const std::vector<std::string> known = {"imatrix", "static", "untied", "output=FORMAT", "token_embd=FORMAT"};
    fail(typed, fmt::format("unknown option '{}'{} (imatrix, static, untied, output=FORMAT, token_embd=FORMAT)", option, text::did_you_mean(name, known)));
  }
  q.name += "+" + name;
}

/// `mix` of a publisher, or of none where it is null; nothing where the mix is not known.
std::optional<Quantization> find_mix(std::string_view mix, const Publisher* publisher, std::string_view made, const Catalog& catalog) {
  const auto key = names::plain_key(mix);
  const auto finish = [&](Quantization q, const Publisher* by) {
    std::get<GgufRecipe>(q.recipe).made = made;
    if (by != nullptr) q.name += "@" + by->id;
    if (!made.empty()) q.name += fmt::format("-{}", made);
    return q;
  };
  const auto base_of = [&](const std::string& name) {
    const auto* base = catalog.find_quantization(name);
    if (base == nullptr || !base->is_gguf()) throw Error(ErrorKind::invalid_file, fmt::format("a publisher's mix is made from '{}', which is no GGUF mix", name));
    return *base;
  };
  // A publisher's own mixes first, then the quantizer's.
  for (const auto* p : catalog.publishers()) {
    if (publisher != nullptr && p != publisher) continue;
    for (const auto& own : p->mixes) {
      if (names::plain_key(own.name) != key) continue;
      auto q = base_of(own.of);
      apply(*p, q);
      apply_mix(own, q);
      return finish(std::move(q), p);
    }
  }
  for (const auto* base : catalog.quantizations()) {
    const bool is_it = names::plain_key(base->name) == key || std::any_of(base->aliases.begin(), base->aliases.end(), [&](const auto& alias) { return names::plain_key(alias) == key; });
    if (!is_it) continue;
    if (!base->is_gguf()) fail(mix, fmt::format("publishers and options are known of GGUF mixes only, and this is of {}", base->ecosystem));
    auto q = *base;
    if (publisher != nullptr) apply(*publisher, q);
    return finish(std::move(q), publisher);
  }
  return std::nullopt;
}

/// Throws where the mix is one whose recipe its publisher does not tell.
void check_published(std::string_view mix, const Catalog& catalog) {
  const auto small = text::to_lower(mix);
  for (const auto* p : catalog.publishers()) {
    if (p->unpublished.empty() || !small.starts_with(text::to_lower(p->unpublished))) continue;
    fail(mix, fmt::format("{} chooses the formats of these files tensor by tensor for each model and publishes no recipe; give the file itself as the model, or the "
                          "mix whose size is nearest",
                          p->name));
  }
}

}  // namespace

bool names_a_file(std::string_view typed) { return typed.find_first_of("@+/:") != std::string_view::npos; }

Quantization quantization_of_file(std::string_view typed, const Catalog& catalog) {
  auto rest = text::trim(typed);
  const auto slash = rest.rfind('/');
  const auto plus = rest.find('+', slash == std::string_view::npos ? 0 : slash);
  std::vector<std::string_view> options;
  if (plus != std::string_view::npos) {
    options = text::split(rest.substr(plus + 1), '+');
    rest = rest.substr(0, plus);
  }
  const Publisher* publisher = nullptr;
  std::string_view made;
  std::string mix;
  if (slash != std::string_view::npos) {
    const auto first = rest.find('/');
    publisher = publisher_of_path(rest.substr(0, first), rest.substr(first + 1), catalog);
    if (publisher == nullptr) fail_publisher(typed, rest.substr(0, first), catalog);
    const auto colon = rest.rfind(':');
    mix = colon != std::string_view::npos && colon > first ? std::string(rest.substr(colon + 1)) : mix_at_end(rest.substr(first), catalog);
    if (mix.empty()) fail(typed, "no known mix at the end, such as OWNER/REPOSITORY:Q4_K_M or OWNER/FILE-Q4_K_M.gguf");
  } else if (const auto at = rest.find('@'); at != std::string_view::npos) {
    mix = std::string(rest.substr(0, at));
    const auto who = rest.substr(at + 1);
    publisher = catalog.find_publisher(who);
    if (publisher == nullptr) {
      const auto [name, date] = split_date(who);
      publisher = catalog.find_publisher(name);
      made = date;
      if (publisher == nullptr) fail_publisher(typed, name, catalog);
    }
  } else {
    mix = std::string(rest);
  }
  check_published(mix, catalog);
  auto q = find_mix(mix, publisher, made, catalog);
  if (!q) {
    std::vector<std::string> known;
    for (const auto* base : catalog.quantizations()) {
      if (base->is_gguf()) known.push_back(base->name);
    }
    for (const auto* p : catalog.publishers()) {
      for (const auto& own : p->mixes) known.push_back(own.name);
    }
    fail(typed, fmt::format("unknown quantization '{}'{}; `planner quants` lists them", mix, text::did_you_mean(mix, known)));
  }
  for (const auto option : options) apply_option(typed, option, *q);
  return std::move(*q);
}

std::optional<Quantization> mix_of_a_publisher(std::string_view typed, const Catalog& catalog) {
  const auto key = names::plain_key(typed);
  for (const auto* p : catalog.publishers()) {
    for (const auto& mix : p->mixes) {
      if (names::plain_key(mix.name) == key) return find_mix(mix.name, p, {}, catalog);
    }
  }
  check_published(typed, catalog);
  return std::nullopt;
}

}  // namespace planner
