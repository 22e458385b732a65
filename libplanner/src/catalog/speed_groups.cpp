#include "catalog/speed_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "planner/error.h"

namespace planner {
namespace {

constexpr std::string_view kEffectNames[] = {
    "weights", "weights_half", "weights_bfloat", "weights_byte", "weights_nibble", "weights_super", "weights_codebook", "experts",
    "arithmetic", "arithmetic_half", "arithmetic_bfloat", "arithmetic_byte", "arithmetic_nibble", "arithmetic_super", "arithmetic_codebook",
    "kv", "kv_plain", "attention", "state", "launch", "launch_experts", "launch_recurrent", "launch_streams", "token", "hop",
    "prefill", "prefill_half", "prefill_bfloat", "prefill_byte", "prefill_nibble", "prefill_super", "prefill_codebook", "prefill_experts",
    "prefill_rounds", "prefill_attention", "prefill_scores", "prefill_bytes", "prefill_launch", "prefill_activations", "prefill_recurrent", "prefill_token",
    "weights_year", "arithmetic_year", "kv_year", "launch_year", "prefill_year", "prefill_experts_year"};
static_assert(std::size(kEffectNames) == kEffects, "a name for each Effect, in its order");

/// "HBM" for stacked memory, "GDDR" for cards, "shared" for memory modules and packages.
std::string_view memory_class(const Device& device) {
  if (device.memory_type.starts_with("HBM")) return "HBM";
  if (device.memory_type.starts_with("GDDR")) return "GDDR";
  return "shared";
}

[[noreturn]] void fail(const Record& record, const std::string& key, const std::string& problem) {
  throw Error(ErrorKind::invalid_file, fmt::format("{}: '{}' {} (entry '{}')", record.place(key), key, problem, record.id));
}

std::optional<SpeedRange> range_of(const Record& record, const char* key) {
  const auto it = record.value.find(key);
  if (it == record.value.end()) return std::nullopt;
  if (!it->is_array() || it->size() != 2 || !(*it)[0].is_number() || !(*it)[1].is_number()) fail(record, key, "is no [low, high]");
  const SpeedRange range{(*it)[0].get<double>(), (*it)[1].get<double>()};
  if (!(range.low > 0 && range.low <= 1 && range.high >= 1)) fail(record, key, "is not low <= 1 <= high");
  return range;
}

}  // namespace

std::string_view to_string(Effect effect) { return kEffectNames[static_cast<std::size_t>(effect)]; }

std::optional<Effect> find_effect(std::string_view name) {
  const auto* it = std::find(std::begin(kEffectNames), std::end(kEffectNames), name);
  if (it == std::end(kEffectNames)) return std::nullopt;
  return static_cast<Effect>(it - std::begin(kEffectNames));
}

Effect yearly(Effect effect) {
  switch (effect) {
    case Effect::weights: return Effect::weights_year;
    case Effect::arithmetic: return Effect::arithmetic_year;
    case Effect::kv: return Effect::kv_year;
    case Effect::launch: return Effect::launch_year;
    case Effect::prefill: return Effect::prefill_year;
    case Effect::prefill_experts: return Effect::prefill_experts_year;
    default: return Effect::count;
  }
}

std::vector<SpeedGroupName> speed_groups_of(const Device* device, std::string_view backend, bool is_host, std::string_view engine) {
  const bool is_cpu = is_host || device == nullptr || device->kind == DeviceKind::cpu || backend == "cpu";
  const std::string base(is_cpu ? "cpu" : backend);
  std::vector<SpeedGroupName> out{{SpeedLevel::general, "general"}, {SpeedLevel::backend, base}};
  if (device != nullptr) {
    const std::string generation = is_cpu ? device->vendor : device->vendor + " " + device->generation;
    out.push_back({SpeedLevel::generation, base + "/generation/" + generation});
    out.push_back({SpeedLevel::memory, fmt::format("{}/memory/{}", base, memory_class(*device))});
    out.push_back({SpeedLevel::device, base + "/device/" + device->id});
    out.push_back({SpeedLevel::local, "local/" + base + "/" + device->id});
  }
  // llama.cpp is what the others are measured against.
  if (!engine.empty() && engine != "llama.cpp") out.push_back({SpeedLevel::engine, "engine/" + std::string(engine)});
  return out;
}

SpeedGroup read_speed(const Record& record) {
  SpeedGroup g;
  g.id = record.id;
  for (const auto& [key, value] : record.value.items()) {
    if (key == "id" || key == "note") continue;
    if (key == "source") {
      g.source = value.is_string() ? value.get<std::string>() : std::string();
    } else if (key == "rows") {
      if (!value.is_number_integer() || value.get<std::int64_t>() < 0) fail(record, key, "is no number of measurements");
      g.rows = static_cast<int>(value.get<std::int64_t>());
    } else if (key == "effects") {
      if (!value.is_object()) fail(record, key, "is no map of effects");
      for (const auto& [name, logarithm] : value.items()) {
        const auto effect = find_effect(name);
        if (!effect) fail(record, key, "names the unknown effect '" + name + "'");
        if (!logarithm.is_number() || !(std::fabs(logarithm.get<double>()) < 12)) fail(record, key, "has no logarithm for '" + name + "'");
        g.effects[static_cast<std::size_t>(*effect)] = logarithm.get<double>();
      }
    } else if (key != "decode" && key != "decode_experts" && key != "prefill" && key != "prefill_experts") {
      fail(record, key, "is not a key of speed entries");
    }
  }
  g.decode = range_of(record, "decode");
  g.decode_experts = range_of(record, "decode_experts");
  g.prefill = range_of(record, "prefill");
  g.prefill_experts = range_of(record, "prefill_experts");
  return g;
}

void fold_factors(const std::array<double, kEffects>& logarithms, double years, std::array<double, kEffects>& factors) {
  for (std::size_t i = 0; i < kEffects; ++i) {
    const Effect year = yearly(static_cast<Effect>(i));
    factors[i] = std::exp(logarithms[i] + (year == Effect::count ? 0.0 : years * logarithms[static_cast<std::size_t>(year)]));
  }
}

}  // namespace planner
