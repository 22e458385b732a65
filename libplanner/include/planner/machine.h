/// A real box: its cards and their slots, its memory, what is kept of each. Read from a YAML file of the user's (schema: docs/data.md, "A machine").
///
///     machine: Workstation under the desk
///     gpus:
///       - device: RTX 4090
///         pcie: 4.0 x16
///         reserve: 1.2 GiB
///       - device: RTX 3060 12GB
///         pcie: 3.0 x4
///     links:
///       - {between: [0, 1], kind: NVLink, bandwidth: 112.5 GB/s}    # only where there is a bridge or a switch
///     host:
///       cpu: Ryzen 9 7950X
///       memory: 64 GiB
///       channels: 2
///       speed: 6000 MT/s
///       reserve: 4 GiB
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/units.h"

namespace planner {

/// One card, or several equal ones in equal slots.
struct MachineGpu {
  std::string device;                          ///< as people type it
  std::int64_t count = 1;
  std::optional<std::int64_t> memory_bytes;    ///< absent: the device's own
  std::string pcie;                            ///< "4.0 x8": of the slot; empty: the card's own
  std::optional<std::int64_t> reserve_bytes;   ///< absent: the platform's figure
  std::int64_t line = 0;                       ///< of the file, for errors
};

/// A direct link between cards. Cards that no link names talk over PCIe.
struct MachineLink {
  std::vector<std::int64_t> between;           ///< indices of the cards, counted in the order of `gpus`; empty: all
  std::string kind;                            ///< "NVLink", "Infinity Fabric"
  std::optional<BytesPerSecond> bandwidth;     ///< per card, both directions together; absent: the card's own
  std::int64_t line = 0;
};

struct MachineHost {
  std::string cpu;                             ///< a CPU platform, as people type it; empty: not stated
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> channels;        ///< of memory, 64 bits each
  std::optional<double> transfers_per_s;       ///< per channel: 6000 MT/s -> 6e9
  std::optional<BytesPerSecond> bandwidth;     ///< where it is known directly; otherwise channels * 8 bytes * transfers_per_s
  std::optional<std::int64_t> reserve_bytes;   ///< kept by the operating system and other programs
  std::int64_t line = 0;
};

struct Machine {
  std::string name;
  std::string origin;  ///< the file
  std::vector<MachineGpu> gpus;
  std::vector<MachineLink> links;
  MachineHost host;
};

/// Reads a machine file's text. Throws Error (invalid_file) with file and line: not YAML, an unknown key (with "did you mean"), a value of the wrong kind or out of
/// range. Names of devices are not looked up here.
[[nodiscard]] Machine machine_from_yaml(std::string_view yaml_text, const std::string& origin);
/// Reads a machine file. Also throws where it cannot be read.
[[nodiscard]] Machine read_machine(const std::filesystem::path& path);

}  // namespace planner
