// Machine files: asked, explained, and written from a selection.
#pragma once

#include "logic/device_answers.h"

namespace planner::gui {

/// The question asked of a machine file; `device` of the answer stays null.
[[nodiscard]] DeviceAnswer ask_machine(const Question& question, const QString& path, const Facts& facts);
/// A machine file (schema: docs/data.md) that holds the question's devices.
[[nodiscard]] QString machine_file_text(const Question& question, const Facts& facts);
/// What a machine file is and what to do, as rich text.
[[nodiscard]] QString machine_help_html();

}  // namespace planner::gui
