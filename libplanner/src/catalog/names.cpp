#include "catalog/names.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace planner::names {
namespace {

constexpr std::array<std::string_view, 19> kDeviceNoise = {"nvidia", "amd", "intel", "apple", "qualcomm", "google", "geforce", "radeon", "tesla", "quadro",
                                                          "graphics", "gpu", "generation", "edition", "instinct", "tm", "r", "card", "core"};

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_noise(std::string_view word) { return std::find(kDeviceNoise.begin(), kDeviceNoise.end(), word) != kDeviceNoise.end(); }

/// Runs of letters and digits; `.` counts inside a number when `points`; a change between letter and digit splits when `at_change`.
std::vector<std::string> words_of(std::string_view name, bool points, bool at_change) {
  std::vector<std::string> words;
  std::string word;
  const auto flush = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  const std::string lower = text::to_lower(name);
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const char c = lower[i];
    const bool inside = i > 0 && i + 1 < lower.size();
    if (is_letter(c) || is_digit(c)) {
      if (at_change && !word.empty() && is_digit(word.back()) != is_digit(c)) flush();
      word += c;
    } else if (c == '.' && points && inside && is_digit(lower[i - 1]) && is_digit(lower[i + 1])) {
      word += c;
    } else {
      flush();
    }
  }
  flush();
  return words;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += w;
  return out;
}

std::string_view without_organisation(std::string_view name) {
  const auto slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

/// "RTX 3060 12GB" -> {"RTX 3060", 12}, "64GB" -> {"", 64}; the whole text and 0 where no size stands at the end.
WithMemory size_at_end(std::string_view text) {
  const auto trimmed = text::trim(text);
  const std::string lower = text::to_lower(trimmed);
  std::size_t end = lower.size();
  for (const std::string_view unit : {"gib", "gb", "g"}) {
    if (text::ends_with(lower, unit)) {
      end -= unit.size();
      break;
    }
  }
  if (end == lower.size()) return {trimmed, 0};
  while (end > 0 && lower[end - 1] == ' ') --end;
  std::size_t begin = end;
  while (begin > 0 && is_digit(lower[begin - 1])) --begin;
  const bool stands_alone = begin == 0 || (!is_letter(lower[begin - 1]) && lower[begin - 1] != '.');
  const auto gib = text::parse_int(std::string_view(lower).substr(begin, end - begin));
  if (!stands_alone || !gib || *gib > (std::int64_t{1} << 20)) return {trimmed, 0};
  auto base = trimmed.substr(0, begin);
  while (!base.empty() && (base.back() == ' ' || base.back() == '-' || base.back() == '_')) base.remove_suffix(1);
  return {base, *gib};
}

}  // namespace

std::string device_key(std::string_view name) {
  auto words = words_of(name, false, false);
  if (words.size() > 1) std::erase_if(words, [](const auto& w) { return is_noise(w); });
  return join(words);
}

std::string model_key(std::string_view name) { return join(words_of(without_organisation(name), true, false)); }

std::string plain_key(std::string_view name) { return join(words_of(name, true, false)); }

std::vector<std::string> device_words(std::string_view name) {
  auto words = words_of(name, false, true);
  if (words.size() > 1) std::erase_if(words, [](const auto& w) { return is_noise(w); });
  return words;
}

std::vector<std::string> model_words(std::string_view name) { return words_of(without_organisation(name), true, false); }

WithMemory split_memory(std::string_view name) {
  auto base = text::trim(name);
  std::int64_t gib = 0;
  // Remarks in brackets say nothing but, perhaps, the size.
  while (text::ends_with(base, ")")) {
    const auto open = base.rfind('(');
    if (open == std::string_view::npos || open == 0) break;
    for (const auto part : text::split(base.substr(open + 1, base.size() - open - 2), ',')) {
      if (gib == 0) gib = size_at_end(part).gib;
    }
    base = text::trim(base.substr(0, open));
  }
  const auto at_end = size_at_end(base);
  return at_end.gib > 0 && !at_end.name.empty() ? at_end : WithMemory{base, gib};
}

}  // namespace planner::names
