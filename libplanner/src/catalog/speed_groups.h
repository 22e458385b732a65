// Groups that a device belongs to, as data/speed/ names them, and the sum of their effects.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/record.h"
#include "planner/catalog.h"
#include "planner/speed_class.h"

namespace planner {

/// What a group stands for: from all devices to one.
enum class SpeedLevel : std::uint8_t { general, backend, generation, memory, device, engine, local };
inline constexpr std::size_t kSpeedLevels = 7;

struct SpeedGroupName {
  SpeedLevel level;
  std::string id;  ///< "cuda", "cuda/generation/NVIDIA Ampere", "cuda/device/rtx-3090", "engine/mlx"
};

/// Groups of a device under a back end and an engine, the general one first. A null device, or the host, is a CPU.
[[nodiscard]] std::vector<SpeedGroupName> speed_groups_of(const Device* device, std::string_view backend, bool is_host, std::string_view engine);

/// An entry of data/speed/.
struct SpeedGroup {
  std::string id;
  std::array<double, kEffects> effects{};  ///< logarithms, added over the groups
  int rows = 0;                            ///< measurements of the group
  std::optional<SpeedRange> decode, decode_experts, prefill, prefill_experts;
  std::string source;
};
[[nodiscard]] SpeedGroup read_speed(const Record& record);

/// The factor of a sum of logarithms with the years folded in.
void fold_factors(const std::array<double, kEffects>& logarithms, double years, std::array<double, kEffects>& factors);

/// The effect per year that goes with an effect; Effect::count: none.
[[nodiscard]] Effect yearly(Effect effect);

}  // namespace planner
