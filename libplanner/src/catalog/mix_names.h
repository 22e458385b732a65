// Names of GGUF mixes that say whose file is meant and what is special about it: "Q4_K_M@bartowski-2026-03+untied".
#pragma once

#include <optional>
#include <string_view>

#include "planner/catalog.h"

namespace planner {

/// Whether a name says more than the mix: a publisher, a repository, an option.
[[nodiscard]] bool names_a_file(std::string_view typed);

/// The quantization of such a name (Catalog::resolve_quantization lists the forms).
/// Throws Error (unknown_name): an unknown mix, publisher, option or format, with "did you mean".
[[nodiscard]] Quantization quantization_of_file(std::string_view typed, const Catalog& catalog);

/// A mix that has its name from a publisher ("Q6_K_L"); nothing where none has it.
/// Throws Error (unknown_name) for a mix whose recipe its publisher does not tell ("UD-Q4_K_XL").
[[nodiscard]] std::optional<Quantization> mix_of_a_publisher(std::string_view typed, const Catalog& catalog);

}  // namespace planner
